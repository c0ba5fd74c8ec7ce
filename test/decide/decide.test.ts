import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { configSchema } from '../../src/config/schema.ts';
import { decide, type DecideInput } from '../../src/decide/decide.ts';
import { ACTIONS, type Decision, REASONS } from '../../src/mail/decision.ts';
import {
  ATTACHMENT_TRAITS,
  DKIM_RESULTS,
  DMARC_POLICIES,
  DMARC_RESULTS,
  type Finding,
  INSPECTORS,
  SPF_RESULTS,
} from '../../src/mail/finding.ts';
import { LEVEL_RULES } from '../../src/mail/protection-level.ts';
import { CASES, type Case } from './cases.ts';
import {
  attachment,
  badMime,
  complex,
  dkim,
  dmarc,
  domain,
  envelope,
  from,
  inspection,
  origin,
  poison,
  spam,
  spf,
  virus,
} from './findings.ts';
import { TRUST_CASES } from './trust-cases.ts';

const ALL_CASES = [...CASES, ...TRUST_CASES];
const domains = [domain('office.example')];

function inputOf(row: Case): DecideInput {
  const listeners = { office: 'relay', 'office-by-mx': 'mx', ourselves: 'local' } as const;
  return {
    envelope: envelope(['taro@office.example'], row.reversePath),
    origin: origin(row.by === undefined ? 'mx' : listeners[row.by]),
    inspection: inspection(row.found, row.missing),
    policy: configSchema.parse({ policy: row.policy ?? {} }).policy,
    domains,
    relayClient: row.by === 'office' || row.by === 'office-by-mx',
  };
}

function only(decisions: Decision[]): Decision {
  const [decision, ...rest] = decisions;
  assert.ok(decision !== undefined && rest.length === 0);
  return decision;
}

describe('decide(), the table', () => {
  for (const row of ALL_CASES) {
    it(`${row.name} → ${row.outcome}`, () => {
      const decision = only(decide(inputOf(row)));
      assert.equal(`${decision.action} ${decision.reason}`, row.outcome);
      assert.equal(decision.tag, row.tag);
    });
  }

  it('has a row for every reason that deciding can give', () => {
    const given = new Set(CASES.map((row) => row.outcome.split(' ')[1]));
    // said by delivery and by people, never by findings
    const others = ['undeliverable', 'operator'];
    assert.deepEqual(
      REASONS.filter((reason) => !given.has(reason)),
      others,
    );
  });

  it('has no two rows of one name', () => {
    assert.equal(new Set(ALL_CASES.map((row) => row.name)).size, ALL_CASES.length);
  });
});

describe('decide()', () => {
  it('names the finding that decided', () => {
    const found = virus('Win.Test');
    const row: Case = { name: '', found: [spam(15), found], outcome: 'reject virus' };
    assert.equal(only(decide(inputOf(row))).because, found);
  });

  it('leaves because and tag out when there is nothing to say', () => {
    const decision = only(decide(inputOf({ name: '', found: [], outcome: 'deliver clean' })));
    assert.deepEqual(Object.keys(decision).toSorted(), ['action', 'reason', 'recipient']);
  });

  it('decides for each recipient in the order of the envelope, a doubled one once', () => {
    const names = ['c@office.example', 'a@office.example', 'c@office.example', 'postmaster'];
    const row: Case = { name: '', found: [spam(6)], outcome: 'deliver spam-tag' };
    const decisions = decide({ ...inputOf(row), envelope: envelope(names) });
    assert.deepEqual(
      decisions.map(({ recipient }) => recipient),
      ['c@office.example', 'a@office.example', 'postmaster'],
    );
    assert.ok(decisions.every(({ reason, tag }) => reason === 'spam-tag' && tag === '[SPAM]'));
  });

  it('does not change what it is given', () => {
    const input = inputOf({ name: '', found: [spam(6), from('office.example')], outcome: 'deliver spam-tag' });
    const before = structuredClone(input);
    decide(input);
    assert.deepEqual(input, before);
  });
});

const names = fc.constantFrom('office.example', 'hr.office.example', 'example.com', 'evil.example', 'bank.example');
const score = fc.double({ min: -100, max: 100, noNaN: true });
const harmless: fc.Arbitrary<Finding> = fc.oneof(
  fc.tuple(fc.constantFrom(...SPF_RESULTS), names).map(([result, name]) => spf(result, name)),
  fc
    .tuple(fc.constantFrom(...DKIM_RESULTS), names, fc.boolean())
    .map(([result, name, aligned]) => dkim(result, name, aligned)),
  fc
    .tuple(fc.constantFrom(...DMARC_RESULTS), names, fc.constantFrom(...DMARC_POLICIES))
    .map(([result, name, policy]) => dmarc(result, name, policy)),
  fc.array(names, { maxLength: 3 }).map((list) => from(...list)),
  fc.subarray([...ATTACHMENT_TRAITS]).map((traits) => attachment('file', traits)),
  fc.constantFrom<Finding>(complex(), badMime(), poison()),
);
const anyFinding: fc.Arbitrary<Finding> = fc.oneof(
  harmless,
  fc.string().map((name) => virus(name)),
  fc.oneof(score, fc.constantFrom(Number.NaN, Infinity, -Infinity)).map((value) => spam(value)),
);
const action = fc.constantFrom('reject', 'quarantine', 'deliver');
const policy = fc
  .record({
    thresholds: fc.tuple(score, score, score).map((list) => list.toSorted((one, other) => one - other)),
    subjectTag: fc.constantFrom('', '[SPAM]', '【迷惑】'),
    rest: fc.record({
      virus: fc.constantFrom('reject', 'quarantine'),
      dmarc: fc.constantFrom('honour', 'quarantine', 'ignore'),
      ownDomainFromOutside: action,
      suspiciousFrom: action,
      disguisedExecutable: action,
      executable: action,
      encryptedArchive: action,
      unscannable: action,
    }),
  })
  .map(({ thresholds: [tag, quarantine, reject], subjectTag, rest }) =>
    configSchema.shape.policy.parse({ ...rest, spam: { tag, quarantine, reject, subjectTag } }),
  );

function inputs(findings: fc.Arbitrary<Finding[]>): fc.Arbitrary<DecideInput> {
  return fc
    .record({
      findings,
      missing: fc.subarray([...INSPECTORS]),
      listener: fc.constantFrom('mx', 'relay', 'local'),
      relayClient: fc.boolean(),
      policy,
      reverse: fc.constantFrom('', 'a@example.com', 'boss@office.example'),
      recipients: fc.array(fc.constantFrom('a@office.example', 'b@office.example', 'c@office.example', 'postmaster'), {
        minLength: 1,
        maxLength: 6,
      }),
    })
    .map((raw) => ({
      envelope: envelope(raw.recipients, raw.reverse),
      origin: origin(raw.listener),
      inspection: inspection(raw.findings, raw.missing),
      policy: raw.policy,
      domains,
      relayClient: raw.relayClient,
    }));
}

const anyInput = inputs(fc.array(anyFinding, { maxLength: 8 }));
const STRENGTH = ['deliver clean', 'deliver', 'hold', 'quarantine', 'defer', 'discard', 'reject'];

describe('decide(), recipients with limits of their own', () => {
  const rows = [
    { recipients: ['desk@office.example'], quarantine: 30, reject: 40, subjectTag: '' },
    {
      recipients: ['@branch.office.example', 'boss@office.example'],
      tag: 3,
      quarantine: 4,
      reject: 6,
      subjectTag: '【注意】',
    },
    { recipients: ['@office.example'], tag: 4.5 },
  ];
  const to = [
    'desk@office.example',
    'boss@office.example',
    'x@lab.branch.office.example',
    'taro@office.example',
    'postmaster',
  ];
  const judge = (score: number, more: Partial<DecideInput> = {}, policy = {}): string[] =>
    decide({
      envelope: envelope(to),
      origin: origin('mx'),
      inspection: inspection([spam(score)]),
      policy: configSchema.parse({ policy: { spamFor: rows, ...policy } }).policy,
      domains,
      relayClient: false,
      ...more,
    }).map(({ action, reason, tag }) => [action, reason, ...(tag === undefined ? [] : [tag])].join(' '));

  it('each gets what the first row that names him says; what it leaves out is as for everybody', () => {
    assert.deepEqual(judge(3.5), [
      'deliver clean',
      'deliver spam-tag 【注意】',
      'deliver spam-tag 【注意】',
      'deliver clean',
      'deliver clean',
    ]);
    assert.deepEqual(judge(4.6), [
      'deliver clean',
      'quarantine spam-quarantine',
      'quarantine spam-quarantine',
      'deliver spam-tag [SPAM]',
      'deliver clean',
    ]);
    assert.deepEqual(judge(16), [
      'deliver spam-tag',
      'reject spam-reject',
      'reject spam-reject',
      'reject spam-reject',
      'reject spam-reject',
    ]);
  });

  it('not for mail that leaves, not while the owner only watches, and no stronger rule is weakened', () => {
    assert.deepEqual(
      judge(6, { origin: origin('relay'), relayClient: true }),
      to.map(() => 'deliver clean'),
    );
    assert.deepEqual(
      judge(6, {}, LEVEL_RULES.watch),
      to.map(() => 'deliver spam-tag [SPAM]'),
    );
    assert.deepEqual(
      judge(0, { inspection: inspection([virus('Eicar'), spam(1)]) }),
      to.map(() => 'reject virus'),
    );
  });
});

describe('decide(), whatever is found', () => {
  it('never throws, answers each recipient once, in words of the closed lists', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const decisions = decide(input);
        assert.deepEqual(
          decisions.map(({ recipient }) => recipient),
          [...new Set(input.envelope.recipients.map(({ address }) => address))],
        );
        for (const decision of decisions) {
          assert.ok(ACTIONS.includes(decision.action) && REASONS.includes(decision.reason));
        }
      }),
    );
  });

  it('never delivers what an inspector could not look at', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        fc.pre(input.inspection.missing.length > 0);
        assert.ok(decide(input).every((decision) => decision.action !== 'deliver'));
      }),
    );
  });

  it('never delivers a virus', () => {
    const withVirus = inputs(fc.array(anyFinding, { maxLength: 6 }).map((list) => [...list, virus('X')]));
    fc.assert(fc.property(withVirus, (input) => decide(input).every((decision) => decision.action !== 'deliver')));
  });

  it('is never milder for a higher spam score', () => {
    const two = fc.tuple(inputs(fc.array(harmless, { maxLength: 6 })), score, score);
    fc.assert(
      fc.property(two, ([input, one, other]) => {
        const strengthAt = (value: number): number => {
          const found = { ...input.inspection, findings: [...input.inspection.findings, spam(value)] };
          const [decision] = decide({ ...input, inspection: found });
          assert.ok(decision !== undefined);
          const clean = decision.reason === 'clean' ? ' clean' : '';
          return STRENGTH.indexOf(`${decision.action}${clean}`);
        };
        assert.ok(strengthAt(Math.min(one, other)) <= strengthAt(Math.max(one, other)));
      }),
    );
  });

  it('never refuses outbound mail for its score, nor for DMARC, own domain or From', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        fc.pre(input.origin.listener !== 'mx' || input.relayClient);
        const inboundOnly = ['dmarc-reject', 'dmarc-quarantine', 'own-domain-from-outside', 'suspicious-from'];
        for (const decision of decide(input)) {
          assert.ok(!inboundOnly.includes(decision.reason));
          assert.ok(!(decision.action === 'reject' && decision.reason.startsWith('spam')));
        }
      }),
    );
  });

  it('never refuses for good when nothing but DNS was in trouble', () => {
    const troubles = fc.array(
      fc.oneof(
        names.map((name) => spf('temperror', name)),
        names.map((name) => dkim('temperror', name)),
        names.map((name) => dmarc('temperror', name, 'reject')),
      ),
      { maxLength: 6 },
    );
    const input = inputs(troubles.map((list) => [...list, from('office.example'), spf('temperror', 'office.example')]));
    fc.assert(fc.property(input, (given) => decide(given).every((decision) => decision.action !== 'reject')));
  });
});
