/**
 * The live feed of the pages, with its clock in the test's hand: what was changed and changed back between two looks reaches
 * the other readers too, and nothing is told when nothing happened. Real gateway, real admin.
 */
import assert from 'node:assert/strict';
import { request } from 'node:https';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { inQuarantine, startWorld, type World } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { startAdmin, type Visitor } from './support.ts';

const STEP_MS = 2_000;
let world: World;

before(async () => {
  world = await startWorld();
});
after(() => world[Symbol.asyncDispose]());

interface Follower extends Disposable {
  /** The data of every event of this name so far. */
  told: (event: string) => string[];
}

function follow(visitor: Visitor): Follower {
  let text = '';
  const asked = request({
    host: '127.0.0.1',
    port: visitor.port,
    path: '/api/v1/events',
    agent: false,
    rejectUnauthorized: false,
    headers: { cookie: [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
  });
  asked.on('response', (response) => response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)));
  asked.on('error', () => undefined); // ended by us
  asked.end();
  return {
    told: (event) =>
      [...text.matchAll(/^event: (\w+)\ndata: (.*)\n/gm)].flatMap(([, name, data]) =>
        name === event ? [data ?? ''] : [],
      ),
    [Symbol.dispose]: () => void asked.destroy(),
  };
}

test('done and undone between two looks, it is told to the other tab all the same; without a change nothing is', async (t: TestContext) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const bytes = plainMail({ from: 'president@office.example', subject: 'Transfer', messageId: 'live@x' });
  const spoofed = { from: 'boss@nospf.example', to: 'suzuki@office.example', bytes };
  assert.equal((await sendMail(world.gateway.mxPort, spoofed)).code, 250);
  await using box = await startAdmin({
    data: path.join(world.dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
  });
  const admin = await box.claim();
  const ids = (await inQuarantine(world, 1)).map(({ id }) => id);
  using other = follow(admin);
  await until('the first look', { ms: 30_000 }, () => other.told('counts').length === 1 || undefined);

  // a look at which nothing has changed: the answer to a later question shows that it is over
  t.mock.timers.tick(STEP_MS);
  await admin.api('GET', '/status');
  await admin.api('GET', '/status');
  assert.equal(other.told('counts').length, 1);

  assert.equal((await admin.api('POST', '/quarantine/delete', { ids })).json['done'], 1);
  assert.equal((await admin.api('POST', '/quarantine/undelete', { ids })).json['done'], 1);
  assert.equal(other.told('counts').length, 1, 'the clock stands still');
  t.mock.timers.tick(STEP_MS);
  await until('the look after both', { ms: 30_000 }, () => other.told('counts').length === 2 || undefined);
  const [first, second] = other.told('counts').map((data) => JSON.parse(data) as { counts: unknown; changes: number });
  assert.deepEqual(second?.counts, first?.counts, 'it looks as before');
  assert.equal((second?.changes ?? 0) - (first?.changes ?? 0), 2);
});
