/** Peers with ways of their own: LMTP stores, greylisters, servers that hang up with 421, servers that want it slowly. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { ConfigInput } from '../../src/config/schema.ts';
import { Pace } from '../../src/deliver/pace.ts';
import type { MailEvent } from '../../src/observe/events.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { officeConfig, type Stage, stage, testConfig, until } from './support.ts';

const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function server(script: Script = {}): Promise<FakeServer> {
  const started = await startServer(script);
  cleanups.push(() => started.close());
  return started;
}

function begin(...args: Parameters<typeof stage>): Stage {
  const staged = stage(...args);
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  return staged;
}

type Deferred = Extract<MailEvent, { event: 'deferred' }>;
function deferred(staged: Stage): Deferred[] {
  return staged.seen.events.filter((event): event is Deferred => event.event === 'deferred');
}

function lmtpConfig(port: number, input: ConfigInput = {}): ReturnType<typeof testConfig> {
  const servers = [{ host: 'localhost', port, protocol: 'lmtp' as const }];
  return testConfig({ domains: [{ name: 'office.example', servers }], ...input });
}

for (const extensions of [['PIPELINING', 'ENHANCEDSTATUSCODES'], []]) {
  const how = extensions.length > 0 ? 'pipelined' : 'step by step';
  test(`LMTP, ${how}: LHLO, and after the dot each recipient has a fate of its own`, async () => {
    let full = true;
    const store = await server({
      extensions,
      rcpt: (line) => (line.includes('nobody') ? '550 5.1.1 No such user' : undefined),
      lmtp: (rcpt) => {
        if (rcpt.includes('never')) return '552 5.2.2 Over quota';
        if (!rcpt.includes('later') || !full) return undefined;
        full = false;
        return '452 4.2.2 Mailbox full';
      },
    });
    const staged = begin(lmtpConfig(store.port));
    const names = ['bob', 'nobody', 'later', 'never', 'eve'].map((name) => `${name}@office.example`);
    const id = staged.spool.add({ listener: 'relay', to: names });
    await until('all settled', () => !staged.spool.entries.has(id));
    assert.deepEqual(
      names.map((name) => staged.spool.outcome(id, name)),
      ['delivered', 'bounced', 'delivered', 'bounced', 'delivered'],
    );
    assert.ok(store.commands.includes('LHLO mx.gateway.example'));
    assert.ok(!store.commands.some((line) => line.startsWith('EHLO')));
    assert.deepEqual(
      store.taken.map((taken) => taken.to.length),
      [4, 1],
    );
    assert.equal(deferred(staged)[0]?.reply, '452 4.2.2 Mailbox full');
    const told = staged.spool.dsns.map((dsn) => dsn.text).join('');
    assert.match(told, /nobody@office\.example\r\nAction: failed\r\nStatus: 5\.1\.1/);
    assert.match(told, /never@office\.example\r\nAction: failed\r\nStatus: 5\.2\.2/);
  });
}

test('LMTP: cut between two replies, who was answered is settled, the others go out again', async () => {
  let cuts = 1;
  const store = await server({
    lmtp: (rcpt) => {
      if (!rcpt.includes('b@') || cuts === 0) return undefined;
      cuts -= 1;
      return 'cut';
    },
  });
  const staged = begin(lmtpConfig(store.port));
  const id = staged.spool.add({ to: ['a@office.example', 'b@office.example', 'c@office.example'] });
  await until('all settled', () => !staged.spool.entries.has(id));
  assert.deepEqual(store.taken.at(-1)?.to, ['RCPT TO:<b@office.example>', 'RCPT TO:<c@office.example>']);
  assert.match(deferred(staged)[0]?.reply ?? '', /^4\.4\.2 /);
});

test('LMTP: many messages go over one session, in step', async () => {
  const store = await server({ lmtp: () => undefined });
  const { spool } = begin(lmtpConfig(store.port, { delivery: { concurrencyPerHop: 1 } }));
  for (let at = 0; at < 20; at += 1) spool.add({ to: ['a@office.example', 'b@office.example'] });
  await until('all delivered', () => spool.entries.size === 0);
  assert.equal(store.taken.length, 20);
  assert.equal(store.connections, 1);
});

test('a server that speaks no LMTP where the setting says so is waited for; nothing bounces', async () => {
  const smtp = await server();
  const { spool, seen } = begin(lmtpConfig(smtp.port));
  spool.add({ listener: 'relay', to: ['bob@office.example'] });
  await until('alarm', () => seen.alarms.has('mail-server-down domain:office.example'));
  assert.deepEqual(spool.dsns, []);
});

const GREYLISTERS: Array<[reply: string, waitMs: number]> = [
  ['450 4.7.1 Greylisted, try again in 300 seconds', 300_000],
  ['451 4.7.1 Greylisted, try again in 10 seconds', 60_000], // our own schedule is slower
  ['450 4.7.1 Greylisted, try again in 90 hours', 900_000], // never beyond our longest pause
  ['550 4.7.1 Greylisted for 5 minutes', 300_000],
  ['450 4.2.0 Greylisted', 60_000],
];

for (const [reply, waitMs] of GREYLISTERS) {
  test(`"${reply}": tried again after ${waitMs / 1_000} s, and taken then`, async () => {
    let grey = true;
    const office = await server({ rcpt: () => (grey ? reply : undefined) });
    const staged = begin(officeConfig([office.port], { delivery: { retryMs: [60_000, 900_000] } }));
    const id = staged.spool.add({ listener: 'relay', to: ['bob@office.example'] });
    await until('deferred', () => deferred(staged).length === 1);
    assert.equal(deferred(staged)[0]?.waitMs, waitMs);
    assert.equal(staged.spool.progressOf(id).recipients[0]?.wait, waitMs);
    grey = false;
    await until('waiting', () => staged.delivery.status().waiting === 1);
    staged.delivery.retryNow({ id });
    await until('delivered', () => staged.spool.outcome(id, 'bob@office.example') === 'delivered');
  });
}

for (const at of ['rcpt', 'data', 'dot'] as const) {
  test(`421 at ${at}: everybody without a word is deferred, and nothing more goes over that session`, async () => {
    let closing = true;
    const office = await server({
      extensions: [],
      [at]: (line: string) =>
        closing && (at !== 'rcpt' || line.includes('b@')) ? '421 4.3.2 Shutting down' : undefined,
    });
    const staged = begin(officeConfig([office.port], { delivery: { retryMs: [600_000] } }));
    const id = staged.spool.add({
      listener: 'relay',
      to: ['a@office.example', 'b@office.example', 'c@office.example'],
    });
    await until('deferred', () => deferred(staged).flatMap((event) => event.recipients).length === 3);
    const said = deferred(staged).map((event) => event.reply);
    assert.ok(
      said.every((reply) => /421 4\.3\.2 Shutting down|^4\.4\.2 /.test(reply)),
      said.join('\n'),
    );
    assert.equal(office.taken.length, 0);
    closing = false;
    await until('waiting', () => staged.delivery.status().waiting === 1);
    staged.delivery.retryNow({ id });
    await until('delivered', () => !staged.spool.entries.has(id));
    assert.equal(office.connections, 2);
    assert.equal(office.taken.length, 1);
    assert.deepEqual(staged.spool.dsns, []);
  });
}

test('Pace lets a burst of ten seconds through, then one message each interval', () => {
  const pace = new Pace();
  let gone = 0;
  let now = 1_000_000;
  const tryAt = (ms: number): void => {
    now += ms;
    if (pace.claim(now, 60) > 0) return;
    gone += 1;
  };
  for (let at = 0; at < 100; at += 1) tryAt(0);
  assert.equal(gone, 10);
  for (let at = 0; at < 100; at += 1) tryAt(100);
  assert.equal(gone, 20);
  assert.equal(pace.claim(now, 0), 0); // the limit was lifted
  assert.ok(pace.claim(now, 6_000) <= 10);
});

test('a limit of messages a minute holds the rest back, and another destination does not wait for it', async () => {
  const office = await server();
  const other = await server();
  const staged = begin(
    testConfig({
      domains: [
        { name: 'office.example', servers: [{ host: 'localhost', port: office.port }], perMinute: 60 },
        { name: 'other.example', servers: [{ host: 'localhost', port: other.port }] },
      ],
    }),
  );
  for (let at = 0; at < 30; at += 1) staged.spool.add({ to: ['bob@office.example'] });
  for (let at = 0; at < 30; at += 1) staged.spool.add({ to: ['bob@other.example'] });
  const began = performance.now();
  await until('the burst and the other', () => office.taken.length >= 10 && other.taken.length === 30);
  atItsPace(office, { burst: 10, perMs: 1_000, began });
  assert.ok(deferred(staged).length === 0 && staged.seen.raised.length === 0);
  await until('the next one', () => office.taken.length >= 11);
  atItsPace(office, { burst: 10, perMs: 1_000, began });
});

/** On a busy machine the look at it comes late, and more has gone rightly. */
function atItsPace({ taken }: FakeServer, { burst, perMs, began }: { burst: number; perMs: number; began: number }) {
  const most = burst + Math.ceil((performance.now() - began) / perMs);
  assert.ok(taken.length <= most, `${taken.length} have gone, ${most} may have`);
}

test('perMinutePerHop holds for every hop that has no limit of its own', async () => {
  const office = await server();
  const { spool } = begin(officeConfig([office.port], { delivery: { perMinutePerHop: 30 } }));
  for (let at = 0; at < 10; at += 1) spool.add({ to: ['bob@office.example'] });
  const began = performance.now();
  await until('the burst', () => office.taken.length >= 5);
  await new Promise((resolve) => setTimeout(resolve, 100));
  atItsPace(office, { burst: 5, perMs: 2_000, began });
});
