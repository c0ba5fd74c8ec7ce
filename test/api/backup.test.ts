/**
 * A backup of one box restored on another that has nothing: afterwards the new one is the old one. Senders see the same
 * certificate, a real Postfix takes the smarthost's login, the list of recipients answers, the box's authority goes on
 * signing, the ACME account is the same. And what a forged file would like to write is not written.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { sealBackup } from '../../src/api/backup/seal.ts';
import { startWorld, type World } from '../e2e/world.ts';
import { startDovecotLmtp } from '../support/dovecot.ts';
import { plainMail } from '../support/mime-samples.ts';
import { issue } from '../support/own-ca.ts';
import { type Postfix, startPostfix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { shownByHttps, shownBySmtp } from '../support/shown-certificate.ts';
import { sendMail } from '../support/smtp-client.ts';
import { PASSWORD, startAdmin, type TestAdmin, type Visitor } from './support.ts';

const DAY_MS = 86_400_000;
const HOST = 'smtp.provider.example';
const FRIEND = 'friend@far.example';
const LOGIN = { user: 'office@provider.example', password: 'kasumi-ga-seki-3' };
const PASSPHRASE = 'a long phrase for the drawer';
const STAFF = '# who works here\nsuzuki\ntanaka@office.example\n';
const records = [`${HOST}. 300 IN A 127.0.0.1`];
const LIST = { check: 'list', file: 'lists/staff.txt' } as const;

const stack = new AsyncDisposableStack();
let provider: Postfix;
let old: World;
let fresh: World;
let oldBox: TestAdmin;
let freshBox: TestAdmin;
let admin: Visitor;

before(async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'sekisho-backup-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o755); // Postfix and Dovecot run as other users
  const issued = await issue([HOST]);
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(path.join(dir, name), text);
    return path.join(dir, name);
  };
  const logins = { [LOGIN.user]: LOGIN.password };
  const accounts = stack.use(await startDovecotLmtp({ dir, name: 'accounts', recipients: [], logins }));
  provider = await startPostfix({
    dir,
    name: 'provider',
    hostname: HOST,
    recipients: [FRIEND],
    settings: {
      smtpd_tls_cert_file: await file('own.pem', issued.certificate),
      smtpd_tls_key_file: await file('own.key', issued.key),
      smtpd_tls_security_level: 'encrypt',
      smtpd_tls_auth_only: 'yes',
      smtpd_sasl_auth_enable: 'yes',
      smtpd_sasl_type: 'dovecot',
      smtpd_sasl_path: accounts.authSocket,
      smtpd_client_restrictions: 'permit_sasl_authenticated, reject',
      smtpd_delay_reject: 'yes',
    },
  });
  stack.defer(() => provider.stop());
  const env = { NODE_EXTRA_CA_CERTS: await file('ca.pem', issued.ca) };
  old = stack.use(
    await startWorld({
      records,
      env,
      config: { outbound: { smarthost: { host: HOST, port: provider.port, ...LOGIN } } },
    }),
  );
  // as it comes out of its carton: another name, no domain, no way out
  fresh = stack.use(
    await startWorld({ records, env, config: { hostname: 'new.example', domains: [], outbound: {}, language: 'ja' } }),
  );
  const boxOf = (world: World): Promise<TestAdmin> =>
    startAdmin({
      data: path.join(world.dir, 'admin'),
      gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
    });
  oldBox = stack.use(await boxOf(old));
  freshBox = stack.use(await boxOf(fresh));
  admin = await oldBox.claim();
});
after(() => stack.disposeAsync());

const folderOf = (world: World): string => path.dirname(world.gateway.configFile);
const kept = async (world: World): Promise<{ acme: { accountKey: string }; made: object }> =>
  JSON.parse(await readFile(path.join(world.dir, 'admin/certificates/certificates.json'), 'utf8')) as never;

let file = '';
let ca = '';
const before_ = { mail: '', page: '', key: '' };

test('a backup is made of a box that is used, and says what is in it', async () => {
  const domains = (await admin.api('GET', '/config?path=domains')).json['value'] as object[];
  await mkdir(path.join(folderOf(old), 'lists'));
  await writeFile(path.join(folderOf(old), 'lists/staff.txt'), STAFF);
  const listed = domains.map((domain) => ({ ...domain, recipients: LIST }));
  assert.equal((await admin.api('PUT', '/config', { path: 'domains', value: listed })).json['ok'], true);
  assert.equal((await admin.api('POST', '/certificates/page/issue')).status, 200);
  const acme = { directory: 'https://acme.example/dir', names: ['gw.office.example'], uses: ['mail'], agree: true };
  assert.equal((await admin.api('PUT', '/acme', acme)).status, 200);
  const request = await admin.api('POST', '/certificates/mail/request', { names: ['gw.office.example'] });
  assert.equal(request.status, 200, request.text);
  ca = (await admin.api('GET', '/certificate-authority/file')).text;
  before_.mail = await shownBySmtp(old.gateway.mxPort);
  before_.page = await shownByHttps(oldBox.admin.port, { name: 'box.test', ca });
  before_.key = (await kept(old)).acme.accountKey;

  const { octets } = await admin.api('POST', '/backup', { passphrase: PASSPHRASE });
  for (const secret of [LOGIN.password, 'PRIVATE KEY', 'tanaka@', 'hanako'])
    assert.ok(!octets.includes(secret), `${secret} in clear`);
  file = octets.toString('base64');
  const inside = await admin.api('POST', '/backup/inspect', { passphrase: PASSPHRASE, file });
  assert.deepEqual(inside.json['holds'], {
    certificates: ['page', 'mail'],
    authority: true,
    acme: 'https://acme.example/dir',
    smarthostPassword: true,
    lists: [{ domain: 'office.example', file: 'lists/staff.txt' }],
    left: [],
  });
  assert.doesNotMatch(inside.text, new RegExp(LOGIN.password));
  assert.doesNotMatch((await admin.api('GET', '/audit/export')).text, new RegExp(`${LOGIN.password}|PRIVATE KEY`));
});

test('restored on a fresh box it is that box: certificate, login, recipients, authority, ACME account, request', async () => {
  // the old one has died: its name and its ports are the new one's
  await oldBox[Symbol.asyncDispose]();
  await old.gateway.stop();
  const stranger = await freshBox.claim();
  const parts = ['config', 'users', 'certificates'];
  const restored = await stranger.api('POST', '/backup/restore', { passphrase: PASSPHRASE, file, parts });
  assert.equal(restored.status, 200, restored.text);
  assert.deepEqual([restored.json['ok'], restored.json['expired']], [true, []], restored.text);
  admin = freshBox.visitor();
  assert.equal((await admin.api('POST', '/session', { user: 'hanako', password: PASSWORD })).status, 200);

  assert.equal(await shownBySmtp(old.gateway.mxPort), before_.mail, 'who pinned the key of mail finds it again');
  assert.equal(await shownByHttps(freshBox.admin.port, { name: 'box.test', ca }), before_.page);
  assert.equal((await kept(fresh)).acme.accountKey, before_.key);
  const acme = (await admin.api('GET', '/acme')).json['acme'] as { directory: string; agreedBy: string };
  assert.deepEqual([acme.directory, acme.agreedBy], ['https://acme.example/dir', 'hanako']);
  assert.match((await admin.api('GET', '/certificates/mail/request')).text, /BEGIN CERTIFICATE REQUEST/);
  await admin.api('POST', '/session/confirm', { password: PASSWORD });
  const again = await admin.api('POST', '/certificates/page/issue');
  assert.equal(again.status, 200, again.text);
  await shownByHttps(freshBox.admin.port, { name: 'box.test', ca }); // throws when the office's computers would warn

  assert.equal(await readFile(path.join(folderOf(fresh), 'lists/staff.txt'), 'utf8'), STAFF);
  const send = (to: string) =>
    sendMail(old.gateway.mxPort, { from: 'hanako@example.com', to, bytes: plainMail({ from: 'hanako@example.com' }) });
  assert.equal((await send('suzuki@office.example')).code, 250);
  const unknown = await send('nobody@office.example');
  assert.equal(unknown.code, 550, unknown.text);

  const bytes = plainMail({ from: 'suzuki@office.example', to: FRIEND, messageId: 'after.restore@office.example' });
  const out = await sendMail(old.gateway.relayPort, { from: 'suzuki@office.example', to: FRIEND, bytes });
  assert.equal(out.code, 250, out.text);
  await until('the mail at the provider', { ms: 60_000 }, async () =>
    (await provider.messages(FRIEND)).find((one) => one.bytes.includes('after.restore')),
  );
  await provider.logged(/sasl_username=office@provider\.example/);
  assert.equal(
    ((await admin.api('GET', '/config?path=outbound.smarthost')).json['value'] as { password: string }).password,
    '[hidden]',
  );
});

test('whoever may change settings cannot have the kept password sent to a server of theirs', async () => {
  const { smarthost } = (await admin.api('GET', '/outgoing')).json as { smarthost: { host: string; user: string } };
  const elsewhere = { host: 'smtp.evil.example', port: 587, user: smarthost.user };
  const whole = await admin.api('PUT', '/outgoing', { way: 'smarthost', smarthost: elsewhere });
  const alone = await admin.api('PUT', '/config', { path: 'outbound.smarthost.host', value: 'smtp.evil.example' });
  for (const answer of [whole, alone])
    assert.deepEqual(
      [answer.json['ok'], (answer.json['problems'] as Array<{ path: string }>).map(({ path: at }) => at)],
      [false, ['outbound.smarthost.password']],
      answer.text,
    );
  assert.deepEqual((await admin.api('GET', '/outgoing')).json['smarthost'], smarthost);
});

test('a certificate that has ended since is left out and named; the rest comes back', async () => {
  freshBox.pass(400 * DAY_MS);
  const later = freshBox.visitor();
  await later.api('POST', '/session', { user: 'hanako', password: PASSWORD });
  await later.api('POST', '/session/confirm', { password: PASSWORD });
  const parts = ['certificates'];
  const restored = await later.api('POST', '/backup/restore', { passphrase: PASSPHRASE, file, parts });
  assert.deepEqual([restored.status, restored.json['expired']], [200, ['page']], restored.text);
  assert.equal(await shownBySmtp(old.gateway.mxPort), before_.mail);
  freshBox.pass(-400 * DAY_MS);
});

test('a forged file writes lists only among lists: no other folder, no file of ours', async () => {
  const forger = freshBox.visitor();
  await forger.api('POST', '/session', { user: 'hanako', password: PASSWORD });
  await forger.api('POST', '/session/confirm', { password: PASSWORD });
  const { value: config } = (await forger.api('GET', '/config')).json as { value: { domains: object[] } };
  const settings = await readFile(fresh.gateway.configFile, 'utf8');
  const outside = path.join(fresh.dir, 'evil.txt');
  const names = ['../evil.txt', outside, 'config.json', 'data/portal.key', 'lists/../config.json', '.hidden', 'lists'];
  for (const name of names) {
    const forged = {
      madeAt: new Date().toISOString(),
      version: '1',
      hostname: 'x',
      config: {
        ...config,
        domains: config.domains.map((domain) => ({ ...domain, recipients: { ...LIST, file: name } })),
      },
      users: [],
      lists: [{ domain: 'office.example', file: name, text: 'evil\n' }],
    };
    const sealed = (await sealBackup(forged, PASSPHRASE)).toString('base64');
    const answer = await forger.api('POST', '/backup/restore', {
      passphrase: PASSPHRASE,
      file: sealed,
      parts: ['config'],
    });
    assert.equal(answer.json['ok'], true, `${name}: ${answer.text}`);
    const [domain] = (await forger.api('GET', '/config?path=domains')).json['value'] as [
      { recipients: { file: string } },
    ];
    assert.equal(domain.recipients.file, 'recipients/office.example.txt', name);
    await assert.rejects(readFile(outside), name);
    assert.ok(!(await readFile(fresh.gateway.configFile, 'utf8')).startsWith('evil'), name);
  }
  assert.equal(typeof JSON.parse(settings), 'object');
  assert.equal(await readFile(path.join(folderOf(fresh), 'recipients/office.example.txt'), 'utf8'), 'evil\n');
});
