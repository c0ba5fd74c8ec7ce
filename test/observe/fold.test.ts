import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { foldText, matchExpression, pairTokens } from '../../src/observe/fold.ts';

function finder(texts: readonly string[]): (typed: string) => number[] {
  const database = new DatabaseSync(':memory:');
  database.exec(
    "CREATE VIRTUAL TABLE words USING fts5 (subject, content = '', contentless_delete = 1, tokenize = 'ascii')",
  );
  const insert = database.prepare('INSERT INTO words (rowid, subject) VALUES (?, ?)');
  for (const [at, text] of texts.entries()) insert.run(at, pairTokens(foldText(text)));
  const match = database.prepare('SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid');
  return (typed) => {
    const expression = matchExpression(typed);
    if (expression === undefined) return texts.map((_, at) => at);
    return match.all(expression).map((row) => Number(row['rowid']));
  };
}

describe('foldText()', () => {
  for (const [left, right] of [
    ['ｶｲｷﾞ', 'カイギ'],
    ['カイギ', 'かいぎ'],
    ['か\u3099', 'が'],
    ['カ゛', 'ガ'],
    ['ｶﾞ', 'が'],
    ['ハ゜ン', 'パン'],
    ['ヴァイオリン', 'ゔぁいおりん'],
    ['ＩＮＶＯＩＣＥ', 'invoice'],
    ['InVoice', 'iNvOICE'],
    ['①㈱㎏', '1(株)kg'],
    ['髙橋﨑', '高橋崎'],
    ['in\u200bvo\u202eice', 'invoice'],
    ['か\u200b\u3099', 'が'],
    ['a　b\t\r\nc', 'a b c'],
    ['一〜二', '一～二'],
    ['℡', 'TEL'],
    ['Οδός', 'ΟΔΌΣ'],
  ] as const)
    it(`takes "${left}" and "${right}" for one`, () => assert.equal(foldText(left), foldText(right)));

  for (const [left, right] of [
    ['か', 'が'],
    ['ビール', 'ビル'],
    ['会議', '会儀'],
    ['つ', 'っ'],
  ] as const)
    it(`keeps "${left}" and "${right}" apart`, () => assert.notEqual(foldText(left), foldText(right)));

  it('changes nothing more when done twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        assert.equal(foldText(foldText(text)), foldText(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('survives lone surrogates', () => {
    assert.doesNotThrow(() => pairTokens(foldText('\ud800x\udfff')));
    assert.doesNotThrow(() => matchExpression('\ud800\udfff\ud842'));
  });
});

describe('the pair index', () => {
  const find = finder([
    '忘年会のお知らせ',
    'ｶｲｷﾞ室の予約',
    '会議資料',
    'Your invoice 2026-11',
    'RE: 🍣🍺 party',
    '100% "quoted" AND (x) * ^ -',
    '𠮷野家の請求書',
  ]);
  for (const [typed, hits] of [
    ['年会', [0]],
    ['会議', [2]],
    ['カイギ', [1]],
    ['かいぎ', [1]],
    ['ｶｲｷﾞ', [1]],
    ['会', [0, 2]],
    ['voi', [3]],
    ['VOICE 2026', [3]],
    ['invoice 会議', []],
    ['🍣🍺', [4]],
    ['🍺', [4]],
    ['"quoted"', [5]],
    ['and (x)', [5]],
    ['0%', [5]],
    ['吉野', [6]],
    ['せ', [0]],
    ['年 忘', [0]],
    ['年忘', []],
  ] as const)
    it(`finds "${typed}" in ${JSON.stringify(hits)}`, () => assert.deepEqual(find(typed), hits));

  it('has nothing to look for in spaces', () => assert.equal(matchExpression(' \u3000\u200b'), undefined));

  it('finds every run of two or more characters of a subject', () => {
    const unit = fc.oneof(
      fc.constantFrom(
        '会',
        '議',
        '忘',
        '年',
        'カ',
        'ｶﾞ',
        'ﾊﾟ',
        'が',
        'か\u3099',
        'ー',
        '㈱',
        '𠮷',
        '🍣',
        '①',
        'Ａ',
        'é',
        'e\u0301',
        'ß',
        'İ',
      ),
      fc.constantFrom('a', 'B', '"', "'", '*', '^', '-', ':', '(', ')', ' ', '\u3000', '%', '\\', '0', 'AND', 'NEAR'),
    );
    fc.assert(
      fc.property(
        fc.array(unit, { minLength: 2, maxLength: 30 }),
        fc.nat(1_000),
        fc.integer({ min: 2, max: 30 }),
        (units, from, length) => {
          const start = from % (units.length - 1);
          // A piece that begins with a mark of the letter before it is no piece a person could type
          const piece = units.slice(start, start + length).join('');
          assert.deepEqual(finder([units.join(''), '無関係'])(piece).includes(0), true);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('finds any cut of any text that leaves its composed letters whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 2, maxLength: 20 }), fc.nat(100), (text, at) => {
        const characters = Array.from(text);
        const start = at % Math.max(1, characters.length - 1);
        const [before, piece] = [characters.slice(0, start).join(''), characters.slice(start).join('')];
        fc.pre(foldText(`${before}${piece}`).endsWith(foldText(piece)));
        assert.ok(finder([text])(piece).includes(0));
      }),
      { numRuns: 400 },
    );
  });
});
