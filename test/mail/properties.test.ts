/**
 * What holds for every input, not only for the ones somebody thought of: the header covers all octets, edits leave the body
 * alone, what is encoded comes back, and nothing throws. Properties of one function alone stand beside its other tests.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { domainOf, localpartOf, parseAddress, parseForwardPath, parseReversePath } from '../../src/mail/address.ts';
import { composeAuthenticationResults, ownResultsCuts } from '../../src/mail/authentication-results.ts';
import { findHeaderEnd, parseHeader } from '../../src/mail/header.ts';
import { LineEndings, type LineEndingMode } from '../../src/mail/line-endings.ts';
import { mergeCuts, ownFieldCuts, tagSubject } from '../../src/mail/tag.ts';
import { decodeCharset, decodeWords, displayText, parseStructured } from '../../src/mail/words.ts';

const OWN = 'mx.office.example';
const octets = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
/** Lines of a header as they come: good, folded, ours, broken. */
const line = fc.constantFrom(
  'From: a@example.com',
  'Subject: hi',
  'SUBJECT : hi',
  'Subject:',
  'subject: \x8f\xe3\x88\xc3',
  ' folded',
  '\tfolded',
  ' ',
  'no colon',
  ': no name',
  'a b: c',
  'X-Sekisho-Spam: forged',
  `Authentication-Results: ${OWN}; spf=pass`,
  'Authentication-Results: other.example; spf=pass',
);
const body = fc.constantFrom('', 'text\r\n', '\r\n', 'Subject: not one\r\n', ' x\r\n\r\nFrom: y\r\n', '\xff\r\n');
const messages = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.constantFrom('\r\n', ''), body)
  .map(([lines, empty, rest]) => {
    const head = lines.map((text) => `${text}\r\n`).join('');
    return Buffer.from(empty === '' ? head : head + empty + rest, 'latin1');
  });

/** The message with the ranges left out. */
function without(message: Buffer, cuts: ReadonlyArray<[start: number, end: number]>): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const [start, end] of cuts) {
    pieces.push(message.subarray(at, start));
    at = end;
  }
  return Buffer.concat([...pieces, message.subarray(at)]);
}

describe('parseHeader(), for every message', () => {
  it('every octet of the header belongs to a field, to a malformed line that is counted, or to the empty line', () => {
    const property = fc.property(messages, (message) => {
      const header = parseHeader(message);
      const rest = without(
        message.subarray(0, header.bodyStart),
        header.fields.map(({ start, end }): [number, number] => [start, end]),
      ).toString('latin1');
      // a line that begins with white space goes on with the field before it (RFC 5322 §2.2.3)
      for (const { end } of header.fields)
        assert.ok(end >= header.bodyStart || !/[ \t]/.test(String.fromCharCode(message[end] ?? 0)));
      const lines = rest.split('\r\n').slice(0, -1);
      if (findHeaderEnd(message) >= 0) assert.equal(lines.pop(), '');
      assert.equal(header.malformed, lines.length);
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it('name, colon and value are the octets of the field', () => {
    const property = fc.property(fc.oneof(messages, octets), (message) => {
      for (const { name, key, raw, start, end } of parseHeader(message).fields) {
        const field = message.toString('latin1', start, end);
        const colon = field.indexOf(':');
        assert.equal(field.slice(0, colon).trimEnd(), name);
        assert.equal(name.toLowerCase(), key);
        assert.equal(field.slice(colon + 1).replace(/\r\n$/, ''), raw);
      }
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  it('more octets behind the header change nothing', () => {
    const property = fc.property(messages, octets, (message, more) => {
      fc.pre(findHeaderEnd(message) >= 0);
      assert.deepEqual(parseHeader(Buffer.concat([message, more])), parseHeader(message));
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('what we put in front and leave out, for every message', () => {
  it('never touches the body, leaves no results with our name, and tags every Subject', () => {
    const tags = fc.constantFrom('[SPAM]', '【迷惑】', 'x'.repeat(40));
    const property = fc.property(messages, tags, (message, tag) => {
      fc.pre(findHeaderEnd(message) >= 0);
      const header = parseHeader(message);
      const edit = tagSubject(message, tag, { header, whole: true });
      const cuts = mergeCuts(ownResultsCuts(header, OWN), ownFieldCuts(header), edit.cuts);
      let at = 0;
      for (const [start, end] of cuts) {
        assert.ok(start >= at && end > start && end <= header.bodyStart, JSON.stringify(cuts));
        at = end;
      }
      const results = composeAuthenticationResults({ hostname: OWN, findings: [], reversePath: '' });
      const out = Buffer.concat([Buffer.from(results + edit.prefix, 'latin1'), without(message, cuts)]);
      const read = parseHeader(out);
      assert.deepEqual(out.subarray(read.bodyStart), message.subarray(header.bodyStart));
      assert.equal(ownResultsCuts(read, OWN).length, 1);
      const subjects = read.fields.filter(({ key }) => key === 'subject');
      assert.ok(subjects.length >= 1);
      for (const { raw } of subjects) assert.ok(decodeWords(raw).trimStart().startsWith(tag), raw);
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});

describe('line endings, for every message', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '\r\n', '\n', '.', '\xff'), maxLength: 60 });
  const run = (mode: LineEndingMode, input: Buffer): { out: Buffer; lines: LineEndings } => {
    const lines = new LineEndings(mode);
    const out = Buffer.concat([lines.feed(input), lines.end()]);
    return { out, lines };
  };

  it('what was mended once is clean: mending again gives the same octets, and the strict mode takes it', () => {
    const property = fc.property(text, (input) => {
      const once = run('mend', Buffer.from(input, 'latin1')).out;
      const again = run('mend', once);
      assert.deepEqual(again.out, once);
      assert.equal(again.lines.mended, 0);
      assert.equal(run('reject', once).lines.problem, undefined);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('mending adds CR before lone LF and a last line end, and nothing else', () => {
    const property = fc.property(text, (input) => {
      const { out } = run('mend', Buffer.from(input, 'latin1'));
      const plain = input.replaceAll('\r\n', '\n');
      const ended = plain === '' || plain.endsWith('\n') ? plain : `${plain}\n`;
      assert.equal(out.toString('latin1').replaceAll('\r\n', '\n'), ended);
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe('words of a header, for every text', () => {
  const text = fc.string({ unit: fc.constantFrom(...Array.from('aZ9 _=?会議①ｱé😀"\\()<>;,\'')), maxLength: 30 });
  const latin1 = octets.map((bytes) => bytes.toString('latin1'));
  const hostile = fc
    .array(
      fc.oneof(
        latin1,
        fc.constantFrom('=?', '?=', '=?utf-8?B?', '=?x?Q?', '\x1b$B', '\x1b(B', '*0*=', "utf-8''", '; ', '="', '%'),
      ),
      { maxLength: 20 },
    )
    .map((parts) => parts.join(''));

  it('decodeWords(), parseStructured() and displayText() never throw, and what is shown is one line of well-formed text', () => {
    const property = fc.property(hostile, (raw) => {
      const shown = displayText(decodeWords(raw));
      assert.ok(shown.isWellFormed());
      assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      for (const value of parseStructured(raw).parameters.values()) assert.equal(typeof value, 'string');
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('decodeCharset() never throws, whatever the name, and loses nothing while some reading fits', () => {
    const names = fc.oneof(
      fc.constantFrom('utf-8', 'iso-2022-jp', 'shift_jis', 'euc-jp', 'utf-7', 'x-unknown', '', '\0', '__proto__'),
      fc.string({ maxLength: 20 }),
    );
    fc.assert(
      fc.property(octets, names, (bytes, name) => void decodeCharset(bytes, name)),
      { numRuns: 1_000 },
    );
    const readable = fc.property(text, (value) => {
      assert.equal(decodeCharset(Buffer.from(value), 'x-nobody-knows'), value);
    });
    fc.assert(readable, { numRuns: 300 });
  });

  it('encoded words come back, by B and by Q, in one piece or cut within characters', () => {
    const property = fc.property(text, fc.integer({ min: 1, max: 45 }), fc.boolean(), (value, size, base64) => {
      const bytes = Buffer.from(value);
      const pieces: string[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        const piece = bytes.subarray(at, at + size);
        const q = [...piece].map((octet) => `=${octet.toString(16).padStart(2, '0').toUpperCase()}`).join('');
        pieces.push(base64 ? `=?UTF-8?B?${piece.toString('base64')}?=` : `=?utf-8?q?${q}?=`);
      }
      assert.equal(decodeWords(pieces.join('\r\n ')), value);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('a file name comes back from RFC 2231, whole and in numbered pieces', () => {
    const property = fc.property(text, fc.integer({ min: 1, max: 12 }), (value, size) => {
      fc.pre(value !== '');
      const percent = [...Buffer.from(value)].map((octet) => `%${octet.toString(16).padStart(2, '0')}`);
      const whole = `attachment; filename*=utf-8''${percent.join('')}`;
      assert.equal(parseStructured(whole).parameters.get('filename'), value);
      const pieces: string[] = [];
      for (let at = 0; at < percent.length; at += size) {
        const start = at === 0 ? "utf-8''" : '';
        pieces.push(`filename*${at / size}*=${start}${percent.slice(at, at + size).join('')}`);
      }
      const inPieces = `attachment; ${pieces.toReversed().join('; ')}`;
      assert.equal(parseStructured(inPieces).parameters.get('filename'), value);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('addresses, for every localpart and domain', () => {
  // docomo and au: dots anywhere (RFC 5321 would have none at the edges and no two in a row)
  const atoms = fc.string({
    unit: fc.constantFrom(...Array.from("aZ9.!#$%&'*+/=?^_`{|}~-山é")),
    minLength: 1,
    maxLength: 30,
  });
  const quoted = fc
    .string({ unit: fc.constantFrom(...Array.from('a @<>(),;:"\\.会')), maxLength: 20 })
    .map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`);

  it('what is written in the grammar is read, and its parts are what was written', () => {
    const property = fc.property(fc.oneof(atoms, quoted), fc.domain(), (localpart, domain) => {
      const path = parseForwardPath(`${localpart}@${domain.toUpperCase()}`);
      assert.ok(path !== undefined, `${localpart}@${domain}`);
      assert.equal(localpartOf(path), localpart);
      assert.equal(domainOf(path), domain.toLowerCase());
      assert.equal(parseReversePath(path), path);
      assert.deepEqual(parseAddress(path), { localpart, domain: domain.toLowerCase() });
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('never throws, and takes nothing that could end a line or an angle', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...Array.from('a.@<>"\\ \t\r\n\0[]:;,é')), maxLength: 40 });
    const property = fc.property(hostile, (value) => {
      const path = parseReversePath(value);
      if (path === undefined) return;
      assert.doesNotMatch(path, /[\u0000-\u001f\u007f]/);
      assert.doesNotMatch(path.replaceAll(/"(?:[^"\\]|\\.)*"/g, ''), /[<>\s]/);
    });
    fc.assert(property, { numRuns: 3_000 });
  });
});
