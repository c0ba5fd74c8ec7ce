/** The notices between 250 and the end: delayed (once, where allowed) and relayed (RFC 3461 §5.2.2). */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { ConfigInput } from '../../src/config/schema.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { type AddOptions, fakeResolver, type Stage, stage, testConfig, to, until } from './support.ts';

const MINUTE = 60_000;
const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function server(script: Script = {}): Promise<FakeServer> {
  const started = await startServer(script);
  cleanups.push(() => started.close());
  return started;
}

/** far.example lies outside; office.example is ours; both are answered by the same server. */
function begin(port: number, input: ConfigInput = {}): Stage {
  const config = testConfig({
    domains: [{ name: 'office.example', servers: [{ host: 'localhost', port }] }],
    delivery: { retryMs: [3_600_000], ...input.delivery },
    ...(input.language === undefined ? {} : { language: input.language }),
  });
  const resolver = fakeResolver({
    'far.example': { mx: [{ exchange: 'mx.far.example', priority: 1 }] },
    'mx.far.example': { a: ['127.0.0.1'] },
  });
  const staged = stage(config, { resolver, tuning: { mxPort: port, sweepMs: 5 } });
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  return staged;
}

async function deferred(staged: Stage, count = 1): Promise<void> {
  await until('deferred', () => staged.seen.events.filter((event) => event.event === 'deferred').length >= count);
}

/** Long enough for many sweeps. */
function sweeps(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 60));
}

const GREY: Script = { rcpt: () => '450 4.2.1 Mailbox is busy' };

test('after 30 minutes the sender of outbound mail is told of the delay, once for each recipient', async () => {
  const far = await server(GREY);
  const staged = begin(far.port);
  const { spool, clock } = staged;
  const id = spool.add({ listener: 'relay', from: 'alice@office.example', to: ['a@far.example', 'b@far.example'] });
  await deferred(staged);
  clock.advance(29 * MINUTE);
  await sweeps();
  assert.equal(spool.dsns.length, 0);
  clock.advance(1 * MINUTE);
  await until('told', () => spool.dsns.length === 1);
  const [notice] = spool.dsns;
  assert.equal(notice?.parent, id);
  assert.deepEqual(notice?.to, ['alice@office.example']);
  const text = notice?.text ?? '';
  assert.match(text, /^Subject: Delayed mail, still being tried\r$/m);
  assert.equal(text.match(/Action: delayed\r\nStatus: 4\.2\.1\r\nRemote-MTA: dns; mx\.far\.example\r\n/g)?.length, 2);
  assert.match(text, /Diagnostic-Code: smtp; 450 4\.2\.1 Mailbox is busy\r\n/);
  assert.match(text, /Will-Retry-Until: /);
  assert.deepEqual(
    spool.progressOf(id).recipients.map((each) => [each.delayNotified, each.outcome]),
    [
      [true, undefined],
      [true, undefined],
    ],
  );
  clock.advance(60 * MINUTE);
  await sweeps();
  assert.equal(spool.dsns.length, 1);
});

test('after a restart nobody is told a second time', async () => {
  const far = await server(GREY);
  const staged = begin(far.port);
  const id = staged.spool.add({ listener: 'relay', to: ['a@far.example'] });
  await deferred(staged);
  staged.clock.advance(31 * MINUTE);
  await until('told', () => staged.spool.dsns.length === 1);
  staged.spool.announce(id); // as at a start: a new job that knows nothing
  await sweeps();
  assert.equal(staged.spool.dsns.length, 1);
});

test('mail that waits for a destination which is away is late too, and the notice says why', async () => {
  const far = await server();
  await far.close();
  const staged = begin(far.port, { delivery: { retryMs: [3_600_000] } });
  for (let at = 0; at < 8; at += 1) staged.spool.add({ listener: 'relay', to: ['a@far.example'] });
  await until('away', () => staged.delivery.status().hops[0]?.state === 'down');
  staged.clock.advance(31 * MINUTE);
  await until('all told', () => staged.spool.dsns.length === 8);
  assert.ok(staged.spool.dsns.every(({ text }) => /Action: delayed\r\nStatus: 4\.4\.1\r\n/.test(text)));
  assert.ok(staged.spool.dsns.every(({ text }) => text.includes('ECONNREFUSED') && !text.includes('Remote-MTA')));
});

test('a delay notice speaks the language of the office', async () => {
  const far = await server(GREY);
  const staged = begin(far.port, { language: 'ja' });
  staged.spool.add({ listener: 'relay', to: ['a@far.example'] });
  await deferred(staged);
  staged.clock.advance(31 * MINUTE);
  await until('told', () => staged.spool.dsns.length === 1);
  const body = /base64\r\nContent-Description: Notification\r\n\r\n([\s\S]*?)\r\n--/.exec(
    staged.spool.dsns[0]?.text ?? '',
  );
  assert.match(Buffer.from(body?.[1] ?? '', 'base64').toString(), /まだ届いていません。[\s\S]*It is still being tried/);
});

test('a delay notice speaks the language of its sender where the message shows that he reads Japanese', async () => {
  const far = await server(GREY);
  for (const [header, japanese] of [
    ['Accept-Language: ja-JP, en-US\r\nSubject: Estimate', true],
    ['Content-Language: ja\r\nSubject: Estimate', true],
    ['Subject: =?utf-8?B?44GK6KaL56mN?=', true],
    ['Content-Language: en-US\r\nSubject: Estimate', false],
  ] as const) {
    const staged = begin(far.port, { language: 'en' });
    staged.spool.add({ listener: 'relay', to: ['a@far.example'], body: `${header}\r\n\r\nHello\r\n` });
    await deferred(staged);
    staged.clock.advance(31 * MINUTE);
    await until('told', () => staged.spool.dsns.length === 1);
    assert.equal(/^Subject: =\?/m.test(staged.spool.dsns[0]?.text ?? ''), japanese, header);
  }
});

const SILENT: Array<[string, AddOptions, ConfigInput?]> = [
  ['NOTIFY=NEVER', { listener: 'relay', to: [{ address: to('a@far.example'), dsn: { notify: ['NEVER'] } }] }],
  ['NOTIFY=FAILURE', { listener: 'relay', to: [{ address: to('a@far.example'), dsn: { notify: ['FAILURE'] } }] }],
  ['a null reverse-path', { listener: 'relay', from: '', to: ['a@far.example'] }],
  ['a notice of ours', { listener: 'local', kind: 'dsn', from: '', to: ['a@far.example'] }],
  ['a reverse-path nobody vouches for', { listener: 'mx', to: ['a@far.example'] }],
  ['mail to our own mail server', { listener: 'relay', to: ['bob@office.example'] }],
  ['a setting of 0', { listener: 'relay', to: ['a@far.example'] }, { delivery: { delayNoticeMs: 0 } }],
];

for (const [what, mail, input] of SILENT) {
  test(`no delay notice for ${what}`, async () => {
    const far = await server(GREY);
    const staged = begin(far.port, input);
    staged.spool.add(mail);
    await deferred(staged);
    staged.clock.advance(40 * MINUTE);
    await sweeps();
    assert.deepEqual(staged.spool.dsns, []);
  });
}

test('NOTIFY=DELAY is told, and before the clock is right nobody is', async () => {
  const far = await server(GREY);
  const staged = begin(far.port);
  staged.clock.sync = false;
  staged.spool.add({ listener: 'relay', to: [{ address: to('a@far.example'), dsn: { notify: ['DELAY'] } }] });
  await deferred(staged);
  staged.clock.advance(40 * MINUTE);
  await sweeps();
  assert.deepEqual(staged.spool.dsns, []);
  staged.clock.sync = true;
  await until('told', () => staged.spool.dsns.length === 1);
});

function asking(address: string, notify: string[]): AddOptions['to'][number] {
  return { address: to(address), dsn: { notify, orcpt: `rfc822;${address}` } };
}

test('NOTIFY=SUCCESS and a next hop without DSN: the sender is told "relayed", with the settlement', async () => {
  const far = await server({ extensions: ['PIPELINING'] });
  const { spool } = begin(far.port);
  const id = spool.add({
    listener: 'relay',
    to: [asking('a@far.example', ['SUCCESS', 'FAILURE']), asking('b@far.example', ['FAILURE']), 'c@far.example'],
    envelope: { envid: 'QQ7' },
  });
  await until('delivered', () => !spool.entries.has(id));
  assert.equal(spool.dsns.length, 1);
  const text = spool.dsns[0]?.text ?? '';
  assert.match(text, /^Subject: Mail relayed to its next server\r$/m);
  assert.match(text, /Original-Envelope-Id: QQ7/);
  assert.match(
    text,
    /Original-Recipient: rfc822; a@far\.example\r\nFinal-Recipient: rfc822; a@far\.example\r\nAction: relayed\r\nStatus: 2\.0\.0\r\n/,
  );
  assert.doesNotMatch(text, /[bc]@far\.example/);
  assert.equal(spool.outcome(id, 'a@far.example'), 'delivered');
});

test('NOTIFY=SUCCESS travels on to a next hop with DSN, and we say nothing', async () => {
  const far = await server();
  const { spool } = begin(far.port);
  const id = spool.add({ listener: 'relay', to: [asking('a@far.example', ['SUCCESS'])] });
  await until('delivered', () => !spool.entries.has(id));
  assert.deepEqual(spool.dsns, []);
  assert.deepEqual(far.taken[0]?.to, ['RCPT TO:<a@far.example> NOTIFY=SUCCESS ORCPT=rfc822;a@far.example']);
});

test('NOTIFY=SUCCESS of a reverse-path nobody vouches for gets no notice', async () => {
  const far = await server({ extensions: [] });
  const { spool } = begin(far.port);
  const id = spool.add({ listener: 'mx', to: [asking('bob@office.example', ['SUCCESS'])] });
  await until('delivered', () => !spool.entries.has(id));
  assert.deepEqual(spool.dsns, []);
});
