/** The pages of a box whose data partition is gone, and a host that never heard of the claim: the real admin before the real host. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtempDisposable, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { keepHostTold } from '../../src/api/claim-told.ts';
import { startHost } from '../host/world.ts';
import { PASSWORD, startAdmin } from './support.ts';

const STEP = path.resolve(import.meta.dirname, '../../rootfs/usr/libexec/sekisho/no-data');

test('without its data partition the page says why, nobody claims the box, and who stands before it gets in once', async () => {
  await using dir = await mkdtempDisposable(path.join(tmpdir(), 'sekisho-no-data-'));
  execFileSync('/bin/sh', [STEP, path.join(dir.path, 'var')]);
  await using host = await startHost();
  await host.stop();
  await rm(host.data, { recursive: true });
  await cp(path.join(dir.path, 'var/lib/sekisho-host'), host.data, { recursive: true });
  await host.start();
  const sockets = { gatewaySocket: path.join(dir.path, 'none'), hostSocket: path.join(host.dir, 'run/admin.sock') };
  await using box = await startAdmin({ data: path.join(dir.path, 'admin'), ...sockets });
  const visitor = box.visitor();
  const shown = await visitor.api('GET', '/setup');
  assert.equal(shown.json['noData'], true);
  assert.equal(shown.json['claimed'], false);
  const body = (code: string, user: string) => ({ code, user, password: PASSWORD, language: 'ja' });
  const refused = await visitor.api('POST', '/setup/claim', body('0123456789', 'stranger'));
  assert.deepEqual([refused.status, refused.json['code']], [403, 'CODE_WRONG']);
  const { code } = await host.console.call('access.reset', {});
  const owner = box.visitor();
  assert.equal((await owner.api('POST', '/setup/claim', body(code, 'hanako'))).status, 200);
  const status = await owner.api('GET', '/system');
  assert.match(status.text, /"cause":"no-data"/);
  // the code on the screen is used up
  assert.equal((await visitor.api('POST', '/setup/claim', body(code, 'stranger'))).status, 409);
  assert.equal((await host.admin.call('host.status', {})).accessReset, undefined);
  assert.equal(existsSync(path.join(host.dir, 'disk-owner')), false);
});

test('a host that never heard of the claim is told, until it knows', async () => {
  await using host = await startHost();
  let claimed = false;
  const said: string[] = [];
  const log = (level: string): number => said.push(level);
  const told = keepHostTold({ claimed: () => claimed, host: host.admin, log });
  assert.equal(await told.look(), false);
  assert.equal((await host.admin.call('host.status', {})).claimed, false);
  claimed = true;
  await host.stop();
  assert.equal(await told.look(), false);
  assert.deepEqual(said, ['warn']);
  await host.start();
  assert.equal(await told.look(), true);
  assert.equal((await host.admin.call('host.status', {})).claimed, true);
  assert.deepEqual(said, ['warn', 'info']);
  told.stop();
});
