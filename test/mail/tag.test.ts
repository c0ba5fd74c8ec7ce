import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import libmime from 'libmime';
import { type ForwardPath, parseForwardPath } from '../../src/mail/address.ts';
import type { Decision } from '../../src/mail/decision.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { parseHeader } from '../../src/mail/header.ts';
import { type HeaderEdit, mergeCuts, ownFieldCuts, spamHeaders, tagSubject } from '../../src/mail/tag.ts';

/** As the spool sends it: prefix as latin1 octets, then the message without the cuts. */
function apply(message: Buffer, edit: HeaderEdit): Buffer {
  const pieces: Buffer[] = [Buffer.from(edit.prefix, 'latin1')];
  let at = 0;
  for (const [start, end] of edit.cuts) {
    pieces.push(message.subarray(at, start));
    at = end;
  }
  return Buffer.concat([...pieces, message.subarray(at)]);
}

function tagged(message: string | Buffer, tag = '[SPAM]', options: { whole?: boolean } = {}): string {
  const bytes = typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
  return apply(bytes, tagSubject(bytes, tag, options)).toString('latin1');
}

describe('tagSubject()', () => {
  it('puts the tag before a plain subject', () => {
    assert.equal(
      tagged('From: a@b\r\nSubject: Hello\r\nTo: c@d\r\n\r\nbody\r\n'),
      'Subject: [SPAM] Hello\r\nFrom: a@b\r\nTo: c@d\r\n\r\nbody\r\n',
    );
  });

  it('leaves encoded words as they are', () => {
    assert.equal(
      tagged('Subject: =?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=\r\n\r\n'),
      'Subject: [SPAM] =?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=\r\n\r\n',
    );
  });

  it('keeps a folded subject folded, octet for octet', () => {
    const value = ' =?UTF-8?B?5Lya6K2w?=\r\n =?UTF-8?B?5Lya6K2w?=';
    assert.equal(tagged(`Subject:${value}\r\n\r\n`), `Subject: [SPAM]${value}\r\n\r\n`);
    assert.equal(tagged('Subject:\r\n folded at once\r\n\r\n'), 'Subject: [SPAM]\r\n folded at once\r\n\r\n');
  });

  it('carries a raw 8-bit subject octet for octet', () => {
    // 会議 in Shift_JIS, unencoded as old programs send it
    const raw = Buffer.concat([
      Buffer.from('Subject: '),
      Buffer.from([0x89, 0xef, 0x8b, 0x63]),
      Buffer.from('\r\n\r\n'),
    ]);
    const out = apply(raw, tagSubject(raw, '[SPAM]'));
    assert.deepEqual(out, Buffer.concat([Buffer.from('Subject: [SPAM] '), raw.subarray(9)]));
  });

  it('encodes a Japanese tag (RFC 2047) and leaves the rest alone', () => {
    const out = tagged('Subject: Hello\r\n\r\n', '【迷惑メール】');
    const [line = ''] = out.split('\r\n');
    assert.match(line, /^Subject: =\?UTF-8\?B\?[A-Za-z0-9+/=]+\?= Hello$/);
    assert.equal(libmime.decodeWords(line), 'Subject: 【迷惑メール】 Hello');
  });

  it('divides a long tag into encoded words of at most 75 characters', () => {
    const tag = '迷惑メールの疑いがあります😀'.repeat(2);
    const out = tagged('Subject: Hello\r\n\r\n', tag);
    for (const word of out.match(/=\?[^ \r]+\?=/g) ?? []) assert.ok(word.length <= 75);
    const [field] = parseHeader(Buffer.from(out, 'latin1')).fields;
    assert.equal(libmime.decodeWords(field?.raw.replaceAll('\r\n', '').trim() ?? ''), `${tag} Hello`);
  });

  it('folds when the tag would make a line of encoded words too long', () => {
    const word = `=?UTF-8?B?${'5Lya'.repeat(14)}?=`;
    assert.equal(tagged(`Subject: ${word}\r\n\r\n`), `Subject: [SPAM]\r\n ${word}\r\n\r\n`);
  });

  it('does not tag twice, whether the tag stands there plain or encoded', () => {
    for (const tag of ['[SPAM]', '【迷惑】']) {
      const once = tagged('Subject: Hello\r\n\r\n', tag);
      assert.equal(tagged(once, tag), once);
    }
    const edit = tagSubject(Buffer.from('Subject: =?UTF-8?Q?=5BSPAM=5D_x?=\r\n\r\n'), '[SPAM]');
    assert.deepEqual(edit, { prefix: '', cuts: [] });
  });

  it('tags a reply to a tagged mail', () => {
    assert.match(tagged('Subject: Re: [SPAM] Hello\r\n\r\n'), /^Subject: \[SPAM\] Re: \[SPAM\] Hello/);
  });

  it('adds a subject where there is none, and fills an empty one', () => {
    assert.equal(tagged('From: a@b\r\n\r\nbody'), 'Subject: [SPAM]\r\nFrom: a@b\r\n\r\nbody');
    assert.equal(tagged('Subject:\r\n\r\n'), 'Subject: [SPAM]\r\n\r\n');
    assert.equal(tagged('Subject: \t \r\n\r\n'), 'Subject: [SPAM]\r\n\r\n');
    assert.equal(tagged('Subject:x\r\n\r\n'), 'Subject: [SPAM] x\r\n\r\n');
  });

  it('tags each of several subjects, because programs differ in which they show', () => {
    assert.equal(
      tagged('Subject: one\r\nTo: a@b\r\nSUBJECT: two\r\n\r\n'),
      'Subject: [SPAM] one\r\nSUBJECT: [SPAM] two\r\nTo: a@b\r\n\r\n',
    );
  });

  it('touches nothing of a header that goes on behind the octets it sees', () => {
    assert.deepEqual(tagSubject(Buffer.from('From: a@b\r\n'), '[SPAM]'), { prefix: '', cuts: [] });
    assert.deepEqual(tagSubject(Buffer.from('Subject: hel'), '[SPAM]'), { prefix: '', cuts: [] });
    assert.equal(tagged('Subject: hello\r\n', '[SPAM]', { whole: true }), 'Subject: [SPAM] hello\r\n');
  });

  it('does nothing for an empty tag and lets no tag break the header', () => {
    assert.equal(tagged('Subject: x\r\n\r\n', ' '), 'Subject: x\r\n\r\n');
    assert.equal(tagged('Subject: x\r\n\r\n', 'a\r\nBcc: b'), 'Subject: a Bcc: b x\r\n\r\n');
  });

  it('keeps every other octet and makes one well-formed field, whatever the message', () => {
    const messages = fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets));
    const values = messages.map((octets) => Buffer.from(octets.toString('latin1').replaceAll(/[\r\n]/g, ''), 'latin1'));
    fc.assert(
      fc.property(values, messages, fc.string({ unit: 'binary', maxLength: 40 }), (value, body, tag) => {
        const rest = Buffer.concat([Buffer.from('To: a@b\r\n\r\n'), body]);
        const message = Buffer.concat([Buffer.from('Subject: '), value, Buffer.from('\r\n'), rest]);
        const edit = tagSubject(message, tag);
        const out = apply(message, edit);
        assert.ok(out.subarray(out.length - rest.length).equals(rest));
        const header = parseHeader(out);
        assert.deepEqual(
          header.fields.map(({ key }) => key),
          ['subject', 'to'],
        );
        assert.equal(header.malformed, 0);
        // The octets of the subject are still there, in one piece; white space alone may go.
        if (/[^ \t]/.test(value.toString('latin1')))
          assert.ok(header.fields[0]?.raw.includes(value.toString('latin1')));
      }),
    );
  });
});

describe('spamHeaders()', () => {
  const recipient = parseForwardPath('a@b.example') as ForwardPath;
  const spam: Finding = {
    kind: 'spam',
    engine: 'rspamd',
    score: 7.204,
    symbols: [
      { name: 'LOW', score: 0.5 },
      { name: 'HIGH', score: 4 },
      { name: 'HAM', score: -1 },
      { name: 'EVIL\r\nBcc: x', score: 1 },
    ],
  };

  it('says what was found and done', () => {
    const decision: Decision = { recipient, action: 'deliver', reason: 'spam-tag', tag: '[SPAM]' };
    assert.equal(
      spamHeaders([spam], decision),
      'X-Spam-Flag: YES\r\nX-Spam-Score: 7.20\r\nX-Sekisho-Result: action=deliver; reason=spam-tag\r\n' +
        'X-Sekisho-Symbols: HIGH(4.0),\r\n EVIL__Bcc:_x(1.0),\r\n LOW(0.5)\r\n',
    );
  });

  it('does not call a clean mail spam', () => {
    const out = spamHeaders([], { recipient, action: 'deliver', reason: 'clean' });
    assert.equal(out, 'X-Sekisho-Result: action=deliver; reason=clean\r\n');
  });

  it('is always a run of complete, short, ASCII fields', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.double(), (text, score) => {
        const because: Finding = { kind: 'virus', engine: 'clamd', name: text };
        const found: Finding[] = [{ ...spam, score, symbols: [{ name: text, score: 1 }] }, because];
        const out = spamHeaders(found, { recipient, action: 'quarantine', reason: 'virus', because });
        const bytes = Buffer.from(`${out}\r\n`, 'latin1');
        assert.equal(parseHeader(bytes).malformed, 0);
        assert.match(out, /^(?:[ -~]{1,200}\r\n)+$/);
        assert.ok(parseHeader(bytes).fields.every(({ key }) => key.startsWith('x-s')));
      }),
    );
  });
});

describe('ownFieldCuts() and mergeCuts()', () => {
  it('take fields out that look like ours but came with the message', () => {
    const message = Buffer.from('X-Spam-Flag: NO\r\nSubject: x\r\nx-sekisho-result: a\r\n b\r\nTo: y\r\n\r\nbody');
    const header = parseHeader(message);
    const edit = tagSubject(message, '[SPAM]', { header });
    const cuts = mergeCuts(edit.cuts, ownFieldCuts(header));
    assert.equal(apply(message, { ...edit, cuts }).toString(), 'Subject: [SPAM] x\r\nTo: y\r\n\r\nbody');
  });

  it('give ascending ranges that do not overlap', () => {
    assert.deepEqual(
      mergeCuts(
        [[5, 9]],
        [
          [0, 2],
          [7, 12],
        ],
        [
          [2, 3],
          [20, 20],
        ],
      ),
      [
        [0, 3],
        [5, 12],
      ],
    );
  });
});
