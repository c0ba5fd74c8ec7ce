/** How many sessions a destination is given: 5 to begin with, one more for each round of successes, one less for each strain. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Hop } from '../../src/deliver/hop.ts';
import { concurrencyCeiling, routeKey } from '../../src/deliver/route.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { fakeResolver, type Stage, stage, testConfig, until } from './support.ts';

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function begin(script: Script, count: number): Promise<{ far: FakeServer; staged: Stage }> {
  const far = await startServer(script);
  cleanups.push(() => far.close());
  const resolver = fakeResolver({
    'far.example': { mx: [{ exchange: 'mx.far.example', priority: 1 }] },
    'mx.far.example': { a: ['127.0.0.1'] },
  });
  const staged = stage(testConfig({}), { resolver, tuning: { mxPort: far.port } });
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  for (let at = 0; at < count; at += 1) staged.spool.add({ listener: 'relay', to: [`r${at}@far.example`] });
  staged.delivery.start();
  return { far, staged };
}

test('a destination outside begins with 5 sessions at once and never gets more than 20', async () => {
  let most = 0;
  let silent = true;
  const script: Script = {
    mail: () => {
      most = Math.max(most, far.open);
      return silent ? 'silent' : undefined;
    },
  };
  const { far } = await begin(script, 600);
  await until('5 sessions', () => far.open === 5, 30_000);
  await new Promise((resolve) => setTimeout(resolve, 100)); // time enough for a sixth
  assert.equal(far.open, 5);
  silent = false;
  // the five that never heard an answer stay as they are until their deadline: the test does not wait for that
  const { far: willing } = await begin(script, 600);
  let peak = 0;
  await until(
    'all sent',
    () => {
      peak = Math.max(peak, willing.open);
      return willing.taken.length === 600;
    },
    60_000,
  );
  assert.ok(peak > 5 && peak <= 20, `${peak} sessions at once`);
});

test('a hop learns: one more after each round of successes up to its ceiling, one less after a strain, never none', () => {
  const config = testConfig({ delivery: { concurrencyPerHop: 10 } });
  const key = routeKey('far.example', config);
  const ceiling = concurrencyCeiling(key, config);
  assert.equal(ceiling, 20);
  const hop = new Hop(key, { ceiling, idleMs: 1_000, onIdleEnd: () => undefined });
  assert.equal(hop.limit, 5);
  for (let at = 0; at < 4; at += 1) hop.succeeded(ceiling);
  assert.equal(hop.limit, 5);
  hop.succeeded(ceiling);
  assert.equal(hop.limit, 6);
  for (let at = 0; at < 5; at += 1) hop.succeeded(ceiling);
  hop.strained(); // the round begins anew
  assert.equal(hop.limit, 5);
  for (let at = 0; at < 1_000; at += 1) hop.succeeded(ceiling);
  assert.equal(hop.limit, 20);
  for (let at = 0; at < 100; at += 1) hop.strained();
  assert.equal(hop.limit, 1);
});

test('a mail server of ours has the ceiling of the settings, from the next message on', () => {
  const domains = [{ name: 'office.example', servers: [{ host: '192.0.2.25' }] }];
  const config = testConfig({ domains, delivery: { concurrencyPerHop: 3 } });
  const key = routeKey('office.example', config);
  assert.equal(concurrencyCeiling(key, config), 3);
  const hop = new Hop(key, { ceiling: 10, idleMs: 1_000, onIdleEnd: () => undefined });
  hop.succeeded(3);
  assert.equal(hop.limit, 3);
});
