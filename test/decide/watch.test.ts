import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { type WouldHave, wouldHave } from '../../src/decide/watch.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { LEVEL_RULES } from '../../src/mail/protection-level.ts';
import { dmarc, domain, envelope, from, inspection, origin, spf } from './findings.ts';

const CASES: ReadonlyArray<[what: string, findings: Finding[], would: WouldHave | undefined]> = [
  ['clean mail', [], undefined],
  ['a score for a tag', [spam(6)], undefined],
  ['a score for the quarantine', [spam(9)], { action: 'quarantine', reason: 'spam-quarantine' }],
  ['a score for a refusal', [spam(20)], { action: 'reject', reason: 'spam-reject' }],
  [
    'a DMARC fail',
    [spf('none', 'other.example'), from('example.com'), dmarc('fail', 'example.com', 'reject')],
    { action: 'reject', reason: 'dmarc-reject' },
  ],
  // stopped for real already: not counted twice
  ['a virus', [{ kind: 'virus', engine: 'clamd', name: 'Eicar' }, spam(20)], undefined],
];

function spam(score: number): Finding {
  return { kind: 'spam', engine: 'rspamd', score, symbols: [] };
}

function ask(findings: Finding[], policy: object): WouldHave | undefined {
  return wouldHave({
    envelope: envelope(['taro@office.example']),
    origin: origin(),
    inspection: inspection(findings),
    policy: configSchema.parse({ policy }).policy,
    domains: [domain('office.example')],
    relayClient: false,
  });
}

for (const [what, findings, would] of CASES)
  test(`wouldHave() of ${what} while only watching is ${would?.reason ?? 'nothing'}`, () => {
    assert.deepEqual(ask(findings, LEVEL_RULES.watch), would);
  });

test('wouldHave() says nothing under any other rules', () => {
  for (const policy of [LEVEL_RULES.normal, LEVEL_RULES.strict, { ...LEVEL_RULES.watch, unscannable: 'quarantine' }])
    for (const [what, findings] of CASES) assert.equal(ask(findings, policy), undefined, what);
});

test('the normal level is what an empty configuration has', () => {
  const policy: object = configSchema.parse({}).policy;
  const { spam: score, ...rest } = LEVEL_RULES.normal;
  assert.deepEqual({ ...policy, ...rest }, policy);
  assert.deepEqual({ ...configSchema.parse({}).policy.spam, ...score }, configSchema.parse({}).policy.spam);
});
