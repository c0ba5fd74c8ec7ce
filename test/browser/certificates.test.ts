/**
 * The certificate cards as an owner uses them: a PKCS#12 file, a request whose key stays here, the box's own authority, ACME with
 * Debian's pebble, and back. After each the page, the API and whoever comes with TLS agree, also after a reload.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Locator } from 'playwright-core';
import { CERTIFICATE } from '../../webui/i18n/words-certificates.ts';
import { COMMON } from '../../webui/i18n/words-common.ts';
import { SYSTEM } from '../../webui/i18n/words-system.ts';
import { freePort } from '../support/net.ts';
import { issue } from '../support/own-ca.ts';
import { type Pebble, startPebble } from '../support/pebble.ts';
import { shownByHttps, shownBySmtp } from '../support/shown-certificate.ts';
import { claim, login, type PagesWorld, settled, startPagesWorld } from './pages-world.ts';
import { Person, type Said } from './person.ts';

const NAME = 'mail.acme.example';
let world: PagesWorld;
let pebble: Pebble | undefined;

before(async () => {
  const httpPort = await freePort();
  world = await startPagesWorld({
    engines: false,
    records: [`${NAME}. 300 IN A 127.0.0.1`],
    admin: async ({ dir, dns }) => {
      pebble = await startPebble({ dir, dns: dns.address, httpPort });
      const ca = path.join(dir, 'pebble-ca.pem');
      await writeFile(ca, pebble.ca);
      return { args: ['--plain-port', String(httpPort)], env: { NODE_EXTRA_CA_CERTS: ca } };
    },
  });
  const { page, context } = await world.open({ language: 'en' });
  await claim(world, page);
  await context.close();
});
after(async () => {
  await pebble?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

interface Row {
  use: string;
  source: string;
  fingerprint: string;
  names: string[];
  issuer: string;
}

async function visit(language: 'ja' | 'en') {
  const opened = await world.open({ language });
  await login(opened.page);
  await opened.page.goto('/system/certificates');
  await settled(opened.page);
  return { ...opened, person: new Person(opened.page, { language }) };
}

const card = (person: Person, title: Said): Locator =>
  person.page.getByRole('region', { name: person.t(title), exact: true });

/** Unfolds the ways of a card and takes one of them. */
async function way(person: Person, of: Said, chosen: Said): Promise<Locator> {
  const there = card(person, of);
  await there.getByText(person.t(CERTIFICATE.ways), { exact: true }).click();
  await there.getByLabel(person.t(CERTIFICATE.way), { exact: true }).selectOption({ label: person.t(chosen) });
  return there;
}

/** What the API says of a use now; the card says the same after a reload. */
async function agreed(person: Person, use: 'page' | 'mail'): Promise<Row> {
  const { page } = person;
  const { certificates } = (await (await page.request.get('/api/v1/certificates')).json()) as { certificates: Row[] };
  const row = certificates.find((one) => one.use === use) ?? assert.fail(use);
  await page.reload();
  await settled(page);
  await card(person, use === 'page' ? SYSTEM.usePage : SYSTEM.useMail)
    .getByText(row.fingerprint)
    .waitFor();
  return row;
}

function openssl(...args: string[]): void {
  const done = spawnSync('openssl', args, { cwd: world.mail.dir, encoding: 'utf8', timeout: 30_000 });
  if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
}

const sendersSee = (): Promise<string> => shownBySmtp(world.mail.gateway.mxPort);
const pagesShow = (ca?: string): Promise<string> =>
  shownByHttps(Number(new URL(world.url).port), { name: 'gw.office.example', ...(ca === undefined ? {} : { ca }) });

test('a PKCS#12 file for mail: a wrong passphrase is told at its field, the right one puts it in use at once', async () => {
  const { context, person, complaints } = await visit('ja');
  const given = await issue(['mx.office.example'], { days: 100, kind: 'rsa' });
  await writeFile(path.join(world.mail.dir, 'p12.key'), given.key);
  await writeFile(path.join(world.mail.dir, 'p12.pem'), given.certificate);
  openssl('pkcs12', '-export', '-inkey', 'p12.key', '-in', 'p12.pem', '-out', 'own.p12', '-passout', 'pass:秘密 no 鍵');
  const before_ = await sendersSee();
  const there = await way(person, SYSTEM.useMail, CERTIFICATE.pkcs12);
  await there
    .getByLabel(person.t(CERTIFICATE.file), { exact: true })
    .setInputFiles(path.join(world.mail.dir, 'own.p12'));
  const passphrase = there.getByLabel(person.t(CERTIFICATE.passphrase));
  await passphrase.fill('another');
  await there.getByRole('button', { name: person.t(CERTIFICATE.install), exact: true }).click();
  await there.locator('.field .error').filter({ hasText: 'パスフレーズが違います' }).waitFor();
  assert.equal(await sendersSee(), before_);
  await passphrase.fill('秘密 no 鍵');
  await there.getByRole('button', { name: person.t(CERTIFICATE.install), exact: true }).click();
  await person.sees(CERTIFICATE.done, { exact: true });
  const row = await agreed(person, 'mail');
  assert.equal(row.fingerprint, new X509Certificate(given.certificate).fingerprint256);
  assert.deepEqual([row.source, row.names], ['uploaded', ['mx.office.example']]);
  assert.equal(await sendersSee(), row.fingerprint);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a request for mail waits over a reload with its key here; only the certificate that answers it is taken', async () => {
  const { page, context, person, complaints } = await visit('en');
  let there = await way(person, SYSTEM.useMail, CERTIFICATE.csr);
  await there.getByLabel(CERTIFICATE.csrNames.en).fill('gw.office.example、 mx.office.example');
  await there.getByRole('button', { name: CERTIFICATE.csrMake.en }).click();
  const waits = () => there.getByLabel(CERTIFICATE.csrWaits.en);
  await waits().waitFor();
  const request = await waits().inputValue();
  await page.reload();
  await settled(page);
  there = await way(person, SYSTEM.useMail, CERTIFICATE.csr);
  await waits().waitFor();
  assert.equal(await waits().inputValue(), request);
  assert.equal(await waits().getAttribute('readonly'), '', 'read, not written in');
  const { dir } = world.mail;
  await writeFile(path.join(dir, 'own.csr'), request);
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=CA');
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-days', '90'];
  openssl('x509', '-req', '-in', 'own.csr', ...by, '-out', 'signed.pem');
  const install = async (certificate: string): Promise<void> => {
    await there.getByLabel(CERTIFICATE.csrAnswer.en).fill(certificate);
    await there.getByRole('button', { name: CERTIFICATE.install.en, exact: true }).click();
  };
  await install((await issue(['gw.office.example'])).certificate);
  await there.locator('.error, .notice.bad').first().waitFor();
  const signed = await readFile(path.join(dir, 'signed.pem'), 'utf8');
  await install(signed);
  await person.sees(CERTIFICATE.done, { exact: true });
  const row = await agreed(person, 'mail');
  assert.equal(row.fingerprint, new X509Certificate(signed).fingerprint256);
  assert.deepEqual(row.names, ['gw.office.example', 'mx.office.example']);
  assert.equal(await sendersSee(), row.fingerprint);
  there = await way(person, SYSTEM.useMail, CERTIFICATE.csr);
  await there.getByLabel(CERTIFICATE.csrNames.en).waitFor(); // answered: a new one may be made
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the box becomes an authority: its file makes the warning go, and back to self-signed it comes again', async () => {
  const { page, context, person, complaints } = await visit('ja');
  await card(person, CERTIFICATE.authority).getByText(person.t(CERTIFICATE.authorityNone)).waitFor();
  let there = await way(person, SYSTEM.usePage, CERTIFICATE.issue);
  await there.getByRole('button', { name: person.t(CERTIFICATE.install), exact: true }).click();
  await person.sees(CERTIFICATE.done, { exact: true });
  const saving = page.waitForEvent('download');
  await card(person, CERTIFICATE.authority)
    .getByRole('link', { name: person.t(CERTIFICATE.authoritySave) })
    .click();
  const file = path.join(world.mail.dir, 'sekisho-ca.crt');
  await (await saving).saveAs(file);
  const ca = await readFile(file, 'utf8');
  const row = await agreed(person, 'page');
  assert.deepEqual([row.source, await pagesShow(ca)], ['authority', row.fingerprint]);
  await card(person, CERTIFICATE.authority).getByText(new X509Certificate(ca).fingerprint256).waitFor();
  there = await way(person, SYSTEM.usePage, CERTIFICATE.own);
  await there.getByRole('button', { name: person.t(CERTIFICATE.install), exact: true }).click();
  await person.sees(CERTIFICATE.done, { exact: true });
  assert.equal((await agreed(person, 'page')).source, 'own');
  await assert.rejects(pagesShow(ca));
  assert.deepEqual(complaints, []);
  await context.close();
});

test('ACME from terms to a certificate in use, with the password asked for again, and its end', async () => {
  const { page, context, person, complaints } = await visit('en');
  const there = card(person, CERTIFICATE.acme);
  await there.locator('summary').click();
  await there.getByLabel(CERTIFICATE.acmeDirectory.en).fill(pebble?.directory ?? '');
  await there.getByLabel(CERTIFICATE.acmeNames.en).fill(NAME);
  const save = there.getByRole('button', { name: CERTIFICATE.acmeSave.en, exact: true });
  assert.equal(await save.isDisabled(), true, 'not before the terms were agreed to');
  await there.getByRole('button', { name: CERTIFICATE.acmeTerms.en }).click();
  await there.getByRole('link', { name: CERTIFICATE.acmeTermsAt.en }).waitFor();
  await there.getByRole('checkbox', { name: CERTIFICATE.acmeAgree.en }).check();
  await save.click();
  await there.getByRole('button', { name: CERTIFICATE.acmeRun.en }).click();
  await person.sees(CERTIFICATE.acmeRan, { exact: true });
  const row = await agreed(person, 'mail');
  assert.deepEqual([row.source, row.names, await sendersSee()], ['acme', [NAME], row.fingerprint]);
  assert.match(row.issuer, /Pebble/);
  await there.getByText(CERTIFICATE.acmeOk.en, { exact: true }).waitFor();
  await there.getByRole('button', { name: CERTIFICATE.acmeEnd.en }).click();
  await page.getByRole('dialog').getByText(CERTIFICATE.acmeEndText.en).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: COMMON.cancel.en }).click();
  await there.getByRole('button', { name: CERTIFICATE.acmeEnd.en }).click();
  await page.getByRole('dialog').getByRole('button', { name: CERTIFICATE.acmeEnd.en }).click();
  await there.locator('summary').waitFor(); // it may be begun again
  assert.equal((await agreed(person, 'mail')).fingerprint, row.fingerprint, 'what is installed stays');
  assert.deepEqual(complaints, []);
  await context.close();
});
