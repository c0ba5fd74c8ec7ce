/** The small pure parts: counting sessions, judging a rate, who may be sent to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionGuard } from '../../src/accept/connection-guard.ts';
import { RateWatch } from '../../src/accept/rate-watch.ts';
import { judgeRecipient } from '../../src/accept/relay.ts';
import { configSchema } from '../../src/config/schema.ts';

test('the guard counts by address and by neighbourhood, and forgets who left', () => {
  const guard = new ConnectionGuard();
  const limits = { total: 10, perAddress: 2, perNetwork: 3 };
  assert.equal(guard.enter('a', '192.0.2.1', limits), undefined);
  assert.equal(guard.enter('b', '192.0.2.1', limits), undefined);
  assert.equal(guard.enter('c', '192.0.2.1', limits)?.enhanced, '4.7.0');
  assert.equal(guard.enter('d', '192.0.2.2', limits), undefined);
  assert.equal(guard.enter('e', '192.0.2.3', limits)?.enhanced, '4.7.0');
  assert.equal(guard.enter('f', '192.0.3.3', limits), undefined);
  guard.leave('a');
  guard.leave('a');
  guard.leave('never came');
  assert.equal(guard.enter('g', '192.0.2.1', limits), undefined);
  assert.equal(guard.enter('h', '192.0.2.1', limits)?.enhanced, '4.7.0');
  assert.equal(guard.size, 4);
});

test('the guard takes a /64 of IPv6 as one neighbourhood', () => {
  const guard = new ConnectionGuard();
  const limits = { total: 10, perNetwork: 1 };
  assert.equal(guard.enter('a', '2001:db8:1:2::1', limits), undefined);
  assert.equal(guard.enter('b', '2001:db8:1:2:ffff::9', limits)?.code, 421);
  assert.equal(guard.enter('c', '2001:db8:1:3::1', limits), undefined);
});

test('a rate is judged over whole windows only, and not while we hold the client back', () => {
  const watch = new RateWatch({ octetsPerSecond: 500, windowMs: 60_000 });
  assert.equal(watch.tooSlow(0, 0, false), false);
  assert.equal(watch.tooSlow(59_999, 0, false), false);
  assert.equal(watch.tooSlow(60_000, 29_999, false), true);
  assert.equal(watch.tooSlow(60_000, 30_000, false), false);
  assert.equal(watch.tooSlow(90_000, 30_000, true), false);
  assert.equal(watch.tooSlow(100_000, 30_000, false), false);
  assert.equal(watch.tooSlow(159_000, 30_000, false), false);
  assert.equal(watch.tooSlow(160_000, 30_000, false), true);
});

test('a fast start does not pay for a slow end', () => {
  const watch = new RateWatch({ octetsPerSecond: 500, windowMs: 60_000 });
  let octets = 10_000_000;
  for (let second = 0; second < 60; second += 1) assert.equal(watch.tooSlow(second * 1_000, octets, false), false);
  octets += 100;
  assert.equal(watch.tooSlow(61_000, octets, false), true);
});

test('while no domain is set up nobody is told that the office does not exist: senders are asked to come again', () => {
  const context = { config: configSchema.parse({}), listener: 'mx', smtpUtf8: false } as const;
  for (const path of ['hanako@office.example', 'postmaster', 'x@elsewhere.example']) {
    const answer = judgeRecipient(path, context);
    assert.ok('code' in answer, path);
    assert.deepEqual([answer.code, answer.enhanced], [450, '4.3.5'], path);
  }
  const servers = [{ host: 'mail.office.example' }];
  const config = configSchema.parse({ domains: [{ name: 'office.example', servers }] });
  const stranger = judgeRecipient('x@elsewhere.example', { ...context, config });
  assert.equal('code' in stranger && stranger.code, 550);
});
