import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeCharset,
  decodeWords,
  displayText,
  guessCharset,
  parseStructured,
  stripComments,
} from '../../src/mail/words.ts';

/** Octets as one character each, the way HeaderField.raw has them. */
const raw = (hex: string): string => Buffer.from(hex.replaceAll(' ', ''), 'hex').toString('latin1');
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const b64 = (hex: string): string => Buffer.from(hex.replaceAll(' ', ''), 'hex').toString('base64');

const words: Array<[sentence: string, value: string, expected: string]> = [
  ['plain text', 'Hello  world', 'Hello  world'],
  ['UTF-8 in B', '=?UTF-8?B?5Lya6K2w?=', '会議'],
  ['UTF-8 in Q, with underscores', '=?utf-8?q?=E4=BC=9A_=E8=AD=B0?=', '会 議'],
  ['ISO-2022-JP', `=?ISO-2022-JP?B?${b64('1b2442 3271 3544 1b2842')}?=`, '会議'],
  ['ISO-2022-JP with NEC row 13', `=?iso-2022-jp?B?${b64('1b2442 2d21 1b2842')}?=`, '①'],
  ['half-width kana in ISO-2022-JP', `=?iso-2022-jp?B?${b64('1b2849 31 32 33 1b2842')}?=`, 'ｱｲｳ'],
  ['Shift_JIS and its Windows name', `=?Shift_JIS?B?${b64('89ef 8b63')}?= =?CP932?B?${b64('8740')}?=`, '会議①'],
  ['EUC-JP', `=?EUC-JP?B?${b64('b2f1 b5c4')}?=`, '会議'],
  ['a character split between two words', `=?UTF-8?B?${b64('e4bc')}?=\r\n =?UTF-8?B?${b64('9ae8adb0')}?=`, '会議'],
  [
    'ISO-2022-JP split without escapes in the second word',
    `=?ISO-2022-JP?B?${b64('1b2442 3271')}?= =?ISO-2022-JP?B?${b64('3544 1b2842')}?=`,
    '会議',
  ],
  ['white space between encoded words is dropped, beside them kept', 'a =?utf-8?q?b?= =?utf-8?q?c?= d', 'a bc d'],
  ['words of different charsets side by side', `=?UTF-8?Q?a?= =?ISO-8859-1?Q?=E9?=`, 'aé'],
  ['a language tag', '=?utf-8*ja?B?5Lya6K2w?=', '会議'],
  ['raw UTF-8', utf8('件名: 会議'), '件名: 会議'],
  ['raw ISO-2022-JP', `Re: ${raw('1b2442 3271 3544 1b2842')}`, 'Re: 会議'],
  ['raw Shift_JIS', raw('89ef 8b63'), '会議'],
  ['raw EUC-JP', raw('b2f1 b5c4 a4ce'), '会議の'],
  ['Shift_JIS that says ISO-2022-JP', `=?ISO-2022-JP?B?${b64('89ef 8b63')}?=`, '会議'],
  ['a charset only libmime knows', '=?UTF-7?Q?+TxqLcA-?=', '会議'],
  ['a charset nobody knows', '=?x-unheard-of?Q?abc?=', 'abc'],
  ['a broken encoded word stays as it is', '=?utf-8?B?abc', '=?utf-8?B?abc'],
];
for (const [sentence, value, expected] of words) {
  test(`decodeWords() reads ${sentence}`, () => assert.equal(decodeWords(value), expected));
}

test('decodeWords() never throws and is quick on hostile input', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'=?bBqQ utf-8_\u001b$B\u0082\u00ff()'.split('')), maxLength: 80 }),
      (text) => void decodeWords(text),
    ),
    {
      numRuns: 500,
    },
  );
  const begin = performance.now();
  for (const text of [
    '=?'.repeat(100_000),
    '=?utf-8?q?'.repeat(20_000),
    '=?a?b?c?='.repeat(20_000),
    '\u001b$'.repeat(60_000),
  ])
    decodeWords(text);
  assert.ok(performance.now() - begin < 20_000);
});

const structured: Array<[sentence: string, value: string, name: string, expected: string | undefined]> = [
  ['a quoted parameter', 'attachment; filename="a;b.txt"', 'filename', 'a;b.txt'],
  ['a bare one', 'attachment; FileName=a.txt ; x=1', 'filename', 'a.txt'],
  ['an escaped quote', 'attachment; filename="a\\"b.txt"', 'filename', 'a"b.txt'],
  ['RFC 2231', "attachment; filename*=iso-2022-jp'ja'%1B%24B2q5D%1B%28B.pdf", 'filename', '会議.pdf'],
  ['RFC 2231 continued, in any order', "a; filename*1*=%9A.pdf; filename*0*=utf-8''%E4%BC", 'filename', '会.pdf'],
  ['RFC 2231 pieces without a charset', 'a; filename*0="long "; filename*1="name.txt"', 'filename', 'long name.txt'],
  ['RFC 2231 before the plain form', "a; filename=x.txt; filename*=utf-8''y.txt", 'filename', 'y.txt'],
  ['the first of two', 'a; filename=x.txt; filename=y.txt', 'filename', 'x.txt'],
  ['encoded words where they should not be', 'a; filename="=?utf-8?B?5Lya6K2w?=.pdf"', 'filename', '会議.pdf'],
  ['a path with backslashes', 'a; filename="C:\\temp\\a.exe"', 'filename', 'C:\\temp\\a.exe'],
  ['a missing end quote', 'a; filename="a.exe', 'filename', 'a.exe'],
  ['nothing', 'attachment', 'filename', undefined],
];
for (const [sentence, value, name, expected] of structured) {
  test(`parseStructured() reads ${sentence}`, () => {
    assert.equal(parseStructured(value).parameters.get(name), expected);
  });
}

test('parseStructured() gives the value in lower case, without comments', () => {
  assert.equal(parseStructured(' Text/HTML (really) ; charset=utf-8').value, 'text/html');
});

test('parseStructured() is quick on a thousand parameters and hostile quotes', () => {
  const begin = performance.now();
  for (const text of [
    '; a="'.repeat(40_000),
    `a; ${'x*0*=a;'.repeat(30_000)}`,
    '"'.repeat(200_000),
    '\\'.repeat(200_000),
  ])
    parseStructured(text);
  assert.ok(performance.now() - begin < 20_000);
});

for (const [charset, hex, expected] of [
  ['x-nobody-knows', Buffer.from('会議').toString('hex'), '会議'],
  ['x-nobody-knows', '89ef8b63', '会議'], // Shift_JIS
  ['x-nobody-knows', 'b2f1b5c4', '会議'], // EUC-JP
  ['x-nobody-knows', '1b2442327135441b2842', '会議'], // ISO-2022-JP
  ['x-nobody-knows', '80ff', '\u0080\u00ff'],
  ['no charset at all', 'e4bc9a', '会'],
  ['utf-7', Buffer.from('+TxqLcA-').toString('hex'), '会議'],
  ['cp437', '81', 'ü'],
  ['utf-8', '89ef8b63', '会議'], // a lying name
] as const) {
  test(`decodeCharset() reads ${hex} labelled "${charset}" by ${charset === 'cp437' || charset === 'utf-7' ? 'its name' : 'its octets'}`, () => {
    assert.equal(decodeCharset(Buffer.from(hex, 'hex'), charset), expected);
  });
}

test('guessCharset() takes what fits nothing as latin1', () => {
  assert.equal(guessCharset(Buffer.from([0x80, 0xff, 0x00])), '\u0080\u00ff\u0000');
});

test('stripComments() honours nesting, quotes and escapes', () => {
  assert.equal(stripComments('a (b (c) \\) d) e "(f)"'), 'a  e "(f)"');
});

test('displayText() removes what hides or turns text round, and cuts without breaking a character', () => {
  assert.equal(displayText('a\u0000b\u202ec\u200bd\r\n e\u2066f'), 'abcd  ef');
  assert.equal(displayText('x'.repeat(20), 10), `${'x'.repeat(9)}…`);
  assert.ok(displayText('😀'.repeat(20), 10).isWellFormed());
});
