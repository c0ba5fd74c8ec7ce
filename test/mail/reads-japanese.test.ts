import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readsJapanese } from '../../src/mail/reads-japanese.ts';

for (const [header, expected] of [
  ['Accept-Language: ja-JP, en-US', true],
  ['Accept-Language: en-US,ja;q=0.5', true],
  ['content-language: JA', true],
  ['Subject: =?ISO-2022-JP?B?GyRCJCo4K0BRGyhC?=', true],
  ['Subject: =?utf-8?Q?Re:_=E3=81=8A=E8=A6=8B=E7=A9=8D?=', true],
  ['Subject: お見積', true],
  ['From: =?utf-8?B?44K/44Ot44Km?= <taro@office.example>', true],
  // kanji alone may be Chinese
  ['Subject: =?utf-8?B?5aCx5ZGK?=', false],
  ['Content-Language: en-US', false],
  ['Accept-Language: jam, nja', false],
  ['X-Note: お見積', false],
  ['', false],
] as const)
  test(`"${header}" ${expected ? 'shows' : 'does not show'} that its sender reads Japanese`, () => {
    assert.equal(readsJapanese(Buffer.from(`${header}\r\nTo: a@far.example\r\n`)), expected);
  });

test('whatever a stranger writes there is read without an exception, and quickly', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      readsJapanese(Buffer.concat([Buffer.from('Subject: '), octets]));
    }),
  );
  const long = Buffer.from(`Accept-Language: ${'ja'.repeat(50_000)}\r\nSubject: ${'=?utf-8?Q?'.repeat(50_000)}\r\n`);
  assert.equal(readsJapanese(long), false);
});
