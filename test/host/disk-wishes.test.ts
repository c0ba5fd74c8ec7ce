/** What the host asks of the step before the mount, over its sockets: a wish is made only when its key is sure to be there. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createDiskKeyWatch } from '../../src/host/disk-key.ts';
import type { UsbSticks } from '../../src/host/usb.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/process.ts';
import { type HostWorld, startHost } from './world.ts';

const confirmation = 'ERASE EVERYTHING';

/** A stick whose folder is `stick`; `written` is what a write to it does after the real one. */
async function plugStick(host: HostWorld, { spoils = false } = {}): Promise<string> {
  const stick = path.join(host.dir, 'stick');
  await mkdir(stick);
  await mkdir(path.join(host.dir, 'sys/block/sda'), { recursive: true });
  await writeFile(path.join(host.dir, 'sys/block/sda/removable'), '1\n');
  const device = { name: 'sda', label: 'KEYS', size: 1_000_000, fstype: 'vfat', tran: 'usb', rm: true, pkname: null };
  await host.fake('lsblk', `echo '${JSON.stringify({ blockdevices: [device] })}'`);
  await host.fake('mount', `for word; do to=$word; done; rmdir "$to" && ln -s "${stick}" "$to"`);
  await host.fake('umount', `rm "$1"; mkdir "$1"${spoils ? `; for f in "${stick}"/*; do : > "$f"; done` : ''}`);
  return stick;
}

const rebooted = async (host: HostWorld): Promise<true> =>
  until('the restart', { ms: 60_000 }, async () => (await host.calls('systemctl')).includes('reboot') || undefined);

test('the key is on the stick and read back before the wish to encrypt is left', async () => {
  await using host = await startHost();
  const stick = await plugStick(host);
  for (const caller of [host.admin, host.gateway])
    await assert.rejects(caller.call('disk.encrypt', { confirmation, key: 'usb', usb: 'sda' }), {
      code: 'NOT_PERMITTED',
    });
  await assert.rejects(host.console.call('disk.encrypt', { confirmation, key: 'usb', usb: 'sdb' }), {
    code: 'NOT_FOUND',
  });
  await host.console.call('disk.encrypt', { confirmation, key: 'usb', usb: 'sda' });
  await rebooted(host);
  const wish = await readFile(path.join(host.dir, 'disk-wish'), 'utf8');
  const [file = ''] = await readdir(stick);
  assert.equal(wish, `usb ${/^sekisho-([0-9a-f-]{36})\.key$/.exec(file)?.[1]}\n`);
  assert.equal((await readFile(path.join(stick, file))).length, 64);
});

test('a stick that does not keep what is written, and a machine without a chip, leave no wish', async () => {
  await using host = await startHost();
  await plugStick(host, { spoils: true });
  await assert.rejects(host.console.call('disk.encrypt', { confirmation, key: 'usb', usb: 'sda' }), { code: 'USB' });
  await host.fake('systemd-creds', 'echo "No TPM2 device found" >&2; exit 1');
  await assert.rejects(host.console.call('disk.encrypt', { confirmation, key: 'tpm2' }), { code: 'NO_TPM' });
  assert.equal(existsSync(path.join(host.dir, 'disk-wish')), false);
  assert.ok(!(await host.calls('systemctl')).includes('reboot'));
  await host.fake('systemd-creds', 'case $1 in encrypt) base64 ;; decrypt) base64 -d ;; esac');
  await host.console.call('disk.encrypt', { confirmation, key: 'tpm2' });
  await rebooted(host);
  assert.equal(await readFile(path.join(host.dir, 'disk-wish'), 'utf8'), 'tpm2\n');
});

test('the recovery key is told at the console alone, until its last signs were typed', async () => {
  await using host = await startHost();
  assert.deepEqual(await host.console.call('recovery-key.show', {}), {});
  const run = path.join(host.dir, 'disk-run');
  await mkdir(run);
  await writeFile(path.join(run, 'recovery-key'), 'ABCDE12345FGHJK67890MNPQR');
  await assert.rejects(host.admin.call('recovery-key.show', {}), { code: 'NOT_PERMITTED' });
  assert.deepEqual(await host.console.call('recovery-key.show', {}), { key: 'ABCDE12345FGHJK67890MNPQR' });
  const program = path.join(host.dir, 'disk-program');
  await writeFile(
    program,
    `#!/bin/sh\nPATH=/usr/bin:/bin\necho "$*" >> "${program}.calls"; rm "${run}/recovery-key"\n`,
    {
      mode: 0o755,
    },
  );
  await assert.rejects(host.console.call('recovery-key.noted', { last: 'ABCDE' }), { code: 'INVALID_REQUEST' });
  await host.console.call('recovery-key.noted', { last: ' mnpqr' });
  assert.deepEqual(await host.calls('disk-program'), ['noted']);
  assert.deepEqual(await host.console.call('recovery-key.show', {}), {});
  await assert.rejects(host.console.call('recovery-key.noted', { last: 'MNPQR' }), { code: 'WRONG_STATE' });
});

test('with the key on a stick the box knows whether it could start again, and looks once a minute', async (context) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-key-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const [state, stick, clock] = [path.join(dir, 'state'), path.join(dir, 'stick'), new FakeClock()];
  await mkdir(stick);
  const usb: UsbSticks = {
    list: () => Promise.resolve([{ device: 'sda', label: '', octets: 1, fileSystem: 'vfat' }]),
    use: (_device, _access, work) => work(stick),
  };
  const newWatch = (): ReturnType<typeof createDiskKeyWatch> => createDiskKeyWatch({ state, usb, clock });
  assert.equal(await newWatch().atHand(), true, 'not encrypted');
  const id = '0b9d3f6e-5a41-4c7e-9a55-6a2b8f1c0d3e';
  await writeFile(state, `opened=tpm2\nkey=tpm2\nid=${id}\n`);
  assert.equal(await newWatch().atHand(), true, 'the chip has it');
  await writeFile(state, `opened=usb\nkey=usb\nid=${id}\n`);
  await writeFile(path.join(stick, 'sekisho-11111111-5a41-4c7e-9a55-6a2b8f1c0d3e.key'), 'of another box');
  const watch = newWatch();
  assert.equal(watch.missed(), false);
  assert.deepEqual([await watch.atHand(), watch.missed()], [false, true]);
  await writeFile(path.join(stick, `sekisho-${id}.key`), 'ours');
  assert.equal(await watch.atHand(), false);
  clock.advance(60_000);
  assert.deepEqual([await watch.atHand(), watch.missed()], [true, false]);
});
