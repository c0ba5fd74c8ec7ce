import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJson } from '../../src/config/json.ts';

const WRONG: ReadonlyArray<{ what: string; text: string; line: number; column: number; en: RegExp; ja: RegExp }> = [
  { what: 'an empty file', text: ' \n', line: 2, column: 1, en: /empty/, ja: /空/ },
  { what: 'a comment', text: '{\n  "a": 1 // x\n}', line: 2, column: 10, en: /no comments/, ja: /コメント/ },
  {
    what: 'a comma too many',
    text: '{\n  "a": [1, 2,\n]}',
    line: 2,
    column: 13,
    en: /comma stands before/,
    ja: /余分なカンマ/,
  },
  { what: 'a missing comma', text: '{"a": 1\n"b": 2}', line: 2, column: 1, en: /comma or a closing/, ja: /カンマ/ },
  { what: 'single quotes', text: "{'a': 1}", line: 1, column: 2, en: /single quotes/, ja: /一重引用符/ },
  { what: 'typographic quotes', text: '{“a”: 1}', line: 1, column: 2, en: /typographic/, ja: /半角/ },
  { what: 'a bare key', text: '{a: 1}', line: 1, column: 2, en: /key in double quotes/, ja: /キー/ },
  { what: 'a bare word', text: '{"a": yes}', line: 1, column: 7, en: /Found "y" where a value/, ja: /値があるべき/ },
  { what: 'a text over two lines', text: '{"a": "x\ny"}', line: 1, column: 7, en: /not closed/, ja: /閉じて/ },
  { what: 'a wrong backslash', text: '{"a": "C:\\data"}', line: 1, column: 7, en: /backslash/, ja: /バックスラッシュ/ },
  { what: 'an open bracket', text: '{"a": [1, 2', line: 1, column: 12, en: /ends in the middle/, ja: /途中で/ },
  { what: 'something behind the end', text: '{} {}', line: 1, column: 4, en: /end of the file/, ja: /終わり/ },
  {
    what: 'a number with a leading zero',
    text: '{"a": 025}',
    line: 1,
    column: 8,
    en: /comma or a closing/,
    ja: /カンマ/,
  },
  {
    what: 'a key given twice',
    text: '{"a": 1,\n "a": 2}',
    line: 2,
    column: 2,
    en: /"a" stands here a second time/,
    ja: /重複/,
  },
];

for (const { what, text, line, column, en, ja } of WRONG)
  test(`parseJson() tells line, column and cause of ${what}`, () => {
    const result = parseJson(text);
    assert.equal(result.ok, false);
    assert.deepEqual([result.problem.line, result.problem.column], [line, column]);
    assert.match(result.problem.message.en, en);
    assert.match(result.problem.message.ja, ja);
    assert.notEqual(result.problem.remedy.ja, '');
  });

test('parseJson() skips a byte order mark and CRLF line ends', () => {
  assert.deepEqual(parseJson('\ufeff{\r\n"a": 1\r\n}'), { ok: true, value: { a: 1 } });
});

test('parseJson() refuses nesting that would exhaust the stack', () => {
  const result = parseJson('['.repeat(100_000));
  assert.equal(result.ok, false);
  assert.match(result.problem.message.en, /deeper than 64/);
});

test('parseJson() takes what JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)])
        assert.deepEqual(parseJson(text), { ok: true, value: JSON.parse(text) });
    }),
    { numRuns: 300 },
  );
});

test('parseJson() never takes what JSON.parse refuses, and never throws', () => {
  const soup = fc.array(fc.constantFrom(...'{}[]:,"\\ \n019-.eEtruefalsn/\'\u0000'.split(''), '"a"', 'null', '1e5'), {
    maxLength: 24,
  });
  fc.assert(
    fc.property(soup, (parts) => {
      const text = parts.join('');
      const result = parseJson(text);
      let native = true;
      try {
        JSON.parse(text);
      } catch {
        native = false;
      }
      if (result.ok) assert.equal(native, true, text);
      else if (native) assert.match(result.problem.message.en, /second time/, text);
    }),
    { numRuns: 3_000 },
  );
});
