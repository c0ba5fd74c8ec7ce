/**
 * `sekisho certificate …`, the real command before the real process of the pages: what it installs is what a browser is shown,
 * each change is on record, and nothing is done before the box is claimed. No gateway: the mail's certificate has its own test.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startAdmin, type TestAdmin, type Visitor } from '../api/support.ts';
import { issue } from '../support/own-ca.ts';
import { shownByHttps } from '../support/shown-certificate.ts';

const CLI = path.join(import.meta.dirname, '../../src/cli.ts');
let dir: string;
let box: TestAdmin;
let admin: Visitor;

before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'sekisho-cli-certificate-'));
  // as on a trial machine: the pages' folder in the gateway's data
  box = await startAdmin({ data: path.join(dir, 'admin'), gatewaySocket: path.join(dir, 'run/admin.sock') });
});
after(async () => {
  await box?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

interface Run {
  code: number;
  out: string;
  err: string;
}

function sekisho(...args: string[]): Promise<Run> {
  const env = {
    TZ: 'UTC',
    LANG: 'C.UTF-8',
    SEKISHO_DATA: dir,
    SUDO_USER: 'taro',
    NODE_COMPILE_CACHE: path.join(dir, 'cache'),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: dir, timeout: 120_000, env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const shown = (): Promise<string> => shownByHttps(box.admin.port, { name: 'box.test' });
const printOf = (certificate: string): string => new X509Certificate(certificate).fingerprint256;

function openssl(...args: string[]): void {
  const done = spawnSync('openssl', args, { cwd: dir, encoding: 'utf8', timeout: 30_000 });
  if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
}

test('before the box is claimed nothing is told and nothing is done; the socket is its owner’s alone', async () => {
  const { code, err } = await sekisho('certificate', 'show');
  assert.equal(code, 5);
  assert.match(err, /claim/i);
  assert.equal((await stat(path.join(dir, 'admin/run/cli.sock'))).mode & 0o777, 0o600);
  admin = await box.claim();
});

test('a certificate and its key are installed from files; show tells of it; the wrong key is refused', async () => {
  const given = await issue(['box.test'], { days: 100 });
  await writeFile(path.join(dir, 'own.pem'), given.certificate);
  await writeFile(path.join(dir, 'own.key'), given.key);
  await writeFile(path.join(dir, 'other.key'), (await issue(['box.test'])).key);
  const before = await shown();
  const wrong = await sekisho('certificate', 'upload', 'page', 'own.pem', 'other.key');
  assert.equal(wrong.code, 5, wrong.err);
  assert.equal(await shown(), before);
  const taken = await sekisho('certificate', 'upload', 'page', 'own.pem', 'own.key');
  assert.equal(taken.code, 0, taken.err);
  assert.equal(await shown(), printOf(given.certificate));
  const told = await sekisho('certificate', 'show');
  assert.match(told.out, /^For +Pages \(page\)$/m);
  assert.match(told.out, /^Names +box\.test$/m);
  assert.ok(told.out.includes(printOf(given.certificate)));
  assert.doesNotMatch(taken.out + told.out, /PRIVATE KEY/);
});

test('a PKCS#12 file is opened by the first line of a file, never by a word of the command', async () => {
  const given = await issue(['box.test'], { days: 90 });
  await writeFile(path.join(dir, 'p12.key'), given.key);
  await writeFile(path.join(dir, 'p12.pem'), given.certificate);
  openssl(
    'pkcs12',
    '-export',
    '-inkey',
    'p12.key',
    '-in',
    'p12.pem',
    '-out',
    'own.p12',
    '-passout',
    'pass:日本 secret',
  );
  await writeFile(path.join(dir, 'pass'), '日本 secret\nnot this\n');
  assert.equal((await sekisho('certificate', 'pkcs12', 'page', 'own.p12')).code, 5);
  const taken = await sekisho('certificate', 'pkcs12', 'page', 'own.p12', '--passphrase-file', 'pass');
  assert.equal(taken.code, 0, taken.err);
  assert.equal(await shown(), printOf(given.certificate));
});

test('a request, one by the box’s own authority, and back to its own', async () => {
  const asked = await sekisho(
    'certificate',
    'request',
    'page',
    'box.test',
    'mail.box.test',
    '--organisation',
    'Office',
  );
  assert.equal(asked.code, 0, asked.err);
  await writeFile(path.join(dir, 'asked.csr'), asked.out);
  openssl('req', '-in', 'asked.csr', '-noout', '-verify');
  const issued = await sekisho('certificate', 'issue', 'page');
  assert.match(issued.out, /^Source +authority$/m, issued.err);
  const own = await sekisho('certificate', 'own', 'page', '--json');
  assert.equal((JSON.parse(own.out) as { source: string }).source, 'own');
});

test('words that are none, files that are not there, terms that were not read', async () => {
  assert.match((await sekisho('certificate', 'own', 'pages')).err, /page, mail, portal/);
  const missing = await sekisho('certificate', 'upload', 'page', 'nowhere.pem', 'own.key');
  assert.deepEqual([missing.code, /nowhere\.pem/.test(missing.err)], [3, true]);
  const terms = await sekisho('certificate', 'acme-start', 'https://acme.example/directory', 'box.test');
  assert.deepEqual([terms.code, /--agree/.test(terms.err)], [2, true]);
  assert.equal((await sekisho('certificate', 'acme')).code, 1);
  const away = await sekisho('certificate', 'show', '--admin-socket', path.join(dir, 'none.sock'));
  assert.deepEqual([away.code, /not running/.test(away.err)], [4, true]);
});

test('each change is on record as the command’s, without keys or passphrases', async () => {
  const { entries } = (await admin.api('GET', '/audit?limit=100')).json as {
    entries: Array<{ actor: string; action: string }>;
  };
  const mine = entries.filter(({ actor }) => actor === 'cli (taro)').map(({ action }) => action);
  for (const action of ['upload', 'pkcs12', 'request', 'issue', 'own'])
    assert.ok(mine.includes(`certificates.${action}`), `${action} in ${mine.join()}`);
  assert.doesNotMatch(JSON.stringify(entries), /PRIVATE KEY|日本 secret/);
});
