/** The certificate of STARTTLS through the API: installed and taken back while the gateway runs, as a sending server sees it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { makeSelfSigned } from '../../src/base/self-signed.ts';
import { startWorld, type World } from '../e2e/world.ts';
import { shownBySmtp } from '../support/shown-certificate.ts';
import { startAdmin, type TestAdmin, type Visitor } from './support.ts';

const DAY_MS = 86_400_000;
let world: World;
let box: TestAdmin;
let admin: Visitor;

before(async () => {
  world = await startWorld();
  box = await startAdmin({
    data: path.join(world.dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
  });
  admin = await box.claim();
});

after(async () => {
  await box[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const seenBySenders = (): Promise<string> => shownBySmtp(world.gateway.mxPort);
const rows = async (): Promise<Array<{ use: string; source: string; fingerprint: string; daysLeft: number }>> =>
  (await admin.api('GET', '/certificates')).json['certificates'] as never;
const alarms = async (): Promise<string> => (await admin.api('GET', '/alarms')).text;

test('a certificate for mail is shown to senders as soon as it is installed, and the one before is kept', async () => {
  const first = await seenBySenders();
  assert.deepEqual(
    (await rows()).map(({ use, source }) => [use, source]),
    [
      ['page', 'own'],
      ['mail', 'own'],
    ],
  );
  assert.equal((await rows())[1]?.fingerprint, first);
  const now = Date.now();
  const given = await makeSelfSigned({ names: ['mx.office.example'], now, validMs: 90 * DAY_MS });
  const other = await makeSelfSigned({ names: ['mx.office.example'], now, validMs: 90 * DAY_MS });
  const crossed = await admin.api('PUT', '/certificates/mail', { certificate: given.cert, key: other.key });
  assert.deepEqual([crossed.status, crossed.json['code']], [422, 'CERTIFICATE_BAD'], crossed.text);
  assert.equal(await seenBySenders(), first);
  const taken = await admin.api('PUT', '/certificates/mail', { certificate: given.cert, key: given.key });
  assert.deepEqual(
    [taken.status, taken.json['source'], taken.json['fingerprint']],
    [200, 'uploaded', given.fingerprint],
  );
  assert.doesNotMatch(taken.text, /PRIVATE KEY/);
  assert.equal(await seenBySenders(), given.fingerprint);
  assert.doesNotMatch(await alarms(), /certificate-expiring/);
  const soon = await makeSelfSigned({ names: ['mx.office.example'], now, validMs: 6.5 * DAY_MS });
  await admin.api('PUT', '/certificates/mail', { certificate: soon.cert, key: soon.key });
  assert.equal(await seenBySenders(), soon.fingerprint);
  assert.match(await alarms(), /certificate-expiring[^]*expires in 6 days/);
  const kept = await readFile(path.join(world.gateway.dataFolder, 'mail-certificate.previous.pem'), 'utf8');
  assert.ok(kept.includes(given.cert.trim()));
});

test('an installed certificate is there after a restart, and our own comes back when it is asked for', async () => {
  const standing = await seenBySenders();
  await world.gateway.stop();
  await world.gateway.start();
  assert.equal(await seenBySenders(), standing);
  const back = await admin.api('DELETE', '/certificates/mail');
  assert.deepEqual([back.status, back.json['source']], [200, 'own'], back.text);
  assert.equal(await seenBySenders(), back.json['fingerprint']);
  assert.doesNotMatch(await alarms(), /certificate-expiring/);
});
