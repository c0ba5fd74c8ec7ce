/**
 * What somebody hostile would try at the pages' server: guessing, planting and replaying, asking from another site or under
 * another name, reaching for what is somebody else's, feeding it what breaks parsers. The gateway is real.
 */
import assert from 'node:assert/strict';
import { request as plainRequest } from 'node:http';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startWorld, type World } from '../e2e/world.ts';
import { header } from '../support/mime-samples.ts';
import { sendMail } from '../support/smtp-client.ts';
import { until } from '../support/process.ts';
import { PASSWORD, startAdmin, type TestAdmin, Visitor } from './support.ts';

let world: World;
let box: TestAdmin;
let admin: Visitor;

before(async () => {
  world = await startWorld();
  const pages = path.join(world.dir, 'pages');
  await mkdir(path.join(pages, 'assets'), { recursive: true });
  await writeFile(path.join(pages, 'index.html'), '<!doctype html><title>Pages</title>');
  await writeFile(path.join(pages, 'assets', 'app-1a2b.js'), 'export {};');
  await writeFile(path.join(world.dir, 'secret.txt'), 'the secret');
  box = await startAdmin({
    data: path.join(world.dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
    pages,
  });
});

after(async () => {
  await box[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const login = (visitor: Visitor, user: string, password: string) => visitor.api('POST', '/session', { user, password });

test('the setup code is not to be guessed: ten tries, then a rest, and the right one is no better until it is over', async () => {
  const body = { user: 'mallory', password: PASSWORD, language: 'en' };
  const stranger = box.visitor();
  for (let count = 0; count < 9; count += 1) {
    const answer = await stranger.api('POST', '/setup/claim', { ...body, code: 'AAAAA-AAAAA' });
    assert.deepEqual([answer.status, answer.json['code']], [403, 'CODE_WRONG']);
  }
  const tenth = await stranger.api('POST', '/setup/claim', { ...body, code: 'AAAAA-AAAAA' });
  assert.deepEqual([tenth.status, tenth.json['code'], tenth.headers['retry-after']], [429, 'LOCKED', '900']);
  const right = await stranger.api('POST', '/setup/claim', { ...body, code: await box.setupCode() });
  assert.equal(right.status, 429);
  box.pass(15 * 60_000);
});

test('after an hour the setup code opens nothing, and a new one opens once', async () => {
  const old = await box.setupCode();
  box.pass(46 * 60_000);
  const late = await box
    .visitor()
    .api('POST', '/setup/claim', { code: old, user: 'hanako', password: PASSWORD, language: 'ja' });
  assert.deepEqual([late.status, late.json['code']], [403, 'CODE_EXPIRED']);
  assert.equal(await box.admin.renewSetupCode(), true);
  const code = await box.setupCode();
  assert.notEqual(code, old);
  const typed = code.toLowerCase().replace('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
  const two = await Promise.all(
    [box.visitor(), box.visitor()].map(async (visitor) => {
      const answer = await visitor.api('POST', '/setup/claim', {
        code: typed,
        user: 'hanako',
        password: PASSWORD,
        language: 'ja',
      });
      return { visitor, status: answer.status };
    }),
  );
  assert.deepEqual(
    two.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 409],
  );
  admin = two.find(({ status }) => status === 200)?.visitor as Visitor;
  assert.equal((await admin.api('GET', '/account/sessions')).status, 200);
});

test('a name of somebody else’s that points at us is told nothing, whatever it asks', async () => {
  for (const host of [
    'evil.example',
    'evil.example:8443',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '[::1',
    'a b',
  ]) {
    for (const where of ['/', '/api/v1/setup', '/api/openapi.json', '/assets/app-1a2b.js']) {
      const answer = await admin.ask('GET', where, { headers: { host }, bare: true });
      assert.ok(answer.status === 421 || answer.status === 400, `${host} ${where}: ${answer.status}`);
      assert.doesNotMatch(answer.text, /Pages|fingerprint/);
    }
  }
  for (const host of ['localhost', 'gw.office.example', 'GW.office.example.', '192.0.2.1:443', '[2001:db8::1]'])
    assert.notEqual((await admin.ask('GET', '/', { headers: { host }, bare: true })).status, 421, host);
});

test('a change that another site makes a browser send is refused, and so is one that says nothing of where it comes from', async () => {
  const from: Array<Record<string, string>> = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `http://127.0.0.1:${admin.port}` },
    { origin: `https://127.0.0.1:${admin.port + 1}` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    {},
  ];
  for (const headers of from) {
    const answer = await admin.ask('PATCH', '/api/v1/account', { body: { language: 'en' }, headers, bare: true });
    assert.deepEqual(
      [JSON.stringify(headers), answer.status, answer.json['code']],
      [JSON.stringify(headers), 403, 'WRONG_ORIGIN'],
    );
  }
  const form = await admin.ask('POST', '/api/v1/queue/retry', {
    raw: 'all=true',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.equal(form.status, 415);
  const reading = await admin.ask('GET', '/api/v1/session', {
    headers: { 'sec-fetch-site': 'cross-site' },
    bare: true,
  });
  assert.equal(reading.status, 403);
  assert.equal((await admin.api('PATCH', '/account', { language: 'ja' })).status, 200);
});

test('a login makes a session nobody knew before, kept in a cookie no script and no other site can use', async () => {
  const visitor = box.visitor();
  visitor.cookies.set('__Host-sekisho', 'planted-by-somebody');
  const answer = await login(visitor, 'hanako', PASSWORD);
  assert.equal(answer.status, 200, answer.text);
  assert.notEqual(visitor.cookies.get('__Host-sekisho'), 'planted-by-somebody');
  const cookie = (answer.headers['set-cookie'] as string[]).find((one) => one.startsWith('__Host-sekisho='));
  assert.match(String(cookie), /; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
  const before = visitor.cookies.get('__Host-sekisho') ?? '';
  await visitor.api('DELETE', '/session');
  visitor.cookies.set('__Host-sekisho', before);
  const replayed = await visitor.api('GET', '/queue');
  assert.deepEqual([replayed.status, replayed.json['code']], [401, 'SESSION_ENDED']);
});

test('a session is over after fifteen idle minutes, after eight hours in any case, and a background refresh keeps nobody in', async () => {
  const idle = box.visitor();
  await login(idle, 'hanako', PASSWORD);
  box.pass(14 * 60_000);
  assert.equal((await idle.ask('GET', '/api/v1/queue', { headers: { 'x-sekisho-background': '1' } })).status, 200);
  box.pass(2 * 60_000);
  assert.equal((await idle.api('GET', '/queue')).status, 401);
  const busy = box.visitor();
  await login(busy, 'hanako', PASSWORD);
  for (let minutes = 0; minutes < 8 * 60; minutes += 14) {
    assert.equal((await busy.api('GET', '/alarms')).status, 200, `after ${minutes} minutes`);
    box.pass(14 * 60_000);
  }
  assert.equal((await busy.api('GET', '/alarms')).json['code'], 'SESSION_ENDED');
  admin = busy;
  assert.equal((await login(admin, 'hanako', PASSWORD)).status, 200);
});

test('guessing a password is slowed down where it comes from, and the owner gets in from elsewhere and from a known browser', async () => {
  const guesser = box.visitor();
  guesser.from = '127.0.0.9';
  for (let count = 0; count < 5; count += 1)
    assert.equal((await login(guesser, 'hanako', `guess ${count}`)).status, 401);
  const sixth = await login(guesser, 'hanako', PASSWORD);
  assert.deepEqual([sixth.status, sixth.json['code']], [429, 'LOCKED']);
  assert.equal((await login(box.visitor(), 'hanako', PASSWORD)).status, 200, 'from another address');
  const known = box.visitor();
  known.from = '127.0.0.9';
  known.cookies.set('__Host-sekisho-known', admin.cookies.get('__Host-sekisho-known') ?? '');
  assert.equal(
    (await login(known, 'hanako', PASSWORD)).status,
    200,
    'from the same address, with the mark of an earlier login',
  );
  box.pass(31_000);
  assert.equal((await login(guesser, 'hanako', PASSWORD)).status, 200, 'after the pause');
  const unknown = await login(box.visitor(), 'nobody', PASSWORD);
  assert.deepEqual([unknown.status, unknown.json['code']], [401, 'LOGIN_FAILED']);
});

test('a role sees and does its own and nothing beyond, by session and by token; a token never does what wants a person', async () => {
  const helper = await box.user(admin, 'taro', 'helpdesk');
  assert.equal((await helper.api('GET', '/messages')).status, 200);
  assert.equal((await helper.api('GET', '/messages/0000000-0000000000000/content')).json['code'], 'NOT_ALLOWED');
  assert.equal((await helper.api('GET', '/users')).json['code'], 'NOT_ALLOWED');
  const soon = new Date(Date.now() + 40 * 86_400_000).toISOString();
  const wide = await helper.api('POST', '/tokens', { name: 'wide', scopes: ['users.manage'], expiresAt: soon });
  assert.deepEqual([wide.status, wide.json['code']], [403, 'SCOPE_TOO_WIDE']);
  const made = await helper.api('POST', '/tokens', { name: 'narrow', scopes: ['mail.search'], expiresAt: soon });
  assert.equal(made.status, 200, made.text);
  const program = box.visitor();
  program.token = String(made.json['secret']);
  assert.equal((await program.ask('GET', '/api/v1/messages', { bare: true })).status, 200);
  assert.equal((await program.ask('GET', '/api/v1/status', { bare: true })).json['code'], 'NOT_ALLOWED');
  for (const where of ['/account/sessions', '/tokens'])
    assert.equal((await program.ask('GET', `/api/v1${where}`, { bare: true })).json['code'], 'PERSON_NEEDED');
  const tampered = box.visitor();
  tampered.token = `${program.token.slice(0, -1)}${program.token.endsWith('A') ? 'B' : 'A'}`;
  assert.equal((await tampered.ask('GET', '/api/v1/messages', { bare: true })).status, 401);
  // somebody else's session and token are as good as none
  const own = (await helper.api('GET', '/account/sessions')).json['sessions'] as Array<{ id: string }>;
  const other = await box.user(admin, 'jiro', 'helpdesk');
  assert.equal((await other.api('DELETE', `/account/sessions/${own[0]?.id ?? ''}`)).status, 404);
  assert.equal((await other.api('DELETE', `/tokens/${String(made.json['id'])}`)).status, 404);
  // whoever loses a right takes it from the tokens too; whoever is disabled is out at once
  await admin.api('POST', '/session/confirm', { password: PASSWORD });
  const users = (await admin.api('GET', '/users')).json['users'] as Array<{ id: string; name: string }>;
  const id = users.find(({ name }) => name === 'taro')?.id ?? '';
  assert.equal((await admin.api('PATCH', `/users/${id}`, { enabled: false })).status, 200);
  assert.equal((await helper.api('GET', '/messages')).status, 401);
  assert.equal((await program.ask('GET', '/api/v1/messages', { bare: true })).status, 401);
});

test('the last admin can neither go nor be made less', async () => {
  const [me] = (await admin.api('GET', '/users')).json['users'] as Array<{ id: string; name: string }>;
  assert.equal(me?.name, 'hanako');
  for (const change of [{ role: 'operator' }, { enabled: false }])
    assert.equal((await admin.api('PATCH', `/users/${me.id}`, change)).json['code'], 'LAST_ADMIN');
  assert.equal((await admin.api('DELETE', `/users/${me.id}`)).json['code'], 'LAST_ADMIN');
});

test('what matters wants the password again once five minutes have passed', async () => {
  box.pass(6 * 60_000);
  const refused = await admin.api('POST', '/account/totp', {});
  assert.deepEqual([refused.status, refused.json['code']], [403, 'CONFIRM_NEEDED']);
  assert.equal((await admin.api('POST', '/session/confirm', { password: 'something else' })).status, 401);
  assert.equal((await admin.api('POST', '/session/confirm', { password: PASSWORD })).status, 200);
  assert.equal((await admin.api('POST', '/account/totp', {})).status, 200);
});

test('no path reaches a file beside the pages, and every page says that nothing may frame it or run in it', async () => {
  for (const where of [
    '/../secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/.%00',
    '/%ff',
    '//secret.txt',
    '/assets/../../secret.txt',
  ]) {
    const answer = await admin.ask('GET', where);
    assert.doesNotMatch(answer.text, /the secret/, where);
    assert.notEqual(answer.status, 500, where);
  }
  const page = await admin.ask('GET', '/queue/deep/link');
  assert.equal(page.status, 200);
  const policy = String(page.headers['content-security-policy']);
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|http:/);
  assert.equal(page.headers['x-frame-options'], 'DENY');
  assert.match(String((await admin.ask('GET', '/assets/app-1a2b.js')).headers['cache-control']), /immutable/);
});

test('no word of a visitor gets into a header of ours, and no name of a download into a path', async () => {
  const CRLF = '%0d%0aset-cookie:%20planted=1';
  for (const where of [
    `/api/v1/messages/${CRLF}/eml`,
    `/api/v1/audit/export?format=csv&actor=${CRLF}`,
    `/api/v1/audit/export?format=${CRLF}`,
    `/api/v1/reports/csv?period=${CRLF}`,
    `/${CRLF}`,
    `/assets/${CRLF}`,
    '/api/v1/messages/..%2f..%2f..%2fetc%2fpasswd/eml',
    '/api/v1/messages/%2e%2e%2f%2e%2e%2fsecret.txt/content',
    '/api/v1/messages/0000000-0000000000000%2f..%2f..%2fsecret.txt/html',
    '/api/v1/messages/0000000-0000000000000/parts/..%2f..%2fsecret.txt',
  ]) {
    const answer = await admin.ask('GET', where);
    assert.doesNotMatch(String(answer.headers['set-cookie'] ?? ''), /planted/, where);
    assert.notEqual(answer.status, 500, `${where}: ${answer.text}`);
    assert.doesNotMatch(answer.text, /the secret|root:x:0/, where);
  }
  // the plain port points to a name of ours only, whatever it was asked as
  const pointed = await new Promise<string>((resolve, reject) => {
    const headers = { host: 'evil.example' };
    plainRequest({ host: '127.0.0.1', port: box.admin.plainPort, path: '/x', agent: false, headers }, (response) => {
      response.resume();
      resolve(response.headers.location ?? '');
    })
      .once('error', reject)
      .end();
  });
  assert.doesNotMatch(pointed, /evil/);
});

test('a hostile mail is shown without anything of it running, loading or leaving its frame, and the reading is on record', async () => {
  const boundary = 'b1';
  const html = `<p onclick="x()">Hi</p><script>alert(1)</script><img src="http://evil.example/p.gif"><a href="javascript:x()">l</a><iframe src="//evil.example"></iframe><style>@import url(//evil.example)</style><div style="position:fixed;background:url(//evil.example/a)">cover</div><svg><script>1</script></svg><form action="//evil.example"><input></form><base href="//evil.example"><meta http-equiv=refresh content="0;url=//evil.example">`;
  const name = 'x"\\r\\nSet-Cookie: a=b; =?utf-8?q?=E2=80=AE?=gpj.exe';
  const bytes = Buffer.from(
    `${header({ to: 'alice@office.example', subject: '<img src=x onerror=alert(1)>', messageId: 'xss@example.com' }, [`Content-Type: multipart/mixed; boundary=${boundary}`])}\r\n--${boundary}\r\nContent-Type: text/html\r\n\r\n${html}\r\n--${boundary}\r\nContent-Type: application/octet-stream; name="${name}.exe"\r\nContent-Disposition: attachment; filename="run.exe"\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.from('MZ\u0090\0').toString('base64')}\r\n--${boundary}--\r\n`,
  );
  assert.equal(
    (await sendMail(world.gateway.mxPort, { from: 'a@example.com', to: 'alice@office.example', bytes })).code,
    250,
  );
  const id = await until('the mail to be in the quarantine', { ms: 20_000 }, async () => {
    const { json } = await admin.api('GET', '/quarantine');
    return (json['entries'] as Array<{ id: string }>)[0]?.id;
  });
  const content = await admin.api('GET', `/messages/${id}/content`);
  assert.equal(content.status, 200, content.text);
  assert.equal(content.json['hasHtml'], true);
  const shown = await admin.api('GET', `/messages/${id}/html`);
  assert.match(String(shown.headers['content-security-policy']), /^sandbox; default-src 'none';/);
  assert.doesNotMatch(
    shown.text,
    /<script|<img|<iframe|<svg|<form|<base|<meta http|onclick|href=|@import|position|url\(/i,
  );
  assert.match(shown.text, /<p>Hi<\/p>/);
  const original = await admin.api('GET', `/messages/${id}/eml`);
  assert.equal(original.headers['content-disposition'], `attachment; filename="${id}.eml"`);
  assert.ok(original.text.endsWith(bytes.toString('utf8').slice(-200)));
  const { json } = await admin.api('GET', `/audit?target=${id}`);
  const actions = (json['entries'] as Array<{ action: string; actor: string }>).map(
    ({ action, actor }) => `${actor} ${action}`,
  );
  assert.deepEqual(actions, ['hanako messages.download', 'hanako messages.html', 'hanako messages.content']);
});

test('the audit is a chain nobody breaks unseen, and tells no secret', async () => {
  const verified = await admin.api('GET', '/audit/verify');
  assert.deepEqual([verified.json['ok'], verified.json['firstBad']], [true, undefined]);
  const lines = (await admin.api('GET', '/audit/export')).text;
  assert.doesNotMatch(lines, new RegExp(`${PASSWORD}|first of taro|sekisho_[0-9a-f]`));
  const entries = lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { action: string; actor: string; target: string; outcome: string });
  const logins = entries.filter(({ action }) => action === 'session.login');
  const named = (user: string, outcome: string): boolean =>
    logins.some(({ actor, target, ...one }) => actor === user && target === 'hanako' && one.outcome === outcome);
  assert.ok(named('hanako', 'ok') && named('hanako', 'refused'), 'a login names whose it was');
  assert.equal(logins.find(({ target }) => target === 'nobody')?.actor, 'anonymous');
  assert.ok(entries.some(({ action, actor, outcome }) => `${action} ${actor} ${outcome}` === 'setup.claim hanako ok'));
  const csv = await admin.api('GET', '/audit/export?format=csv&actor=hanako');
  assert.match(String(csv.headers['content-type']), /text\/csv/);
});

test('the plain page explains the certificate only while nobody has claimed the box, then points to the real one', async () => {
  const answer = await new Promise<{ status: number; location: string | undefined }>((resolve, reject) => {
    plainRequest({ host: '127.0.0.1', port: box.admin.plainPort, path: '/', agent: false }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, location: response.headers.location });
    })
      .once('error', reject)
      .end();
  });
  assert.deepEqual(answer, { status: 308, location: `https://127.0.0.1:${box.admin.port}/` });
});
