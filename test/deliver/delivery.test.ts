import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { SekishoError } from '../../src/base/errors.ts';
import type { MailEvent } from '../../src/observe/events.ts';
import type { Variant } from '../../src/spool/api.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { freePort } from '../support/net.ts';
import { fakeResolver, officeConfig, type Stage, stage, testConfig, to, until } from './support.ts';

const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function server(script: Script = {}, options: { port?: number } = {}): Promise<FakeServer> {
  const started = await startServer(script, options);
  cleanups.push(() => started.close());
  return started;
}

function begin(...args: Parameters<typeof stage>): Stage {
  const staged = stage(...args);
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  return staged;
}

function events<Name extends MailEvent['event']>(
  staged: Stage,
  name: Name,
): Array<Extract<MailEvent, { event: Name }>> {
  return staged.seen.events.filter((event): event is Extract<MailEvent, { event: Name }> => event.event === name);
}

test('a queued message reaches the mail server with its envelope, its size and its exact octets', async () => {
  const office = await server();
  const { spool, seen } = begin(officeConfig([office.port]));
  const body = 'Subject: =?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=\r\n\r\n\u001b$B2q5D\u001b(B\r\n.dot\r\n..two\r\n.\r\nend';
  const id = spool.add({
    to: ['bob@office.example'],
    body,
    envelope: { eightBit: true },
    variants: [{ recipients: [to('bob@office.example')], prefix: 'Received: from x\r\n', cuts: [[0, 9]] }],
  });
  await until('delivered', () => spool.outcome(id, 'bob@office.example') === 'delivered');
  const [taken] = office.taken;
  const expected = `Received: from x\r\n${body.slice(9)}`;
  assert.equal(taken?.from, `MAIL FROM:<alice@sender.example> SIZE=${expected.length} BODY=8BITMIME`);
  assert.deepEqual(taken?.to, ['RCPT TO:<bob@office.example>']);
  assert.equal(taken?.raw.toString('latin1'), `${expected.replaceAll(/(?<=\r\n)\./g, '..')}\r\n`);
  assert.ok(office.commands.includes('EHLO mx.gateway.example'));
  assert.deepEqual(spool.record, [`attempt ${id}`, `settle ${id}`]);
  const [delivered] = seen.events.filter((event) => event.event === 'delivered');
  assert.equal(delivered?.event === 'delivered' && delivered.reply, '250 2.0.0 Taken');
});

test('each recipient gets its own result: delivered, deferred until the next attempt, bounced with a DSN', async () => {
  let grey = true;
  const office = await server({
    rcpt: (line) => {
      if (line.includes('grey') && grey) {
        grey = false;
        return '450 4.2.0 Greylisted';
      }
      return line.includes('nobody') ? '550 5.1.1 No such user' : undefined;
    },
  });
  const staged = begin(officeConfig([office.port]));
  const { spool } = staged;
  const id = spool.add({
    listener: 'relay',
    to: ['bob@office.example', 'grey@office.example', 'nobody@office.example'],
  });
  await until('all settled', () => !spool.entries.has(id));
  assert.equal(spool.outcome(id, 'bob@office.example'), 'delivered');
  assert.equal(spool.outcome(id, 'grey@office.example'), 'delivered');
  assert.equal(spool.outcome(id, 'nobody@office.example'), 'bounced');
  assert.equal(office.taken.length, 2);
  assert.deepEqual(office.taken[1]?.to, ['RCPT TO:<grey@office.example>']);
  assert.equal(events(staged, 'deferred')[0]?.waitMs, 30);
  assert.equal(events(staged, 'bounced')[0]?.reply, '550 5.1.1 No such user');
  const [dsn] = spool.dsns;
  assert.deepEqual(dsn?.to, ['alice@sender.example']);
  assert.match(
    dsn?.text ?? '',
    /Final-Recipient: rfc822; nobody@office\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\nRemote-MTA: dns; localhost/,
  );
});

test('without PIPELINING, and with only HELO, a message goes out step by step', async () => {
  const old = await server({ ehlo: () => '502 5.5.2 What?' });
  const { spool } = begin(officeConfig([old.port]));
  const id = spool.add({
    to: ['a@office.example', 'b@office.example'],
    body: 'X: caf\u00e9\r\n\r\n\u00e9\r\n',
    envelope: { eightBit: true },
  });
  await until('delivered', () => !spool.entries.has(id));
  assert.deepEqual(old.commands, [
    'EHLO mx.gateway.example',
    'HELO mx.gateway.example',
    'MAIL FROM:<alice@sender.example>',
    'RCPT TO:<a@office.example>',
    'RCPT TO:<b@office.example>',
    'DATA',
  ]);
  // no 8BITMIME: the octets go as they are
  assert.equal(old.taken[0]?.raw.toString('utf8'), 'X: caf\u00e9\r\n\r\n\u00e9\r\n');
});

test('one session carries many messages, and a stale one is replaced without counting an attempt twice', async () => {
  const office = await server();
  const config = officeConfig([office.port], { delivery: { concurrencyPerHop: 1, retryMs: [60_000] } });
  const { spool } = begin(config);
  for (let at = 0; at < 20; at += 1) spool.add({ to: ['bob@office.example'] });
  await until('all delivered', () => office.taken.length === 20);
  assert.equal(office.connections, 1);
  // the server now says 421 to the next MAIL on the kept session
  office.script = { mail: (_line, connection) => (connection === 1 ? '421 4.4.2 Idle for too long' : undefined) };
  const id = spool.add({ to: ['bob@office.example'] });
  await until('delivered over a new session', () => spool.outcome(id, 'bob@office.example') === 'delivered');
  assert.equal(office.connections, 2);
  assert.equal(spool.record.filter((line) => line === `attempt ${id}`).length, 1);
});

test('a session is given up after 100 messages', async () => {
  const office = await server();
  const { spool } = begin(officeConfig([office.port], { delivery: { concurrencyPerHop: 1 } }));
  for (let at = 0; at < 101; at += 1) spool.add({ to: ['bob@office.example'] });
  await until('all delivered', () => office.taken.length === 101);
  assert.equal(office.connections, 2);
  assert.equal(office.taken.filter((taken) => taken.connection === 1).length, 100);
});

test('an idle session says QUIT and its hop is forgotten', async () => {
  const office = await server();
  const { spool, delivery } = begin(officeConfig([office.port]), { tuning: { idleMs: 20 } });
  spool.add({ to: ['bob@office.example'] });
  await until('quit', () => office.commands.includes('QUIT') && office.open === 0);
  await until('forgotten', () => delivery.status().hops.length === 0);
});

test('the second server takes over when the first refuses to greet or cannot be reached', async () => {
  const first = await server({ greeting: () => '554 5.7.1 Not today' });
  const second = await server();
  const { spool, seen } = begin(officeConfig([await freePort(), first.port, second.port]));
  const id = spool.add({ to: ['bob@office.example'] });
  await until('delivered', () => spool.outcome(id, 'bob@office.example') === 'delivered');
  assert.equal(first.connections, 1);
  assert.equal(second.taken.length, 1);
  assert.deepEqual(seen.raised, []);
});

test('a cut in DATA and a cut after the final dot defer, and the message goes out again', async () => {
  let cuts = 2;
  const office = await server({
    during: (octets) => {
      if (cuts !== 2 || octets < 1_000) return undefined;
      cuts -= 1;
      return 'cut';
    },
    dot: () => {
      if (cuts !== 1) return undefined;
      cuts -= 1;
      return 'cut';
    },
  });
  const staged = begin(officeConfig([office.port]));
  const id = staged.spool.add({ to: ['bob@office.example'], body: `A: b\r\n\r\n${'x'.repeat(70)}\r\n`.repeat(2_000) });
  await until('delivered', () => staged.spool.outcome(id, 'bob@office.example') === 'delivered');
  const deferred = events(staged, 'deferred');
  assert.equal(deferred.length, 2);
  assert.match(deferred[0]?.reply ?? '', /^4\.4\.2 /);
  assert.equal(office.taken.length, 2); // the one whose reply was lost is a duplicate: the lesser evil
});

test('a refusal in the middle of the data is believed', async () => {
  const office = await server({ during: (octets) => (octets > 200_000 ? '552 5.3.4 Too big after all' : undefined) });
  const staged = begin(officeConfig([office.port]));
  const id = staged.spool.add({
    listener: 'relay',
    to: ['bob@office.example'],
    body: Buffer.alloc(4_000_000, 'abc\r\n'),
  });
  await until('bounced', () => staged.spool.outcome(id, 'bob@office.example') === 'bounced');
  assert.equal(office.taken.length, 0);
});

test('a source that breaks never ends the data: the connection is cut and the message deferred', async () => {
  const office = await server();
  const staged = begin(officeConfig([office.port], { delivery: { retryMs: [60_000] } }));
  staged.spool.breakAfter = { octets: 65_536, code: 'EIO' };
  staged.spool.add({ to: ['bob@office.example'], body: Buffer.alloc(200_000, 'abc\r\n') });
  await until('deferred', () => events(staged, 'deferred').length === 1);
  await until('cut', () => office.open === 0);
  assert.equal(office.taken.length, 0);
  assert.match(events(staged, 'deferred')[0]?.reply ?? '', /^4\.3\.0 /);
});

test('a corrupt file is cut off and dropped: no event, no retry, no delivery', async () => {
  const office = await server();
  const staged = begin(officeConfig([office.port]));
  staged.spool.breakAfter = { octets: 65_536, code: 'CORRUPT' };
  staged.spool.add({ to: ['bob@office.example'], body: Buffer.alloc(200_000, 'abc\r\n') });
  await until('logged', () => staged.seen.logs.some((line) => line.includes('CORRUPT')));
  await until('idle', () => staged.delivery.status().hops.length === 0);
  assert.equal(office.taken.length, 0);
  assert.deepEqual(events(staged, 'deferred'), []);
});

test('a mail server that is down is probed, its mail stays untouched, and all of it goes out oldest first', async () => {
  const port = await freePort();
  const config = officeConfig([port], { delivery: { concurrencyPerHop: 1, retryMs: [600_000], probeMs: 10 } });
  const { spool, seen, delivery } = begin(config);
  const ids = Array.from({ length: 30 }, (_, at) =>
    spool.add({ to: ['bob@office.example'], body: `N: ${at}\r\n\r\n` }),
  );
  await until('alarm', () => seen.alarms.has('mail-server-down domain:office.example'));
  const [hop] = delivery.status().hops;
  assert.notEqual(hop?.state, 'up');
  assert.equal(hop?.waiting, 30);
  assert.deepEqual(spool.record, []); // no attempt was counted
  const back = await server({}, { port });
  await until('drained', () => back.taken.length === 30);
  assert.deepEqual(
    back.taken.map((taken) => taken.raw.toString()),
    ids.map((_, at) => `N: ${at}\r\n\r\n`),
  );
  assert.ok(!seen.alarms.has('mail-server-down domain:office.example'));
});

test('mail deferred before the server went away is due at once when it is back', async () => {
  const office = await server({ mail: () => '451 4.3.0 Out of order' });
  const config = officeConfig([office.port], { delivery: { retryMs: [600_000], probeMs: 10 } });
  const staged = begin(config, { tuning: { idleMs: 1 } });
  const first = staged.spool.add({ to: ['bob@office.example'] });
  await until('deferred', () => events(staged, 'deferred').length === 1);
  await office.close();
  staged.spool.add({ to: ['carol@office.example'] });
  await until('down', () => staged.seen.alarms.size === 1);
  await server({}, { port: office.port });
  await until('both delivered', () => staged.spool.entries.size === 0);
  assert.equal(staged.spool.outcome(first, 'bob@office.example'), 'delivered');
});

test('421 at every greeting means the server is away, not that the mail failed', async () => {
  let busy = true;
  const office = await server({ greeting: () => (busy ? '421 4.3.2 Starting up' : '220 ready') });
  const { spool, seen } = begin(officeConfig([office.port]));
  const id = spool.add({ to: ['bob@office.example'] });
  await until('alarm', () => seen.alarms.size === 1);
  assert.deepEqual(spool.record, []);
  busy = false;
  await until('delivered', () => spool.outcome(id, 'bob@office.example') === 'delivered');
});

test('a server that is full gets fewer sessions; it is not taken for down', async () => {
  const office: FakeServer = await server({
    greeting: () => (office.open > 2 ? '421 4.7.0 Too many sessions' : '220 ready'),
  });
  const { spool, seen } = begin(officeConfig([office.port]));
  for (let at = 0; at < 60; at += 1) spool.add({ to: ['bob@office.example'] });
  await until('all delivered', () => office.taken.length === 60);
  assert.deepEqual(seen.raised, []);
  assert.equal(spool.record.filter((line) => line.startsWith('attempt')).length, 60);
});

test('a dead destination costs one attempt at a time and does not hold up another', async () => {
  const good = await server();
  const dead = await freePort();
  const config = testConfig({
    domains: [{ name: 'office.example', servers: [{ host: 'localhost', port: good.port }] }],
    delivery: { retryMs: [1_000, 600_000] },
  });
  const resolver = fakeResolver({
    'dead.example': { mx: [{ exchange: 'mx.dead.example', priority: 1 }] },
    'mx.dead.example': { a: ['127.0.0.1'] },
  });
  const staged = begin(config, { resolver, tuning: { mxPort: dead } });
  for (let at = 0; at < 200; at += 1) staged.spool.add({ to: ['x@dead.example'], listener: 'relay' });
  const id = staged.spool.add({ to: ['bob@office.example'] });
  await until('delivered', () => staged.spool.outcome(id, 'bob@office.example') === 'delivered');
  // 5 at first contact, and the next single try a second later; the one after that is ten minutes away
  await until('the next single try', () => events(staged, 'deferred').length >= 6);
  assert.equal(staged.spool.record.filter((line) => line.startsWith('attempt')).length, 7); // with the good one
  const hop = staged.delivery.status().hops.find((each) => each.key === 'mx:dead.example');
  assert.equal(hop?.state, 'down');
  assert.equal(hop?.waiting, 200);
  assert.deepEqual(staged.seen.raised, []);
});

test('outbound mail goes by MX, and DNS that says never bounces', async () => {
  const sink = await server();
  const resolver = fakeResolver({
    'far.example': { mx: [{ exchange: 'mx.far.example', priority: 10 }] },
    'mx.far.example': { a: ['127.0.0.1'] },
    'null.example': { mx: [{ exchange: '', priority: 0 }] },
  });
  const { spool } = begin(testConfig(), { resolver, tuning: { mxPort: sink.port } });
  const id = spool.add({ listener: 'relay', to: ['a@far.example', 'b@null.example', 'c@none.example'] });
  await until('settled', () => !spool.entries.has(id));
  assert.equal(spool.outcome(id, 'a@far.example'), 'delivered');
  assert.equal(spool.outcome(id, 'b@null.example'), 'bounced');
  assert.equal(spool.outcome(id, 'c@none.example'), 'bounced');
  assert.equal(sink.taken.length, 1);
  const texts = spool.dsns.map((dsn) => dsn.text).join('');
  assert.match(texts, /Status: 5\.1\.10/);
  assert.match(texts, /Status: 5\.1\.2/);
  assert.equal(new Set(spool.dsns.map((dsn) => dsn.id)).size, 2);
});

test('a smarthost takes recipients of several domains in one transaction', async () => {
  const smart = await server();
  const { spool } = begin(testConfig({ outbound: { smarthost: { host: 'localhost', port: smart.port } } }));
  const id = spool.add({ listener: 'relay', to: ['a@one.example', 'b@two.example', 'c@three.example'] });
  await until('settled', () => !spool.entries.has(id));
  assert.equal(smart.taken.length, 1);
  assert.equal(smart.taken[0]?.to.length, 3);
});

for (const trouble of ['the server goes away', 'the attempt cannot be written down'] as const) {
  test(`a domain that came along with another one's job is not forgotten when ${trouble} after it was deferred`, async () => {
    let refused = false;
    const smart = await server({
      rcpt: (line) => (line.includes('two.example') ? '450 4.2.0 Later' : undefined),
      mail: () => (refused ? 'cut' : undefined),
    });
    const outbound = { smarthost: { host: 'localhost', port: smart.port } };
    const staged = begin(testConfig({ outbound, delivery: { retryMs: [600_000], probeMs: 10 } }));
    const { spool, delivery } = staged;
    const record = spool.recordAttempt.bind(spool);
    const goes = Promise.withResolvers<void>();
    spool.recordAttempt = async (id, recipients, nextHop) => {
      if (recipients.some((address) => address.includes('two.example'))) return record(id, recipients, nextHop);
      refused = true;
      if (trouble === 'the server goes away') await smart.close();
      spool.recordAttempt = record;
      goes.resolve();
      if (trouble === 'the server goes away') return record(id, recipients, nextHop);
      throw new SekishoError('BUSY', 'Not now');
    };
    const variants = ['b@two.example', 'a@one.example'].map((one) => ({ recipients: [to(one)], prefix: '', cuts: [] }));
    const id = spool.add({
      listener: 'relay',
      to: ['a@one.example', 'b@two.example'],
      variants: variants as Variant[],
    });
    await goes.promise;
    if (trouble === 'the server goes away') {
      await until('down', () => staged.seen.alarms.size === 1);
      await server({}, { port: smart.port });
    } else {
      await until('both wait', () => delivery.status().waiting === 2);
      smart.script = {};
      delivery.retryNow({ id });
    }
    await until('settled', () => !spool.entries.has(id));
  });
}

test('recipients go in transactions of 50, and by variant', async () => {
  const office = await server();
  const { spool } = begin(officeConfig([office.port]));
  const many = Array.from({ length: 60 }, (_, at) => `u${at}@office.example`);
  const variants = [
    { recipients: many.slice(0, 55).map(to), prefix: 'X: one\r\n', cuts: [] },
    { recipients: many.slice(55).map(to), prefix: 'X: two\r\n', cuts: [] },
  ];
  const id = spool.add({ to: many, variants });
  await until('settled', () => !spool.entries.has(id));
  assert.deepEqual(
    office.taken.map((taken) => [taken.to.length, taken.raw.toString().slice(0, 6)]),
    [
      [50, 'X: one'],
      [5, 'X: one'],
      [5, 'X: two'],
    ],
  );
});

test('a server that takes few recipients at once gets the rest right away', async () => {
  const office = await server({ rcpt: (_line, count) => (count > 2 ? '452 4.5.3 Too many recipients' : undefined) });
  const { spool } = begin(officeConfig([office.port], { delivery: { retryMs: [600_000] } }));
  const id = spool.add({
    to: ['a@office.example', 'b@office.example', 'c@office.example', 'd@office.example', 'e@office.example'],
  });
  await until('settled', () => !spool.entries.has(id));
  assert.deepEqual(
    office.taken.map((taken) => taken.to.length),
    [2, 2, 1],
  );
});

test('DSN parameters travel to a peer that offers DSN, each recipient its own', async () => {
  const office = await server();
  const { spool } = begin(officeConfig([office.port]));
  spool.add({
    to: [
      { address: to('a@office.example'), dsn: { notify: ['NEVER'] } },
      { address: to('b@office.example'), dsn: { notify: ['SUCCESS', 'FAILURE'], orcpt: 'rfc822;b+x=1@old.example' } },
    ],
    envelope: { ret: 'HDRS', envid: 'id 7' },
  });
  await until('taken', () => office.taken.length === 1);
  assert.match(office.taken[0]?.from ?? '', / RET=HDRS ENVID=id\+207$/);
  assert.deepEqual(office.taken[0]?.to, [
    'RCPT TO:<a@office.example> NOTIFY=NEVER',
    'RCPT TO:<b@office.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx+3D1@old.example',
  ]);
});

test('a UTF-8 address meets a peer without SMTPUTF8: 5.6.7 for it, the others are served', async () => {
  const office = await server({ extensions: ['PIPELINING'] });
  const { spool } = begin(officeConfig([office.port]));
  const id = spool.add({ listener: 'relay', to: ['山田@office.example', 'bob@office.example'] });
  await until('settled', () => !spool.entries.has(id));
  assert.equal(spool.outcome(id, '山田@office.example'), 'bounced');
  assert.equal(spool.outcome(id, 'bob@office.example'), 'delivered');
  assert.match(spool.dsns[0]?.text ?? '', /Status: 5\.6\.7/);
});

for (const [what, body, envelope, status] of [
  ['came with SMTPUTF8 and has a UTF-8 header', 'Subject: 見積\r\n\r\nx\r\n', { smtpUtf8: true }, '5.6.7'],
  ['came with SMTPUTF8 and needs none of it', 'Subject: estimate\r\n\r\n見積\r\n', { smtpUtf8: true }, undefined],
  ['has octets in its header that nobody announced', 'Subject: 見積\r\n\r\nx\r\n', { smtpUtf8: false }, undefined],
] as const)
  test(`to a peer without SMTPUTF8 a message that ${what} ${status === undefined ? 'goes out as it is' : `is ${status}`}`, async () => {
    const office = await server({ extensions: ['PIPELINING', '8BITMIME'] });
    const { spool } = begin(officeConfig([office.port]));
    const id = spool.add({ listener: 'relay', to: ['bob@office.example'], body, envelope });
    await until('settled', () => !spool.entries.has(id));
    assert.equal(spool.outcome(id, 'bob@office.example'), status === undefined ? 'delivered' : 'bounced');
    if (status === undefined) assert.match(office.taken[0]?.raw.toString() ?? '', /見積/);
    else assert.match(spool.dsns[0]?.text ?? '', /Status: 5\.6\.7/);
  });
test('a message larger than the peer takes is bounced without sending it', async () => {
  const office = await server({ extensions: ['SIZE 100'] });
  const { spool } = begin(officeConfig([office.port]));
  const id = spool.add({ listener: 'relay', to: ['bob@office.example'], body: 'x'.repeat(101) });
  await until('bounced', () => spool.outcome(id, 'bob@office.example') === 'bounced');
  assert.ok(!office.commands.some((line) => line.startsWith('MAIL')));
});

test('no bounce goes to a stranger: the share is held as undeliverable, the rest is delivered', async () => {
  const office = await server({ rcpt: (line) => (line.includes('nobody') ? '550 5.1.1 No such user' : undefined) });
  const staged = begin(officeConfig([office.port]));
  const { spool, seen } = staged;
  const id = spool.add({ to: ['bob@office.example', 'nobody@office.example'] });
  await until('held', () => events(staged, 'held').length === 1);
  const held = events(staged, 'held')[0]?.id;
  assert.equal(spool.outcome(id, 'bob@office.example'), 'delivered');
  assert.equal(spool.entries.get(held ?? id)?.message.folder, 'held');
  assert.deepEqual(spool.dsns, []);
  assert.deepEqual(seen.raised, [`undeliverable ${held}`]);
});

test('a notice that cannot be delivered is a double bounce: held, never answered, never thrown away, with an alarm', async () => {
  const office = await server({ rcpt: () => '550 5.1.1 No such user' });
  for (const kind of ['dsn', 'mail'] as const) {
    const { spool, seen } = begin(officeConfig([office.port]));
    const to = ['gone@office.example'];
    const id = spool.add({ from: '', kind, listener: kind === 'dsn' ? 'local' : 'mx', to });
    await until('held', () => spool.entries.get(id)?.message.folder === 'held');
    assert.equal(spool.outcome(id, 'gone@office.example'), undefined);
    assert.deepEqual(spool.dsns, []);
    assert.match(seen.alarms.get(`undeliverable ${id}`) ?? '', /Double bounce.*550 5\.1\.1 No such user/);
  }
});

test('NOTIFY=NEVER is honoured: settled without a DSN and without a hold', async () => {
  const office = await server({ rcpt: () => '550 5.1.1 No such user' });
  const { spool, seen } = begin(officeConfig([office.port]));
  const id = spool.add({ to: [{ address: to('gone@office.example'), dsn: { notify: ['NEVER'] } }] });
  await until('settled', () => spool.outcome(id, 'gone@office.example') === 'bounced');
  assert.deepEqual(spool.dsns, []);
  assert.deepEqual(seen.raised, []);
});

test('opportunistic TLS is used when it works, and left when the handshake breaks', async () => {
  const extensions = ['STARTTLS', 'PIPELINING'];
  for (const handshake of ['works', 'garbage', 'closes'] as const) {
    const office = await server({ extensions, handshake });
    const { spool } = begin(officeConfig([office.port]));
    const id = spool.add({ to: ['bob@office.example'], body: 'x\r\n'.repeat(100_000) });
    await until(`delivered (${handshake})`, () => spool.outcome(id, 'bob@office.example') === 'delivered');
    assert.equal(office.taken[0]?.secure, handshake === 'works');
    assert.equal(office.taken[0]?.raw.length, 300_000);
  }
});

test('required TLS never sends in clear nor to an unknown certificate', async () => {
  for (const handshake of ['works', 'garbage', undefined] as const) {
    const office = await server({ extensions: ['STARTTLS'], ...(handshake ? { handshake } : {}) });
    const config = testConfig({
      domains: [{ name: 'office.example', servers: [{ host: 'localhost', port: office.port, tls: 'required' }] }],
    });
    const { seen, delivery, spool } = begin(config);
    spool.add({ to: ['bob@office.example'] });
    await until('alarm', () => seen.alarms.size === 1);
    assert.ok(!office.commands.some((line) => line.startsWith('MAIL')));
    await delivery.stop({ graceMs: 100 });
  }
});

test('what is too old when it is deferred expires with a DSN; before the clock is right nothing does', async () => {
  const office = await server({ rcpt: () => '450 4.2.0 Later' });
  const staged = begin(officeConfig([office.port], { delivery: { retryMs: [20], expireInboundMs: 1_000 } }));
  const { spool, clock } = staged;
  clock.sync = false;
  const id = spool.add({ listener: 'relay', to: ['bob@office.example'] });
  clock.advance(5_000);
  await until('deferred several times', () => events(staged, 'deferred').length >= 3);
  clock.sync = true;
  await until('expired', () => spool.outcome(id, 'bob@office.example') === 'expired');
  assert.match(
    spool.dsns[0]?.text ?? '',
    /Status: 5\.4\.7\r\nRemote-MTA: dns; localhost\r\nDiagnostic-Code: smtp; 450 4\.2\.0 Later/,
  );
  assert.equal(events(staged, 'expired').length, 1);
});

test('mail that waits for a server which stays away expires too', async () => {
  const port = await freePort();
  const config = officeConfig([port], { delivery: { expireInboundMs: 1_000, probeMs: 10_000 } });
  const staged = begin(config, { tuning: { sweepMs: 10 } });
  const { spool, clock, seen } = staged;
  const ids = Array.from({ length: 5 }, () => spool.add({ listener: 'relay', to: ['bob@office.example'] }));
  await until('down', () => seen.alarms.size === 1);
  clock.advance(2_000);
  await until('expired', () => ids.every((id) => spool.outcome(id, 'bob@office.example') === 'expired'));
  assert.equal(spool.dsns.length, 5);
});

test('the slot is not used again before the settlement is on record', async () => {
  const office = await server();
  const { spool } = begin(officeConfig([office.port], { delivery: { concurrencyPerHop: 1 } }));
  const gate = Promise.withResolvers<void>();
  spool.onSettle = () => gate.promise;
  spool.add({ to: ['a@office.example'] });
  spool.add({ to: ['b@office.example'] });
  await until('first is taken', () => office.taken.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(office.commands.filter((line) => line.startsWith('MAIL')).length, 1);
  gate.resolve();
  await until('second is taken', () => office.taken.length === 2);
});

test('delivery stops for good when a delivery cannot be recorded', async () => {
  const office = await server();
  const { spool, seen, delivery } = begin(officeConfig([office.port], { delivery: { concurrencyPerHop: 1 } }));
  spool.settleError = Object.assign(new Error('Sync failed'), { code: 'SPOOL_FAULT' });
  spool.add({ to: ['a@office.example'] });
  spool.add({ to: ['b@office.example'] });
  await until('halted', () => delivery.status().halted !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(office.taken.length, 1);
  assert.deepEqual(seen.raised, ['spool-fault delivery']);
});

test('retryNow makes deferred mail due at once, by id, hop or domain', async () => {
  const office = await server({ mail: () => '451 4.3.0 Not now' });
  const staged = begin(officeConfig([office.port], { delivery: { retryMs: [600_000] } }));
  const { spool, delivery } = staged;
  const id = spool.add({ to: ['a@office.example'] });
  spool.add({ to: ['b@office.example'] });
  await until('deferred', () => events(staged, 'deferred').length === 2);
  await until('waiting', () => delivery.status().waiting === 2);
  office.script = {};
  assert.equal(delivery.retryNow({ hop: 'mx:other.example' }), 0);
  assert.equal(delivery.retryNow({ id }), 1);
  await until('the one', () => spool.outcome(id, 'a@office.example') === 'delivered');
  assert.equal(spool.entries.size, 1);
  assert.equal(delivery.retryNow({ domain: 'Office.Example' }), 1);
  await until('the other', () => spool.entries.size === 0);
});

test('a domain that is configured after its mail was queued is routed anew', async () => {
  const office = await server();
  let config = testConfig({ delivery: { retryMs: [20] } });
  const resolver = fakeResolver({ 'office.example': { broken: true } });
  const staged = begin(() => config, { resolver });
  const id = staged.spool.add({ to: ['bob@office.example'], listener: 'relay' });
  await until('deferred', () => events(staged, 'deferred').length >= 1);
  assert.match(events(staged, 'deferred')[0]?.reply ?? '', /^4\.4\.3 /);
  config = officeConfig([office.port]);
  await until('delivered', () => staged.spool.outcome(id, 'bob@office.example') === 'delivered');
});

test('stop lets what is under way end, and cuts it when the grace is over', async () => {
  const office = await server({ dot: () => 'silent' });
  const staged = begin(officeConfig([office.port]));
  staged.spool.add({ to: ['bob@office.example'] });
  await until('sent', () => office.commands.includes('DATA'));
  const before = performance.now();
  await staged.delivery.stop({ graceMs: 50 });
  assert.ok(performance.now() - before < 7_500);
  assert.equal(events(staged, 'deferred').length, 1);
  staged.spool.add({ to: ['carol@office.example'] });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(office.connections, 1);
});

test('a recipient for whom nothing was decided is told of for as long as he is there, and the others are served once', async () => {
  const office = await server();
  const { spool, seen } = begin(officeConfig([office.port], { delivery: { retryMs: [5] } }));
  const bob = to('bob@office.example');
  const id = spool.add({
    to: [bob, 'carol@office.example'],
    variants: [{ recipients: [bob], prefix: '', cuts: [] }],
  });
  await until('told again', () => seen.raised.filter((one) => one === `internal-error ${id}`).length > 2);
  assert.equal(office.taken.length, 1);
  assert.deepEqual(office.taken[0]?.to, ['RCPT TO:<bob@office.example>']);
  assert.equal(spool.entries.get(id)?.message.folder, 'queue');
});
