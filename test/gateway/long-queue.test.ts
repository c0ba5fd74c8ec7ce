/**
 * A long queue is looked over without reading it: counted is how many messages a page passes and how many files it reads, over
 * the product's own index of 30,000 messages that lie on no disk.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stampOf } from '../../src/base/clock.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { HandlerParts } from '../../src/gateway/handlers.ts';
import { listQueue } from '../../src/gateway/queue-list.ts';
import { summaries, summaryOf } from '../../src/gateway/queue-summary.ts';
import { lookOver, SLICE } from '../../src/gateway/waiting.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import { newQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import type { Folder, RecipientProgress } from '../../src/spool/api.ts';
import { Census } from '../../src/spool/census.ts';
import { placeOf } from '../../src/spool/sketch.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { trailerFor, transaction } from '../contracts/spool.ts';

const MESSAGES = 30_000;
const clock = new FakeClock();
const config = configSchema.parse({
  domains: [
    { name: 'office.example', servers: [{ host: '192.0.2.1' }] },
    { name: 'rare.example', servers: [{ host: '192.0.2.1' }] },
  ],
});

/** Every tenth was deferred, every tenth of these is held, three are for rare.example. */
function long(): { parts: HandlerParts; count: { passed: number; read: number } } {
  const census = new Census(new Map(), { clock });
  const count = { passed: 0, read: 0 };
  const waiting = new Map<QueueId, RecipientProgress>();
  for (let at = 0; at < MESSAGES; at += 1) {
    const id = newQueueId(at);
    const domain = at % 10_000 === 9_999 ? 'rare.example' : 'office.example';
    const deferred =
      at % 10 === 0 ? { lastAttempt: stampOf(clock), wait: 600_000, attempts: 1, lastReply: '450 4.2.1 Later' } : {};
    const recipient = { address: `x@${domain}` as ForwardPath, attempts: 0, wait: 0, ...deferred };
    waiting.set(id, recipient);
    census.put(id, placeOf({ folder: at % 100 === 50 ? 'held' : 'queue', size: 100 }));
    const recipients = [recipient];
    census.describe(id, { v: 1, kind: 'mail', arrival: stampOf(clock), size: 100, sha256: '', recipients });
  }
  const spool = {
    page: (folders: readonly Folder[], options: { after?: QueueId; limit: number }) => census.pageOf(folders, options),
    sketch: (id: QueueId) => {
      count.passed += 1;
      return census.get(id);
    },
    folderOf: (id: QueueId) => census.get(id)?.folder,
    count: (folder: Folder) => census.counts[folder],
    read: async (id: QueueId) => {
      count.read += 1;
      const recipient = waiting.get(id) as RecipientProgress;
      const { envelope, origin, arrival } = transaction(clock, [recipient.address]);
      return {
        id,
        folder: census.get(id)?.folder,
        preamble: { version: 1, id, kind: 'mail', envelope, origin, arrival },
        trailer: { ...trailerFor([recipient.address]), size: 100, sha256: '' },
        progress: { recipients: [recipient] },
      };
    },
  };
  const hops = [{ key: 'domain:rare.example', state: 'down' }];
  const delivery = { status: () => ({ hops }) };
  const parts = { spool, clock, delivery, store: { current: () => config } } as unknown as HandlerParts;
  return { parts, count };
}

test('a page without a filter passes and reads its own length, wherever it stands', async () => {
  const { parts, count } = long();
  let cursor: string | undefined;
  const seen = new Set<string>();
  for (let page = 0; page < 3; page += 1) {
    const before = { ...count };
    const answer = await listQueue(parts, { state: 'all', limit: 50, ...(cursor === undefined ? {} : { cursor }) });
    for (const { id } of answer.entries) seen.add(id);
    assert.equal(answer.total, MESSAGES);
    assert.equal(count.read - before.read, 50);
    assert.ok(count.passed - before.passed <= 60, `${count.passed - before.passed} were passed`);
    cursor = page === 0 ? newQueueId(MESSAGES / 2) : answer.cursor;
  }
  assert.equal(seen.size, 150);
});

for (const [name, filter, found] of [
  ['a domain with three of all messages', { state: 'all', domain: 'Rare.Example' }, 3],
  ['a hop that nothing was sent to yet', { state: 'all', hop: 'domain:rare.example' }, 3],
  ['a domain that nothing waits for', { state: 'all', domain: 'none.example' }, 0],
  ['both a state and a domain', { state: 'deferred', domain: 'rare.example' }, 0],
] as const)
  test(`a search over all reads only what it shows: ${name}`, async () => {
    const { parts, count } = long();
    const answer = await listQueue(parts, { ...filter, limit: 50 });
    assert.deepEqual([answer.entries.length, answer.cursor], [found, undefined]);
    assert.equal(count.read, found);
    assert.ok(count.passed <= MESSAGES + found, 'each message once');
  });

test('the deferred ones come a page at a time, each once, and none is read in vain', async () => {
  const { parts, count } = long();
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await listQueue(parts, { state: 'deferred', limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    for (const { id, state } of page.entries) {
      assert.equal(state, 'deferred');
      seen.push(id);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  assert.deepEqual([seen.length, new Set(seen).size, count.read], [2_700, 2_700, 2_700]);
});

test('the loop turns while a long queue is looked over', async () => {
  const { parts } = long();
  let turns = 0;
  let looking = true;
  const turn = (): void => {
    turns += 1;
    if (looking) setImmediate(turn);
  };
  setImmediate(turn);
  for await (const _none of lookOver(parts.spool, { folders: ['queue'], slice: 1_000, matches: () => false }));
  looking = false;
  assert.ok(turns >= 29, `${turns} turns`);
  assert.ok(SLICE <= 10_000);
});

test('the summary counts every message and reads one a destination', async () => {
  const { parts, count } = long();
  clock.advance(7_200_000);
  const { total, states, destinations, ages, reasons, oldestMs } = await summaryOf(parts);
  clock.advance(-7_200_000);
  assert.equal(total, MESSAGES);
  assert.deepEqual(states, { incoming: 0, active: 29_700, deferred: 0, held: 300, corrupt: 0 }, 'all are due by now');
  assert.deepEqual(
    destinations.map(({ domain, messages, octets, state }) => [domain, messages, octets, state]),
    [
      ['office.example', 29_997, 2_999_700, 'up'],
      ['rare.example', 3, 300, 'down'],
    ],
  );
  assert.deepEqual(
    ages.map(({ messages }) => messages),
    [0, 0, MESSAGES, 0, 0],
  );
  assert.deepEqual(reasons, [
    { reason: 'active', messages: 27_000 },
    { reason: '450 4.2.1', messages: 3_000 },
  ]);
  assert.equal(oldestMs, 7_200_000);
  assert.ok(count.read <= 2, `${count.read} were read`);
});

test('of a long queue a summary holds for a few seconds', async () => {
  const { parts, count } = long();
  const ask = summaries(parts);
  await ask();
  await ask();
  assert.ok(count.passed <= MESSAGES);
  clock.advance(6_000);
  await ask();
  assert.ok(count.passed > MESSAGES);
});
