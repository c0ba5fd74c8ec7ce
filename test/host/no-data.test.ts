/** A box whose data partition cannot be mounted: what the start lays into memory instead, and what the real host makes of it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtempDisposable, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { startHost } from './world.ts';

const STEP = path.resolve(import.meta.dirname, '../../rootfs/usr/libexec/sekisho/no-data');

test('without its data partition the box says 421, cannot be claimed by anybody, and is not tried in full', async () => {
  await using memory = await mkdtempDisposable(path.join(tmpdir(), 'sekisho-no-data-'));
  execFileSync('/bin/sh', [STEP, memory.path]);
  await using host = await startHost();
  await host.stop();
  await rm(host.data, { recursive: true });
  await cp(path.join(memory.path, 'lib/sekisho-host'), host.data, { recursive: true });
  await host.start();
  assert.deepEqual(await host.console.call('setup-code.show', {}), { claimed: true });
  assert.deepEqual(await readdir(host.units), ['sekisho-mx.socket']);
  assert.ok(existsSync(path.join(host.dir, 'run/degraded')), 'what the gateway looks at');
  const { degraded } = await host.admin.call('host.status', {});
  assert.equal(degraded?.cause, 'no-data');
  assert.equal(degraded?.retryAt, undefined);
  await assert.rejects(host.console.call('degraded.end', {}), { code: 'WRONG_STATE' });
  // whoever stands before it gets in all the same
  assert.match((await host.console.call('access.reset', {})).code, /^[0-9A-Z]{10}$/);
});

test('a data partition without a free octet does not keep ports, pages and console from their host', async (context) => {
  await using host = await startHost();
  await host.gateway.call('listeners.apply', { listeners: [{ name: 'mx', address: '::', port: 25 }] });
  await host.admin.call('claim.done', {});
  const { bootId } = await host.admin.call('host.status', {});
  await host.stop();
  const kept = `${host.data}.kept`;
  await rename(host.data, kept);
  await cp(kept, host.data, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'sekisho-test', host.data]);
  if (mounted.status !== 0) return context.skip('only root mounts');
  try {
    await cp(kept, host.data, { recursive: true });
    const record = path.join(host.data, 'state.json');
    // another start of the machine, which is to be written down
    const text = await readFile(record, 'utf8');
    await writeFile(record, text.replaceAll(bootId, '00000000-0000-0000-0000-000000000000'));
    spawnSync('dd', ['if=/dev/zero', `of=${path.join(host.data, 'full')}`, 'bs=4k']);
    await rm(host.units, { recursive: true });
    await host.start();
    assert.equal((await host.admin.call('host.status', {})).claimed, true);
    assert.deepEqual(await readdir(host.units), ['sekisho-mx.socket']);
  } finally {
    await host.stop();
    execFileSync('umount', [host.data]);
  }
});
