/**
 * What an office does with the API, against the real gateway, a mail server and a DNS of our own: probe the mail server, read
 * the records, send a message round the box, see it in search, overview and report, change the level, a domain, a certificate.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { sealBackup } from '../../src/api/backup/seal.ts';
import { makeSelfSigned } from '../../src/base/self-signed.ts';
import { startWorld, type World } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { PASSWORD, startAdmin, type TestAdmin, type Visitor } from './support.ts';

let world: World;
let box: TestAdmin;
let admin: Visitor;

type Step = { name: string; state: string; detail?: string };

before(async () => {
  world = await startWorld({ records: ['gw.office.example. 300 IN A 192.0.2.7'] });
  box = await startAdmin({
    data: path.join(world.dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
  });
  admin = await box.claim();
});

after(async () => {
  await box[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

test('a mail server is probed without sending anything: it takes the known mailbox and the unknown one, which is told', async () => {
  const server = { host: '127.0.0.1', port: world.office.port };
  const body = { server, domain: 'office.example', known: 'alice@office.example' };
  const answer = await admin.api('POST', '/domains/probe', body);
  assert.equal(answer.status, 200, answer.text);
  const states = (answer.json['steps'] as Step[]).map(({ name, state }) => `${name} ${state}`);
  assert.deepEqual(
    states.filter((one) => !one.startsWith('starttls')),
    ['connect ok', 'greeting ok', 'known ok', 'unknown warning'],
  );
  assert.equal(world.office.messages.length, 0);
  const closed = await admin.api('POST', '/domains/probe', { ...body, server: { host: '127.0.0.1', port: 1 } });
  assert.equal(closed.json['ok'], false);
  assert.match(JSON.stringify(closed.json['steps']), /ECONNREFUSED/);
});

test('the records of a domain are told with what to publish and what stands there now', async () => {
  const answer = await admin.api('GET', '/domains/office.example/dns');
  assert.equal(answer.status, 200, answer.text);
  const records = answer.json['records'] as Array<{ purpose: string; state: string; wanted: string; found: string[] }>;
  const state = Object.fromEntries(records.map((one) => [one.purpose, one.state]));
  assert.deepEqual([state['mx'], state['a'], state['spf'], state['dmarc']], ['ok', 'ok', 'ok', 'missing']);
  assert.equal(records.find(({ purpose }) => purpose === 'mx')?.wanted, '10 gw.office.example.');
});

test('a test message goes round the box and is found by search, overview and report', async () => {
  const started = await admin.api('POST', '/setup/round-trip', { recipient: 'alice@office.example' });
  assert.equal(started.status, 200, started.text);
  assert.notEqual(started.json['state'], 'failed', started.text);
  const trip = await until('the message to arrive', { ms: 20_000 }, async () => {
    const { json } = await admin.api('GET', `/setup/round-trip/${String(started.json['id'])}`);
    return json['state'] === 'running' ? undefined : json;
  });
  assert.equal(trip['state'], 'ok', JSON.stringify(trip));
  const id = String(trip['queueId']);
  const found = await admin.api('GET', `/messages?text=${encodeURIComponent('試験メール')}`);
  assert.equal((found.json['entries'] as Array<{ id: string }>)[0]?.id, id, found.text);
  const shown = await admin.api('GET', `/messages/${id}?language=ja`);
  assert.match(JSON.stringify(shown.json['trace']), /delivered/);
  const overview = await admin.api('GET', '/overview');
  const today = overview.json['today'] as {
    ok: boolean;
    value: { totals: { delivered: number }; hours: Array<{ delivered: number }> };
  };
  assert.deepEqual([today.ok, today.value.totals.delivered], [true, 1], overview.text);
  assert.equal(
    today.value.hours.reduce((sum, hour) => sum + hour.delivered, 0),
    1,
    overview.text,
  );
  const flow = overview.json['flow'] as { value: { lastDelivered: string } };
  assert.equal(flow.value.lastDelivered, (found.json['entries'] as Array<{ arrivedAt: string }>)[0]?.arrivedAt);
  const report = await admin.api('GET', '/reports?period=month');
  assert.deepEqual((report.json['recipients'] as unknown[])[0], {
    name: 'alice@office.example',
    messages: 1,
    octets: (report.json['totals'] as { octets: number }).octets,
  });
  const csv = await admin.api('GET', '/reports/csv?table=recipients');
  assert.match(csv.text, /^\ufeffname,messages,octets\r\nalice@office\.example,1,\d+\r\n$/);
});

test('a level is chosen, seen by the command line, and single rules make it the owner’s own', async () => {
  assert.equal((await admin.api('GET', '/policy')).json['level'], 'normal');
  const generation = async () => Number((await admin.api('GET', '/config/generations')).json['current']);
  const before = await generation();
  const strict = await admin.api('PUT', '/policy/level', { level: 'strict' });
  assert.equal(strict.json['ok'], true, strict.text);
  assert.equal(await generation(), before + 1, 'one change, never half a level');
  assert.equal((await admin.api('GET', '/policy')).json['level'], 'strict');
  const { stdout } = await world.gateway.cli('config', 'get', 'policy.spam.reject');
  assert.equal(stdout.trim(), '10');
  await admin.api('PATCH', '/policy', { encryptedArchive: 'deliver' });
  assert.equal((await admin.api('GET', '/policy')).json['level'], 'custom');
  const forecast = await admin.api('GET', '/policy/forecast?tag=4&quarantine=6&reject=10');
  assert.equal(forecast.status, 200, forecast.text);
});

test('a domain is added, changed and taken away, and what the gateway refuses changes nothing', async () => {
  const second = { name: 'Second.Example', servers: [{ host: '192.0.2.9' }] };
  assert.equal((await admin.api('POST', '/domains', second)).json['ok'], true);
  assert.equal((await admin.api('POST', '/domains', second)).json['code'], 'NAME_TAKEN');
  const changed = await admin.api('PUT', '/domains/second.example', { ...second, servers: [{ host: '192.0.2.10' }] });
  assert.equal(changed.json['ok'], true, changed.text);
  const domains = (await admin.api('GET', '/domains')).json['domains'] as Array<{
    name: string;
    servers: Array<{ host: string }>;
  }>;
  assert.deepEqual(
    domains.map(({ name, servers }) => `${name} ${servers[0]?.host ?? ''}`),
    ['office.example 127.0.0.1', 'second.example 192.0.2.10'],
  );
  assert.equal((await admin.api('DELETE', '/domains/second.example')).json['ok'], true);
  assert.equal((await admin.api('DELETE', '/domains/second.example')).status, 404);
  for (const turn of ['back to its default', 'which it has'])
    assert.equal((await admin.api('DELETE', '/config?path=quarantine.days')).json['ok'], true, turn);
  assert.equal((await admin.api('DELETE', '/config?path=quarantine.dayz')).json['code'], 'CONFIG_PATH');
  const bad = await admin.api('PUT', '/config', { path: 'policy.spam.tag', value: 'much' });
  assert.deepEqual([bad.status, bad.json['ok']], [200, false]);
});

test('two who take a domain away at the same moment take away these two and no third', async () => {
  for (const name of ['one.example', 'two.example', 'three.example'])
    assert.equal((await admin.api('POST', '/domains', { name, servers: [{ host: '192.0.2.9' }] })).json['ok'], true);
  await Promise.all(['one', 'two'].map((name) => admin.api('DELETE', `/domains/${name}.example`)));
  const { domains } = (await admin.api('GET', '/domains')).json as { domains: Array<{ name: string }> };
  assert.deepEqual(
    domains.map(({ name }) => name),
    ['office.example', 'three.example'],
  );
  assert.equal((await admin.api('DELETE', '/domains/three.example')).json['ok'], true);
});

test('the way out is direct as often as somebody says so, and as a new box has it', async () => {
  const before = (await admin.api('GET', '/outgoing')).json['smarthost'] as { host: string; port: number };
  for (const turn of ['the first time', 'once more']) {
    const direct = await admin.api('PUT', '/outgoing', { way: 'direct' });
    assert.deepEqual([direct.status, direct.json['ok']], [200, true], `${turn}: ${direct.text}`);
    assert.equal((await admin.api('GET', '/outgoing')).json['way'], 'direct');
  }
  const smarthost = { host: before.host, port: before.port };
  assert.equal((await admin.api('PUT', '/outgoing', { way: 'smarthost', smarthost })).json['ok'], true);
});

test('an address on the block list is refused from the next message on, and taken off it is taken again', async () => {
  const send = () =>
    sendMail(world.gateway.mxPort, { from: 'news@shop.example', to: 'alice@office.example', bytes: plainMail() });
  const added = await admin.api('POST', '/policy/lists/block', { match: 'Shop.Example', note: 'too much' });
  assert.equal(added.json['ok'], true, added.text);
  // another spelling of the same is the same entry
  await admin.api('POST', '/policy/lists/block', { match: '@shop.example', note: 'far too much' });
  const shown = (await admin.api('GET', '/policy/lists')).json as { allow: unknown[]; block: Array<{ id: string }> };
  const [entry] = shown.block;
  assert.deepEqual(shown, {
    allow: [],
    block: [{ id: entry?.id, match: '@shop.example', kind: 'domain', note: 'far too much' }],
  });
  const refused = await send();
  assert.equal(refused.code, 550, refused.text);
  assert.match(refused.text, /5\.7\.1 .*block list/);
  const both = await Promise.all(
    ['one@a.example', 'two@a.example'].map((match) => admin.api('POST', '/policy/lists/allow', { match })),
  );
  assert.deepEqual(
    both.map(({ json }) => json['ok']),
    [true, true],
  );
  assert.equal(((await admin.api('GET', '/policy/lists')).json['allow'] as unknown[]).length, 2);
  const wrong = await admin.api('POST', '/policy/lists/block', { match: 'nobody at all' });
  assert.equal(wrong.json['ok'], false, wrong.text);
  assert.equal((await admin.api('DELETE', `/policy/lists/block/${entry?.id ?? ''}`)).json['ok'], true);
  assert.equal((await admin.api('DELETE', `/policy/lists/block/${entry?.id ?? ''}`)).status, 404);
  assert.equal((await send()).code, 250);
});

test('the jobs by the clock are told with their names', async () => {
  const jobs = (await admin.api('GET', '/jobs')).json['jobs'] as Array<{ name: string; title: { ja: string } }>;
  assert.deepEqual(jobs.map(({ name }) => name).toSorted(), [
    'expire-history',
    'expire-quarantine',
    'send-alerts',
    'send-digest',
  ]);
  assert.ok(jobs.every(({ name, title }) => title.ja !== name));
  const ran = await admin.api('POST', '/jobs/expire-history/run');
  assert.deepEqual([ran.status, ran.json['name'], ran.json['state']], [200, 'expire-history', 'ok']);
  assert.equal((await admin.api('POST', '/jobs/no-such-job/run')).status, 404);
});

test('digest and portal are switched by one setting each, and a time or an address that is none changes nothing', async () => {
  const put = async (path: string, value: unknown) => (await admin.api('PUT', '/config', { path, value })).json;
  const shown = async (path: string) => (await admin.api('GET', `/config?path=${path}`)).json['value'];
  const portal = {
    enabled: true,
    reach: 'inside',
    url: 'https://mail.office.example:8443',
    selfRelease: 'none',
    linkDays: 7,
  };
  assert.equal((await put('portal', portal))['ok'], true);
  assert.equal((await put('quarantine.digest', { enabled: true, at: ['08:30', '13:00'] }))['ok'], true);
  assert.deepEqual(await shown('portal'), portal);
  assert.deepEqual(await shown('quarantine.digest'), { enabled: true, at: ['08:30', '13:00'] });
  const late = await put('quarantine.digest', { enabled: true, at: ['25:00'] });
  assert.deepEqual(
    [late['ok'], (late['problems'] as Array<{ path: string }>).map(({ path }) => path)],
    [false, ['quarantine.digest.at.0']],
  );
  assert.equal((await put('portal', { ...portal, url: 'http://mail.office.example' }))['ok'], false);
  assert.deepEqual(await shown('quarantine.digest'), { enabled: true, at: ['08:30', '13:00'] });
});

test('a backup holds settings and users, opens by its passphrase alone, and brings back what was', async () => {
  const passphrase = 'a long phrase for the drawer';
  assert.equal(
    (await admin.api('PUT', '/config', { path: 'policy.spam.subjectTag', value: '[迷惑]' })).json['ok'],
    true,
  );
  await box.user(admin, 'jiro', 'helpdesk');
  const { octets: made } = await admin.api('POST', '/backup', { passphrase });
  assert.equal(made.subarray(0, 17).toString('latin1'), 'SEKISHO-BACKUP-1\n');
  assert.ok(!made.includes('hanako'));
  const file = made.toString('base64');
  const wrong = await admin.api('POST', '/backup/inspect', { passphrase: 'another long phrase', file });
  assert.deepEqual([wrong.status, wrong.json['code']], [422, 'BACKUP_BAD']);
  const flipped = Buffer.from(made);
  flipped[made.length - 5] = (flipped[made.length - 5] ?? 0) ^ 1;
  const damaged = await admin.api('POST', '/backup/inspect', { passphrase, file: flipped.toString('base64') });
  assert.equal(damaged.json['code'], 'BACKUP_BAD');
  const inside = await admin.api('POST', '/backup/inspect', { passphrase, file });
  assert.deepEqual(inside.json['parts'], ['config', 'users', 'certificates'], inside.text);

  await admin.api('DELETE', '/config?path=policy.spam.subjectTag');
  await admin.api('PUT', '/config', { path: 'quarantine.days', value: 3 });
  await box.user(admin, 'saburo', 'helpdesk');
  const restored = await admin.api('POST', '/backup/restore', { passphrase, file, parts: ['config', 'users'] });
  assert.deepEqual([restored.status, restored.json['restored']], [200, ['config', 'users']], restored.text);
  assert.equal((await admin.api('GET', '/users')).status, 401, 'every session ended');
  admin = box.visitor();
  assert.equal((await admin.api('POST', '/session', { user: 'hanako', password: PASSWORD })).status, 200);
  const shown = async (where: string) => (await admin.api('GET', `/config?path=${where}`)).json['value'];
  assert.deepEqual([await shown('policy.spam.subjectTag'), await shown('quarantine.days')], ['[迷惑]', 14]);
  const names = (await admin.api('GET', '/users')).json['users'] as Array<{ name: string }>;
  assert.deepEqual(names.map(({ name }) => name).toSorted(), ['hanako', 'jiro']);
});

test('a backup in which nobody could log in is refused, whoever made it', async () => {
  const passphrase = 'a long phrase for the drawer';
  const forged = { madeAt: new Date().toISOString(), version: '1', hostname: 'x', config: {}, users: [] };
  const file = (await sealBackup(forged, passphrase)).toString('base64');
  const answer = await admin.api('POST', '/backup/restore', { passphrase, file, parts: ['users'] });
  assert.deepEqual([answer.status, answer.json['code']], [422, 'LAST_ADMIN'], answer.text);
  assert.equal((await admin.api('GET', '/users')).status, 200);
});

test('of a backup whose settings cannot be applied nothing is restored', async () => {
  const shown = async () => (await admin.api('GET', '/config')).json['value'] as Record<string, object>;
  const before = await shown();
  const taken = createServer();
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = taken.address() as AddressInfo;
    const { listeners, ...rest } = before;
    const mx = { address: '127.0.0.1', port };
    const config = { ...rest, hostname: 'other.example', listeners: { ...listeners, mx } };
    const passphrase = 'a long phrase for the drawer';
    const content = { madeAt: new Date().toISOString(), version: '1', hostname: 'x', config, users: [] };
    const file = (await sealBackup(content, passphrase)).toString('base64');
    const answer = await admin.api('POST', '/backup/restore', { passphrase, file, parts: ['config'] });
    assert.equal(answer.json['code'], 'CONFIG_NOT_APPLIED', answer.text);
    assert.deepEqual(await shown(), before);
  } finally {
    taken.close();
  }
});

test('a certificate is taken only with its key, and is what the pages show from then on', async () => {
  const now = Date.now();
  const [one, two] = [
    await makeSelfSigned({ names: ['one.example'], now, validMs: 86_400_000 }),
    await makeSelfSigned({ names: ['two.example'], now, validMs: 86_400_000 }),
  ];
  const crossed = await admin.api('PUT', '/certificates/page', { certificate: one.cert, key: two.key });
  assert.deepEqual([crossed.status, crossed.json['code']], [422, 'CERTIFICATE_BAD']);
  const taken = await admin.api('PUT', '/certificates/page', { certificate: one.cert, key: one.key });
  assert.equal(taken.json['fingerprint'], one.fingerprint, taken.text);
  assert.equal((await box.visitor().api('GET', '/setup')).json['fingerprint'], one.fingerprint);
  const back = await admin.api('DELETE', '/certificates/page');
  assert.equal(back.json['source'], 'own', back.text);
});
