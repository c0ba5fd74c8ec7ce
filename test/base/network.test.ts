import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inNetworks, isLoopback, neighbourhoodOf, normaliseAddress } from '../../src/base/network.ts';

test('an address has one spelling', () => {
  assert.equal(normaliseAddress('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(normaliseAddress('::FFFF:C000:0201'), '192.0.2.1');
  assert.equal(normaliseAddress('2001:0DB8:0:0::1'), '2001:db8::1');
  assert.equal(normaliseAddress('fe80::1%eth0'), 'fe80::1');
  for (const none of ['', 'x', '192.0.2', '192.0.2.256', '3221225985', '0xc0000201', '[::1]', 'localhost'])
    assert.equal(normaliseAddress(none), undefined, none);
});

test('networks hold what they name, mapped or not', () => {
  const networks = ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7'];
  for (const inside of ['192.0.2.0', '192.0.2.255', '::ffff:192.0.2.9', '2001:db8:ffff::1', '198.51.100.7'])
    assert.equal(inNetworks(inside, networks), true, inside);
  for (const outside of ['192.0.3.0', '2001:db9::1', '198.51.100.8', '::1', '', 'nonsense'])
    assert.equal(inNetworks(outside, networks), false, outside);
  assert.equal(inNetworks('192.0.2.130', ['192.0.2.128/25']), true);
  assert.equal(inNetworks('192.0.2.127', ['192.0.2.128/25']), false);
  assert.equal(inNetworks('192.0.2.1', ['0.0.0.0/0']), true);
  assert.equal(inNetworks('::1', ['0.0.0.0/0']), false);
  assert.equal(inNetworks('192.0.2.1', ['::ffff:192.0.2.0/120']), true);
});

test('what is no network holds nobody', () => {
  for (const bad of ['', '192.0.2.0/33', '192.0.2.0/x', '192.0.2.0/24/24', 'example.com', '2001:db8::/129'])
    assert.equal(inNetworks('192.0.2.0', [bad]), false, bad);
});

test('neighbourhoods are /24 and /64', () => {
  assert.equal(neighbourhoodOf('192.0.2.77'), '192.0.2.0/24');
  assert.equal(neighbourhoodOf('::ffff:192.0.2.77'), '192.0.2.0/24');
  assert.equal(neighbourhoodOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
});

test('loopback is told from the rest', () => {
  assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1', '192.0.2.1'].map(isLoopback), [true, true, true, false]);
});
