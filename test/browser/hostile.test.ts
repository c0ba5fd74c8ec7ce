import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { inQuarantine } from '../e2e/world.ts';
import { hostileMail, SCRIPT } from './odd-mail.ts';
import { NAVIGATION_PATHS } from './page-paths.ts';
import { claim, login, type PagesWorld, settled, startPagesWorld } from './pages-world.ts';
import { plainMail } from '../support/mime-samples.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';

/** No space, no colon: what passes as the name of a virus, in a reply and in a quoted localpart. */
const MARKUP = '<img/src=x/onerror=window.__pwned=1>';
let world: PagesWorld;
let engine: Server | undefined;

/** An engine that was taken over: it calls every mail infected, by a name that is markup. A real one never says that. */
async function lyingEngine(dir: string): Promise<string> {
  const socket = path.join(dir, 'lying.sock');
  engine = createServer((line) => {
    let asked = Buffer.alloc(0);
    line.on('error', () => undefined);
    line.on('data', (chunk: Buffer) => {
      asked = Buffer.concat([asked, chunk]);
      if (asked.includes('zPING\0')) line.end('PONG\0');
      else if (asked.includes('zVERSION\0')) line.end('ClamAV 1.4.3/27000/Sat Nov 21 09:00:00 2026\0');
      // the stream of an INSTREAM ends with a chunk of no octets
      else if (asked.includes('INSTREAM') && asked.subarray(-4).equals(Buffer.alloc(4)))
        line.end(`stream: ${MARKUP} FOUND\0`);
    });
  });
  await new Promise<void>((resolve) => engine?.listen(socket, resolve));
  chmodSync(socket, 0o666);
  return socket;
}

/** What a stranger can bring into a log: markup, writing turned around, colours and a cleared screen of a terminal. */
const LOGGED = `${SCRIPT} \u202egpj.exe \u200b\u001b[2J\u001b[31m 送信者 \u0007`;
/** A machine's journal, as journalctl prints it: octets where a message has control characters, a string otherwise. */
const JOURNAL = [
  { MESSAGE: [...Buffer.from(LOGGED)] },
  { MESSAGE: `NOQUEUE: reject: from=<${MARKUP}> 日本語のログ \u2066隠し\u2069` },
].map((one, at) =>
  JSON.stringify({
    __REALTIME_TIMESTAMP: String(1_795_000_000_000_000 + at),
    __CURSOR: `s=${at}`,
    _SYSTEMD_UNIT: 'sekisho-gateway.service',
    PRIORITY: '6',
    ...one,
  }),
);

before(async () => {
  world = await startPagesWorld({
    engines: false,
    host: true,
    programs: { journalctl: `#!/bin/sh\ncat <<'JOURNAL'\n${JOURNAL.join('\n')}\nJOURNAL\n` },
    config: async (dir) => ({
      engines: { clamd: { socket: await lyingEngine(dir) }, rspamd: { enabled: false } },
      policy: { virus: 'quarantine' },
    }),
  });
  const { page, context } = await world.open({ language: 'en' });
  await claim(world, page);
  await context.close();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  engine?.close();
});

test('markup in an engine’s words, a mail server’s reply, a reverse-path, a greeting, a log and the audit stays text on every page', async () => {
  const { page, context, complaints } = await world.open({ language: 'en' });
  const { mxPort } = world.mail.gateway;
  await login(page);
  const from = `"${MARKUP}"@nospf.example`;
  const bytes = plainMail({ from: 'President <president@office.example>', subject: SCRIPT, messageId: 'lie.1@x' });
  await sendMail(mxPort, { from, to: 'suzuki@office.example', bytes, helo: MARKUP });
  await sendMail(mxPort, { from, to: 'suzuki@office.example', bytes: hostileMail('lie.2@x') });
  const [{ id } = { id: '' }] = await inQuarantine(world.mail, 1);
  // released by force, it meets a mail server that answers with markup
  world.mail.office.script = { rcpt: () => `450 4.2.0 ${SCRIPT}` };
  const headers = { origin: world.url, 'content-type': 'application/json' };
  const post = (where: string, data: unknown) => page.request.post(`/api/v1${where}`, { headers, data });
  assert.equal((await post('/quarantine/release', { ids: [id], force: true })).status(), 200);
  await post('/policy/lists/block', { match: from, note: SCRIPT });
  await post('/policy/lists/block', { match: '@evil.example', note: SCRIPT });
  await until('the mail server’s answer', { ms: 60_000 }, async () => {
    const { entries } = await world.mail.gateway.call('queue.list', {});
    return entries.some(({ recipients }) => recipients.some(({ lastReply }) => lastReply?.includes('onerror')));
  });

  const found: string[] = [];
  const places = [
    ...NAVIGATION_PATHS,
    `/messages/${id}`,
    `/queue/${id}`,
    '/messages?text=onerror',
    '/quarantine?text=onerror',
  ];
  for (const where of places) {
    await page.goto(where);
    await settled(page);
    const planted = await page.locator('main :is(img[src="x"], script, [onerror])').count();
    if (planted > 0) found.push(`${where}: ${planted} elements`);
    if ((await page.evaluate(() => (globalThis as { __pwned?: number }).__pwned)) !== undefined)
      found.push(`${where}: ran`);
  }
  assert.deepEqual(found, []);
  // it was really there, as text
  await page.goto(`/messages/${id}`);
  await page.getByText(MARKUP).first().waitFor();
  await page.goto(`/queue`);
  await page.getByText('<script>').first().waitFor();
  await page.goto('/audit');
  await page.locator('tr[data-row]').filter({ hasText: 'lists.add' }).first().click();
  await page.getByRole('dialog').getByText('onerror').first().waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a line of the log with markup, turned writing and a terminal’s commands is shown as text, each of them written out', async () => {
  for (const language of ['ja', 'en'] as const) {
    const { page, context, complaints } = await world.open({ language });
    await login(page);
    await page.goto('/system/logs');
    const lines = page.locator('main .quote > div');
    await lines.nth(1).waitFor();
    const [first = '', second = ''] = await lines.allInnerTexts();
    assert.match(first, /<img src=x onerror="window\.__pwned=1"><script>/);
    for (const written of ['<202E>', '<200B>', '<001B>[2J', '<0007>', '送信者'])
      assert.ok(first.includes(written), first);
    for (const written of [MARKUP, '<2066>隠し<2069>', '日本語のログ']) assert.ok(second.includes(written), second);
    assert.doesNotMatch(first + second, /[\u0000-\u0008\u001b\u200b\u202e\u2066\u2069]/);
    assert.equal(await page.locator('main :is(img[src="x"], script, [onerror])').count(), 0);
    assert.equal(await page.evaluate(() => (globalThis as { __pwned?: number }).__pwned), undefined);
    assert.deepEqual(complaints, []);
    await context.close();
  }
});
