/** Each magic recipient of the lab server, driven by delivery itself: what it does there is what an operator will see. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { usage } from '../../scripts/lab/lab-server.ts';
import { Greylist, MAGIC, trickOf } from '../../scripts/lab/magic.ts';
import { listStoredMail, startTrialMailServer, type TrialMailServer } from '../../scripts/lab/mail-server.ts';
import { type Stage, stage, testConfig, until } from '../deliver/support.ts';

let folder: string;
let smtp: TrialMailServer;
let lmtp: TrialMailServer;
const cleanups: Array<() => Promise<void>> = [];

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sekisho-lab-test-'));
  const options = { folder, smtpPort: 0, pagePort: 0, language: 'en', everybody: true, slowMs: 60 } as const;
  smtp = await startTrialMailServer({ ...options });
  lmtp = await startTrialMailServer({ ...options, greylistMs: 60_000, lmtp: true });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});
after(async () => {
  await Promise.all([smtp.close(), lmtp.close()]);
  await rm(folder, { recursive: true, force: true });
});

/** Mail to the localparts at office.example, whose server is the lab. */
function send(
  localparts: string[],
  options: { protocol?: 'smtp' | 'lmtp'; commandMs?: number } = {},
): Stage & { id: string } {
  const { protocol = 'smtp', commandMs = 30_000 } = options;
  const port = (protocol === 'lmtp' ? lmtp : smtp).smtpPort;
  const config = testConfig({
    domains: [{ name: 'office.example', servers: [{ host: 'localhost', port, protocol }] }],
    delivery: { retryMs: [600_000] },
    timeouts: { commandMs },
  });
  const staged = stage(config);
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  const id = staged.spool.add({ listener: 'relay', to: localparts.map((each) => `${each}@office.example`) });
  return { ...staged, id };
}

async function reply(staged: Stage, event: 'deferred' | 'bounced' | 'delivered'): Promise<string> {
  await until(event, () => staged.seen.events.some((each) => each.event === event));
  const found = staged.seen.events.find((each) => each.event === event);
  return found !== undefined && 'reply' in found ? found.reply : '';
}

const REFUSALS: Array<[localpart: string, event: 'deferred' | 'bounced', reply: RegExp]> = [
  ['temperror', 'deferred', /^451 4\.3\.0 Temporary trouble/],
  ['450', 'deferred', /^450 4\.0\.0 /],
  ['451', 'deferred', /^451 4\.0\.0 /],
  ['550', 'bounced', /^550 5\.0\.0 /],
  ['553', 'bounced', /^553 5\.0\.0 /],
  ['421', 'deferred', /^421 4\.3\.2 Closing/],
  ['full', 'deferred', /^452 4\.2\.2 Mailbox is full/],
  ['quota', 'bounced', /^552 5\.2\.2 Over quota/],
  ['spam', 'bounced', /^554 5\.7\.1 /],
  ['cut', 'deferred', /^4\.4\.2 /],
  ['cutdot', 'deferred', /^4\.4\.2 /],
];

for (const [localpart, event, expected] of REFUSALS) {
  test(`${localpart}@ is ${event}`, async () => {
    assert.match(await reply(send([localpart]), event), expected);
  });
}

test('timeout@ never answers: delivery gives up by its own deadline and defers', async () => {
  assert.match(await reply(send(['timeout'], { commandMs: 150 }), 'deferred'), /^4\.4\.2 /);
});

test('slow@ is taken, and the reply is waited for', async () => {
  const from = performance.now();
  assert.match(await reply(send(['slow']), 'delivered'), /^250 /);
  assert.ok(performance.now() - from >= 55);
});

test('greylist@ says when to come back, and takes it then', async () => {
  const staged = send(['greylist'], { protocol: 'lmtp' });
  assert.match(await reply(staged, 'deferred'), /^450 4\.7\.1 Greylisted, try again in 60 seconds/);
  let now = 0;
  const list = new Greylist({ waitMs: 60_000, now: () => now });
  assert.equal(list.remaining('a@x.example', 'greylist@y.example'), 60_000);
  now = 59_000;
  assert.equal(list.remaining('a@x.example', 'GreyList@y.example'), 1_000);
  assert.equal(list.remaining('b@x.example', 'greylist@y.example'), 60_000);
  now = 60_000;
  assert.equal(list.remaining('a@x.example', 'greylist@y.example'), 0);
});

test('everybody else is taken, whole, and stands in the folder', async () => {
  const staged = send(['somebody', 'anybody']);
  await reply(staged, 'delivered');
  const mails = await listStoredMail(folder);
  assert.ok(mails.some((mail) => mail.recipients.join() === 'somebody@office.example,anybody@office.example'));
});

test('over LMTP quota@ is refused alone; the others of the same message are taken', async () => {
  const staged = send(['bob', 'quota', 'eve'], { protocol: 'lmtp' });
  await until('settled', () => staged.spool.entries.size === 0);
  assert.deepEqual(
    ['bob', 'quota', 'eve'].map((name) => staged.spool.outcomes.get(`${staged.id} ${name}@office.example`)),
    ['delivered', 'bounced', 'delivered'],
  );
});

test('the trial mail server knows the magic recipients of the office, and nobody else new', async () => {
  const trial = await startTrialMailServer({ folder, smtpPort: 0, pagePort: 0, language: 'en' });
  cleanups.push(() => trial.close());
  const socket = net.connect(trial.smtpPort, '127.0.0.1');
  const said: string[] = [];
  socket
    .setEncoding('utf8')
    .on('data', (text: string) => said.push(...text.split('\r\n').filter((line) => /^\d{3} /.test(line))));
  const recipients = ['450@office.example', '450@far.example', 'nobody@office.example', 'bob@office.example'];
  const lines = ['EHLO x.example', 'MAIL FROM:<a@x.example>', ...recipients.map((each) => `RCPT TO:<${each}>`), 'QUIT'];
  for (const [at, line] of lines.entries()) {
    await until('a reply', () => said.length > at);
    socket.write(`${line}\r\n`);
  }
  await once(socket, 'close');
  assert.deepEqual(
    said.slice(3, 7).map((line) => line.slice(0, 3)),
    ['450', '550', '550', '250'],
  );
});

test('--help tells of every magic recipient in both languages; names are plain words', () => {
  for (const language of ['ja', 'en'] as const) {
    const text = usage(language, { slow: 20, greylist: 60 });
    for (const name of Object.keys(MAGIC)) assert.ok(text.includes(`  ${name}@`), `${language}: ${name}`);
    assert.doesNotMatch(text, /\{\w+\}/);
  }
  assert.equal(trickOf('constructor@office.example'), undefined);
  assert.equal(trickOf('Cut@Anywhere.example')?.kind, 'cut');
  assert.equal(trickOf('250@office.example'), undefined);
  assert.equal(trickOf('600@office.example'), undefined);
});

test('the command starts, says where it listens, and ends with a signal', async () => {
  const script = path.resolve('scripts/lab/lab-server.ts');
  const child = spawn(process.execPath, [script, '--port', '0', '--page', '0', '--folder', folder], {
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanups.push(async () => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const place = (): RegExpExecArray | null => /SMTP 127\.0\.0\.1:(\d+)\D/.exec(said);
  await until('the place', () => place() !== null);
  const port = Number(place()?.[1]);
  const socket = net.connect(port, '127.0.0.1');
  const [greeting] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
  assert.match(greeting, /^220 /);
  socket.destroy();
  child.kill('SIGTERM');
  const [status] = (await once(child, 'exit')) as [number];
  assert.equal(status, 0);
});
