/** STARTTLS: our own key, no old versions, nothing carried over from before the handshake, and a deadline. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { loadOrCreateCertificate } from '../../src/accept/certificate.ts';
import { handClock, openBench, testCertificate, until } from './harness.ts';

const HEAD = 'A: b\r\n\r\n';

test('STARTTLS shows our certificate, and the message says how it came', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  const secure = await client.startTls();
  const expected = new X509Certificate((await testCertificate()).cert);
  assert.equal(secure.getPeerX509Certificate()?.fingerprint256, expected.fingerprint256);
  const offer = await client.command('EHLO client.example', 250);
  assert.doesNotMatch(offer, /STARTTLS|AUTH|REQUIRETLS/);
  assert.match(await client.send(HEAD), /^250 /);
  const { origin } = bench.pipeline.last.transaction;
  assert.equal(origin.protocol, 'ESMTPS');
  assert.deepEqual(origin.tls, { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' });
});

test('TLS 1.2 is spoken, TLS 1.1 is not', async () => {
  await using bench = await openBench();
  const old = await bench.hello();
  const refused = await old.startTls({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
  assert.equal(refused.destroyed, true);
  const client = await bench.hello();
  const secure = await client.startTls({ maxVersion: 'TLSv1.2' });
  assert.equal(secure.getProtocol(), 'TLSv1.2');
  await client.command('EHLO client.example', 250);
  await client.send(HEAD);
  assert.equal(bench.pipeline.last.transaction.origin.tls?.protocol, 'TLSv1.2');
});

test('EHLO and transaction from before the handshake are forgotten', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.envelope();
  await client.startTls();
  assert.match(await client.command('RCPT TO:<taro@office.example>', 503), /^503 5\.5\.1 /);
  await client.command('EHLO client.example', 250);
  await client.command('DATA', 503);
});

for (const [name, injected] of [
  ['a full line', 'MAIL FROM:<evil@example.com>\r\n'],
  ['part of a line', 'MAIL FROM:<ev'],
  ['many lines', 'NOOP\r\n'.repeat(300)],
] as const) {
  test(`${name} sent in clear behind STARTTLS never runs inside TLS`, async () => {
    await using bench = await openBench();
    const client = await bench.hello();
    client.write(`STARTTLS\r\n${injected}`);
    await client.expect(220);
    const { default: tls } = await import('node:tls');
    client.socket.removeAllListeners();
    const secure = tls.connect({ socket: client.socket, rejectUnauthorized: false });
    secure.on('error', () => undefined);
    client.socket = secure;
    const lines: string[] = [];
    secure.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
    secure.on('secureConnect', () => secure.write('EHLO client.example\r\n'));
    await until(() => secure.destroyed || lines.length > 0);
    // either the handshake fails, or the first thing heard inside is the answer to EHLO
    if (lines.length > 0) assert.match(lines.join(''), /^250-mx\.office\.example/);
    assert.equal(bench.pipeline.messages.length, 0);
  });
}

test('STARTTLS twice is 503', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.startTls();
  await client.command('EHLO client.example', 250);
  await client.command('STARTTLS', 503);
});

test('a handshake that does not come is cut after its deadline', async () => {
  const clock = handClock();
  await using bench = await openBench({ clock });
  const client = await bench.hello();
  await client.command('STARTTLS', 220);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(client.ended, false);
  clock.advance(10_001);
  assert.ok(await client.hungUp());
  await until(() => bench.acceptor.sessions() === 0);
});

test('garbage instead of a handshake ends the connection and nothing else', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.command('STARTTLS', 220);
  client.write('HELO this is not TLS\r\n');
  await until(() => client.ended);
  await until(() => bench.acceptor.sessions() === 0);
  await bench.hello();
});

test('a connection lost in DATA inside TLS drops the intake once', async () => {
  await using bench = await openBench();
  const client = await bench.hello();
  await client.startTls();
  await client.command('EHLO client.example', 250);
  await client.envelope();
  await client.command('DATA', 354);
  client.write(HEAD);
  await until(() => (bench.pipeline.messages[0]?.content.length ?? 0) > 0);
  client.socket.destroy();
  await until(() => bench.acceptor.sessions() === 0);
  assert.equal(bench.pipeline.last.aborts, 1);
});

test('updateTls() shows the new certificate to the next handshake', async () => {
  await using bench = await openBench();
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-tls-'));
  try {
    const fresh = await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'mx.office.example' });
    bench.acceptor.updateTls(fresh);
    const client = await bench.hello();
    const secure = await client.startTls();
    assert.equal(secure.getPeerX509Certificate()?.fingerprint256, fresh.fingerprint);
    const old = await bench.hello();
    const refused = await old.startTls({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    assert.equal(refused.destroyed, true);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('updateTls() with a certificate that cannot be used throws and leaves the old one', async () => {
  await using bench = await openBench();
  assert.throws(() => bench.acceptor.updateTls({ key: 'nonsense', cert: 'nonsense' }));
  const client = await bench.hello();
  const secure = await client.startTls();
  const expected = new X509Certificate((await testCertificate()).cert);
  assert.equal(secure.getPeerX509Certificate()?.fingerprint256, expected.fingerprint256);
});
