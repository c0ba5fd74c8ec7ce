import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { previewMessage } from '../../src/mail/preview.ts';
import { safeLines, safeText } from '../../src/mail/safe-text.ts';

function lines(...text: string[]): Buffer {
  return Buffer.from(text.map((line) => `${line}\r\n`).join(''), 'latin1');
}

describe('previewMessage()', () => {
  it('shows header fields decoded and the text of a plain mail', () => {
    const preview = previewMessage(
      lines(
        'From: =?UTF-8?B?6Iqx5a2Q?= <h@example.com>',
        'Subject: =?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=',
        '',
        'Hello',
        'you',
      ),
    );
    assert.deepEqual(preview, {
      fields: [
        { name: 'From', value: '花子 <h@example.com>' },
        { name: 'Subject', value: '会議' },
      ],
      text: 'Hello\nyou',
      source: 'text/plain',
      truncated: false,
    });
  });

  it('decodes ISO-2022-JP, with and without its name', () => {
    const body = Buffer.from('\u001b$B2q5D\u001b(B\r\n', 'latin1');
    for (const head of ['Content-Type: text/plain; charset=iso-2022-jp', 'X-Nothing: 1']) {
      assert.equal(previewMessage(Buffer.concat([lines(head, ''), body])).text, '会議');
    }
  });

  it('decodes base64 and quoted-printable', () => {
    const type = 'Content-Type: text/plain; charset=utf-8';
    const base64 = lines(type, 'Content-Transfer-Encoding: base64', '', '5Lya6K2w');
    assert.equal(previewMessage(base64).text, '会議');
    const quoted = lines(type, 'Content-Transfer-Encoding: Quoted-Printable', '', '=E4=BC=9A=', '=E8=AD=B0 a=3Db');
    assert.equal(previewMessage(quoted).text, '会議 a=b');
  });

  it('decodes Shift_JIS, with and without its name', () => {
    const body = Buffer.from([0x89, 0xef, 0x8b, 0x63, 13, 10]);
    for (const charset of ['shift_jis', 'cp932', 'x-unknown']) {
      const head = lines(`Content-Type: text/plain; charset=${charset}`, '');
      assert.equal(previewMessage(Buffer.concat([head, body])).text, '会議');
    }
  });

  it('reads raw UTF-8 and Shift_JIS in a header', () => {
    const message = Buffer.concat([
      Buffer.from('Subject: 会議\r\nX: '),
      Buffer.from([0x83, 0x65, 0x83, 0x58, 0x83, 0x67]),
      lines('', '', 'x'),
    ]);
    assert.deepEqual(
      previewMessage(message).fields.map(({ value }) => value),
      ['会議', 'テスト'],
    );
  });

  it('shows a page of text in spite of one bad octet', () => {
    const head = lines('Content-Type: text/plain; charset=shift_jis', '');
    const body = Buffer.concat([Buffer.from('x'.repeat(50)), Buffer.from([0x89, 0xef, 0x8b, 0x63, 0xff])]);
    assert.equal(previewMessage(Buffer.concat([head, body])).text, `${'x'.repeat(50)}会議\ufffd`);
  });

  it('finds the plain text inside nested parts, and not in an attachment', () => {
    const message = lines(
      'Content-Type: multipart/mixed; boundary="out"',
      '',
      'preamble',
      '--out',
      'Content-Type: text/plain',
      'Content-Disposition: attachment; filename=a.txt',
      '',
      'attached',
      '--out',
      'Content-Type: multipart/alternative; boundary=in',
      '',
      '--in',
      'Content-Type: text/html',
      '',
      '<p>page</p>',
      '--in',
      '',
      'the text',
      '--in--',
      '--out--',
    );
    const preview = previewMessage(message);
    assert.equal(preview.text, 'the text');
    assert.equal(preview.source, 'text/plain');
  });

  it('gives the words of a page that has no plain text: no tags, no scripts', () => {
    const message = lines(
      'Content-Type: text/html; charset=utf-8',
      '',
      '<html><head><style>p { x }</style><SCRIPT>alert(1)</SCRIPT></head><body><!-- > no -->',
      '<h1>Pay&nbsp;now</h1><p>a &lt;b&gt; &#x26; c</p><a href="http://x.example/">click</a> < end',
    );
    const preview = previewMessage(message);
    assert.equal(preview.source, 'text/html');
    assert.equal(preview.text, 'Pay now\n\na <b> & c\nclick');
  });

  it('says so when there is no text', () => {
    const preview = previewMessage(lines('Content-Type: application/pdf', '', '%PDF'));
    assert.deepEqual([preview.text, preview.source], ['', 'none']);
  });

  it('cuts at 4,000 characters and says so', () => {
    const preview = previewMessage(lines('', 'x'.repeat(5_000)));
    assert.equal(preview.text.length, 4_000);
    assert.equal(preview.truncated, true);
  });

  it('shows no half character at a cut', () => {
    for (const lead of ['', 'x', 'xy']) {
      const text = `${lead}${'会議'.repeat(20_000)}`;
      const whole = Buffer.concat([lines('Content-Type: text/plain; charset=utf-8', ''), Buffer.from(text)]);
      const shown = previewMessage(whole, { maxCharacters: 100_000 }).text;
      assert.ok(shown.length > 16_000 && text.startsWith(shown));
    }
  });

  it('writes bidi overrides and terminal codes out', () => {
    const preview = previewMessage(lines('Subject: =?UTF-8?B?4oCuZmRw?=', 'X: \u001b[2J', '', 'a\u001b[31mb\u0007'));
    assert.deepEqual(
      preview.fields.map(({ value }) => value),
      ['\\u{202e}fdp', '\\u{1b}[2J'],
    );
    assert.equal(preview.text, 'a\\u{1b}[31mb\\u{7}');
  });

  it('never throws and never shows hidden characters, whatever the octets', () => {
    const pieces = fc.constantFrom(
      'Content-Type: multipart/mixed; boundary=b\r\n',
      'Content-Type: text/html\r\n',
      'Content-Type: text/plain; charset=iso-2022-jp\r\n',
      'Content-Transfer-Encoding: base64\r\n',
      'Content-Transfer-Encoding: quoted-printable\r\n',
      'Subject: =?x?B?//?= =?utf-8?Q?=zz?=\r\n',
      '\r\n',
      '--b\r\n',
      '--b--\r\n',
      '<script>',
      '<!--',
      '&#99999999;&#0;&#xd800;',
      '\u001b$B',
    );
    const octets = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, octets), { maxLength: 30 }), (parts) => {
        const preview = previewMessage(Buffer.from(parts.join(''), 'latin1'));
        assert.doesNotMatch(preview.text, /[^\P{C}\n\t\p{Cn}\p{Co}]/u);
        for (const { name, value } of preview.fields) assert.doesNotMatch(name + value, /[^\P{C}\p{Cn}\p{Co}]/u);
        assert.ok(preview.text.length <= 4_000);
      }),
    );
  });

  it('stays quick on input made to be slow', () => {
    const size = 131_072;
    const repeat = (text: string): string => text.repeat(Math.ceil(size / text.length));
    const hard = [
      `Content-Type: text/html\r\n\r\n${repeat('<style')}`,
      `Content-Type: text/html\r\n\r\n${repeat('<!--')}`,
      `Content-Type: text/html\r\n\r\n${repeat('&#')}`,
      `Content-Type: text/html\r\n\r\n${repeat(' \n')}`,
      `Content-Type: text/plain\r\n\r\n${repeat('\n \n')}`,
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n${repeat('\r\n--b')}`,
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n${repeat('\r\n--b\r\n')}`,
      `Subject: ${repeat('=?utf-8?B?')}\r\n\r\n`,
      `Subject: ${repeat('=?utf-8?B?YQ==?= ')}\r\n\r\n`,
      `Content-Transfer-Encoding: quoted-printable\r\n\r\n${repeat('= ')}`,
    ];
    for (const text of hard) {
      const start = performance.now();
      previewMessage(Buffer.from(text, 'latin1'));
      assert.ok(performance.now() - start < 10_000, text.slice(0, 60));
    }
  });
});

describe('safeText()', () => {
  it('writes hidden characters out and keeps visible ones of any script', () => {
    assert.equal(safeText('会議 é 😀 a\u200bb\u0000\u2028\ud800'), '会議 é 😀 a\\u{200b}b\\u{0}\\u{2028}\\u{d800}');
  });

  it('cuts without breaking a character in two', () => {
    assert.equal(safeText('ab😀cd', 4), 'ab…');
    assert.equal(safeText('abcd', 4), 'abcd');
  });

  it('safeLines() keeps lines', () => {
    assert.equal(safeLines('a\r\nb\rc\td\u202e', 100), 'a\nb\nc\td\\u{202e}');
  });
});
