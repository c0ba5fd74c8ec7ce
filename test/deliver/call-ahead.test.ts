import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Limiter } from '../../src/base/limiter.ts';
import { callAhead, type RecipientAnswer } from '../../src/deliver/call-ahead.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { fakeResolver, officeConfig, stage, testConfig, to, until } from './support.ts';

const servers: FakeServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function server(script: Script = {}): Promise<FakeServer> {
  const started = await startServer(script);
  servers.push(started);
  return started;
}

function ask(ports: number[], deadlineMs = 30_000): Promise<RecipientAnswer> {
  return callAhead(to('bob@office.example'), {
    config: officeConfig(ports),
    resolver: fakeResolver({}),
    random: () => 0.5,
    limiter: new Limiter(2),
    downBecause: () => undefined,
    deadlineMs,
  });
}

test('the question is MAIL FROM:<>, RCPT and QUIT, never data', async () => {
  const office = await server();
  assert.deepEqual(await ask([office.port]), { known: 'yes', detail: '250 2.1.5 Ok' });
  await until('quit', () => office.commands.at(-1) === 'QUIT');
  assert.deepEqual(office.commands, [
    'EHLO mx.gateway.example',
    'MAIL FROM:<>',
    'RCPT TO:<bob@office.example>',
    'QUIT',
  ]);
});

test('"no such user" is no; every other refusal is unknown', async () => {
  const answer = async (script: Script): Promise<string> => (await ask([(await server(script)).port])).known;
  assert.equal(await answer({ rcpt: () => '550 5.1.1 No such user' }), 'no');
  assert.equal(await answer({ rcpt: () => '550 5.7.1 Blocked' }), 'unknown');
  assert.equal(await answer({ rcpt: () => '450 4.2.0 Greylisted' }), 'unknown');
  assert.equal(await answer({ mail: () => '550 5.1.8 I do not like bounces' }), 'unknown');
  assert.equal(await answer({ greeting: () => '554 No' }), 'unknown');
  assert.equal(await answer({ rcpt: () => 'cut' }), 'unknown');
});

test('the next server is asked when the first cannot say', async () => {
  const first = await server({ rcpt: () => '451 4.3.0 Directory is away' });
  const second = await server({ rcpt: () => '550 5.1.1 No such user' });
  assert.equal((await ask([first.port, second.port])).known, 'no');
});

test('a silent server costs the deadline and no more, and its connection is closed', async () => {
  const office = await server({ rcpt: () => 'silent' });
  const before = performance.now();
  assert.equal((await ask([office.port], 100)).known, 'unknown');
  assert.ok(performance.now() - before < 7_500);
  await until('closed', () => office.open === 0);
});

test('a domain that is not ours, and a server known to be down, are unknown at once', async () => {
  const { delivery } = stage(testConfig());
  assert.equal((await delivery.checkRecipient(to('x@far.example'))).known, 'unknown');
  const gone = await startServer();
  await gone.close();
  const staged = stage(officeConfig([gone.port], { delivery: { probeMs: 60_000 } }));
  staged.delivery.start();
  staged.spool.add({ to: ['bob@office.example'] });
  await until('down', () => staged.seen.alarms.size === 1);
  assert.match((await staged.delivery.checkRecipient(to('bob@office.example'))).detail, /^The mail server is down: /);
  await staged.delivery.stop({ graceMs: 0 });
});
