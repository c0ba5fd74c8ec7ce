/** A data partition that the kernel turned read-only: one restart, noted where it can be, and never a loop of them. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostAlarms } from '../../src/host/alarms.ts';
import {
  BEFORE_RESTART_MS,
  createDataWatch,
  type DataWatch,
  ONE_RESTART_IN_MS,
  readOnlyDevice,
  restartedIn,
} from '../../src/host/data-watch.ts';
import { FakeClock } from '../support/fake-clock.ts';

// as a kernel 6.1 tells it after an ext4 error: the mount itself still says rw
const BEFORE = '26 1 0:22 / / rw,relatime shared:1 - overlay overlay rw\n';
const VAR = (state: string): string =>
  `${BEFORE}87 26 254:3 / /var rw,nosuid,nodev,noexec,noatime shared:34 - ext4 /dev/mmcblk0p4 ${state},errors=remount-ro\n` +
  '91 87 254:3 /tmp/x /var/tmp rw shared:35 - ext4 /dev/mmcblk0p4 rw\n';

interface World {
  clock: FakeClock;
  mounts: string;
  note: string;
  calls: string[];
  atHand: boolean;
  watch: DataWatch;
  /** The host of the next start of the machine. */
  begin(): void;
}

async function world(context: TestContext): Promise<World> {
  const dir = await mkdtempDisposable(path.join(tmpdir(), 'sekisho-data-watch-'));
  context.after(() => dir.remove());
  const one: World = {
    clock: new FakeClock(),
    mounts: path.join(dir.path, 'mountinfo'),
    note: path.join(dir.path, 'efi/disk-restart'),
    calls: [],
    atHand: true,
    watch: { look: () => Promise.resolve(), trouble: () => [] },
    begin: () => {
      one.watch = createDataWatch({
        clock: one.clock,
        data: '/var/lib/sekisho-host',
        mounts: one.mounts,
        note: one.note,
        mayRestart: () => Promise.resolve(one.atHand),
        reboot: () => void one.calls.push('reboot'),
        log: () => undefined,
      });
    },
  };
  one.begin();
  return one;
}

/** Looks for that long, as the host does, but less often. */
async function wait({ watch, clock }: World, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += BEFORE_RESTART_MS / 2) {
    await watch.look();
    clock.advance(BEFORE_RESTART_MS / 2);
  }
  await watch.look();
}

test('what the kernel says of the file system counts, not what the mount was asked for', () => {
  assert.equal(readOnlyDevice(VAR('rw'), '/var/lib/sekisho-host'), undefined);
  assert.equal(readOnlyDevice(VAR('ro'), '/var/lib/sekisho-host'), '/dev/mmcblk0p4');
  assert.equal(readOnlyDevice(VAR('rw,emergency_ro'), '/var/lib/sekisho-host'), '/dev/mmcblk0p4');
  assert.equal(readOnlyDevice(VAR('ro'), '/variety'), undefined);
  assert.equal(readOnlyDevice('', '/var'), undefined);
});

test('a real file system that becomes read-only is seen', async (context) => {
  await using dir = await mkdtempDisposable(path.join(tmpdir(), 'sekisho data '));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'sekisho-test', dir.path]).status !== 0)
    return context.skip('only root mounts');
  try {
    const folder = path.join(dir.path, 'lib');
    assert.equal(readOnlyDevice(await readFile('/proc/self/mountinfo', 'utf8'), folder), undefined);
    execFileSync('mount', ['-o', 'remount,ro', dir.path]);
    assert.equal(readOnlyDevice(await readFile('/proc/self/mountinfo', 'utf8'), folder), 'sekisho-test');
  } finally {
    execFileSync('umount', [dir.path]);
  }
});

test('the box says so at once and restarts itself two minutes later, with its reason noted first', async (context) => {
  const one = await world(context);
  await writeFile(one.mounts, VAR('rw'));
  await wait(one, BEFORE_RESTART_MS * 2);
  assert.deepEqual(one.watch.trouble(), []);
  await writeFile(one.mounts, VAR('ro'));
  await one.watch.look();
  const [trouble] = one.watch.trouble();
  assert.equal(trouble?.detail, '/dev/mmcblk0p4');
  const alarms = hostAlarms({
    degraded: undefined,
    ups: { power: 'normal', state: 'absent' } as never,
    watchdog: { lastReset: { reason: 'clean', at: '' } } as never,
    damage: undefined,
    startedAt: '',
    more: one.watch.trouble(),
  });
  assert.equal(alarms[0]?.name, 'data-read-only');
  assert.deepEqual(one.calls, []);
  await wait(one, BEFORE_RESTART_MS);
  assert.deepEqual(one.calls, ['reboot']);
  assert.equal(await restartedIn(one.note), one.clock.bootId);
  await wait(one, BEFORE_RESTART_MS * 2);
  assert.deepEqual(one.calls, ['reboot'], 'once: it is on its way down');
  await wait(one, 1_800_000);
  assert.deepEqual(one.calls, ['reboot', 'reboot'], 'it did not go down');
});

test('a disk that fails again and again makes one restart in a day of running, whatever the clock says', async (context) => {
  const one = await world(context);
  await writeFile(one.mounts, VAR('ro'));
  await wait(one, BEFORE_RESTART_MS);
  assert.deepEqual(one.calls.splice(0), ['reboot']);
  for (let start = 0; start < 5; start += 1) {
    one.clock.reboot();
    // each start believes in another year
    one.clock.step((start % 2 === 0 ? 10 : -10) * 365 * 86_400_000);
    one.begin();
    await wait(one, 6 * 3_600_000);
    assert.deepEqual(one.calls, [], `start ${start}`);
  }
  await wait(one, ONE_RESTART_IN_MS - 7 * 3_600_000);
  assert.deepEqual(one.calls, []);
  await wait(one, 2 * 3_600_000);
  assert.ok(one.calls.splice(0).length > 0);
  // a day in which all was well forgives
  one.clock.reboot();
  one.begin();
  await writeFile(one.mounts, VAR('rw'));
  await wait(one, BEFORE_RESTART_MS);
  assert.ok(existsSync(one.note));
  one.clock.advance(ONE_RESTART_IN_MS);
  await one.watch.look();
  assert.ok(!existsSync(one.note));
});

test('a restart that cannot be noted waits for a day of running; one without the key of the disk for the key', async (context) => {
  const one = await world(context);
  await writeFile(one.mounts, VAR('ro'));
  one.atHand = false;
  await wait(one, 3_600_000);
  assert.deepEqual(one.calls, []);
  assert.ok(!existsSync(one.note), 'what did not happen is not noted');
  one.atHand = true;
  // something that is no file in its place
  await mkdir(one.note, { recursive: true });
  await wait(one, 3_600_000);
  assert.deepEqual(one.calls, []);
  one.clock.advance(ONE_RESTART_IN_MS);
  await one.watch.look();
  assert.deepEqual(one.calls, ['reboot']);
});
