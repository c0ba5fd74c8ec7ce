import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DataParser } from '../../src/accept/data-parser.ts';

/** Feeds the pieces up to the end of data. */
function parse(pieces: readonly Buffer[]): { content: string; rest: string | undefined } {
  const parser = new DataParser();
  const content: Buffer[] = [];
  for (const [index, piece] of pieces.entries()) {
    const step = parser.feed(piece);
    content.push(Buffer.from(step.content));
    if (step.rest !== undefined)
      return {
        content: Buffer.concat(content).toString('latin1'),
        rest: Buffer.concat([step.rest, ...pieces.slice(index + 1)]).toString('latin1'),
      };
  }
  return { content: Buffer.concat(content).toString('latin1'), rest: undefined };
}

function whole(text: string): { content: string; rest: string | undefined } {
  return parse([Buffer.from(text, 'latin1')]);
}

/** RFC 5321 §4.5.2 word for word, one line at a time, lines ended by CRLF only. */
function reference(text: string): { content: string; rest: string | undefined } {
  let content = '';
  let at = 0;
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return { content: content + text.slice(at).replace(/^\./, ''), rest: undefined };
    const line = text.slice(at, end);
    if (line === '.') return { content, rest: text.slice(end + 2) };
    content += `${line.replace(/^\./, '')}\r\n`;
    at = end + 2;
  }
}

const octets = fc
  .array(
    fc.constantFrom('.', '\r', '\n', '\r\n', '\r\n.', '\r\n..', '\r\n.\r\n', 'a', '\0', 'text '.repeat(20), 'text '),
    {
      maxLength: 40,
    },
  )
  .map((parts) => parts.join(''));

test('only CRLF . CRLF ends, and a dot is undone only behind CRLF or at the start', () => {
  assert.deepEqual(whole('.\r\nQUIT\r\n'), { content: '', rest: 'QUIT\r\n' });
  assert.deepEqual(whole('a\r\n.\r\n'), { content: 'a\r\n', rest: '' });
  assert.deepEqual(whole('..\r\n..a\r\n.b\r\n.\r\n'), { content: '.\r\n.a\r\nb\r\n', rest: '' });
  for (const text of [
    'a\n.\n',
    'a\n.\r\n',
    'a\r\n.\n',
    'a\r.\r',
    'a\r.\r\n',
    'a\r\n.\r',
    'a\r\n.\ra\r\n',
    'a\r\r\n.\r\r\n',
  ])
    assert.equal(whole(text).rest, undefined, JSON.stringify(text));
  assert.equal(whole('a\n..b\r\n.\r\n').content, 'a\n..b\r\n');
  assert.equal(whole('a\r..b\r\n.\r\n').content, 'a\r..b\r\n');
});

test('it reads as the RFC does', () => {
  fc.assert(
    fc.property(octets, (text) => {
      const expected = reference(`${text}\r\n.\r\nREST`);
      assert.deepEqual(whole(`${text}\r\n.\r\nREST`), expected);
    }),
    { numRuns: 2_000 },
  );
});

test('how the octets are cut changes nothing', () => {
  fc.assert(
    fc.property(octets, fc.array(fc.nat(40), { maxLength: 60 }), (text, cuts) => {
      const data = Buffer.from(`${text}\r\n.\r\nREST\r\n.\r\n`, 'latin1');
      const pieces: Buffer[] = [];
      let at = 0;
      for (const length of cuts) {
        pieces.push(data.subarray(at, at + length));
        at += length;
      }
      pieces.push(data.subarray(at));
      assert.deepEqual(parse(pieces), whole(data.toString('latin1')));
    }),
    { numRuns: 2_000 },
  );
});

test('a large message with rare and dense dot lines reads as the RFC does', () => {
  let text = '';
  for (let i = 0; i < 400; i += 1)
    text += `${'x'.repeat((i * 37) % 300)}\r\n${'.'.repeat(i % 4)}${i % 7 === 0 ? '\n.' : ''}\r\n`;
  text = text.replaceAll('\r\n.\r\n', '\r\n..\r\n');
  assert.deepEqual(whole(`${text}.\r\nREST`), reference(`${text}.\r\nREST`));
});

test('a chunk without dot lines, or with none but the end, is passed on uncopied', () => {
  const parser = new DataParser();
  const chunk = Buffer.from('Subject: x\r\n\r\ntext. more.\r\n');
  assert.equal(parser.feed(chunk).content, chunk);
  assert.equal(parser.feed(chunk).content, chunk);
  const last = Buffer.concat([chunk, Buffer.from('.\r\nQUIT\r\n')]);
  const { content, rest } = parser.feed(last);
  assert.deepEqual([content.toString(), rest?.toString()], [chunk.toString(), 'QUIT\r\n']);
  assert.equal(content.buffer, last.buffer);
  assert.equal(content.byteOffset, last.byteOffset);
});

test('nothing may be fed behind the end', () => {
  const parser = new DataParser();
  parser.feed(Buffer.from('.\r\n'));
  assert.throws(() => parser.feed(Buffer.from('x')), TypeError);
});
