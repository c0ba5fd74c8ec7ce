import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import {
  isReversePathVerified,
  MAX_RETURNED,
  MAX_RETURNED_HEADER,
  readHeader,
  writeNotice,
} from '../../src/deliver/notice.ts';
import type { Domain } from '../../src/mail/address.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { FakeSpool, testClock, testConfig, to } from './support.ts';

function verified(reversePath: string, findings: Finding[], listener: 'mx' | 'relay' | 'local' = 'mx'): boolean {
  const spool = new FakeSpool(testClock());
  const id = spool.add({ from: reversePath, to: ['x@office.example'], findings, listener });
  const entry = spool.entries.get(id);
  assert.ok(entry);
  return isReversePathVerified(entry.message);
}

function spf(domain: string, result: 'pass' | 'softfail' = 'pass'): Finding {
  return { kind: 'spf', result, domain, helo: 'mx.sender.example' };
}

function dkim(aligned: boolean, result: 'pass' | 'fail' = 'pass'): Finding {
  return { kind: 'dkim', result, domain: 'sender.example' as Domain, selector: 's', aligned };
}

function author(...domains: string[]): Finding {
  return { kind: 'from', count: 1, domains, malformed: false, text: '' };
}

test('a reverse-path is verified by SPF for its own domain, and only by "pass"', () => {
  assert.equal(verified('a@sender.example', [spf('sender.example')]), true);
  assert.equal(verified('a@sender.example', [spf('Sender.Example')]), true);
  assert.equal(verified('a@sender.example', [spf('sender.example', 'softfail')]), false);
  assert.equal(verified('a@sender.example', [spf('other.example')]), false);
  assert.equal(verified('a@sender.example', []), false);
});

test('an aligned signature vouches for reverse-paths at or under the one author domain', () => {
  assert.equal(verified('a@sender.example', [dkim(true), author('sender.example')]), true);
  assert.equal(verified('a@bounces.sender.example', [dkim(true), author('sender.example')]), true);
  assert.equal(verified('a@victim.example', [dkim(true), author('sender.example')]), false);
  assert.equal(verified('a@evilsender.example', [dkim(true), author('sender.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(false), author('sender.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(true, 'fail'), author('sender.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(true), author('sender.example', 'other.example')]), false);
  assert.equal(verified('a@sender.example', [dkim(true)]), false);
});

test('our own networks and our own notices need nobody to vouch', () => {
  assert.equal(verified('a@sender.example', [], 'relay'), true);
  assert.equal(verified('a@sender.example', [], 'local'), true);
});

test('readHeader() returns whole lines of the header only, at most 64 KiB', async () => {
  const read = async (...chunks: string[]): Promise<string> =>
    (
      await readHeader(
        Readable.from(
          chunks.map((chunk) => Buffer.from(chunk)),
          { objectMode: false },
        ),
      )
    ).toString();
  assert.equal(await read('A: b\r\n c\r\nD: e\r', '\n\r\nbody\r\n\r\nmore'), 'A: b\r\n c\r\nD: e\r\n');
  assert.equal(await read('\r\nbody'), '');
  assert.equal(await read('A: b\r\n'), 'A: b\r\n');
  const large = await read('A: b\r\n', `X: ${'x'.repeat(70)}\r\n`.repeat(2_000), '\r\nbody');
  assert.ok(large.length <= MAX_RETURNED_HEADER && large.length > MAX_RETURNED_HEADER - 80);
  assert.ok(large.endsWith('x\r\n'));
});

interface Returned {
  body: string | Buffer;
  ret?: 'FULL' | 'HDRS';
  outcome?: 'bounced' | 'delayed';
  findings?: Finding[];
}

async function notice({
  body,
  ret,
  outcome = 'bounced',
  findings = [],
}: Returned): Promise<{ text: string; eightBit: boolean }> {
  const clock = testClock();
  const spool = new FakeSpool(clock);
  const envelope = ret === undefined ? {} : { envelope: { ret } };
  const id = spool.add({ to: ['x@office.example'], body, findings, ...envelope });
  const entry = spool.entries.get(id);
  assert.ok(entry);
  const status = outcome === 'bounced' ? '5.1.1' : '4.4.1';
  const written = await writeNotice(entry.message, {
    spool: spool.asSpool(),
    clock,
    config: testConfig({ language: 'en' }),
    token: () => 'f00d',
    recipients: [{ address: to('x@office.example'), outcome, status, diagnostic: '550 no' }],
  });
  return { text: written.message.toString('latin1'), eightBit: written.transaction.envelope.eightBit };
}

const WHOLE = 'Subject: hello\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello.\r\n--b--\r\n';

test('RET=FULL returns a message that could not be delivered whole, octet for octet (RFC 3461 §6.2)', async () => {
  const { text, eightBit } = await notice({ body: WHOLE, ret: 'FULL' });
  const type =
    'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\nContent-Description: The message\r\n\r\n';
  assert.ok(text.endsWith(`${type}${WHOLE}\r\n--=_f00d--\r\n`), text);
  assert.doesNotMatch(text, /rfc822-headers/);
  assert.equal(eightBit, false);
});

test('… in eight bits where it is in eight bits, and the notice then says so', async () => {
  const body = Buffer.from('Subject: hello\r\n\r\n\u4f1a\u8b70\r\n');
  const { text, eightBit } = await notice({ body, ret: 'FULL' });
  assert.ok(
    text.includes(
      `Content-Transfer-Encoding: 8bit\r\nContent-Description: The message\r\n\r\n${body.toString('latin1')}\r\n--`,
    ),
  );
  assert.match(text.split('\r\n\r\n', 1)[0] ?? '', /^Content-Transfer-Encoding: 8bit$/m);
  assert.equal(eightBit, true);
});

test('headers only: RET=HDRS, no RET, a delay, a virus, a megabyte, and what no notice could hold', async () => {
  const large = `Subject: hello\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(MAX_RETURNED / 70)}`;
  const virus: Finding = { kind: 'virus', name: 'Eicar', engine: 'clamd' };
  const cases: Returned[] = [
    { body: WHOLE, ret: 'HDRS' },
    { body: WHOLE },
    { body: WHOLE, ret: 'FULL', outcome: 'delayed' },
    { body: WHOLE, ret: 'FULL', findings: [virus] },
    { body: large, ret: 'FULL' },
    { body: `Subject: hello\r\n\r\n${'x'.repeat(999)}\r\n`, ret: 'FULL' },
    { body: 'Subject: hello\r\n\r\na\nb\r\n', ret: 'FULL' },
  ];
  for (const [at, each] of cases.entries()) {
    const { text, eightBit } = await notice(each);
    assert.match(text, /Content-Type: text\/rfc822-headers\r\n/, `case ${at}`);
    assert.doesNotMatch(text, /message\/rfc822|xxxx/, `case ${at}`);
    assert.equal(eightBit, false);
  }
});
