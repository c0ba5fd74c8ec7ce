/** Hold, unhold and route by domain, on the real spool. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { stampOf, systemClock } from '../../src/base/clock.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import type { HandlerParts } from '../../src/gateway/handlers.ts';
import { parseServer, queueBulkHandlers } from '../../src/gateway/queue-bulk.ts';
import { messageDetails } from '../../src/gateway/views.ts';
import { createQuarantine } from '../../src/quarantine/quarantine.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { from, to, watch } from '../deliver/support.ts';

const clock = systemClock();
const cleanups: Array<() => Promise<void>> = [];
const BY = { by: 'root', caller: 'cli', signal: new AbortController().signal } as const;

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Desk {
  spool: SpoolStore;
  handlers: ReturnType<typeof queueBulkHandlers>;
  retried: unknown[];
  current: () => Config;
}

async function openDesk(): Promise<Desk> {
  const root = await mkdtemp(path.join(tmpdir(), 'sekisho-bulk-'));
  cleanups.push(() => rm(root, { recursive: true, force: true }));
  const observe = watch();
  const spool = await openSpool({
    root,
    files: diskFiles(),
    openDatabase: openLevelDatabase,
    clock,
    observe,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create: true,
    onFault: (error) => assert.fail(error),
  });
  cleanups.push(() => spool[Symbol.asyncDispose]());
  let config = configSchema.parse({ domains: [{ name: 'office.example', servers: [{ host: '192.0.2.1' }] }] });
  const retried: unknown[] = [];
  const store = {
    current: () => config,
    set: async (at: string, value: unknown) => {
      assert.equal(at, 'delivery.overrides');
      const parsed = configSchema.safeParse({ ...config, delivery: { ...config.delivery, overrides: value } });
      if (!parsed.success) return { ok: false, problems: [{ path: at, message: 'no' }] };
      config = parsed.data;
      return { ok: true, generation: 2, changed: [at] };
    },
  };
  const parts = {
    spool,
    store,
    clock,
    observe,
    quarantine: createQuarantine({ spool, observe, clock, config: () => config }),
    delivery: {
      retryNow: (filter: unknown) => {
        retried.push(filter);
        return 7;
      },
      reroute: (id: unknown, via: unknown) => {
        retried.push({ id, via });
        return 1;
      },
    },
  } as unknown as HandlerParts;
  return { spool, handlers: queueBulkHandlers(parts), retried, current: () => config };
}

async function queue(spool: SpoolStore, addresses: string[]): Promise<void> {
  const recipients = addresses.map(to);
  const draft = await spool.begin({
    origin: {
      direction: 'inbound',
      listener: 'mx',
      sessionId: 's',
      clientAddress: '192.0.2.1',
      helo: 'x.example',
      protocol: 'ESMTP',
    },
    envelope: {
      reversePath: from('alice@sender.example'),
      recipients: recipients.map((address) => ({ address })),
      smtpUtf8: false,
      eightBit: false,
    },
    arrival: stampOf(clock),
  });
  await draft.write(Buffer.from('Subject: x\r\n\r\nx\r\n'));
  await draft.seal();
  const decisions = recipients.map((recipient) => ({ recipient, action: 'deliver', reason: 'clean' }) as never);
  const inspection = { findings: [], missing: [], elapsed: {} };
  await draft.commit('queue', { decisions, inspection, variants: [{ recipients, prefix: '', cuts: [] }] });
}

async function recipientsIn(spool: SpoolStore, folder: 'queue' | 'held'): Promise<string[]> {
  const found: string[] = [];
  for (const { id } of await spool.list(folder)) {
    const message = await spool.read(id);
    found.push(...(message?.progress.recipients ?? []).map((each) => String(each.address)));
  }
  return found.toSorted();
}

test('hold by domain holds that domain, splits mixed mail, and unhold brings all of it back', async () => {
  const { spool, handlers } = await openDesk();
  await queue(spool, ['a@one.example']);
  await queue(spool, ['b@one.example', 'b@two.example']);
  await queue(spool, ['c@two.example']);
  const held = await handlers['queue.hold-domain']({ domain: 'One.Example' }, BY);
  assert.deepEqual(held, { count: 2, busy: 0 });
  assert.deepEqual(await recipientsIn(spool, 'held'), ['a@one.example', 'b@one.example']);
  assert.deepEqual(await recipientsIn(spool, 'queue'), ['b@two.example', 'c@two.example']);
  assert.deepEqual(await handlers['queue.hold-domain']({ domain: 'one.example' }, BY), { count: 0, busy: 0 });
  assert.deepEqual(await handlers['queue.unhold-domain']({ domain: 'two.example' }, BY), { count: 0, busy: 0 });
  assert.deepEqual(await handlers['queue.unhold-domain']({ domain: 'one.example' }, BY), { count: 2, busy: 0 });
  assert.deepEqual(await recipientsIn(spool, 'held'), []);
  assert.equal((await recipientsIn(spool, 'queue')).length, 4);
});

test('what the gateway holds for a reason of its own is not let go by domain', async () => {
  const { spool, handlers } = await openDesk();
  await queue(spool, ['a@one.example']);
  const [entry] = await spool.list('queue');
  assert.ok(entry !== undefined);
  await spool.move(entry.id, 'held', { why: 'undeliverable' });
  assert.deepEqual(await handlers['queue.unhold-domain']({ domain: 'one.example' }, BY), { count: 0, busy: 0 });
  assert.equal(spool.count('held'), 1);
});

test('what is being delivered at this moment is left alone and counted', async () => {
  const { spool, handlers } = await openDesk();
  await queue(spool, ['a@one.example']);
  const [entry] = await spool.list('queue');
  assert.ok(entry !== undefined);
  await spool.recordAttempt(entry.id, [to('a@one.example')], 'x');
  assert.deepEqual(await handlers['queue.hold-domain']({ domain: 'one.example' }, BY), { count: 0, busy: 1 });
});

test('a large queue is held page by page', async () => {
  const { spool, handlers } = await openDesk();
  for (let at = 0; at < 510; at += 1) await queue(spool, ['a@one.example']);
  const first = await handlers['queue.hold-domain']({ domain: 'one.example' }, BY);
  assert.equal(first.count, 500);
  assert.ok(first.cursor !== undefined);
  const second = await handlers['queue.hold-domain']({ domain: 'one.example', cursor: first.cursor }, BY);
  assert.deepEqual(second, { count: 10, busy: 0 });
  assert.equal(spool.count('held'), 510);
});

test('a route is a configuration change: set, replaced, and taken back; waiting mail becomes due', async () => {
  const { handlers, current, retried } = await openDesk();
  const route = handlers['queue.route'];
  const set = await route({ domain: 'far.example', to: '192.0.2.9:2525', protocol: 'lmtp' }, BY);
  assert.deepEqual([set.ok, set.count], [true, 7]);
  await route({ domain: 'office.example', to: '[2001:db8::9]' }, BY);
  await route({ domain: 'FAR.example', to: 'mail.far.example' }, BY);
  assert.deepEqual(
    current().delivery.overrides.map((each) => `${each.domain} ${each.protocol} ${each.host} ${each.port}`),
    ['office.example smtp 2001:db8::9 25', 'far.example smtp mail.far.example 25'],
  );
  await route({ domain: 'far.example' }, BY);
  assert.deepEqual(
    current().delivery.overrides.map((each) => each.domain),
    ['office.example'],
  );
  assert.equal(retried.length, 4);
  const refused = await route({ domain: 'far.example', to: '192.0.2.9:99999' }, BY);
  assert.deepEqual([refused.ok, refused.count, retried.length], [false, 0, 4]);
  for (const bad of ['', 'a:b:c', '[::1', 'host:'])
    await assert.rejects(async () => parseServer(bad), { code: 'INVALID' }, bad);
});

test('one message is rerouted by its id, on record in its entry, and taken back; a bad server changes nothing', async () => {
  const { spool, handlers, retried } = await openDesk();
  await queue(spool, ['a@one.example']);
  const [entry] = await spool.list('queue');
  assert.ok(entry !== undefined);
  const { id } = entry;
  const answer = await handlers['queue.reroute']({ id, to: '[2001:db8::9]:24', protocol: 'lmtp' }, BY);
  assert.deepEqual(answer, { id, state: 'active', route: '2001:db8::9:24 lmtp', count: 1 });
  const via = { host: '2001:db8::9', port: 24, protocol: 'lmtp' };
  assert.deepEqual((await spool.read(id))?.progress.via, via);
  const message = await spool.read(id);
  assert.ok(message !== undefined);
  assert.equal(messageDetails(message, clock).route, '2001:db8::9:24 lmtp');
  await assert.rejects(async () => handlers['queue.reroute']({ id, to: '192.0.2.9:99999' }, BY), { code: 'INVALID' });
  assert.deepEqual((await spool.read(id))?.progress.via, via);
  await handlers['queue.reroute']({ id }, BY);
  assert.equal((await spool.read(id))?.progress.via, undefined);
  assert.deepEqual(retried, [
    { id, via },
    { id, via: undefined },
  ]);
});
