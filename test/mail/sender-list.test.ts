import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesAddress, parseListMatch } from '../../src/mail/sender-list.ts';

test('an entry has one spelling, whatever was typed, and what names nobody or everybody is none', () => {
  const spelled: Array<[typed: string, entry: string | undefined]> = [
    [' Info@Shop.Example ', 'info@shop.example'],
    ['shop.example', '@shop.example'],
    ['@Shop.Example', '@shop.example'],
    ['@会社.example', '@xn--6oq404h.example'],
    ['192.0.2.0/24', '192.0.2.0/24'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['0.0.0.0/0', undefined],
    ['::/0', undefined],
    ['999.1.1.1', undefined],
    ['com', undefined],
    ['@', undefined],
    ['', undefined],
    ['[192.0.2.1]', undefined],
    ['two words', undefined],
  ];
  for (const [typed, entry] of spelled) assert.equal(parseListMatch(typed), entry, typed);
});

test('an address is met by itself, a domain by all below it, and neither by what only ends alike', () => {
  assert.ok(matchesAddress('info@shop.example', 'INFO@shop.example'));
  assert.ok(!matchesAddress('info@shop.example', 'myinfo@shop.example'));
  assert.ok(matchesAddress('@shop.example', 'a@shop.example'));
  assert.ok(matchesAddress('@shop.example', 'a@news.shop.example'));
  assert.ok(!matchesAddress('@shop.example', 'a@myshop.example'));
  assert.ok(!matchesAddress('@shop.example', '"@shop.example"@evil.example'));
  assert.ok(!matchesAddress('192.0.2.0/24', 'a@192.0.2.0/24'));
});
