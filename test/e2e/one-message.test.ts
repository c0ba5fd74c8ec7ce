/** An operator's hand on one message among others: retry, hold, unhold and route by its queue id, on a whole gateway. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { queueEmpty, startWorld, type World } from './world.ts';

const LATER = '451 4.3.0 Come back later';
let world: World;
before(async () => {
  // nothing is tried again in this test unless somebody says so
  world = await startWorld({ config: { delivery: { retryMs: [3_600_000], probeMs: 500 } } });
});
after(() => world?.[Symbol.asyncDispose]());

/** Sent, and refused for now by the office's server; its queue id. */
async function deferred(to: string): Promise<string> {
  const reply = await sendMail(world.gateway.mxPort, { from: 'hanako@example.com', to, bytes: plainMail() });
  assert.equal(reply.code, 250, reply.text);
  return until(`${to} deferred`, { ms: 20_000 }, async () => {
    const { entries } = await world.gateway.call('queue.list', { state: 'deferred' });
    return entries.find((entry) => entry.recipients[0]?.address === to)?.id;
  });
}

/** Tried that often, and nobody is at it any more. */
function tried(id: string, times: number): Promise<true> {
  return until(`attempt ${times} to end`, { ms: 20_000 }, async () => {
    const { entries } = await world.gateway.call('queue.list', { state: 'deferred' });
    return entries.some((entry) => entry.id === id) && (await attempts(id)) === times ? true : undefined;
  });
}

async function attempts(id: string): Promise<number | undefined> {
  const { recipients } = await world.gateway.call('queue.show', { id });
  return recipients[0]?.attempts;
}

async function queue(...args: string[]): Promise<string> {
  const run = await world.gateway.cli('queue', ...args);
  assert.equal(run.code, 0, run.stderr + run.stdout);
  return run.stdout;
}

test('retry, hold, unhold and route by queue id move that message and no other', async () => {
  const { office, outside, gateway } = world;
  office.script = { rcpt: () => LATER };
  const mine = await deferred('a@office.example');
  const other = await deferred('b@office.example');

  assert.match(await queue('retry', mine), /^1 message/);
  await tried(mine, 2);
  assert.equal(await attempts(other), 1);

  assert.match(await queue('hold', mine), /: held$/m);
  office.script = {};
  assert.match(await queue('retry', other), /^1 message/);
  const [came] = await office.received(1);
  assert.deepEqual(came?.to, ['b@office.example']);
  const { entries: held } = await gateway.call('queue.list', { state: 'held' });
  assert.deepEqual(
    held.map(({ id }) => id),
    [mine],
  );

  office.script = { rcpt: () => LATER };
  await queue('unhold', mine);
  await tried(mine, 3);
  await queue('route', mine, '--to', `127.0.0.1:${outside.port}`);
  const [rerouted] = await outside.received(1);
  assert.deepEqual(rerouted?.to, ['a@office.example']);
  await queueEmpty(world);
  assert.equal(office.messages.length, 1);
});
