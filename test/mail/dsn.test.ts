import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseForwardPath, parseReversePath } from '../../src/mail/address.ts';
import { mailDate } from '../../src/mail/compose.ts';
import { composeDsn, type DsnOptions, type DsnRecipient, quotedPrintable } from '../../src/mail/dsn.ts';
import { parseQueueId } from '../../src/mail/queue-id.ts';

function path(text: string): NonNullable<ReturnType<typeof parseForwardPath>> {
  const parsed = parseForwardPath(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

const refused: DsnRecipient = {
  address: path('nobody@office.example'),
  orcpt: 'rfc822;Nobody@old.example',
  outcome: 'bounced',
  status: '5.1.1',
  remoteMta: 'mail.office.example',
  diagnostic: '550 5.1.1 No such user',
  lastAttempt: new Date(Date.UTC(2026, 10, 21, 3, 4, 5)),
};

function options(changes: Partial<DsnOptions> = {}): DsnOptions {
  const queueId = parseQueueId('0000K3M-7Q2ABCDEFGHJK');
  const reversePath = parseReversePath('alice@sender.example');
  assert.ok(queueId !== undefined && reversePath !== undefined);
  return {
    language: 'en',
    hostname: 'mx.gateway.example',
    queueId,
    reversePath,
    arrival: new Date(Date.UTC(2026, 10, 20, 1, 2, 3)),
    now: new Date(Date.UTC(2026, 10, 21, 3, 4, 6)),
    recipients: [refused],
    originalHeader: Buffer.from('Subject: hello\r\nFrom: alice@sender.example\r\n'),
    token: 'f00d',
    ...changes,
  };
}

/** The base64 text of the first part, read by what a mail reader does. */
function human(dsn: string): string {
  const [, part] = /Content-Description: Notification\r\n\r\n([A-Za-z0-9+/=\r\n]+)\r\n--/.exec(dsn) ?? [];
  return Buffer.from(part ?? '', 'base64').toString();
}

test('a DSN in English has this very form', () => {
  const dsn = composeDsn(options()).toString();
  const [before, after] = dsn.split(/Content-Description: Notification\r\n\r\n[A-Za-z0-9+/=\r\n]+\r\n(?=--)/);
  assert.equal(
    `${before}<human>\r\n${after}`,
    [
      'From: Mail Delivery System <MAILER-DAEMON@mx.gateway.example>',
      'To: <alice@sender.example>',
      'Subject: Undelivered mail returned to sender',
      'Date: Sat, 21 Nov 2026 03:04:06 +0000',
      'Message-ID: <f00d@mx.gateway.example>',
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status;',
      '\tboundary="=_f00d"',
      '',
      '--=_f00d',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: base64',
      '<human>',
      '--=_f00d',
      'Content-Type: message/delivery-status',
      'Content-Transfer-Encoding: 7bit',
      'Content-Description: Delivery report',
      '',
      'Reporting-MTA: dns; mx.gateway.example',
      'X-Sekisho-Queue-ID: 0000K3M-7Q2ABCDEFGHJK',
      'Arrival-Date: Fri, 20 Nov 2026 01:02:03 +0000',
      '',
      'Original-Recipient: rfc822; Nobody@old.example',
      'Final-Recipient: rfc822; nobody@office.example',
      'Action: failed',
      'Status: 5.1.1',
      'Remote-MTA: dns; mail.office.example',
      'Diagnostic-Code: smtp; 550 5.1.1 No such user',
      'Last-Attempt-Date: Sat, 21 Nov 2026 03:04:05 +0000',
      '',
      '--=_f00d',
      'Content-Type: text/rfc822-headers',
      'Content-Transfer-Encoding: 7bit',
      'Content-Description: Header of the message',
      '',
      'Subject: hello',
      'From: alice@sender.example',
      '',
      '--=_f00d--',
      '',
    ].join('\r\n'),
  );
  assert.equal(
    human(dsn).replaceAll('\r\n', '\n'),
    `This is an automatic notice from the mail gateway mx.gateway.example.

Your message could not be delivered to the recipients below.
It will not be tried again. Before you send it once more, please check
the addresses and the reasons given here.

<nobody@office.example>
  The receiving side refused it:
    mail.office.example: 550 5.1.1 No such user

When you ask for help, please give this queue id: 0000K3M-7Q2ABCDEFGHJK
The header of your message is attached; its body is not returned.
`,
  );
});

test('a DSN in Japanese says it in Japanese and English, and stays seven-bit', () => {
  const bytes = composeDsn(options({ language: 'ja', envid: 'QQ 1' }));
  const dsn = bytes.toString('latin1');
  assert.ok(bytes.every((octet) => octet < 128));
  const text = human(dsn);
  assert.match(text, /次の宛先に配達できませんでした。/);
  assert.match(text, /相手のサーバーが受け取りを断りました:\r\n {4}mail\.office\.example: 550 5\.1\.1 No such user/);
  assert.match(text, /受付番号をお知らせください: 0000K3M-7Q2ABCDEFGHJK/);
  assert.match(text, /Your message could not be delivered/);
  assert.ok(text.indexOf('配達') < text.indexOf('Your message'));
  const subject = /^Subject: ((?:.|\r\n )*)\r\n/m.exec(dsn)?.[1] ?? '';
  const words = subject.split('\r\n ');
  assert.ok(words.every((word) => word.length <= 75));
  const decoded = words.map((word) => Buffer.from(word.slice('=?UTF-8?B?'.length, -2), 'base64').toString()).join('');
  assert.equal(decoded, 'メールを配達できませんでした (Undelivered mail)');
  assert.match(dsn, /Original-Envelope-Id: QQ 1\r\n/);
  assert.ok(dsn.split('\r\n').every((line) => line.length <= 78));
});

test('an expired recipient says so, and our own words are no SMTP diagnostic', () => {
  const { remoteMta: _, ...own } = refused;
  const dsn = composeDsn(
    options({ recipients: [{ ...own, outcome: 'expired', status: '5.4.7', diagnostic: '4.4.1 Connection failed' }] }),
  ).toString();
  assert.match(dsn, /Status: 5\.4\.7\r\nDiagnostic-Code: x-sekisho; 4\.4\.1 Connection failed\r\n/);
  assert.doesNotMatch(dsn, /Remote-MTA/);
  assert.match(human(dsn), /could not be delivered in time/);
});

test('a UTF-8 recipient gets the global forms of RFC 6533', () => {
  const dsn = composeDsn(options({ recipients: [{ ...refused, address: path('山田@office.example') }] })).toString();
  assert.match(dsn, /Content-Type: message\/global-delivery-status\r\nContent-Transfer-Encoding: quoted-printable/);
  assert.match(dsn, /Content-Type: message\/global-headers/);
  assert.match(dsn, /Final-Recipient: utf-8; =E5=B1=B1=E7=94=B0@office\.example/);
});

test('a hostile reply, envelope id or header can forge neither field nor part', () => {
  const dsn = composeDsn(
    options({
      envid: 'x\r\nAction: delivered',
      recipients: [{ ...refused, diagnostic: '550 x\r\nAction: delivered\r\n\r\n--=_f00d--', remoteMta: 'a\r\nB: c' }],
      originalHeader: Buffer.from('A: b\r\n--=_f00d--\r\nC: \u00e9\r\n'),
    }),
  ).toString('latin1');
  assert.equal(dsn.match(/^Action: /gm)?.length, 1);
  assert.equal(dsn.match(/^--=_f00d--\r$/gm)?.length, 1);
  assert.doesNotMatch(dsn, /^B: c/m);
});

test('long replies and long lists stay within the line limit', () => {
  const many = Array.from({ length: 200 }, () => ({
    ...refused,
    diagnostic: `550 ${'word '.repeat(150)}${'y'.repeat(300)}`,
  }));
  const dsn = composeDsn(options({ recipients: many })).toString();
  assert.equal(dsn.match(/^Final-Recipient: /gm)?.length, 200);
  assert.ok(dsn.split('\r\n').every((line) => line.length <= 998));
  assert.doesNotMatch(dsn, /\r\n[ \t]+\r\n/);
});

test('quotedPrintable() is undone by the plain rule, in lines of at most 76, seven-bit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
      const encoded = quotedPrintable(Buffer.from(octets));
      assert.ok(/^[\t\r\n -~]*$/.test(encoded));
      assert.ok(
        encoded.split('\r\n').every((line) => line.length <= 76 && !/[ \t]$/.test(line) && !line.startsWith('-')),
      );
      const decoded = encoded
        .replaceAll('=\r\n', '')
        .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      assert.deepEqual(Buffer.from(decoded, 'latin1'), Buffer.from(octets));
    }),
    { numRuns: 300 },
  );
});

test('mailDate() writes RFC 5322 dates in UTC', () => {
  assert.equal(mailDate(new Date(0)), 'Thu, 1 Jan 1970 00:00:00 +0000');
});
