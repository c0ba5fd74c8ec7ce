/**
 * A box whose disk broke is nobody's to claim: the mark of its owner on the boot partition, read by the real step before the mount
 * on real file systems that the real check was let loose on, and written and taken away by the real host.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, mkdtempDisposable, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { AGAIN_MS, createOwnerMark } from '../../src/host/owner-mark.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/process.ts';
import { type HostWorld, startHost } from './world.ts';

const STEPS = path.resolve(import.meta.dirname, '../../rootfs/usr/libexec/sekisho');
const confirmation = 'ERASE EVERYTHING';
const CLAIMED = {
  'sekisho-host/claimed': 'claimed\n',
  'sekisho-admin/admin.sqlite': 'users',
  'sekisho/spool/mail': 'Subject: x',
};

interface Disk extends Disposable {
  readonly data: string;
  readonly mark: string;
  /** The start of a box up to the mount. True: its data partition is left alone. */
  starts(): boolean;
}

/** `files` lie on the data partition below `lib`. */
function newDisk(dir: string, files: Record<string, string>): Disk {
  const at = (name: string): string => path.join(dir, name);
  for (const name of ['dev/sekisho/esp/sekisho', 'bin', 'lib']) mkdirSync(at(name), { recursive: true });
  for (const [name, script] of Object.entries({
    mount: 'for word; do from=$to; to=$word; done; [ -d "$from" ] && rmdir "$to" && ln -s "$from" "$to"',
    umount: 'rm "$1" && mkdir "$1"',
    blkid: 'exit 2',
  })) {
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  }
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(at(`lib/tree/lib/${name}`)), { recursive: true });
    writeFileSync(at(`lib/tree/lib/${name}`), content);
  }
  mkdirSync(at('lib/tree'), { recursive: true });
  const data = at('dev/sekisho/data');
  execFileSync('/sbin/mke2fs', ['-q', '-F', '-t', 'ext4', '-J', 'size=4', '-d', at('lib/tree'), data, '64M']);
  writeFileSync(at('dev/sekisho/data-partition'), '');
  writeFileSync(at('cmdline'), 'quiet\n');
  const env = {
    PATH: `${at('bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
    SEKISHO_DEV: at('dev'),
    SEKISHO_RUN: at('run'),
    SEKISHO_CMDLINE: at('cmdline'),
  };
  return {
    data,
    mark: at('dev/sekisho/esp/sekisho/owner'),
    starts: () => {
      execFileSync('/bin/sh', [path.join(STEPS, 'data-disk'), 'start'], { env });
      spawnSync('/sbin/e2fsck', ['-y', data]);
      execFileSync('/bin/sh', [path.join(STEPS, 'data-disk'), 'judge'], { env });
      return existsSync(at('run/emptied'));
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Its superblock stands and what follows is noise: what the check makes an empty file system of. */
function destroy({ data }: Disk): void {
  spawnSync('dd', ['if=/dev/urandom', `of=${data}`, 'bs=4k', 'seek=4', 'count=12000', 'conv=notrunc']);
}

async function withDisk(files: Record<string, string>, work: (disk: Disk) => void): Promise<void> {
  await using dir = await mkdtempDisposable(path.join(tmpdir(), 'sekisho-owner-'));
  using disk = newDisk(dir.path, files);
  work(disk);
}

const whole = (disk: Disk): boolean => spawnSync('/sbin/e2fsck', ['-n', disk.data]).status === 0;

test('a data partition that the check made empty is left as it is, if the box has an owner', async () => {
  await withDisk(CLAIMED, (disk) => {
    writeFileSync(disk.mark, 'claimed\n');
    assert.equal(disk.starts(), false);
    destroy(disk);
    assert.equal(disk.starts(), true);
    assert.ok(whole(disk), 'the check made no empty file system: this test shows nothing');
    assert.equal(disk.starts(), true, 'at the second start, too');
  });
});

test('a box that nobody owned begins anew on an empty file system, as on its first day', async () => {
  await withDisk({}, (disk) => {
    assert.equal(disk.starts(), false);
    destroy(disk);
    assert.equal(disk.starts(), false);
    assert.ok(whole(disk));
  });
});

test('whatever is there of an owner, a reset that was begun, and a box without owner are mounted in spite of the mark', async () => {
  const unclaimed = JSON.stringify({ setupCode: { code: '0123456789', madeAt: 0 } }, null, 2);
  for (const [name, content] of [
    ['sekisho-host/claimed', 'claimed\n'],
    ['sekisho-admin/admin.sqlite', 'users'],
    ['sekisho-host/factory-reset', '2026-11-22T23:00:00Z\n'],
    ['sekisho-host/state.json', unclaimed],
  ] as const)
    await withDisk({ [name]: content }, (disk) => {
      writeFileSync(disk.mark, 'claimed\n');
      assert.equal(disk.starts(), false, name);
    });
  // the record of a claimed box, and the claim is gone
  await withDisk({ 'sekisho-host/state.json': '{"version":1}' }, (disk) => {
    writeFileSync(disk.mark, 'claimed\n');
    assert.equal(disk.starts(), true);
  });
});

test('what is in doubt is mounted as ever: a torn mark, no boot partition, a data partition that cannot be read', async () => {
  await withDisk({}, (disk) => {
    for (const torn of ['', 'cla', '\0\0\0\0\0\0\0\0', 'x'.repeat(5_000)]) {
      writeFileSync(disk.mark, torn);
      assert.equal(disk.starts(), false, torn.slice(0, 10));
    }
    writeFileSync(disk.mark, 'claimed\n');
    assert.equal(disk.starts(), true);
    writeFileSync(disk.data, Buffer.alloc(1_048_576, 'noise'));
    assert.equal(disk.starts(), false, 'the mount fails, and says why');
    rmSync(disk.data);
    assert.equal(disk.starts(), false);
    rmSync(path.join(disk.mark, '../..'), { recursive: true });
    assert.equal(disk.starts(), false);
  });
});

const mark = (host: HostWorld): string => path.join(host.dir, 'disk-owner');

const marked = (host: HostWorld): Promise<true> =>
  until('the mark', { ms: 60_000 }, () => existsSync(mark(host)) || undefined);

test('a claim is marked, and so is a box that was claimed by an older release; a reset takes the mark before the wish', async () => {
  await using host = await startHost();
  assert.equal(existsSync(mark(host)), false);
  await host.admin.call('claim.done', {});
  await marked(host);
  assert.equal(await readFile(mark(host), 'utf8'), 'claimed\n');
  await host.stop();
  await rm(mark(host));
  await host.start();
  await marked(host);
  await host.console.call('factory-reset', { confirmation });
  await host.cut();
  // the last thing before the mark goes
  await host.fake(
    'systemd-tmpfiles',
    `test -e "${mark(host)}" && test -e "${host.data}/factory-reset" && echo both >> "${host.dir}/seen"`,
  );
  await host.start();
  assert.equal(await readFile(path.join(host.dir, 'seen'), 'utf8'), 'both\n');
  assert.equal(existsSync(mark(host)), false);
  assert.equal((await host.console.call('setup-code.show', {})).claimed, false);
});

test('a boot partition that cannot be written stops neither claim nor reset, and is tried again', async () => {
  await using dir = await mkdtempDisposable(path.join(tmpdir(), 'sekisho-owner-'));
  const folder = path.join(dir.path, 'efi');
  await writeFile(folder, 'no folder');
  const clock = new FakeClock();
  const told: string[] = [];
  let owned = false;
  const file = path.join(folder, 'owner');
  const log = (level: string): number => told.push(level);
  const ownerMark = createOwnerMark({ file, clock, claimed: () => owned, log });
  await ownerMark.look();
  assert.deepEqual(told, []);
  owned = true;
  await ownerMark.look();
  await ownerMark.look();
  assert.deepEqual(told, ['warn'], 'once, not every ten seconds');
  await rm(folder);
  clock.advance(AGAIN_MS);
  await ownerMark.look();
  assert.equal(await readFile(file, 'utf8'), 'claimed\n');
  await using host = await startHost();
  await host.admin.call('claim.done', {});
  await host.console.call('factory-reset', { confirmation });
  await host.cut();
  await rm(mark(host), { force: true });
  // nobody takes that away as a file
  await mkdir(mark(host));
  await host.start();
  assert.equal((await host.console.call('setup-code.show', {})).claimed, false);
  assert.equal(existsSync(path.join(host.data, 'factory-reset')), false, 'it would be wiped at each start');
});

test('without its data partition a factory reset is left to the step before the mount, and no mark is made', async () => {
  await using memory = await mkdtempDisposable(path.join(tmpdir(), 'sekisho-owner-'));
  await using host = await startHost();
  await host.stop();
  await writeFile(path.join(memory.path, 'emptied'), '');
  const env = { PATH: '/usr/bin:/bin', SEKISHO_RUN: memory.path };
  await rm(host.data, { recursive: true });
  execFileSync('/bin/sh', [path.join(STEPS, 'no-data'), path.join(memory.path, 'var')], { env });
  await rm(path.dirname(host.data), { recursive: true });
  execFileSync('cp', ['-r', path.join(memory.path, 'var/lib'), path.dirname(host.data)]);
  await chmod(host.data, 0o700);
  await host.start();
  const { degraded, alarms } = await host.admin.call('host.status', {});
  assert.equal(degraded?.cause, 'no-data');
  assert.match(degraded?.detail ?? '', /^Nothing of this box is found/);
  assert.ok(alarms.some(({ name }) => name === 'no-data'));
  for (const [language, words] of [
    ['en', /Nothing of this box/],
    ['ja', /データ領域が使えません/],
  ] as const)
    assert.match(await readFile(path.join(host.dir, 'run', `banner.${language}`), 'utf8'), words);
  await host.console.call('factory-reset', { confirmation });
  assert.equal(await readFile(path.join(host.dir, 'disk-wish'), 'utf8'), 'none\n');
  assert.equal(existsSync(mark(host)), false);
});
