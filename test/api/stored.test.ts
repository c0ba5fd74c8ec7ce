/**
 * What the pages do with one message that is kept: sent again, reported as wrongly judged. Real gateway, real mail server
 * behind, a real rspamd that learns into a file.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startWorld, type World } from '../e2e/world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { type Rspamd, startRspamd } from '../support/rspamd.ts';
import { sendMail } from '../support/smtp-client.ts';
import { startAdmin, type TestAdmin, type Visitor } from './support.ts';

let world: World;
let teacher: Rspamd;
let box: TestAdmin;
let admin: Visitor;
let serial = 0;

before(async () => {
  world = await startWorld();
  teacher = await startRspamd({ dir: path.join(world.dir), learning: true });
  box = await startAdmin({
    data: path.join(world.dir, 'admin'),
    gatewaySocket: path.join(world.gateway.dataFolder, 'run/admin.sock'),
  });
  admin = await box.claim();
});

after(async () => {
  await box[Symbol.asyncDispose]();
  await teacher[Symbol.asyncDispose]();
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
  const listed = await world.gateway.call('quarantine.list', { recipient: to });
  return { id: listed.entries[0]?.id ?? '', bytes };
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
  const known = await admin.api('POST', `/messages/${id}/report`, { as: 'ham' });
  assert.equal(known.json['learned'], false, known.text);
  assert.match(known.text, /knew it already/);
  const steps = JSON.stringify((await admin.api('GET', `/messages/${id}`)).json['trace']);
  assert.match(steps, /Reported as no spam by .* \(the spam engine learned it\)/);
  await world.gateway.call('config.set', { path: 'engines.rspamd.learnUrl', value: 'http://127.0.0.1:1' });
  const silent = await admin.api('POST', `/messages/${id}/report`, { as: 'ham' });
  assert.equal(silent.json['learned'], false, silent.text);
  assert.match(silent.text, /did not learn it/);
});
