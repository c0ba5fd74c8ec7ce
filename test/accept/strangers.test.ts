/** What strangers meet before they are believed: the greeting's delay, blocklists, the brake on guessing, scarce places. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createBlocklists } from '../../src/accept/dnsbl.ts';
import { HarvestBrake } from '../../src/accept/harvest-brake.ts';
import { KnownPeers } from '../../src/accept/known-peers.ts';
import { reverseLabels } from '../../src/base/network.ts';
import type { Resolver } from '../../src/base/resolver.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { reply } from '../../src/mail/reply.ts';
import { type Observe, silentObserve } from '../../src/observe/events.ts';
import { type Client, handClock, openBench, silentResolver, until } from './harness.ts';

const HEAD = 'A: b\r\n\r\n';

// --- the greeting -------------------------------------------------------------------------------------------------------

test('how long strangers wait for the greeting is a setting, on each listener', async () => {
  for (const listener of ['mx', 'relay'] as const) {
    const waiting = (greetingDelayMs: number) =>
      openBench({
        listener,
        config: { listeners: { [listener]: { greetingDelayMs } } },
        timing: { greetingDelayMs: undefined } as never,
      });
    // so long that a busy machine, too, reads the words before it greets
    await using long = await waiting(10_000);
    const early = await long.client({ greeting: false });
    early.write('EHLO early.example\r\n');
    assert.match(await early.reply(), /^421 4\.7\.0 You spoke before the greeting/);
    await using bench = await waiting(300);
    const began = performance.now();
    await bench.client();
    assert.ok(performance.now() - began > 250);
  }
});

test('as shipped the MX listener waits 100 ms and the relay listener greets at once', async () => {
  await using bench = await openBench();
  assert.equal(bench.config.listeners.mx.greetingDelayMs, 100);
  assert.equal(bench.config.listeners.relay.greetingDelayMs, 0);
});

// --- blocklists ---------------------------------------------------------------------------------------------------------

/** Names that have an address; asking for one in `trouble` fails, one in `hanging` never ends. */
function lists(
  known: Record<string, string>,
  options: { trouble?: string; hanging?: string } = {},
): Resolver & { asked: string[] } {
  const asked: string[] = [];
  return {
    ...silentResolver,
    asked,
    a: (name) => {
      asked.push(name);
      if (options.trouble !== undefined && name.endsWith(options.trouble)) return Promise.reject(new Error('SERVFAIL'));
      if (options.hanging !== undefined && name.endsWith(options.hanging)) return new Promise(() => undefined);
      return Promise.resolve(known[name] === undefined ? [] : [known[name]]);
    },
  };
}

const ZONES = [
  { zone: 'bl.example', weight: 3 },
  { zone: 'light.example', weight: 1 },
  { zone: 'good.example', weight: -2 },
];

test('weights of the lists that name a client add up, and a good list speaks for it', async () => {
  const resolver = lists({
    '7.2.0.192.bl.example': '127.0.0.2',
    '7.2.0.192.light.example': '127.0.0.9',
    '8.2.0.192.light.example': '127.0.0.2',
    '8.2.0.192.good.example': '127.0.0.2',
    '9.2.0.192.bl.example': '127.255.255.254', // "you may not ask"
    '9.2.0.192.light.example': '198.51.100.1', // a parked domain answers anything
  });
  const ask = createBlocklists({ resolver, deadlineMs: 1_000, log: () => undefined });
  const settings = { zones: ZONES, threshold: 3, allow: ['192.0.2.128/25'] };
  assert.deepEqual(await ask('192.0.2.7', settings), { sum: 4, zones: ['bl.example', 'light.example'] });
  assert.deepEqual(await ask('192.0.2.8', settings), { sum: -1, zones: ['light.example'] });
  assert.deepEqual(await ask('192.0.2.9', settings), { sum: 0, zones: [] });
  const before = resolver.asked.length;
  for (const nobodyAsks of ['192.0.2.200', '127.0.0.1', '10.0.0.1', 'fe80::1', 'nonsense'])
    assert.deepEqual(await ask(nobodyAsks, settings), { sum: 0, zones: [] });
  assert.equal(resolver.asked.length, before);
});

test('a list in trouble, or one that never answers, weighs nothing and is said in the log', async () => {
  const log: string[] = [];
  const resolver = lists(
    { '7.2.0.192.light.example': '127.0.0.2' },
    { trouble: 'bl.example', hanging: 'good.example' },
  );
  const ask = createBlocklists({ resolver, deadlineMs: 50, log: (message) => log.push(message) });
  assert.deepEqual(await ask('192.0.2.7', { zones: ZONES, threshold: 3, allow: [] }), {
    sum: 1,
    zones: ['light.example'],
  });
  assert.equal(log.length, 2);
  await ask('192.0.2.8', { zones: ZONES, threshold: 3, allow: [] });
  assert.equal(log.length, 2, 'said once, not with every client');
});

test('an IPv6 client is asked about by nibbles', async () => {
  assert.equal(reverseLabels('2001:db8::567:89ab'), 'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2');
  assert.equal(reverseLabels('::ffff:203.0.113.5'), reverseLabels('203.0.113.5'));
});

const BEHIND: ConfigInput['listeners'] = { mx: { proxyPeers: ['127.0.0.1'] } };

test('a listed client is refused at RCPT with the zone named; postmaster hears it, others pass', async () => {
  const resolver = lists({ '7.9.9.8.bl.example': '127.0.0.2' });
  await using bench = await openBench({
    config: { listeners: BEHIND, accept: { dnsbl: { zones: [{ zone: 'BL.example' }] } } },
    resolver,
  });
  const listed = await greeted(await bench.client({ greeting: false }), '8.9.9.7');
  await listed.command('MAIL FROM:<a@example.com>', 250);
  assert.equal(
    await listed.command('RCPT TO:<taro@office.example>', 554),
    '554 5.7.1 Client [8.9.9.7] is listed at bl.example',
  );
  await listed.command('RCPT TO:<postmaster@office.example>', 250);
  assert.deepEqual(bench.directory.asked, []);
  const other = await greeted(await bench.client({ greeting: false }), '8.9.9.8');
  await other.send(HEAD);
  assert.deepEqual(resolver.asked, ['7.9.9.8.bl.example', '8.9.9.8.bl.example']);
});

test('without zones nothing leaves the box', async () => {
  const resolver = lists({});
  await using bench = await openBench({ config: { listeners: BEHIND }, resolver });
  await (await greeted(await bench.client({ greeting: false }), '8.9.9.7')).send(HEAD);
  assert.deepEqual(resolver.asked, []);
});

async function greeted(client: Client, address: string): Promise<Client> {
  client.write(`PROXY TCP4 ${address} 127.0.0.1 5000 25\r\n`);
  await client.expect(220);
  await client.command('EHLO client.example', 250);
  return client;
}

// --- guessing addresses -------------------------------------------------------------------------------------------------

test('three typos cost nothing, then each guess waits twice as long, and ten are enough', async () => {
  const waits: number[] = [];
  await using bench = await openBench({ wait: async (ms) => void waits.push(ms), clock: handClock() });
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  for (let count = 1; count <= 10; count += 1) {
    await client.command('RCPT TO:<nobody@office.example>', 550);
    await client.command(`RCPT TO:<real-${count}@office.example>`, 250); // who exists never waits
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  assert.match(
    await client.command('RCPT TO:<nobody@office.example>', 421),
    /^421 4\.7\.0 Too many unknown recipients/,
  );
  assert.ok(await client.hungUp());
});

test('a new session buys a guesser nothing, and slows nobody who means a real mailbox', async () => {
  const waits: number[] = [];
  await using bench = await openBench({ wait: async (ms) => void waits.push(ms), clock: handClock() });
  for (let session = 0; session < 4; session += 1) {
    const client = await bench.hello();
    await client.command('MAIL FROM:<a@example.com>', 250);
    await client.command('RCPT TO:<nobody@office.example>', 550);
    client.socket.destroy();
  }
  assert.deepEqual(waits, [500]);
  await (await bench.hello()).send(HEAD);
  assert.deepEqual(waits, [500]);
});

test('who leaves while it waits is forgotten at once', async () => {
  await using bench = await openBench({ config: { limits: { errorsPerSession: 50 } } });
  const client = await bench.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  client.write('RCPT TO:<nobody@office.example>\r\n'.repeat(9));
  for (let count = 0; count < 3; count += 1) await client.expect(550);
  client.socket.resetAndDestroy();
  await until(() => bench.acceptor.sessions() === 0);
});

test('the office’s own servers are not braked', async () => {
  const waits: number[] = [];
  await using bench = await openBench({ listener: 'relay', wait: async (ms) => void waits.push(ms) });
  const client = await bench.hello();
  await client.command('MAIL FROM:<taro@office.example>', 250);
  for (let count = 0; count < 12; count += 1) await client.command('RCPT TO:<nobody@office.example>', 550);
  assert.deepEqual(waits, []);
});

test('a neighbourhood’s guesses are forgotten, one a minute, and other neighbourhoods are free', () => {
  const clock = handClock();
  const brake = new HarvestBrake(clock);
  const guess = (address: string): number => brake.guessed(address, { inSession: 1, limit: 10 }).pauseMs;
  for (let count = 0; count < 5; count += 1) guess(`192.0.2.${count}`);
  assert.equal(guess('192.0.2.9'), 2_000);
  assert.equal(guess('192.0.3.9'), 0);
  clock.advance(60_000 * 7);
  assert.equal(guess('192.0.2.1'), 0);
});

test('a notorious neighbourhood gets the free guesses of a session and no more', () => {
  const brake = new HarvestBrake(handClock());
  for (let count = 0; count < 60; count += 1) brake.guessed('192.0.2.1', { inSession: 1, limit: 10 });
  assert.deepEqual(brake.guessed('192.0.2.1', { inSession: 3, limit: 10 }), { pauseMs: 15_000, enough: false });
  assert.equal(brake.guessed('192.0.2.1', { inSession: 4, limit: 10 }).enough, true);
});

// --- scarce places ------------------------------------------------------------------------------------------------------

test('when four fifths of the places are taken, who is idle for 10 s makes room; before, for 300 s', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock, config: { listeners: { mx: { maxSessions: 5 } } } });
  const idle = await bench.hello();
  for (let count = 0; count < 3; count += 1) await bench.hello();
  await new Promise((resolve) => setTimeout(resolve, 80)); // seen by the watch: idle from now on
  clock.advance(60_000);
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal(idle.ended, false, 'four of five is no pressure yet');
  const fifth = await bench.hello();
  assert.match(await idle.expect(421), /^421 4\.4\.2 Idle for too long, closing/);
  await fifth.command('NOOP', 250);
});

test('the last tenth of the places is for those whose mail was taken before', async () => {
  const clock = handClock();
  await using bench = await openBench({
    clock,
    config: { listeners: { mx: { maxSessions: 10, proxyPeers: ['127.0.0.1'] } } },
  });
  const arrive = async (address: string): Promise<Client> => {
    const client = await bench.client({ greeting: false });
    client.write(`PROXY TCP4 ${address} 127.0.0.1 5000 25\r\n`);
    return client;
  };
  const friend = await greeted(await bench.client({ greeting: false }), '192.0.2.1');
  for (let count = 0; count < 3; count += 1) await friend.send(HEAD);
  friend.socket.destroy();
  await until(() => bench.acceptor.sessions() === 0);
  clock.advance(3_600_000);
  for (let count = 0; count < 9; count += 1) await (await arrive(`198.51.${count}.1`)).expect(220);
  assert.match(await (await arrive('198.51.99.1')).reply(), /^421 4\.3\.2 /);
  await (await arrive('192.0.2.1')).expect(220);
  assert.match(await (await arrive('192.0.2.1')).reply(), /^421 4\.3\.2 /, 'full is full');
});

test('known-good is a network with three clean mails in 30 days, the first an hour ago, but for who was sent away', () => {
  const clock = handClock();
  const known = new KnownPeers(clock);
  assert.equal(known.reserve(1_000), 0, 'nobody is known after the first start');
  for (const host of [1, 2, 3]) known.taken(`192.0.2.${host}`);
  assert.equal(known.reserve(1_000), 100);
  assert.equal(known.knows('192.0.2.1'), false, 'three mails of a flood just now');
  clock.advance(3_600_000);
  for (const [address, knows] of [
    ['192.0.2.1', true],
    ['192.0.2.200', true],
    ['192.0.3.1', false],
  ] as const)
    assert.equal(known.knows(address), knows, address);
  known.dismissed('192.0.2.200');
  assert.equal(known.knows('192.0.2.200'), false);
  assert.equal(known.knows('192.0.2.1'), true, 'a bad neighbour takes nothing from others');
  for (let count = 0; count < 2; count += 1) known.taken('2001:db8::1');
  clock.advance(29 * 86_400_000);
  assert.equal(known.knows('192.0.2.200'), true, 'a day later it is forgiven');
  assert.equal(known.knows('2001:db8::1'), false, 'two mails are not three');
  clock.advance(86_400_000);
  assert.equal(known.knows('192.0.2.1'), false, 'silent for 30 days');
});

test('who is known-good is kept over a restart; a lost or damaged file costs only the privilege', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-test-known-'));
  try {
    const file = path.join(dir, 'known-peers.json');
    const log: string[] = [];
    const observe: Observe = { ...silentObserve, log: (_level, message) => void log.push(message) };
    const clock = handClock();
    const open = () => KnownPeers.open({ clock, observe, file, max: 5 });
    const before = await open();
    for (let count = 0; count < 3; count += 1) before.taken('192.0.2.1');
    for (let network = 0; network < 4; network += 1) before.taken(`198.51.${network}.1`);
    clock.advance(2 * 3_600_000);
    await before[Symbol.asyncDispose]();
    const after = await open();
    assert.deepEqual([after.size, after.knows('192.0.2.77'), after.knows('198.51.1.1')], [5, true, false]);
    after.taken('203.0.113.1');
    assert.deepEqual([after.size, after.knows('192.0.2.77')], [5, false], 'bounded: the longest silent goes');
    assert.deepEqual(log, []);
    await writeFile(file, '{"version":1,"networks":');
    assert.equal((await open()).size, 0);
    assert.match(log.join(), /known networks in ".*" are lost/);
    await rm(file);
    assert.equal((await open()).size, 0);
    assert.equal(log.length, 1, 'a first start is no trouble');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('under pressure nobody is called idle who waited for us', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock, config: { listeners: { mx: { maxSessions: 1 } } } });
  const client = await bench.hello();
  const { promise, resolve } = Promise.withResolvers<void>();
  bench.pipeline.onFinish = async () => {
    await promise;
    return reply(250, '2.0.0', 'Queued');
  };
  await client.envelope();
  await client.command('DATA', 354);
  client.write(`${HEAD}.\r\n`);
  await until(() => bench.pipeline.messages[0]?.state === 'finished');
  await new Promise((wait) => setTimeout(wait, 60));
  clock.advance(55_000); // a long inspection
  await new Promise((wait) => setTimeout(wait, 60));
  resolve();
  await client.expect(250);
  await new Promise((wait) => setTimeout(wait, 60));
  await client.command('NOOP', 250);
});

test('under pressure a session that speaks, or is in DATA, goes on', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock, config: { listeners: { mx: { maxSessions: 2 } } } });
  const busy = await bench.hello();
  const sending = await bench.hello();
  await sending.envelope();
  await sending.command('DATA', 354);
  for (let step = 0; step < 5; step += 1) {
    clock.advance(9_000);
    await busy.command('NOOP', 250);
    sending.write(`${'x'.repeat(998)}\r\n`.repeat(10));
    await until(() => bench.pipeline.last.content.length >= (step + 1) * 10_000);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  sending.write('.\r\n');
  await sending.expect(250);
  clock.advance(10_001);
  assert.match(await busy.expect(421), /^421 4\.4\.2 /);
});
