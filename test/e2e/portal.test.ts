/**
 * The recipients' own page as it runs on a box: the real gateway, rspamd, a digest that arrived by mail, and the real portal
 * process asked over HTTPS at its own port, by the link that stands in that mail. What mail scanners and strangers try, too.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import PostalMime from 'postal-mime';
import { createControlClient } from '../../src/control/client.ts';
import { makeSelfSigned } from '../../src/base/self-signed.ts';
import { gtubeMail, plainMail } from '../support/mime-samples.ts';
import { freePort } from '../support/net.ts';
import { type Child, startChild, until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import type { SunkMessage } from '../support/smtp-sink.ts';
import { startWorld, type World } from './world.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const TARO = 'taro@office.example';
const HANAKO = 'hanako@office.example';
const FORM = { 'sec-fetch-site': 'same-origin' };

let world: World;
let portal: Child;
let port: number;
let tls: string;

before(async () => {
  port = await freePort();
  world = await startWorld({ rspamd: true, config: settings({}) });
  tls = path.join(world.dir, 'portal.pem');
  await certify();
  const socket = path.join(world.gateway.dataFolder, 'run/portal/sock');
  const place = ['--socket', socket, '--tls', tls, '--address', '127.0.0.1', '--port', String(port)];
  portal = await startChild(process.execPath, [path.join(ROOT, 'src/portal.ts'), ...place]);
  await until('the portal', { ms: 20_000 }, () => portal.output().includes('Portal is ready') || undefined);
});
after(async () => {
  await portal?.stop();
  await world?.[Symbol.asyncDispose]();
});

function settings(more: { enabled?: boolean; language?: 'ja' | 'en' }) {
  return {
    language: more.language ?? 'en',
    policy: { spam: { tag: 1, quarantine: 2, reject: 999 } },
    quarantine: { digest: { enabled: true } },
    portal: { enabled: more.enabled ?? true, url: `https://127.0.0.1:${port}` },
  } as const;
}

async function certify(): Promise<string> {
  const made = await makeSelfSigned({ names: ['127.0.0.1'], now: Date.now(), validMs: 86_400_000 });
  await writeFile(tls, made.key + made.cert, { mode: 0o600 });
  return made.fingerprint;
}

interface Answer {
  status: number;
  body: string;
  fingerprint: string;
}

async function ask(
  where: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const to = { host: '127.0.0.1', port, path: where, agent: false, rejectUnauthorized: false } as const;
  const request = httpsRequest({ ...to, ...options });
  request.end();
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  const { fingerprint256 } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate();
  return { status: response.statusCode ?? 0, body: await text(response), fingerprint: fingerprint256 };
}

const post = (where: string): Promise<Answer> => ask(where, { method: 'POST', headers: FORM });

/** As at the owner's hour: what is on record as told last is long ago. */
async function digestNow(): Promise<void> {
  const { dataFolder } = world.gateway;
  await writeFile(path.join(dataFolder, 'digest.json'), JSON.stringify({ slot: '2000-01-01T08:30', told: [] }));
  const admin = createControlClient({ socket: path.join(dataFolder, 'run/admin.sock'), by: 'test' });
  await admin.call('jobs.run', { name: 'send-digest' });
}

const mailsTo = (address: string): SunkMessage[] =>
  world.office.messages.filter(({ to }) => to.some((one) => one.includes(address)));

/** Of the newest digest, as a mail program shows it. */
async function linkTo(address: string): Promise<string> {
  return until('the digest', { ms: 60_000 }, async () => {
    for (const { bytes } of mailsTo(address).toReversed()) {
      const { text: plain = '' } = await PostalMime.parse(bytes);
      const link = /https:\/\/127\.0\.0\.1:\d+(\/t\/v1\.[\w.-]+)/.exec(plain)?.[1];
      if (link !== undefined) return link;
    }
    return undefined;
  });
}

async function kept(address: string, subject: string): Promise<string> {
  const bytes = gtubeMail({ subject, messageId: `${subject.replaceAll(/\W/g, '')}@x` });
  const reply = await sendMail(world.gateway.mxPort, { from: 'seller@nospf.example', to: address, bytes });
  assert.equal(reply.code, 250, reply.text);
  // on a slow machine it is inspected after its 250
  return until('the mail in the quarantine', { ms: 60_000 }, async () => {
    const { entries } = await world.gateway.call('quarantine.list', { recipient: address });
    return entries.find((one) => one.subject === subject)?.id;
  });
}

test('the link of a digest shows, only its form releases, and a second release does nothing', async () => {
  const id = await kept(TARO, 'Bargain one');
  await digestNow();
  const link = await linkTo(TARO);
  const list = await ask(link);
  assert.equal(list.status, 200);
  assert.match(list.body, /Bargain one/);
  assert.match(list.body, /taro@office\.example/);
  // what a link scanner does
  for (const end of ['', `/m/${id}`, `/m/${id}/release`, `/m/${id}/ask`])
    for (const method of ['GET', 'HEAD']) assert.equal((await ask(link + end, { method })).status, 200, end);
  // and what a page of somebody else does
  for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }])
    assert.equal((await ask(`${link}/m/${id}/release`, { method: 'POST', headers: { ...headers } })).status, 403);
  assert.ok(!mailsTo(TARO).some(({ bytes }) => bytes.includes('Bargain one') && bytes.includes('XJS*C4JDB')));
  assert.equal((await post(`${link}/m/${id}/release`)).status, 200);
  const delivered = () => mailsTo(TARO).filter(({ bytes }) => bytes.includes('XJS*C4JDB'));
  await until('the mail', { ms: 20_000 }, () => delivered().length || undefined);
  const again = await post(`${link}/m/${id}/release`);
  assert.ok(again.status === 200 || again.status === 404, `${again.status} ${again.body}`);
  // whatever comes after it on the same way would come behind a second copy
  await sendMail(world.gateway.mxPort, {
    from: 'friend@example.com',
    to: TARO,
    bytes: plainMail({ subject: 'marker', messageId: 'marker@x' }),
  });
  await until(
    'the marker',
    { ms: 20_000 },
    () => mailsTo(TARO).some(({ bytes }) => bytes.includes('marker@x')) || undefined,
  );
  assert.equal(delivered().length, 1);
  assert.match((await ask(link)).body, /Nothing is kept/);
});

test('a link opens nothing of another recipient, and guessed, changed and expired links open nothing at all', async () => {
  const id = await kept(HANAKO, 'For Hanako');
  const foreign = await linkTo(TARO);
  assert.doesNotMatch((await ask(foreign)).body, /For Hanako/);
  for (const end of [`/m/${id}`, `/m/${id}/release`, `/m/${id}/ask`]) {
    const { status, body } = await (end.endsWith(id) ? ask(foreign + end) : post(foreign + end));
    assert.equal(status, 404, end);
    assert.doesNotMatch(body, /Hanako/);
  }
  const [head = '', claims = '', seal = ''] = foreign.split('.');
  const [, expires] = JSON.parse(Buffer.from(claims, 'base64url').toString()) as [string, number];
  const forged = (content: unknown): string =>
    `${head}.${Buffer.from(JSON.stringify(content)).toString('base64url')}.${seal}`;
  for (const link of [
    forged([HANAKO, expires]),
    forged([TARO, expires + 1]),
    `${head}.${claims}.${'A'.repeat(seal.length)}`,
    `${head}.${claims}`,
    '/t/v1.x.y',
  ])
    assert.equal((await ask(link)).status, 403, link);
  assert.equal((await world.gateway.call('quarantine.list', { recipient: HANAKO })).total, 1);
});

test('nothing of the administration is at that port, and its socket offers nothing else to anybody', async () => {
  for (const where of ['/', '/api/v1/session', '/api/openapi.json', '/login', '/t/../api/v1/status', '/metrics'])
    assert.equal((await ask(where)).status, 404, where);
  const socket = path.join(world.gateway.dataFolder, 'run/portal/sock');
  for (const verb of ['status', 'config.show', 'queue.list'] as const)
    await assert.rejects(createControlClient({ socket, by: 'portal' }).call(verb, {}), { code: 'NOT_PERMITTED' });
});

test('another certificate is shown without a restart', async () => {
  const before = await ask('/portal.css');
  const fingerprint = await certify();
  assert.notEqual(before.fingerprint, fingerprint);
  await until(
    'the new certificate',
    { ms: 20_000 },
    async () => (await ask('/portal.css')).fingerprint === fingerprint || undefined,
  );
});

test('the digest is written in the language of the office, as text and as HTML', async () => {
  await world.gateway.writeConfig({ ...world.config, ...settings({ language: 'ja' }) });
  await world.gateway.call('config.reload');
  const count = mailsTo(HANAKO).length;
  await digestNow();
  const mail = await until('the digest', { ms: 20_000 }, () => mailsTo(HANAKO)[count]);
  const source = mail.bytes.toString();
  assert.match(source, /multipart\/alternative/);
  assert.match(source, /text\/plain[^]*text\/html/);
  assert.match((await ask(await linkTo(HANAKO))).body, /<html lang="ja">[^]*For Hanako/);
});

test('switched off, a link that was good before opens nothing', async () => {
  const link = await linkTo(HANAKO);
  assert.equal((await ask(link)).status, 200);
  await world.gateway.writeConfig({ ...world.config, ...settings({ enabled: false }) });
  await world.gateway.call('config.reload');
  assert.equal((await ask(link)).status, 403);
});
