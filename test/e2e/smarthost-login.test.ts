import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startDovecotLmtp } from '../support/dovecot.ts';
import { freePort } from '../support/net.ts';
import { issue } from '../support/own-ca.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { type ArrivedMessage, type Postfix, startPostfix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { peerSample } from './peer-samples.ts';
import { queueEmpty, startWorld, type World } from './world.ts';

// port 465 is what says "TLS from the first octet"
enterOwnNetwork();

const FRIEND = 'friend@far.example';
const USER = 'office@provider.example';
const PASSWORD = 'kasumi-ga-seki-3';
const HOST = 'smtp.provider.example';

const stack = new AsyncDisposableStack();
let world: World;
let provider: Postfix;
let loginOnly: number;
let submitted = 0;
before(async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'sekisho-provider-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o755); // Postfix and Dovecot run as other users
  const issued = await issue([HOST]);
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(path.join(dir, name), text);
    return path.join(dir, name);
  };
  const accounts = await startDovecotLmtp({ dir, name: 'accounts', recipients: [], logins: { [USER]: PASSWORD } });
  stack.use(accounts);
  loginOnly = await freePort();
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
    services: [
      '127.0.0.1:465 inet n - n - - smtpd',
      '  -o smtpd_tls_wrappermode=yes',
      `127.0.0.1:${loginOnly} inet n - n - - smtpd`,
      '  -o smtpd_sasl_mechanism_filter=login',
    ],
  });
  stack.defer(() => provider.stop());
  world = await startWorld({
    records: [`${HOST}. 300 IN A 127.0.0.1`],
    env: { NODE_EXTRA_CA_CERTS: await file('ca.pem', issued.ca) },
    config: { outbound: { smarthost: { host: HOST, port: provider.port, user: USER, password: PASSWORD } } },
  });
  stack.use(world);
});
after(() => stack.disposeAsync());

async function submit(): Promise<string> {
  submitted += 1;
  const sample = peerSample('plain', { by: `login-${submitted}`, to: FRIEND });
  const reply = await sendMail(world.gateway.relayPort, {
    from: 'suzuki@office.example',
    to: FRIEND,
    bytes: sample.bytes,
  });
  assert.equal(reply.code, 250, reply.text);
  return sample.id;
}

async function arrived(id: string): Promise<ArrivedMessage> {
  return until('the mail at the provider', { ms: 30_000 }, async () =>
    (await provider.messages(FRIEND)).find((one) => one.bytes.includes(id)),
  ).catch(async (error: unknown) => {
    throw new Error(`Postfix says:\n${(await provider.log()).slice(-2_000)}`, { cause: error });
  });
}

async function set(key: string, value: unknown): Promise<void> {
  const answer = await world.gateway.call('config.set', { path: `outbound.smarthost.${key}`, value });
  assert.equal(answer.ok, true, JSON.stringify(answer.problems));
}

test('mail goes out through a real Postfix that wants a login, by STARTTLS', async () => {
  await arrived(await submit());
  await provider.logged(/sasl_method=PLAIN, sasl_username=office@provider\.example/);
});

test('where it offers LOGIN only, mail goes out by LOGIN', async () => {
  await set('port', loginOnly);
  await arrived(await submit());
  await provider.logged(/sasl_method=LOGIN, sasl_username=office@provider\.example/);
});

test('on port 465 mail goes out over TLS from the first octet', async () => {
  await set('port', 465);
  await arrived(await submit());
});

test('a wrong password keeps the mail and raises the alarm; the right one lets it go at once; neither is shown', async () => {
  const { gateway } = world;
  await queueEmpty(world);
  await set('password', 'mistyped-2');
  const id = await submit();
  const alarm = await until('the alarm', { ms: 30_000 }, async () =>
    (await gateway.call('status', {})).alarms.find(({ name }) => name === 'smarthost-login'),
  );
  assert.match(alarm.detail, /535 5\.7\.8/);
  assert.match(alarm.remedy.en, /Enter user and password anew/);
  assert.equal((await gateway.call('queue.list', { state: 'all' })).total, 1);
  await set('password', PASSWORD);
  await arrived(id);
  await until('the alarm to end', { ms: 10_000 }, async () =>
    (await gateway.call('status', {})).alarms.some(({ name }) => name === 'smarthost-login') ? undefined : true,
  );
  const { current } = await gateway.call('config.generations', {});
  const shown = JSON.stringify([
    gateway.lines,
    gateway.noise,
    await gateway.call('config.show', {}),
    await gateway.call('config.diff', { from: current - 1, to: current }),
    await gateway.call('status', {}),
    (await gateway.cli('config', 'show')).stdout,
    (await gateway.cli('trace', 'friend@far.example')).stdout,
  ]);
  for (const secret of [PASSWORD, 'mistyped-2']) {
    assert.ok(!shown.includes(secret));
    assert.ok(!shown.includes(Buffer.from(`\0${USER}\0${secret}`).toString('base64')));
  }
  assert.ok((await readFile(gateway.configFile, 'utf8')).includes(PASSWORD), 'it is kept where only the gateway reads');
});
