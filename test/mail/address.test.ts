import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addressKey,
  displayDomain,
  domainOf,
  localpartOf,
  needsSmtpUtf8,
  parseAddress,
  parseDomain,
  parseForwardPath,
  parseReversePath,
} from '../../src/mail/address.ts';

for (const [text, expected] of [
  ['Example.COM', 'example.com'],
  ['example.com.', 'example.com'],
  ['日本語.example', 'xn--wgv71a119e.example'],
  ['日本語。example', 'xn--wgv71a119e.example'],
  ['XN--WGV71A119E.example', 'xn--wgv71a119e.example'],
  ['_dmarc.example', '_dmarc.example'],
  ['[192.0.2.1]', '[192.0.2.1]'],
  ['[IPv6:2001:db8::1]', '[ipv6:2001:db8::1]'],
  ['localhost', 'localhost'],
  ['', undefined],
  ['.', undefined],
  ['a..b', undefined],
  ['.a', undefined],
  ['-a.example', undefined],
  ['a-.example', undefined],
  ['a b', undefined],
  ['a/b', undefined],
  ['a:25', undefined],
  ['a@b', undefined],
  ['[192.0.2.1', undefined],
  ['[not an address]', undefined],
  ['a%2eb', undefined],
  ['a\r\nb', undefined],
  ['a\0b', undefined],
  [`${'a'.repeat(64)}.example`, undefined],
  [`${'a.'.repeat(126)}bb`, undefined],
] as const) {
  test(`the domain ${JSON.stringify(text.slice(0, 40))} is ${expected ?? 'none'}`, () => {
    assert.equal(parseDomain(text), expected);
  });
}

for (const [text, localpart, domain] of [
  ['taro@office.example', 'taro', 'office.example'],
  ['Taro.Yamada+tag@Office.Example', 'Taro.Yamada+tag', 'office.example'],
  ['a..b@docomo.example', 'a..b', 'docomo.example'],
  ['.abc.@au.example', '.abc.', 'au.example'],
  ['"a b"@office.example', '"a b"', 'office.example'],
  ['"a@b"@office.example', '"a@b"', 'office.example'],
  ['"a\\"b"@office.example', '"a\\"b"', 'office.example'],
  ['太郎@日本語.example', '太郎', 'xn--wgv71a119e.example'],
] as const) {
  test(`the address ${text} is taken apart`, () => {
    assert.deepEqual(parseAddress(text), { localpart, domain });
  });
}

for (const text of [
  '',
  'taro',
  '@office.example',
  'taro@',
  'a@b@office.example',
  'a b@office.example',
  'a<b@office.example',
  '"a@office.example',
  'a"b"@office.example',
  'a\r\nb@office.example',
  'a\0b@office.example',
  '"a\0b"@office.example',
  'a,b@office.example',
  'a:b@office.example',
  `${'x'.repeat(257)}@office.example`,
]) {
  test(`${JSON.stringify(text.slice(0, 40))} is no address`, () => {
    assert.equal(parseAddress(text), undefined);
    assert.equal(parseForwardPath(text), undefined);
    if (text !== '') assert.equal(parseReversePath(text), undefined);
  });
}

test('the null reverse-path is an address of nobody, bare postmaster one of somebody', () => {
  assert.equal(parseReversePath(''), '');
  assert.equal(parseForwardPath('Postmaster'), 'postmaster');
  assert.equal(parseForwardPath('hostmaster'), undefined);
});

test('parts of a parsed path, its key and its need of SMTPUTF8', () => {
  const path = parseForwardPath('Taro@Office.Example');
  assert.ok(path);
  assert.equal(domainOf(path), 'office.example');
  assert.equal(localpartOf(path), 'Taro');
  assert.equal(addressKey(path), 'taro@office.example');
  assert.equal(needsSmtpUtf8(path), false);
  const japanese = parseForwardPath('太郎@日本語.example');
  const domainOnly = parseForwardPath('taro@日本語.example');
  assert.ok(japanese && domainOnly);
  assert.equal(needsSmtpUtf8(japanese), true);
  assert.equal(needsSmtpUtf8(domainOnly), false);
  const domain = domainOf(japanese);
  assert.equal(domain && displayDomain(domain), '日本語.example');
});

test('what is parsed can be parsed again to the same, and holds nothing that breaks a line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.domain(), (localpart, domain) => {
      for (const text of [`${localpart}@${domain}`, `"${localpart}"@${domain}`, localpart]) {
        const path = parseForwardPath(text);
        if (path === undefined) continue;
        assert.equal(parseForwardPath(path), path);
        assert.doesNotMatch(path, /[\u0000-\u001f\u007f]/);
      }
    }),
    { numRuns: 3_000 },
  );
});
