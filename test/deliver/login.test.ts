import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import tls from 'node:tls';
import type { QueueId } from '../../src/mail/queue-id.ts';
import { TEST_CERTIFICATE } from './certificate.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { type Stage, stage, testConfig, until } from './support.ts';

const USER = 'office@provider.example';
const PASSWORD = 'päss wörd 1';
const PLAIN = Buffer.from(`\0${USER}\0${PASSWORD}`).toString('base64');
const REFUSED = '535 5.7.8 Error: authentication failed';

const usual = tls.getCACertificates('default');
const cleanups: Array<() => Promise<void>> = [];
before(() => tls.setDefaultCACertificates([...usual, TEST_CERTIFICATE]));
after(() => tls.setDefaultCACertificates(usual));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Takes the one login, in whichever way it is given. */
function provider(script: Script = {}, mechanisms = 'PLAIN LOGIN'): Script {
  const lines: string[] = [];
  return {
    extensions: ['STARTTLS', 'PIPELINING', 'DSN', `AUTH ${mechanisms}`],
    handshake: 'works',
    auth: (line) => {
      if (line === `AUTH PLAIN ${PLAIN}`) return '235 2.7.0 Welcome';
      if (line === 'AUTH LOGIN') return '334 VXNlcm5hbWU6';
      lines.push(Buffer.from(line, 'base64').toString());
      if (lines.length === 1) return '334 UGFzc3dvcmQ6';
      return lines.splice(0).join('|') === `${USER}|${PASSWORD}` ? '235 2.7.0 Welcome' : REFUSED;
    },
    ...script,
  };
}

async function server(script: Script, options: Parameters<typeof startServer>[1] = {}): Promise<FakeServer> {
  const started = await startServer(script, options);
  cleanups.push(() => started.close());
  return started;
}

function begin(port: number, options: { smarthost?: object; submissionsPort?: number; probeMs?: number } = {}): Stage {
  const smarthost = { host: 'localhost', port, user: USER, password: PASSWORD, ...options.smarthost };
  const config = testConfig({ outbound: { smarthost }, delivery: { probeMs: options.probeMs ?? 20, retryMs: [20] } });
  const { submissionsPort } = options;
  const staged = stage(config, submissionsPort === undefined ? {} : { tuning: { submissionsPort } });
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  return staged;
}

function submit({ spool }: Stage, to = 'friend@far.example'): QueueId {
  return spool.add({ listener: 'relay', to: [to] });
}

const delivered = (staged: Stage, id: QueueId): Promise<unknown> =>
  until('delivered', () => staged.spool.outcome(id, 'friend@far.example') === 'delivered');

for (const [mechanisms, said] of [
  ['PLAIN LOGIN', `AUTH PLAIN ${PLAIN}`],
  ['LOGIN', 'AUTH LOGIN'],
  ['DIGEST-MD5 LOGIN PLAIN', `AUTH PLAIN ${PLAIN}`],
] as const)
  test(`a smarthost that offers "${mechanisms}" gets the login, behind STARTTLS and before the first MAIL`, async () => {
    const smarthost = await server(provider({}, mechanisms));
    const staged = begin(smarthost.port);
    await delivered(staged, submit(staged));
    const at = (line: string): number => smarthost.commands.findIndex((each) => each.startsWith(line));
    assert.ok(at(said) > at('STARTTLS') && at('STARTTLS') > 0 && at('MAIL') > at(said), smarthost.commands.join('\n'));
    assert.equal(smarthost.taken[0]?.secure, true);
  });

test('a session that is kept logs in once for all its messages', async () => {
  const smarthost = await server(provider());
  const staged = begin(smarthost.port);
  await delivered(staged, submit(staged));
  await delivered(staged, submit(staged));
  await delivered(staged, submit(staged));
  assert.equal(smarthost.commands.filter((line) => line.startsWith('AUTH')).length, smarthost.connections);
  assert.equal(smarthost.connections, 1);
});

test('on the port for it TLS begins with the first octet, and nothing is ever said in clear there', async () => {
  const smarthost = await server(provider(), { implicitTls: true });
  const staged = begin(smarthost.port, { submissionsPort: smarthost.port });
  await delivered(staged, submit(staged));
  assert.ok(!smarthost.commands.includes('STARTTLS'));
  assert.equal(smarthost.taken[0]?.secure, true);

  const plain = await server(provider());
  const other = begin(plain.port, {
    submissionsPort: plain.port,
    smarthost: { user: undefined, password: undefined, tls: 'opportunistic' },
  });
  submit(other);
  await until('away', () => other.seen.alarms.has('mail-server-down smarthost'));
  assert.deepEqual(
    plain.commands.filter((line) => /^(?:EHLO|HELO|MAIL)/.test(line)),
    [],
  );
});

test('a refused login is deferred with an alarm, the mail untouched, and the provider is not asked at once again', async () => {
  const smarthost = await server(provider({ auth: () => REFUSED }));
  const staged = begin(smarthost.port);
  const id = submit(staged);
  await until('alarm', () => staged.seen.alarms.has('smarthost-login smarthost'));
  assert.match(staged.seen.alarms.get('smarthost-login smarthost') ?? '', /^535 5\.7\.8 Error: authentication failed/);
  assert.ok(!staged.seen.alarms.has('mail-server-down smarthost'), 'it is not down');
  const { attempts, outcome } = staged.spool.progressOf(id).recipients[0] ?? {};
  assert.deepEqual([attempts, outcome], [0, undefined]);
  submit(staged);
  await new Promise((resolve) => setTimeout(resolve, 300)); // ten probes of a server that is down
  assert.equal(smarthost.commands.filter((line) => line.startsWith('AUTH')).length, 1);
  assert.deepEqual(staged.spool.dsns, []);

  // the owner mends it
  smarthost.script = provider();
  staged.delivery.retryNow({ hop: 'smarthost' });
  await delivered(staged, id);
  assert.ok(!staged.seen.alarms.has('smarthost-login smarthost'));
});

test('a provider that cannot check a login at the moment (454) is away, not refusing: it is probed as usual', async () => {
  let busy = true;
  const usualLogin = provider().auth;
  const smarthost = await server(
    provider({ auth: (line) => (busy ? '454 4.7.0 Try again later' : (usualLogin?.(line) ?? REFUSED)) }),
  );
  const staged = begin(smarthost.port);
  const id = submit(staged);
  await until('down', () => staged.seen.alarms.has('mail-server-down smarthost'));
  assert.ok(!staged.seen.alarms.has('smarthost-login smarthost'));
  busy = false;
  await delivered(staged, id);
});

test('without TLS, with a stranger’s certificate, or where no login we know is offered, the password stays here', async () => {
  const { handshake: _none, ...withoutTls } = provider({ extensions: ['AUTH PLAIN LOGIN'] });
  for (const [what, script, host] of [
    ['no STARTTLS', withoutTls, 'localhost'],
    ['a broken handshake', provider({ handshake: 'garbage' }), 'localhost'],
    ['a certificate for another name', provider(), '127.0.0.1'],
    ['no mechanism of ours', provider({}, 'CRAM-MD5 XOAUTH2'), 'localhost'],
    ['no AUTH at all', provider({ extensions: ['STARTTLS', 'DSN'] }), 'localhost'],
  ] as const) {
    const smarthost = await server(script);
    const staged = begin(smarthost.port, { smarthost: { host, tls: 'opportunistic' } });
    const id = submit(staged);
    await until(`an alarm (${what})`, () => staged.seen.alarms.size > 0);
    assert.ok(!smarthost.commands.some((line) => /^(?:AUTH|MAIL)/.test(line)), `${what}: ${smarthost.commands.join()}`);
    assert.equal(staged.spool.outcome(id, 'friend@far.example'), undefined, what);
    await staged.delivery.stop({ graceMs: 0 });
  }
});

test('a smarthost that wants a login we do not have says so at MAIL: deferred, with the alarm', async () => {
  const script = provider({ mail: () => '530 5.7.0 Authentication required' });
  const smarthost = await server(script);
  const staged = begin(smarthost.port, { smarthost: { user: undefined, password: undefined } });
  const id = submit(staged);
  await until('alarm', () => staged.seen.alarms.has('smarthost-login smarthost'));
  assert.equal(staged.spool.outcome(id, 'friend@far.example'), undefined);
  smarthost.script = provider();
  await delivered(staged, id);
  assert.ok(!staged.seen.alarms.has('smarthost-login smarthost'), 'the alarm goes with the next delivery');
});

test('a provider that repeats the password in its answer does not get it into log, alarm or queue', async () => {
  const echo = Buffer.from(PASSWORD).toString('base64');
  const smarthost = await server(
    provider({ auth: (line) => `535 5.7.8 Bad: ${PASSWORD} (${echo}, ${line.split(' ').at(-1)})` }),
  );
  const staged = begin(smarthost.port);
  submit(staged);
  await until('alarm', () => staged.seen.alarms.has('smarthost-login smarthost'));
  const told = JSON.stringify([
    [...staged.seen.alarms],
    staged.seen.logs,
    staged.seen.events,
    staged.delivery.status(),
  ]);
  assert.match(told, /535 5\.7\.8 Bad: \[hidden\] \(\[hidden\], \[hidden\]\)/);
  for (const secret of [PASSWORD, echo, PLAIN]) assert.ok(!told.includes(secret), told);
});
