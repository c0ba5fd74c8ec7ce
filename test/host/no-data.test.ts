/** A box whose data partition cannot be mounted: what the start lays into memory instead, and what the real host makes of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtempDisposable, readdir, rm } from 'node:fs/promises';
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
