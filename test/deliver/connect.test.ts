import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import tls from 'node:tls';
import { type Opened, openSession } from '../../src/deliver/connect.ts';
import type { Target } from '../../src/deliver/route.ts';
import { TEST_CERTIFICATE } from './certificate.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { testConfig, until } from './support.ts';

const servers: FakeServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(
  script: Script,
  options: Partial<Target> & { commandMs?: number; signal?: AbortSignal } = {},
): Promise<{ opened: Opened; server: FakeServer }> {
  const server = await startServer(script);
  servers.push(server);
  const { commandMs, signal, ...target } = options;
  const config = testConfig(commandMs === undefined ? {} : { timeouts: { commandMs } });
  const full: Target = {
    host: 'mail.office.example',
    address: '127.0.0.1',
    port: server.port,
    tls: 'opportunistic',
    ...target,
  };
  const opened = await openSession(full, { config, ...(signal === undefined ? {} : { signal }) });
  return { opened, server };
}

test('required TLS goes through with a certificate that is trusted and names the host, and with no other', async () => {
  const before = tls.getCACertificates('default');
  tls.setDefaultCACertificates([...before, TEST_CERTIFICATE]);
  try {
    const script: Script = { extensions: ['STARTTLS'], handshake: 'works' };
    const good = await open(script, { tls: 'required' });
    assert.ok('session' in good.opened);
    assert.equal(good.opened.session.secure, true);
    await good.opened.session.quit();
    const other = await open(script, { tls: 'required', host: 'other.example' });
    assert.equal('trouble' in other.opened && other.opened.trouble, 'tls');
  } finally {
    tls.setDefaultCACertificates(before);
  }
});

for (const [how, injected] of [
  ['a whole reply', '250-fake.example\r\n250 DSN\r\n'],
  ['the beginning of one', '250-DSN'],
] as const)
  test(`what a server, or somebody on the way, says in clear behind its 220 to STARTTLS is forgotten: ${how}`, async () => {
    const { opened } = await open({ extensions: ['STARTTLS', 'SIZE 1000'], handshake: 'works', injected });
    assert.ok('session' in opened, JSON.stringify(opened));
    assert.equal(opened.session.secure, true);
    assert.deepEqual([opened.session.offers('DSN'), opened.session.maxSize], [false, 1_000]);
    await opened.session.quit();
  });

test('TLS off never says STARTTLS; opportunistic goes on when STARTTLS is refused', async () => {
  const off = await open({ extensions: ['STARTTLS'], handshake: 'works' }, { tls: 'off' });
  assert.ok('session' in off.opened);
  assert.ok(!off.server.commands.includes('STARTTLS'));
  off.opened.session.cut('Test');
  const refused = await open({ extensions: ['STARTTLS', '8BITMIME'] });
  assert.ok('session' in refused.opened);
  assert.equal(refused.opened.session.secure, false);
  assert.ok(refused.opened.session.offers('8BITMIME'));
  assert.equal(refused.server.connections, 1);
  refused.opened.session.cut('Test');
});

test('a server that never greets, or greets oddly, is trouble as a value, with its words', async () => {
  const silent = await open({ greeting: () => 'silent' }, { commandMs: 40 });
  assert.equal('trouble' in silent.opened && silent.opened.trouble, 'greeting');
  const refusing = await open({ greeting: () => '554-5.7.1 Your kind\r\n554 5.7.1 is not wanted' });
  assert.ok('trouble' in refusing.opened);
  assert.equal(refusing.opened.reply?.text, '554 5.7.1 Your kind is not wanted');
  const junk = await open({ greeting: () => 'HTTP/1.1 400 Bad Request' });
  assert.equal('trouble' in junk.opened && junk.opened.trouble, 'greeting');
  const cut = await open({ greeting: () => 'cut' });
  assert.equal('trouble' in cut.opened && cut.opened.trouble, 'greeting');
  await until('nothing stays open', () => servers.every((server) => server.open === 0));
});

test('the signal ends an opening at once', async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  const before = performance.now();
  const { opened } = await open({ greeting: () => 'silent' }, { signal: stop.signal });
  assert.ok('trouble' in opened);
  assert.ok(performance.now() - before < 5_000);
});

test('a command with a line break is never sent', async () => {
  const { opened, server } = await open({});
  assert.ok('session' in opened);
  const { session } = opened;
  assert.throws(() => session.commands(['NOOP\r\nDATA'], { ms: 100 }), TypeError);
  assert.ok(!server.commands.includes('DATA'));
  session.cut('Test');
});

test('a reply that does not come in time cuts the session', async () => {
  const { opened, server } = await open({ mail: () => 'silent' });
  assert.ok('session' in opened);
  const [reply] = opened.session.commands(['MAIL FROM:<>'], { ms: 30 });
  await assert.rejects(reply ?? Promise.resolve(), /took longer than 30 ms/);
  assert.ok(opened.session.lost.aborted);
  await until('closed', () => server.open === 0);
});
