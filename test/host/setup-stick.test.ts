/** A setup code brought on a USB stick: taken by a box that nobody owns, whenever the stick comes, and by no other. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { createClaim } from '../../src/host/claim.ts';
import { openRecord } from '../../src/host/record.ts';
import { createSetupStick } from '../../src/host/setup-stick.ts';
import { createUsbSticks } from '../../src/host/usb.ts';
import { FakeClock } from '../support/fake-clock.ts';

async function world(context: TestContext) {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-stick-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const at = (name: string): string => path.join(dir, name);
  await mkdir(at('sys/block/sda'), { recursive: true });
  await writeFile(at('sys/block/sda/removable'), '1\n');
  const record = openRecord(at('data'));
  const clock = new FakeClock();
  const claim = await createClaim({ record, clock, laid: at('none') });
  const state = { plugged: true, code: undefined as string | undefined, mounts: 0 };
  const answer = (stdout: string) => Promise.resolve({ code: 0, stdout, stderr: '', missing: false, late: false });
  const usb = createUsbSticks({
    sys: at('sys'),
    runFolder: at('run'),
    run: async (program, args) => {
      const stick = { name: 'sda', label: 'CODES', size: 1_000, fstype: 'vfat', tran: 'usb', rm: true, pkname: null };
      if (program === 'lsblk') return answer(JSON.stringify({ blockdevices: state.plugged ? [stick] : [] }));
      const folder = args.at(-1) ?? '';
      if (program === 'mount') {
        state.mounts += 1;
        assert.ok(
          args.some((word) => word.startsWith('ro,')),
          'a stick is only read',
        );
        await mkdir(path.join(folder, 'sekisho'));
        if (state.code !== undefined) await writeFile(path.join(folder, 'sekisho/setup-code'), state.code);
      } else await rm(path.join(folder, 'sekisho'), { recursive: true });
      return answer('');
    },
  });
  const stick = createSetupStick({ claim, usb, log: () => undefined });
  return { claim, stick, state, clock };
}

test('a stick that is put in brings its code, is looked at once, and may come again with another', async (context) => {
  const { claim, stick, state, clock } = await world(context);
  const made = claim.show().code;
  await stick.look();
  assert.equal(claim.show().code, made, 'a stick without a code changes nothing');
  state.plugged = false;
  await stick.look();
  [state.plugged, state.code] = [true, 'ofice-22222\r\n'];
  await stick.look();
  assert.equal(claim.show().code, '0F1CE22222');
  assert.equal(claim.check('OFICE 22222').ok, true);
  await stick.look();
  assert.equal(state.mounts, 2);
  // the hour of its code is not prolonged by coming again
  clock.advance(3_500_000);
  state.plugged = false;
  await stick.look();
  state.plugged = true;
  await stick.look();
  clock.advance(200_000);
  assert.equal(claim.check('OFICE 22222').expired, true);
});

test('what is no code, and any code for a box with an owner, is left alone', async (context) => {
  const { claim, stick, state } = await world(context);
  const made = claim.show().code;
  state.code = 'too short';
  await stick.look();
  assert.equal(claim.show().code, made);
  await claim.done();
  state.plugged = false;
  await stick.look();
  [state.plugged, state.code] = [true, 'ABCDE12345'];
  const before = state.mounts;
  await stick.look();
  assert.equal(state.mounts, before);
  assert.deepEqual(claim.show(), { claimed: true });
});

test('the disk the box runs from is no stick, though it may be one: not its boot partition, not its data', async (context) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-stick-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  for (const disk of ['sda', 'sdb']) {
    await mkdir(path.join(dir, 'block', disk), { recursive: true });
    await writeFile(path.join(dir, 'block', disk, 'removable'), '1\n');
  }
  const on = (name: string, rest: Record<string, unknown>): Record<string, unknown> => ({
    name,
    label: null,
    size: 1_000,
    fstype: null,
    tran: null,
    rm: true,
    pkname: null,
    mountpoints: [null],
    ...rest,
  });
  const data = (mountpoints: string[]): Record<string, unknown> =>
    on('sda7', { fstype: 'ext4', pkname: 'sda', mountpoints });
  const devices = [
    on('sda', { tran: 'usb' }),
    on('sda2', { label: 'SEKISHO', fstype: 'vfat', pkname: 'sda' }),
    on('sda4', { fstype: 'squashfs', pkname: 'sda' }),
    on('sdb', { tran: 'usb' }),
    on('sdb1', { label: 'KEYS', fstype: 'vfat', pkname: 'sdb' }),
    on('root', { fstype: 'squashfs', pkname: 'sda4', mountpoints: ['/'] }),
  ];
  const listed = async (more: Array<Record<string, unknown>>): Promise<string[]> => {
    const usb = createUsbSticks({
      sys: dir,
      runFolder: dir,
      run: async () => ({
        code: 0,
        stdout: JSON.stringify({ blockdevices: [...devices, ...more] }),
        stderr: '',
        missing: false,
        late: false,
      }),
    });
    return (await usb.list()).map(({ device }) => device);
  };
  assert.deepEqual(await listed([data(['/var'])]), ['sdb1']);
  // encrypted, and the data partition on the other disk
  assert.deepEqual(await listed([on('sekisho-data', { pkname: 'sda7', mountpoints: ['/var'] }), data([])]), ['sdb1']);
  assert.deepEqual(await listed([on('sdb2', { fstype: 'ext4', pkname: 'sdb', mountpoints: ['/var'] })]), []);
});
