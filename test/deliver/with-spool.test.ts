/** Delivery on the real spool (disk and LevelDB): what the two promise each other. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, test } from 'node:test';
import { stampOf, systemClock } from '../../src/base/clock.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { Delivery } from '../../src/deliver/api.ts';
import { createDelivery } from '../../src/deliver/delivery.ts';
import type { RecipientDsn } from '../../src/mail/envelope.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { startServer } from './fake-server.ts';
import { fakeResolver, from, officeConfig, to, until, type Watched, watch } from './support.ts';

const clock = systemClock();
const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface House {
  spool: SpoolStore;
  delivery: Delivery;
  seen: Watched;
  close(): Promise<void>;
}

async function makeRoot(): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), 'sekisho-deliver-'));
  cleanups.push(() => rm(root, { recursive: true, force: true }));
  return root;
}

async function openHouse(
  root: string,
  options: { port: number; create?: boolean; config?: ConfigInput },
): Promise<House> {
  const seen = watch();
  const spool = await openSpool({
    root,
    files: diskFiles(),
    openDatabase: openLevelDatabase,
    clock,
    observe: seen,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create: options.create ?? false,
    onFault: (error) => assert.fail(error),
  });
  const config = officeConfig([options.port], options.config);
  const delivery = createDelivery({
    config: () => config,
    spool,
    resolver: fakeResolver({}),
    observe: seen,
    clock,
    tuning: { sweepMs: 10 },
  });
  delivery.start();
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await delivery.stop({ graceMs: 0 });
    await spool[Symbol.asyncDispose]();
  };
  cleanups.push(close);
  return { spool, delivery, seen, close };
}

async function queue(
  house: House,
  options: {
    listener: 'mx' | 'relay';
    from: string;
    to: string[];
    body?: string;
    dsn?: RecipientDsn;
    ageMs?: number;
    folder?: 'held';
  },
): Promise<QueueId> {
  const arrival = stampOf(clock);
  const age = options.ageMs ?? 0;
  const recipients = options.to.map(to);
  const draft = await house.spool.begin({
    origin: {
      direction: options.listener === 'mx' ? 'inbound' : 'outbound',
      listener: options.listener,
      sessionId: 's1',
      clientAddress: '192.0.2.1',
      helo: 'mx.sender.example',
      protocol: 'ESMTP',
    },
    envelope: {
      reversePath: from(options.from),
      recipients: recipients.map((address) => ({
        address,
        ...(options.dsn === undefined ? {} : { dsn: options.dsn }),
      })),
      smtpUtf8: false,
      eightBit: false,
    },
    arrival: { ...arrival, wall: arrival.wall - age, mono: arrival.mono - age },
  });
  await draft.write(Buffer.from(options.body ?? 'Subject: hello\r\n\r\n.Hello\r\n'));
  await draft.seal();
  await draft.commit(options.folder ?? 'queue', {
    decisions: [],
    variants: [{ recipients, prefix: 'X: y\r\n', cuts: [[0, 16]] }],
  });
  return draft.id;
}

test('delivered, retried, bounced: the DSN goes out by itself and the spool is empty in the end', async () => {
  let grey = true;
  const office = await startServer({
    rcpt: (line) => {
      if (line.includes('grey') && grey) {
        grey = false;
        return '450 4.2.0 Later';
      }
      return line.includes('nobody') ? '550 5.1.1 No such user' : undefined;
    },
  });
  cleanups.push(() => office.close());
  const house = await openHouse(await makeRoot(), { port: office.port, create: true });
  await queue(house, {
    listener: 'relay',
    from: 'alice@office.example',
    to: ['bob@office.example', 'grey@office.example', 'nobody@office.example'],
  });
  await until('all out', () => office.taken.length === 3 && house.spool.count('queue') === 0);
  const bodies = office.taken.map((taken) => taken.raw.toString());
  assert.equal(bodies.filter((body) => body === 'X: y\r\n\r\n..Hello\r\n').length, 2);
  const dsn = office.taken.find((taken) => taken.from.startsWith('MAIL FROM:<>'));
  assert.deepEqual(dsn?.to, ['RCPT TO:<alice@office.example> NOTIFY=NEVER']);
  assert.match(dsn?.raw.toString() ?? '', /Final-Recipient: rfc822; nobody@office\.example/);
  assert.deepEqual(house.seen.raised, []);
});

test('the undeliverable share of a stranger is split off and held; the rest is served', async () => {
  let grey = true;
  const office = await startServer({
    rcpt: (line) => {
      if (line.includes('grey') && grey) {
        grey = false;
        return '450 4.2.0 Later';
      }
      return line.includes('nobody') ? '550 5.1.1 No such user' : undefined;
    },
  });
  cleanups.push(() => office.close());
  const house = await openHouse(await makeRoot(), { port: office.port, create: true });
  await queue(house, {
    listener: 'mx',
    from: 'alice@sender.example',
    to: ['bob@office.example', 'grey@office.example', 'nobody@office.example'],
  });
  await until('served and held', () => office.taken.length === 2 && house.spool.count('queue') === 0);
  assert.equal(house.spool.count('held'), 1);
  const [entry] = await house.spool.list('held');
  assert.ok(entry !== undefined);
  const held = await house.spool.read(entry.id);
  assert.deepEqual(
    held?.progress.recipients.map((each) => [each.address, each.outcome, each.lastReply]),
    [['nobody@office.example', undefined, '550 5.1.1 No such user']],
  );
  assert.deepEqual(house.seen.raised, [`undeliverable ${entry.id}`]);
});

test('mail queued while the server was away goes out after a restart, oldest first', async () => {
  const away = await startServer();
  await away.close();
  const root = await makeRoot();
  const before = await openHouse(root, { port: away.port, create: true });
  for (let at = 0; at < 10; at += 1) {
    await queue(before, {
      listener: 'mx',
      from: 'alice@sender.example',
      to: ['bob@office.example'],
      body: `Subject: test\r\n\r\n${at}`,
    });
  }
  await until('down', () => before.seen.alarms.size === 1);
  await before.close();
  const office = await startServer({}, { port: away.port });
  cleanups.push(() => office.close());
  const after = await openHouse(root, { port: away.port });
  await until('drained', () => office.taken.length === 10 && after.spool.count('queue') === 0);
  assert.deepEqual(new Set(office.taken.map((taken) => taken.raw.toString())).size, 10);
});

test('a delay notice goes out by itself, once, also after a restart; the late mail stays where it is', async () => {
  const office = await startServer({ rcpt: (line) => (line.includes('far.example') ? '450 4.2.1 Later' : undefined) });
  cleanups.push(() => office.close());
  const root = await makeRoot();
  const config: ConfigInput = {
    outbound: { smarthost: { host: 'localhost', port: office.port } },
    delivery: { delayNoticeMs: 1, retryMs: [600_000] },
  };
  const before = await openHouse(root, { port: office.port, create: true, config });
  const id = await queue(before, { listener: 'relay', from: 'alice@office.example', to: ['bob@far.example'] });
  await until('told', () => office.taken.length === 1 && before.spool.count('queue') === 1);
  assert.deepEqual(office.taken[0]?.to, ['RCPT TO:<alice@office.example> NOTIFY=NEVER']);
  assert.match(office.taken[0]?.raw.toString() ?? '', /Final-Recipient: rfc822; bob@far\.example\r\nAction: delayed/);
  await before.close();
  const after = await openHouse(root, { port: office.port, config });
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal(office.taken.length, 1);
  const message = await after.spool.read(id);
  assert.equal(message?.progress.recipients[0]?.delayNotified, true);
  assert.equal(message?.progress.recipients[0]?.outcome, undefined);
  assert.deepEqual(after.seen.raised, []);
});

test('a notice that comes back is held as undeliverable; let go again, it is tried again', async () => {
  let gone = true;
  const office = await startServer({
    rcpt: (line) =>
      line.includes('nobody') || (gone && line.includes('alice')) ? '550 5.1.1 No such user' : undefined,
  });
  cleanups.push(() => office.close());
  const house = await openHouse(await makeRoot(), { port: office.port, create: true });
  await queue(house, { listener: 'relay', from: 'alice@office.example', to: ['nobody@office.example'] });
  await until('held', () => house.spool.count('held') === 1 && house.spool.count('queue') === 0);
  const [entry] = await house.spool.list('held');
  assert.ok(entry !== undefined);
  const held = await house.spool.read(entry.id);
  assert.equal(held?.progress.why, 'undeliverable');
  assert.equal(held?.preamble.kind, 'dsn');
  assert.deepEqual(house.seen.raised, [`undeliverable ${entry.id}`]);
  gone = false;
  await house.spool.move(entry.id, 'queue');
  await until('delivered', () => office.taken.length === 1 && house.spool.count('held') === 0);
});

test('a relayed notice and the settlement are one: nothing is left in the queue', async () => {
  const office = await startServer({ extensions: [] });
  cleanups.push(() => office.close());
  const house = await openHouse(await makeRoot(), { port: office.port, create: true });
  await queue(house, {
    listener: 'relay',
    from: 'alice@office.example',
    to: ['bob@office.example', 'carol@office.example'],
    dsn: { notify: ['SUCCESS'] },
  });
  await until('all out', () => office.taken.length === 2 && house.spool.count('queue') === 0);
  const notice = office.taken.find((taken) => taken.from.startsWith('MAIL FROM:<>'))?.raw.toString() ?? '';
  assert.equal(notice.match(/Action: relayed/g)?.length, 2);
});

test('what was held for longer than mail is tried has its whole time when it is let go, also after a restart', async () => {
  const day = 86_400_000;
  const root = await makeRoot();
  let busy = true;
  const server = await startServer({ rcpt: () => (busy ? '450 4.2.0 Greylisted' : undefined) });
  cleanups.push(() => server.close());
  const config: ConfigInput = { delivery: { retryMs: [600_000], delayNoticeMs: 1_800_000 } };
  const mail = { listener: 'relay', from: 'a@office.example', folder: 'held', ageMs: 8 * day } as const;
  const before = await openHouse(root, { port: server.port, create: true, config });
  const whole = await queue(before, { ...mail, to: ['bob@office.example'] });
  const shared = await queue(before, { ...mail, to: ['carol@office.example', 'dave@office.example'] });
  await before.spool.move(whole, 'queue');
  const part = await before.spool.move(shared, 'queue', { recipients: [to('carol@office.example')] });
  const deferred = (house: House): number => house.seen.events.filter(({ event }) => event === 'deferred').length;
  await until('both deferred', () => deferred(before) === 2 && before.delivery.status().waiting === 2);
  await before.close();
  const after = await openHouse(root, { port: server.port, config });
  after.delivery.retryNow({});
  await until('deferred again', () => deferred(after) === 2 && after.delivery.status().waiting === 2);
  assert.deepEqual([after.spool.folderOf(whole), after.spool.folderOf(part)], ['queue', 'queue']);
  assert.ok(after.delivery.status().hops.every(({ oldestMs }) => oldestMs < day));
  busy = false;
  after.delivery.retryNow({});
  await until('delivered', () => server.taken.length === 2);
});

test('what an operator holds while the notice of its end is being written stays held, and no notice goes', async () => {
  const office = await startServer();
  await office.close(); // away: nobody is being served, so it may be held at any moment
  const house = await openHouse(await makeRoot(), { port: office.port, create: true });
  const { spool } = house;
  const open = spool.openBody.bind(spool);
  spool.openBody = (message) => {
    const octets = async function* (): AsyncGenerator<Buffer> {
      if (spool.folderOf(message.id) === 'queue') await spool.move(message.id, 'held', { why: 'operator' });
      yield* open(message) as AsyncIterable<Buffer>;
    };
    return Readable.from(octets(), { objectMode: false });
  };
  const mail = { listener: 'relay', from: 'alice@office.example', ageMs: 8 * 86_400_000 } as const;
  const id = await queue(house, { ...mail, to: ['bob@office.example'] });
  await until('held', () => spool.folderOf(id) === 'held');
  await until('given up', () => house.delivery.status().hops.every(({ active }) => active === 0));
  await spool.flush();
  assert.equal((await spool.read(id))?.progress.recipients[0]?.outcome, undefined);
  assert.deepEqual([spool.count('held'), spool.count('queue')], [1, 0]);
  assert.ok(!house.seen.events.some(({ event }) => event === 'derived' || event === 'expired'));
  assert.deepEqual(house.seen.raised, [`mail-server-down domain:office.example`]);
});
