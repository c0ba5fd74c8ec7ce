/** What a thief of the disk could read is said wherever the kernel does not tell of an encrypted device. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { dataDisk, splitDevice, THIEF_READS } from '../../src/host/data-disk.ts';
import { startHost } from './world.ts';

test('device numbers come apart as the kernel names them', () => {
  assert.deepEqual(splitDevice(0x803), { major: 8, minor: 3 });
  assert.deepEqual(splitDevice(0x10_fd01), { major: 253, minor: 257 });
});

test('only a device that is dm-crypt ends the warning', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-disk-'));
  try {
    const { major, minor } = splitDevice(statSync(dir).dev);
    const [data, sys] = [dir, path.join(dir, 'sys')];
    const plain = await dataDisk({ data, sys });
    assert.equal(plain.text, THIEF_READS.none);
    assert.equal(plain.encrypted, major === 0 ? undefined : false);
    if (major === 0) return; // an overlay: there is no device to dress up
    const dm = path.join(sys, `dev/block/${major}:${minor}/dm`);
    mkdirSync(dm, { recursive: true });
    writeFileSync(path.join(dm, 'uuid'), 'LVM-abcdef\n');
    assert.equal((await dataDisk({ data, sys })).encrypted, false);
    writeFileSync(path.join(dm, 'uuid'), 'CRYPT-LUKS2-abcdef-data\n');
    assert.deepEqual(await dataDisk({ data, sys }), { encrypted: true, recoveryKey: 'noted' });
    for (const key of ['usb', 'tpm2'] as const)
      assert.equal((await dataDisk({ data, sys, key, toNote: true })).text, THIEF_READS[key]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('page and console get the sentence with the state of the machine', async () => {
  await using host = await startHost();
  for (const caller of [host.admin, host.console])
    assert.deepEqual((await caller.call('host.status', {})).disk.text, THIEF_READS.none);
});
