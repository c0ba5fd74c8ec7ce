import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineEndings, type LineEndingMode } from '../../src/mail/line-endings.ts';

function run(
  mode: LineEndingMode,
  pieces: readonly Buffer[],
): { out: string; problem: string | undefined; mended: number } {
  const lines = new LineEndings(mode);
  const out: Buffer[] = pieces.map((piece) => Buffer.from(lines.feed(piece)));
  out.push(lines.end());
  const all = Buffer.concat(out);
  assert.equal(lines.octets, all.length);
  return { out: all.toString('latin1'), problem: lines.problem, mended: lines.mended };
}

function whole(mode: LineEndingMode, text: string): { out: string; problem: string | undefined; mended: number } {
  return run(mode, [Buffer.from(text, 'latin1')]);
}

const octets = fc
  .array(fc.constantFrom('\r', '\n', '\r\n', 'a', ' ', '\t', '\xff', '\x0b', '\x0c'), { maxLength: 40 })
  .map((parts) => parts.join(''));

test('clean text is not touched, and not copied', () => {
  const chunk = Buffer.from('A: b\r\n\r\ntext\x0b\x0c\t\xff\r\n', 'latin1');
  const lines = new LineEndings('reject');
  assert.equal(lines.feed(chunk), chunk);
  assert.equal(lines.end().length, 0);
  assert.equal(lines.problem, undefined);
});

for (const [text, reject, mend] of [
  ['a\nb\r\n', 'bare-lf', undefined],
  ['\n', 'bare-lf', undefined],
  ['a\r\n\nb\r\n', 'bare-lf', undefined],
  ['a\rb\r\n', 'bare-cr', 'bare-cr'],
  ['a\r', 'bare-cr', 'bare-cr'],
  ['a\r\r\n', 'bare-cr', 'bare-cr'],
  ['\r\r\r\n', 'bare-cr', 'bare-cr'],
  ['a\0b\r\n', 'nul', 'nul'],
  ['a\r\0\r\n', 'bare-cr', 'bare-cr'],
  ['a\r\nb', undefined, undefined],
  ['', undefined, undefined],
] as const) {
  test(`${JSON.stringify(text)}: ${reject ?? 'fine'} when rejecting, ${mend ?? 'fine'} when mending`, () => {
    assert.equal(whole('reject', text).problem, reject);
    assert.equal(whole('mend', text).problem, mend);
    const singles = [...Buffer.from(text, 'latin1')].map((octet) => Buffer.from([octet]));
    assert.equal(run('reject', singles).problem, reject);
    assert.equal(run('mend', singles).problem, mend);
  });
}

test('mending makes CRLF of LF and leaves CRLF alone', () => {
  assert.deepEqual(whole('mend', 'a\nb\r\n\n\nc'), { out: 'a\r\nb\r\n\r\n\r\nc\r\n', problem: undefined, mended: 3 });
});

test('a message of no octets stays empty, any other ends with CRLF', () => {
  assert.equal(whole('reject', '').out, '');
  assert.equal(whole('reject', 'x').out, 'x\r\n');
  assert.equal(whole('reject', 'x\r\n').out, 'x\r\n');
});

test('how the octets are cut changes nothing', () => {
  fc.assert(
    fc.property(
      octets,
      fc.array(fc.nat(4), { maxLength: 50 }),
      fc.constantFrom<LineEndingMode>('reject', 'mend'),
      (text, cuts, mode) => {
        const data = Buffer.from(text, 'latin1');
        const pieces: Buffer[] = [];
        let at = 0;
        for (const length of cuts) {
          pieces.push(data.subarray(at, at + length));
          at += length;
        }
        pieces.push(data.subarray(at));
        assert.deepEqual(run(mode, pieces), whole(mode, text));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('what comes out of mending without a problem has CRLF only, and its own text again comes out unchanged', () => {
  fc.assert(
    fc.property(octets, (text) => {
      const { out, problem } = whole('mend', text);
      fc.pre(problem === undefined);
      assert.equal(out.replaceAll('\r\n', '').search(/[\r\n]/), -1);
      assert.deepEqual(whole('reject', out), { out, problem: undefined, mended: 0 });
    }),
    { numRuns: 2_000 },
  );
});

/** Printable stretches long enough for whole words of memory, and everything that ends or spoils them. */
const stretches = fc
  .array(
    fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '\x0e', '\x7f', '\x80', '\xff'), maxLength: 24 }),
      fc.constantFrom('\r\n', '\r\n', '\r\n', '\r', '\n', '\0', '\t', '\x0c'),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

test('what is found is what a search over the whole text finds, wherever the octets lie in memory', () => {
  const kinds = { '\r': 'bare-cr', '\n': 'bare-lf', '\0': 'nul' } as Record<string, string>;
  fc.assert(
    fc.property(stretches, fc.nat(7), (text, offset) => {
      const data = Buffer.alloc(offset + text.length).subarray(offset);
      data.write(text, 'latin1');
      const rejected = /\r(?!\n)|(?<!\r)\n|\0/.exec(text)?.[0] ?? '';
      assert.equal(run('reject', [data]).problem, kinds[rejected]);
      const unmendable = /\r(?!\n)|\0/.exec(text)?.[0] ?? '';
      const { out, problem } = run('mend', [data]);
      assert.equal(problem, kinds[unmendable]);
      if (problem !== undefined || text === '') return;
      const mended = text.replaceAll(/(?<!\r)\n/g, '\r\n');
      assert.equal(out, mended.endsWith('\n') ? mended : `${mended}\r\n`);
    }),
    { numRuns: 5_000 },
  );
});
