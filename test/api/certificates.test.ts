/**
 * Every way to a certificate, by the API of a running box: a PKCS#12 file as openssl writes it (new and old kinds), a request
 * that openssl signs, the box's own authority as a browser checks it, and ACME with Debian's pebble, which asks for the proof.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as plainRequest } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { renewCertificates } from '../../src/jobs/renew-certificates.ts';
import { startJobs } from '../../src/jobs/scheduler.ts';
import { startWorld, type World } from '../e2e/world.ts';
import { freePort } from '../support/net.ts';
import { issue } from '../support/own-ca.ts';
import { type Pebble, startPebble } from '../support/pebble.ts';
import { shownByHttps, shownBySmtp } from '../support/shown-certificate.ts';
import { startAdmin, type TestAdmin, type Visitor } from './support.ts';

const DAY_MS = 86_400_000;
const NAME = 'mail.acme.example';
let world: World;
let box: TestAdmin;
let admin: Visitor;
let pebble: Pebble;
let dir: string;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'sekisho-certificates-'));
  world = await startWorld({ records: [`${NAME}. 300 IN A 127.0.0.1`] });
  const httpPort = await freePort();
  pebble = await startPebble({ dir, dns: world.dns.address, httpPort });
  box = await startAdmin({
    data: path.join(dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
    acmeCa: pebble.ca,
    plainPort: httpPort,
  });
  admin = await box.claim();
});
after(async () => {
  await box?.[Symbol.asyncDispose]();
  await pebble?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

interface Row {
  use: string;
  source: string;
  fingerprint: string;
  names: string[];
  renewsAt?: string;
  validFrom: string;
  validTo: string;
  issuer: string;
}

const row = async (use: string): Promise<Row> => {
  const { certificates } = (await admin.api('GET', '/certificates')).json as { certificates: Row[] };
  return certificates.find((one) => one.use === use) ?? assert.fail(use);
};

/** What the pages show; with `ca`, checked as a browser does that believes it. */
const shownByPages = (ca?: string): Promise<string> =>
  shownByHttps(box.admin.port, { name: 'box.test', ...(ca === undefined ? {} : { ca }) });

function openssl(...args: string[]): void {
  const done = spawnSync('openssl', args, { cwd: dir, encoding: 'utf8', timeout: 30_000 });
  if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
}

const OLD = ['-legacy'];
const PKCS12 = [
  ['as OpenSSL writes it today', 'ec', []],
  ['with an RSA key', 'rsa', []],
  ['as Windows wrote it for twenty years', 'rsa', OLD],
  ['of an old program with a key on a curve', 'ec', OLD],
] as const;
for (const [what, kind, flags] of PKCS12)
  test(`a PKCS#12 file is installed: ${what}`, async () => {
    const given = await issue(['box.test'], { days: 100, kind });
    await writeFile(path.join(dir, 'p12.key'), given.key);
    await writeFile(path.join(dir, 'p12.pem'), given.certificate);
    const out = ['-out', 'own.p12', '-passout', 'pass:日本 secret', '-name', 'box'];
    openssl('pkcs12', '-export', '-inkey', 'p12.key', '-in', 'p12.pem', ...flags, ...out);
    const file = (await readFile(path.join(dir, 'own.p12'))).toString('base64');
    const wrong = await admin.api('PUT', '/certificates/page/pkcs12', { file, passphrase: 'another' });
    assert.deepEqual([wrong.status, wrong.json['code']], [422, 'CERTIFICATE_BAD'], wrong.text);
    assert.match(JSON.stringify(wrong.json['fields']), /body\.passphrase/);
    const taken = await admin.api('PUT', '/certificates/page/pkcs12', { file, passphrase: '日本 secret' });
    assert.equal(taken.status, 200, taken.text);
    const expected = new X509Certificate(given.certificate).fingerprint256;
    assert.equal(await shownByPages(), expected);
    assert.equal((await row('page')).source, 'uploaded');
    assert.doesNotMatch(taken.text, /PRIVATE KEY/);
  });

test('a certificate of the pages that ends soon stands on the first page', async () => {
  const needs = async (): Promise<string[]> =>
    ((await admin.api('GET', '/overview')).json['needs'] as Array<{ kind: string }>).map(({ kind }) => kind);
  assert.ok(!(await needs()).includes('certificate:page'));
  const soon = await issue(['box.test'], { days: 20 });
  const put = await admin.api('PUT', '/certificates/page', { certificate: soon.certificate, key: soon.key });
  assert.equal(put.status, 200, put.text);
  assert.ok((await needs()).includes('certificate:page'));
});

test('what is no PKCS#12 file is said to be none, and changes nothing', async () => {
  const before = await shownByPages();
  for (const file of [Buffer.alloc(200, 1), Buffer.from(`30820100${'00'.repeat(200)}`, 'hex')]) {
    const answer = await admin.api('PUT', '/certificates/page/pkcs12', {
      file: file.toString('base64'),
      passphrase: 'x',
    });
    assert.deepEqual([answer.status, answer.json['code']], [422, 'CERTIFICATE_BAD'], answer.text);
  }
  assert.equal(await shownByPages(), before);
});

test('a request is made, its key stays here, and only the certificate that answers it is taken', async () => {
  const made = await admin.api('POST', '/certificates/mail/request', { names: ['gw.office.example'], key: 'rsa' });
  assert.equal(made.status, 200, made.text);
  const request = String(made.json['request']);
  assert.doesNotMatch(made.text, /PRIVATE KEY/);
  assert.equal((await admin.api('GET', '/certificates/mail/request')).json['request'], request);
  await writeFile(path.join(dir, 'own.csr'), request);
  openssl('req', '-in', 'own.csr', '-noout', '-verify');
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=CA',
    '-days',
    '9',
  );
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-days', '90'];
  openssl('x509', '-req', '-in', 'own.csr', ...by, '-out', 'signed.pem');
  const foreign = await issue(['gw.office.example']);
  const refused = await admin.api('PUT', '/certificates/mail/signed', { certificate: foreign.certificate });
  assert.deepEqual([refused.status, refused.json['code']], [422, 'CERTIFICATE_BAD']);
  const certificate = await readFile(path.join(dir, 'signed.pem'), 'utf8');
  const taken = await admin.api('PUT', '/certificates/mail/signed', { certificate });
  assert.equal(taken.status, 200, taken.text);
  const now = await row('mail');
  assert.equal(now.fingerprint, new X509Certificate(certificate).fingerprint256);
  assert.deepEqual(now.names, ['gw.office.example']);
  assert.deepEqual((await admin.api('GET', '/certificates/mail/request')).json, {}, 'the request is answered');
  assert.equal((await admin.api('PUT', '/certificates/mail/signed', { certificate })).status, 409);
});

test("the box's own authority signs the pages' certificate; who believes it is not warned, and it is renewed by itself", async () => {
  assert.deepEqual((await admin.api('GET', '/certificate-authority')).json, {});
  assert.equal((await admin.api('GET', '/certificate-authority/file')).status, 404);
  const issued = await admin.api('POST', '/certificates/page/issue');
  assert.equal(issued.status, 200, issued.text);
  const file = await admin.api('GET', '/certificate-authority/file');
  assert.equal(file.headers['content-type'], 'application/x-x509-ca-cert');
  assert.match(String(file.headers['content-disposition']), /sekisho-ca\.crt/);
  assert.doesNotMatch(file.text, /PRIVATE KEY/);
  const first = await shownByPages(file.text); // throws when it is not believed
  assert.equal((await row('page')).source, 'authority');
  await assert.rejects(shownByPages((await issue(['x'])).ca), /certificate|issuer/i);
  await box.admin.renewCertificates(new AbortController().signal);
  assert.equal(await shownByPages(file.text), first, 'not due');
  box.pass(266 * DAY_MS); // two thirds of 397 days
  await box.admin.renewCertificates(new AbortController().signal);
  assert.notEqual(await shownByPages(), first);
  admin = await again();
  assert.ok(Date.parse((await row('page')).renewsAt ?? '') > Date.now() + 400 * DAY_MS);
  box.pass(-266 * DAY_MS);
  admin = await again();
});

/** The clock has moved: the session is over. */
async function again(): Promise<Visitor> {
  const visitor = box.visitor();
  const answer = await visitor.api('POST', '/session', { user: 'hanako', password: 'seven quiet herons' });
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await visitor.api('POST', '/session/confirm', { password: 'seven quiet herons' })).status, 200);
  return visitor;
}

test('ACME: terms are shown and agreed to, the name is proved on port 80, mail gets the certificate and keeps it while it is not due', async () => {
  const outward = async (): Promise<string> => (await admin.api('GET', '/outward')).text;
  assert.match(await outward(), /"name":"acme"[^}]*\}[^}]*\}[^}]*"on":false/);
  const { directory } = pebble;
  const terms = await admin.api('POST', '/acme/terms', { directory });
  assert.match(String(terms.json['terms']), /^(?:data|https?):/, terms.text);
  const wanted = { directory, email: 'admin@office.example', names: [NAME], uses: ['mail'] };
  assert.equal((await admin.api('PUT', '/acme', { ...wanted, agree: false })).status, 400);
  const set = await admin.api('PUT', '/acme', { ...wanted, agree: true });
  assert.equal(set.status, 200, set.text);
  assert.match(await outward(), new RegExp(directory));
  const ran = await admin.api('POST', '/acme/run');
  assert.equal(ran.status, 200, ran.text);
  const first = await row('mail');
  assert.deepEqual([first.source, first.names], ['acme', [NAME]]);
  assert.match(first.issuer, /Pebble/);
  await box.admin.renewCertificates(new AbortController().signal);
  assert.equal((await row('mail')).fingerprint, first.fingerprint, 'not due');
  // the answer is gone from port 80 with the challenge
  assert.notEqual((await plain('/.well-known/acme-challenge/anything')).status, 200);
  const everything = (await readdir(path.join(dir, 'admin'), { recursive: true })).join(' ');
  assert.match(everything, /certificates\.json/);
  assert.doesNotMatch((await admin.api('GET', '/acme')).text, /PRIVATE KEY|accountKey/);
});

test('ACME that is due: the job comes at its own minute by itself, and pebble issues the next one', async (t) => {
  const first = await row('mail');
  const life = Date.parse(first.validTo) - Date.parse(first.validFrom);
  box.pass(life * 0.7);
  const troubles: string[] = [];
  let run: Promise<void> | undefined;
  // the scheduler's clock stands in the test's hand until the job has begun; pebble and TLS need the real one
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const soon = new Date(Date.now() + 120_000);
  // the minute, then the hour of its twelve: two minutes from now
  const chosen = [(soon.getUTCMinutes() + 0.5) / 60, ((soon.getUTCHours() % 12) + 0.5) / 12];
  const job = renewCertificates({
    run: (signal) => (run = box.admin.renewCertificates(signal)),
    random: () => chosen.shift() ?? assert.fail(),
  });
  const jobs = startJobs([job], {
    timeZone: () => 'UTC',
    catchUpMs: 9 * DAY_MS,
    now: () => Date.now(),
    onTrouble: (_, detail) => troubles.push(detail),
  });
  for (let second = 0; run === undefined && second <= 180; second++) {
    t.mock.timers.tick(1_000);
    await setImmediate(); // cron asks for its next turn in a promise
  }
  t.mock.timers.reset();
  assert.ok(run !== undefined, 'it did not begin at its minute');
  await run;
  const [told] = jobs.list();
  await jobs.stop();
  assert.deepEqual([troubles, told?.runs.length], [[], 1]);
  assert.equal(told?.runs[0]?.startedAt.slice(0, 16), soon.toISOString().slice(0, 16));
  admin = await again();
  const next = await row('mail');
  assert.deepEqual([next.source, next.names], ['acme', [NAME]]);
  assert.match(next.issuer, /Pebble/);
  assert.notEqual(next.fingerprint, first.fingerprint);
  assert.equal(await shownBySmtp(world.gateway.mxPort), next.fingerprint, 'senders see it without a restart');
  box.pass(-life * 0.7);
  admin = await again();
});

test('ACME that fails is told with what the issuer said, and what was installed stays', async () => {
  const before = await row('mail');
  const wanted = { directory: pebble.directory, names: ['nowhere.acme.example'], uses: ['mail'], agree: true };
  assert.equal((await admin.api('PUT', '/acme', wanted)).status, 200);
  const ran = await admin.api('POST', '/acme/run');
  assert.deepEqual([ran.status, ran.json['code']], [502, 'ACME_FAILED'], ran.text);
  assert.match(ran.text, /nowhere\.acme\.example/);
  const { acme } = (await admin.api('GET', '/acme')).json as { acme: { last: { ok: boolean; detail: string } } };
  assert.equal(acme.last.ok, false);
  assert.equal((await row('mail')).fingerprint, before.fingerprint);
  const nobody = { ...wanted, directory: 'https://127.0.0.1:1/dir' };
  assert.equal((await admin.api('POST', '/acme/terms', { directory: nobody.directory })).json['code'], 'ACME_FAILED');
  assert.equal((await admin.api('DELETE', '/acme')).status, 200);
  assert.equal((await admin.api('POST', '/acme/run')).status, 409);
});

async function plain(where: string): Promise<{ status: number; body: string }> {
  const port = box.admin.plainPort ?? assert.fail();
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  plainRequest({ host: '127.0.0.1', port, path: where, agent: false, headers: { host: NAME } }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
  })
    .once('error', reject)
    .end();
  return promise;
}
