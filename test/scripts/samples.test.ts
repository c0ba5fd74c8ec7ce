import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startTrialMailServer, type TrialMailServer, listStoredMail } from '../../scripts/lab/mail-server.ts';
import { eicarText, gtubeText } from '../../scripts/engines/starter-signatures.ts';
import { expectationOf, liveConfigSchema } from '../../scripts/samples/expect.ts';
import { makeSamples, type Sample } from '../../scripts/samples/messages.ts';
import { dotStuffed, sendMessage } from '../../scripts/samples/send.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { Finding } from '../../src/mail/finding.ts';

let folder: string;
let server: TrialMailServer;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sekisho-samples-'));
  server = await startTrialMailServer({ folder, smtpPort: 0, pagePort: 0, language: 'en' });
});
after(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const samples = makeSamples({ date: new Date('2026-11-21T00:00:00Z') });

function sampleNamed(name: string): Sample {
  const found = samples.find((sample) => sample.name === name);
  assert.ok(found, name);
  return found;
}

function live(policy: object = {}, rest: object = {}): ReturnType<typeof liveConfigSchema.parse> {
  return liveConfigSchema.parse(
    configSchema.parse({
      domains: [{ name: 'office.example', servers: [{ host: '127.0.0.1' }] }],
      policy,
      ...rest,
    }),
  );
}

function spam(score: number): Finding {
  return { kind: 'spam', engine: 'rspamd', score, symbols: [] };
}

test('each sample is a whole message: CRLF only, header, a token of its own, 10 MB where it says so', () => {
  assert.equal(new Set(samples.map((sample) => sample.token)).size, samples.length);
  for (const { name, message, token } of samples) {
    assert.ok(message.includes(`Message-ID: <${token}@`), name);
    assert.ok(message.includes('\r\n\r\n'), name);
    assert.ok(message.subarray(-2).equals(Buffer.from('\r\n')), name);
    assert.ok(!/[^\r]\n|\r[^\n]/.test(message.toString('latin1')), `${name} has a lone CR or LF`);
  }
  const big = sampleNamed('ten-megabytes').message.length;
  assert.ok(big > 10_000_000 && big < 11_000_000, String(big));
});

test('the Japanese sample is ISO-2022-JP as it stands, 7 bit, and reads as Japanese', () => {
  const { message } = sampleNamed('japanese');
  assert.ok(message.every((octet) => octet < 0x80));
  const text = new TextDecoder('iso-2022-jp').decode(message);
  assert.ok(text.includes('年末の会議の日程をお送りします'));
  assert.ok(text.includes("filename*=ISO-2022-JP''%1B"));
});

test('the sources hold no test virus and no spam test text in one piece', async () => {
  for (const file of ['engines/starter-signatures.ts', 'samples/messages.ts', 'samples/expect.ts']) {
    const source = await readFile(path.join(import.meta.dirname, '../../scripts', file), 'latin1');
    assert.ok(!source.includes(eicarText()), file);
    assert.ok(!source.includes(gtubeText()), file);
  }
});

test('dotStuffed() doubles the dot of each line that begins with one, and ends the data', () => {
  const stuffed = dotStuffed(Buffer.from('.a\r\n..b\r\n.\r\n.\r\nc.\r\n')).toString();
  assert.equal(stuffed, '..a\r\n...b\r\n..\r\n..\r\nc.\r\n.\r\n');
});

test('the trial mail server keeps a sample octet for octet, and shows it escaped on its page', async () => {
  const sample: Sample = {
    ...sampleNamed('japanese'),
    message: Buffer.from('Subject: <script>alert(1)</script>\r\n\r\n.dot\r\n'),
  };
  const sent = await sendMessage({ host: '127.0.0.1', port: server.smtpPort }, sample);
  assert.equal(sent.code, 250);
  const [mail] = await listStoredMail(folder);
  assert.ok(mail);
  assert.deepEqual(await readFile(path.join(folder, `${mail.id}.eml`)), sample.message);
  assert.deepEqual(mail.recipients, ['taro@office.example']);
  assert.equal(mail.client, '127.0.0.2');
  const page = await fetch(`http://127.0.0.1:${server.pagePort}/`);
  const html = await page.text();
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.ok(html.includes('&lt;script&gt;') && !html.includes('<script>'));
  const one = await fetch(`http://127.0.0.1:${server.pagePort}/mail/${mail.id}`, {
    headers: { 'accept-language': 'ja' },
  });
  const oneHtml = await one.text();
  assert.ok(oneHtml.includes('<html lang="ja">') && oneHtml.includes('.dot') && !oneHtml.includes('<script>'));
  assert.equal((await fetch(`http://127.0.0.1:${server.pagePort}/mail/..%2f..%2fetc%2fpasswd`)).status, 404);
});

test('the trial mail server takes a..b@docomo.ne.jp as sender and refuses unknown people with 550 5.1.1', async () => {
  const docomo = { ...sampleNamed('docomo'), recipient: 'bob@office.example' };
  assert.equal((await sendMessage({ host: '127.0.0.1', port: server.smtpPort }, docomo)).code, 250);
  const refused = await sendMessage({ host: '127.0.0.1', port: server.smtpPort }, sampleNamed('unknown-recipient'));
  assert.equal(refused.stage, 'rcpt');
  assert.match(refused.reply, /^550 5\.1\.1 /);
  const stranger = { ...docomo, recipient: 'alice@elsewhere.example' };
  assert.equal((await sendMessage({ host: '127.0.0.1', port: server.smtpPort }, stranger)).code, 550);
});

test('what is expected of GTUBE follows the spam thresholds of the live configuration', () => {
  const gtube = sampleNamed('gtube');
  const outcome = (policy: object): string => expectationOf(gtube, live(policy), [spam(15)]).outcome;
  assert.equal(outcome({}), 'rejected');
  assert.equal(outcome({ spam: { reject: 20 } }), 'quarantined');
  assert.equal(outcome({ spam: { reject: 30, quarantine: 20 } }), 'tagged');
  assert.equal(outcome({ spam: { reject: 30, quarantine: 20, tag: 16 } }), 'delivered');
  assert.deepEqual(expectationOf(gtube, live(), [spam(3)]).lacking, ['spam ≥ 15']);
});

test('what is expected of the other samples follows the policy too, and a missing finding is told', () => {
  const virus: Finding = { kind: 'virus', engine: 'clamd', name: 'Eicar-Test-Signature' };
  const eicar = sampleNamed('eicar');
  assert.equal(expectationOf(eicar, live(), [virus, spam(0)]).outcome, 'rejected');
  assert.equal(expectationOf(eicar, live({ virus: 'quarantine' }), [virus, spam(0)]).outcome, 'quarantined');
  assert.deepEqual(expectationOf(eicar, live(), [spam(0)]).lacking, ['virus EICAR']);
  const program = sampleNamed('exe-as-pdf');
  const allowed = live({ disguisedExecutable: 'deliver', executable: 'deliver' });
  assert.equal(expectationOf(program, live(), []).outcome, 'quarantined');
  assert.equal(expectationOf(program, allowed, []).outcome, 'delivered');
  assert.deepEqual(expectationOf(program, live(), [spam(0)]).lacking, ['invoice.pdf: executable, disguised']);
  const spoofed = live({ ownDomainFromOutside: 'reject' });
  assert.equal(expectationOf(sampleNamed('spoofed'), spoofed, []).outcome, 'rejected');
  const small = live({}, { limits: { messageOctets: 1_000_000 } });
  assert.equal(expectationOf(sampleNamed('ten-megabytes'), small, []).outcome, 'too-large');
  assert.equal(expectationOf(sampleNamed('unknown-recipient'), live(), []).outcome, 'unknown-recipient');
});
