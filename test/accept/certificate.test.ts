import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadOrCreateCertificate } from '../../src/accept/certificate.ts';

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-certificate-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test('a certificate is made once and kept, readable by its owner only', async (t) => {
  const dir = path.join(await folder(t), 'tls');
  const first = await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'mx.office.example' });
  const second = await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'mx.office.example' });
  assert.deepEqual(second, first);
  assert.equal(first.selfMade, true);
  const [file, ...others] = await readdir(dir);
  assert.deepEqual(others, []);
  assert.equal((await stat(path.join(dir, file ?? ''))).mode & 0o777, 0o600);
});

test('it is a P-256 certificate for the host name, valid ten years, and no CA', async (t) => {
  const made = await loadOrCreateCertificate({ now: Date.now, dir: await folder(t), hostname: 'mx.office.example' });
  const parsed = new X509Certificate(made.cert);
  assert.equal(parsed.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.ok(parsed.checkPrivateKey(createPrivateKey(made.key)));
  assert.equal(parsed.checkHost('mx.office.example', { subject: 'never' }), 'mx.office.example');
  assert.equal(parsed.checkHost('other.example'), undefined);
  assert.equal(parsed.ca, false);
  const years = (Date.parse(parsed.validTo) - Date.now()) / 31_557_600_000;
  assert.ok(years > 9.9 && years < 10.1);
  assert.ok(Date.parse(parsed.validFrom) < Date.now());
  assert.equal(made.fingerprint, parsed.fingerprint256);
});

test('two boxes never share a key', async (t) => {
  const one = await loadOrCreateCertificate({ now: Date.now, dir: await folder(t), hostname: 'mx.office.example' });
  const two = await loadOrCreateCertificate({ now: Date.now, dir: await folder(t), hostname: 'mx.office.example' });
  assert.notEqual(one.key, two.key);
});

test('it is made anew for another host name, before it expires, and when the file is damaged', async (t) => {
  const dir = await folder(t);
  const first = await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'mx.office.example' });
  const renamed = await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'mail.office.example' });
  assert.notEqual(renamed.fingerprint, first.fingerprint);
  const late = await loadOrCreateCertificate({
    dir,
    hostname: 'mail.office.example',
    now: () => Date.now() + 3_640 * 86_400_000,
  });
  assert.notEqual(late.fingerprint, renamed.fingerprint);
  const [file = ''] = await readdir(dir);
  await writeFile(path.join(dir, file), (await readFile(path.join(dir, file), 'utf8')).slice(0, 300));
  const again = await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'mail.office.example' });
  assert.notEqual(again.fingerprint, late.fingerprint);
});

test('a host name longer than a common name may be still works', async (t) => {
  const hostname = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`;
  const made = await loadOrCreateCertificate({ now: Date.now, dir: await folder(t), hostname });
  assert.equal(new X509Certificate(made.cert).checkHost(hostname), hostname);
});

test('the owner’s files are used as they are, and refused when they do not belong together', async (t) => {
  const dir = await folder(t);
  const one = await loadOrCreateCertificate({ now: Date.now, dir: path.join(dir, 'a'), hostname: 'mx.office.example' });
  const two = await loadOrCreateCertificate({ now: Date.now, dir: path.join(dir, 'b'), hostname: 'mx.office.example' });
  const certificate = path.join(dir, 'cert.pem');
  const key = path.join(dir, 'key.pem');
  await writeFile(certificate, one.cert);
  await writeFile(key, one.key);
  const own = await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'whatever.example', certificate, key });
  assert.equal(own.selfMade, false);
  assert.equal(own.fingerprint, one.fingerprint);
  await writeFile(key, two.key);
  const mismatch = loadOrCreateCertificate({ now: Date.now, dir, hostname: 'x.example', certificate, key });
  await assert.rejects(mismatch, { code: 'TLS_CERTIFICATE' });
  const half = loadOrCreateCertificate({ now: Date.now, dir, hostname: 'x.example', certificate });
  await assert.rejects(half, { code: 'TLS_CERTIFICATE' });
  const missing = loadOrCreateCertificate({
    now: Date.now,
    dir,
    hostname: 'x.example',
    certificate,
    key: path.join(dir, 'no.pem'),
  });
  await assert.rejects(missing, { code: 'TLS_CERTIFICATE', message: /no\.pem/ });
});
