/**
 * What the pages do with one message that is kept: sent again, reported as wrongly judged. Real gateway, real mail server
 * behind, a real rspamd that learns into a file.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { inQuarantine, queueEmpty, startWorld, type World } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { startRspamd } from '../support/rspamd.ts';
import { sendMail } from '../support/smtp-client.ts';
import { PASSWORD, startAdmin, type TestAdmin, type Visitor } from './support.ts';

let world: World;
let box: TestAdmin;
let admin: Visitor;
let serial = 0;

before(async () => {
  world = await startWorld();
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

/** A mail in our own name from outside: quarantined without any engine. */
async function quarantined(to: string): Promise<{ id: string; bytes: Buffer }> {
  serial += 1;
  const bytes = plainMail({
    from: 'President <president@office.example>',
    subject: `Urgent transfer ${serial}`,
    messageId: `spoof.${serial}@x`,
  });
  const reply = await sendMail(world.gateway.mxPort, { from: 'boss@nospf.example', to, bytes });
  assert.equal(reply.code, 250, reply.text);
  const [listed] = await inQuarantine(world, 1, to);
  return { id: listed?.id ?? '', bytes };
}

const arrivedFor = (address: string) => world.office.messages.filter(({ to }) => to.includes(address));

test('a quarantined message is sent again to somebody else of the office, octet for octet, and stays where it is', async () => {
  const { id, bytes } = await quarantined('victim@office.example');
  const answer = await admin.api('POST', `/messages/${id}/resend`, { recipients: ['expert@office.example'] });
  assert.equal(answer.status, 200, answer.text);
  const copy = String(answer.json['queuedAs']);
  assert.notEqual(copy, id);
  const got = await until('the copy', { ms: 20_000 }, () => Promise.resolve(arrivedFor('expert@office.example')[0]));
  assert.ok(got.bytes.subarray(-bytes.length).equals(bytes), got.bytes.toString());
  assert.equal(got.from, '', 'its failure must not be told to a sender who never wrote there');
  assert.equal(arrivedFor('victim@office.example').length, 0);
  const shown = await admin.api('GET', `/messages/${id}`);
  assert.equal((shown.json['stored'] as { state: string }).state, 'quarantined');
  const trace = shown.json['trace'] as {
    related: Array<{ id: string; relation: string }>;
    steps: Array<{ text: string }>;
  };
  assert.deepEqual(
    trace.related.map(({ id: other, relation }) => [other, relation]),
    [[copy, 'resend']],
  );
  assert.match(
    trace.steps.at(-1)?.text ?? '',
    new RegExp(`Sent again to expert@office.example as ${copy} by .*hanako`),
  );
  const told = (await admin.api('GET', `/messages/${copy}`)).json['trace'] as {
    subject: string;
    related: Array<{ id: string; relation: string }>;
  };
  assert.equal(told.subject, `Urgent transfer ${serial}`);
  assert.deepEqual(
    told.related.map(({ id: other, relation }) => [other, relation]),
    [[id, 'root']],
  );
  const audit = (await admin.api('GET', '/audit?limit=5')).text;
  assert.match(audit, new RegExp(`messages\\.resend[^]*${copy}`));
});

test('to its own recipient it goes under its own reverse-path, by the command line too', async () => {
  const { id } = await quarantined('own@office.example');
  const { stdout } = await world.gateway.cli('resend', id, 'own@office.example');
  assert.match(stdout, /^Sent again to own@office\.example, queued as /);
  const got = await until('the copy', { ms: 20_000 }, () => Promise.resolve(arrivedFor('own@office.example')[0]));
  assert.equal(got.from, 'boss@nospf.example');
});

test('a copy goes to no stranger, of nothing that is gone, and at no word of somebody who may only search', async () => {
  const { id } = await quarantined('still@office.example');
  const ask = (who: Visitor, where: string, recipients: string[]) =>
    who.api('POST', `/messages/${where}/resend`, { recipients });
  const stranger = await ask(admin, id, ['someone@example.net']);
  assert.deepEqual([stranger.status, stranger.json['code']], [404, 'UNKNOWN_RECIPIENT']);
  const gone = await ask(admin, '0000000-0000000000000', ['a@office.example']);
  assert.deepEqual([gone.status, gone.json['code']], [404, 'NOT_FOUND']);
  const auditor = await box.user(admin, 'reader', 'auditor');
  assert.equal((await ask(auditor, id, ['a@office.example'])).status, 403);
  await admin.api('POST', '/quarantine/delete', { ids: [id] });
  const marked = await ask(admin, id, ['a@office.example']);
  assert.deepEqual([marked.status, marked.json['code']], [409, 'WRONG_STATE']);
});

test('a wrong verdict is kept as a sample, and taught to rspamd once its controller is named', async () => {
  const { id, bytes } = await quarantined('ham@office.example');
  await using teacher = await startRspamd({ dir: world.dir, learning: true });
  const kept = await admin.api('POST', `/messages/${id}/report`, { as: 'spam' });
  assert.deepEqual([kept.json['learned'], kept.json['samples']], [false, 1], kept.text);
  const again = await admin.api('POST', `/messages/${id}/report`, { as: 'ham' });
  assert.deepEqual([again.json['learned'], again.json['samples']], [false, 1], again.text);
  const folder = path.join(world.gateway.dataFolder, 'samples');
  assert.ok((await readFile(path.join(folder, 'ham', `${id}.eml`))).equals(bytes));
  await assert.rejects(readFile(path.join(folder, 'spam', `${id}.eml`)), 'the later word counts');
  const set = await world.gateway.call('config.set', { path: 'engines.rspamd.learnUrl', value: teacher.controller });
  assert.equal(set.ok, true, JSON.stringify(set));
  const learned = await admin.api('POST', `/messages/${id}/report`, { as: 'ham' });
  assert.equal(learned.json['learned'], true, learned.text);
  // a starved controller may hang up once; the next time it says so
  const known = await until('what it knows already', { ms: 60_000 }, async () => {
    const { json, text } = await admin.api('POST', `/messages/${id}/report`, { as: 'ham' });
    return /knew it already/.test(text) ? json : undefined;
  });
  assert.equal(known['learned'], false);
  const steps = JSON.stringify((await admin.api('GET', `/messages/${id}`)).json['trace']);
  assert.match(steps, /Reported as no spam by .* \(the spam engine learned it\)/);
  await world.gateway.call('config.set', { path: 'engines.rspamd.learnUrl', value: 'http://127.0.0.1:1' });
  const silent = await admin.api('POST', `/messages/${id}/report`, { as: 'ham' });
  assert.equal(silent.json['learned'], false, silent.text);
  assert.match(silent.text, /did not learn it/);
});

test('while only watching, what the normal level would have stopped is delivered, counted, told in its trail, and after a week offered', async () => {
  assert.equal((await admin.api('PUT', '/policy/level', { level: 'watch' })).json['ok'], true);
  serial += 1;
  const bytes = plainMail({ from: 'President <president@office.example>', messageId: `watched.${serial}@x` });
  const to = 'watched@office.example';
  const reply = await sendMail(world.gateway.mxPort, { from: 'boss@nospf.example', to, bytes });
  assert.equal(reply.code, 250, reply.text);
  await until('the message', { ms: 20_000 }, () => Promise.resolve(arrivedFor(to)[0]));
  await queueEmpty(world);
  type Watch = {
    value: {
      since: string;
      wouldHaveBlocked: number;
      byReason: unknown;
      days: Array<{ messages: number }>;
      offerSwitch: boolean;
    };
  };
  const watch = (await admin.api('GET', '/overview')).json['watch'] as Watch;
  const { since, days, ...counted } = watch.value;
  assert.deepEqual(counted, {
    wouldHaveBlocked: 1,
    wouldReject: 0,
    wouldQuarantine: 1,
    byReason: [{ reason: 'own-domain-from-outside', messages: 1 }],
    offerSwitch: false,
  });
  assert.ok(Math.abs(Date.parse(since) - Date.now()) < 600_000, since);
  assert.equal(days.at(-1)?.messages, 1);
  assert.equal((await admin.api('GET', '/policy')).json['watchingSince'], since);
  const found = await admin.api('GET', `/messages?recipient=${to}`);
  const id = (found.json['entries'] as Array<{ id: string }>)[0]?.id ?? '';
  const steps = JSON.stringify((await admin.api('GET', `/messages/${id}`)).json['trace']);
  assert.match(steps, /only watching: it would have been quarantined/);
  box.pass(8 * 86_400_000);
  const later = box.visitor();
  await later.api('POST', '/session', { user: 'hanako', password: PASSWORD });
  const offered = (await later.api('GET', '/overview')).json['watch'] as Watch;
  assert.deepEqual([offered.value.offerSwitch, offered.value.wouldHaveBlocked], [true, 1], JSON.stringify(offered));
  assert.equal((await later.api('PUT', '/policy/level', { level: 'normal' })).json['ok'], true);
  assert.deepEqual((await later.api('GET', '/overview')).json['watch'], { ok: true });
});

test('one person is exported and, by a word typed twice, forgotten; what waits stays', async () => {
  const her = 'leaver@office.example';
  const { id } = await quarantined(her);
  // a login of its own: that of before ended with the week that went by
  const visitor = box.visitor();
  await visitor.api('POST', '/session', { user: 'hanako', password: PASSWORD });
  const sent = await visitor.api('POST', `/messages/${id}/resend`, { recipients: [her], force: true });
  assert.equal(sent.status, 200, sent.text);
  await until('the copy', { ms: 20_000 }, () => Promise.resolve(arrivedFor(her)[0]));
  await queueEmpty(world);
  await visitor.api('POST', '/session/confirm', { password: PASSWORD });
  const exported = await visitor.api('POST', '/privacy/export', { address: her.toUpperCase() });
  const lines = exported.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  const kinds = new Set(lines.map(({ type }) => type));
  assert.deepEqual([...kinds].toSorted(), ['audit', 'export', 'history', 'quarantine'], exported.text.slice(0, 500));
  const forget = (typed: string, quarantine = false) =>
    visitor.api('POST', '/privacy/forget', { address: her, typed, quarantine });
  assert.equal((await forget('leaver')).status, 400);
  const found = async (): Promise<number> =>
    ((await visitor.api('GET', `/messages?recipient=${her}`)).json['entries'] as unknown[]).length;
  assert.equal(await found(), 2);
  const first = await forget(her);
  assert.deepEqual([first.json['messages'], first.json['waiting'], first.json['deleted']], [1, 1, 0], first.text);
  assert.equal(await found(), 1, 'the quarantined one keeps its story');
  const all = await forget(her, true);
  assert.deepEqual([all.json['messages'], all.json['waiting'], all.json['deleted']], [1, 0, 1], all.text);
  assert.equal(await found(), 0);
  assert.match((await visitor.api('GET', '/audit?limit=5')).text, /privacy\.forget/);
});
