import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { analyseFrom } from '../../src/inspect/from.ts';
import { parseHeader } from '../../src/mail/header.ts';

function analyse(...values: string[]): ReturnType<typeof analyseFrom> {
  const header = values.map((value) => `From: ${value}\r\n`).join('');
  return analyseFrom(parseHeader(Buffer.from(`${header}To: x@office.example\r\n\r\n`)));
}

const good: Array<[value: string, ...domains: string[]]> = [
  ['taro@example.com', 'example.com'],
  ['Taro <taro@example.com>', 'example.com'],
  ['"Yamada, Taro" <taro@example.com>', 'example.com'],
  ['"taro@evil.example" <taro@example.com>', 'example.com'],
  ['=?UTF-8?B?5bGx55Sw?= <taro@example.com>', 'example.com'],
  ['山田 <taro@例え.jp>', 'xn--r8jz45g.jp'],
  ['taro@EXAMPLE.com (a comment (nested))', 'example.com'],
  ['"a b"@example.com', 'example.com'],
  ['a..b.@docomo.example', 'docomo.example'],
  ['info@shop.example <Info@shop.example>', 'shop.example'],
  ['A <a@one.example>, B <b@two.example>', 'one.example', 'two.example'],
  ['Friends: a@one.example, b@one.example;', 'one.example'],
  ['Taro\r\n <taro@example.com>', 'example.com'],
];
for (const [value, ...domains] of good) {
  test(`analyseFrom() reads ${JSON.stringify(value)}`, () => {
    const finding = analyse(value);
    assert.deepEqual([finding.count, finding.malformed, finding.domains], [1, false, domains]);
  });
}

const odd: string[] = [
  '',
  'Taro',
  'Taro <>',
  '<taro>',
  'taro@',
  '@example.com',
  'Taro <taro@example.com',
  'taro@example.com>',
  'a@one.example <b@two.example>',
  '<a@one.example> <b@two.example>',
  '<a@one.example> b@two.example',
  'taro@exa mple.com',
  '=?utf-8?b?YUBvbmUuZXhhbXBsZQ==?=@evil.example',
  '=?utf-8?Q?a=40one.example=00?= <x@evil.example>',
  '"Taro <taro@example.com>',
  'Taro (<taro@example.com>',
  'taro\u0000@example.com',
  'taro@example.com\u0000',
];
for (const value of odd) {
  test(`analyseFrom() finds ${JSON.stringify(value)} malformed`, () => {
    assert.equal(analyse(value).malformed, true);
  });
}

test('analyseFrom() counts fields, and tells when there is none', () => {
  assert.deepEqual(analyse('a@one.example', 'b@two.example').count, 2);
  assert.deepEqual(analyse('a@one.example', 'b@two.example').domains, ['one.example', 'two.example']);
  assert.deepEqual(analyse(), { kind: 'from', count: 0, domains: [], malformed: false, text: '' });
});

test('analyseFrom() shows the field decoded, without what turns text round', () => {
  assert.equal(analyse('=?UTF-8?Q?=E2=80=AEgnp?= <a@example.com>').text, 'gnp <a@example.com>');
});

test('analyseFrom() never throws, and is quick on a long field', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'a@<>",;:() =?.\\\t\u00e9'.split('')), maxLength: 60 }),
      (text) => {
        analyse(text);
      },
    ),
    { numRuns: 500 },
  );
  const begin = performance.now();
  analyse('(<"'.repeat(60_000));
  analyse('a@b.example,'.repeat(20_000));
  analyse('=?'.repeat(80_000));
  assert.ok(performance.now() - begin < 15_000);
});
