import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countFields, findHeaderEnd, firstField, parseHeader, unfold } from '../../src/mail/header.ts';

const parse = (text: string): ReturnType<typeof parseHeader> => parseHeader(Buffer.from(text, 'latin1'));

test('parseHeader() reads names, values and ranges, folds included', () => {
  const text = 'Subject: one\r\n\ttwo\r\nFrom:a@example.com\r\n\r\nbody: no field\r\n';
  const header = parse(text);
  assert.deepEqual(
    header.fields.map(({ key, raw, start, end }) => [key, raw, text.slice(start, end)]),
    [
      ['subject', ' one\r\n\ttwo', 'Subject: one\r\n\ttwo\r\n'],
      ['from', 'a@example.com', 'From:a@example.com\r\n'],
    ],
  );
  assert.equal(text.slice(header.bodyStart), 'body: no field\r\n');
  assert.equal(header.malformed, 0);
});

test('parseHeader() counts lines that are no field and does not hang continuations on the wrong one', () => {
  const header = parse('From: a\r\nno field here\r\n folded to nothing\r\nTo: b\r\n\r\n');
  assert.deepEqual(
    header.fields.map(({ key, raw }) => [key, raw]),
    [
      ['from', ' a'],
      ['to', ' b'],
    ],
  );
  assert.equal(header.malformed, 2);
});

test('parseHeader() reads a message without a body, without an end, and without anything', () => {
  assert.equal(parse('Subject: x\r\n').fields.length, 1);
  assert.equal(parse('Subject: x').fields[0]?.raw, ' x');
  assert.deepEqual(parse('').fields, []);
  assert.deepEqual([parse('\r\nbody').fields.length, parse('\r\nbody').bodyStart], [0, 2]);
});

test('findHeaderEnd() finds the empty line, and says when it is not there', () => {
  assert.equal(findHeaderEnd(Buffer.from('a: b\r\n\r\nc')), 8);
  assert.equal(findHeaderEnd(Buffer.from('\r\nc')), 2);
  assert.equal(findHeaderEnd(Buffer.from('a: b\r\n')), -1);
});

test('unfold() puts the value on one line and reads UTF-8', () => {
  const header = parse(`Subject: ${Buffer.from('会議').toString('latin1')}\r\n next\r\n\r\n`);
  assert.equal(unfold(header.fields[0] as never), '会議 next');
});

test('firstField() and countFields() go by the lower-case name', () => {
  const header = parse('X-A: 1\r\nx-a: 2\r\n\r\n');
  assert.equal(firstField(header, 'x-a')?.raw, ' 1');
  assert.equal(countFields(header, 'x-a'), 2);
  assert.equal(firstField(header, 'x-b'), undefined);
});

test('parseHeader() never throws; ranges ascend, do not overlap, and stay inside', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ':', ' ', '\t', '\r\n', '\r', '\n', '\0', '\u00e9') }),
      (text) => {
        const header = parse(text);
        let at = 0;
        for (const { start, end } of header.fields) {
          assert.ok(start >= at && end > start && end <= Buffer.byteLength(text, 'latin1'));
          at = end;
        }
      },
    ),
    { numRuns: 500 },
  );
});

/** The octets parseHeader() looks at, counted where it can look at more than one: searches, cuts and copies. */
function octetsLookedAt(text: string): number {
  const bytes = Buffer.from(text, 'latin1');
  const plain = Buffer.from(text, 'latin1');
  let count = 0;
  const span = (start = 0, end = plain.length): number => Math.max(0, Math.min(end, plain.length) - start);
  Object.assign(bytes, {
    indexOf: (what: string | number, from = 0): number => {
      const at = plain.indexOf(what, from);
      count += span(from, at < 0 ? undefined : at + 1);
      return at;
    },
    subarray: (start?: number, end?: number): Buffer => {
      count += span(start, end);
      return plain.subarray(start, end);
    },
    toString: (encoding?: BufferEncoding, start?: number, end?: number): string => {
      count += span(start, end);
      return plain.toString(encoding, start, end);
    },
  });
  parseHeader(bytes);
  return count;
}

for (const [name, piece] of [
  ['lines without a colon', 'a\r\n'],
  ['empty values', 'a:\r\n'],
  ['folds', ' a\r\n'],
  ['lone CR', 'a\r'],
  ['one line without an end', 'a'],
  ['colons', ':'],
] as const) {
  test(`parseHeader() is linear: it looks at each octet at most eight times, on ${name}`, () => {
    const text = `A: b\r\n${piece.repeat(60_000)}`;
    assert.ok(octetsLookedAt(text) <= 8 * text.length, `${octetsLookedAt(text)} of ${text.length}`);
    assert.ok(octetsLookedAt(`${text}\r\n\r\n`) <= 8 * text.length);
  });
}
