import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { composeAuthenticationResults } from '../../src/mail/authentication-results.ts';
import {
  ARC_RESULTS,
  DKIM_RESULTS,
  DMARC_POLICIES,
  DMARC_RESULTS,
  type Finding,
  isSuspiciousFrom,
  SPF_RESULTS,
} from '../../src/mail/finding.ts';
import { authenticateBytes } from './authenticate.ts';
import { type Check, type GoldenCase, goldenCases, goldenResolver } from './golden.ts';
import { of, requestFor, withInspectors } from './support.ts';

const CASES = goldenCases();

async function run(golden: GoldenCase, check: Check): Promise<{ findings: Finding[]; asked: string[] }> {
  const resolver = goldenResolver({ ...golden.zone, ...check.dns });
  const { headerFields, ...session } = { ...golden.session, ...check.session };
  const limits = headerFields === undefined ? {} : { headerFields };
  const options = { resolver, limits, ...withoutUndefined(session) };
  return { findings: await authenticateBytes(golden.message, options), asked: resolver.asked };
}

function withoutUndefined(session: Omit<GoldenCase['session'], 'headerFields'>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(session).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** What was found, in the words of expected.json, as far as it is asked about. */
function seen(findings: Finding[], expected: Check['expect']): Check['expect'] {
  const [spf] = of(findings, 'spf');
  const [dmarc] = of(findings, 'dmarc');
  const [arc] = of(findings, 'arc');
  const [from] = of(findings, 'from');
  const all: Check['expect'] = {
    spf: spf?.result,
    spfDomain: spf?.domain,
    dkim: of(findings, 'dkim').map(({ result }) => result),
    dmarc: dmarc?.result,
    author: dmarc?.domain,
    policy: dmarc?.policy,
    arc: arc?.result,
    chain: arc?.chain,
    sealer: arc?.sealer,
    suspicious: from === undefined || isSuspiciousFrom(from),
  };
  const keys = Object.keys(expected) as Array<keyof Check['expect']>;
  return Object.fromEntries(keys.map((key) => [key, all[key]]));
}

describe('golden cases of authentication', () => {
  for (const golden of CASES) {
    for (const check of golden.checks) {
      it(`${golden.name}: ${check.say}`, async () => {
        const { findings, asked } = await run(golden, check);
        assert.deepEqual(seen(findings, check.expect), check.expect, JSON.stringify({ findings, asked }, null, 1));
        if (check.header !== undefined) {
          const reversePath = check.session?.reversePath ?? golden.session.reversePath ?? 'taro@example.com';
          const field = composeAuthenticationResults({ hostname: 'mx.office.example', findings, reversePath });
          assert.deepEqual(field.split('\r\n').slice(0, -1), check.header);
        }
        let at = -1;
        for (const question of check.asked ?? []) {
          at = asked.indexOf(question, at + 1);
          assert.ok(at >= 0, `"${question}" is not asked, or not in its place: ${asked.join(', ')}`);
        }
        for (const question of check.notAsked ?? []) assert.ok(!asked.includes(question), `"${question}" is asked`);
      });
    }
  }
});

/**
 * Nothing we do gives these: SPF has no local policy here (RFC 8601 §2.7.2), and a chain that is not as it must be is a fail
 * (RFC 8617 §5.2). Each other word is counted by itself: take away its last case and it is named here.
 */
const NEVER = new Set(['spf=policy', 'arc=permerror']);

test('the golden cases reach every result word of SPF, DKIM, DMARC and ARC, and every DMARC policy', () => {
  const reached = new Set(
    CASES.flatMap(({ checks }) =>
      checks.flatMap(({ expect }) => [
        `spf=${String(expect.spf)}`,
        ...(expect.dkim ?? []).map((word) => `dkim=${word}`),
        ...(expect.dkim?.length === 0 ? ['dkim=none'] : []),
        `dmarc=${String(expect.dmarc)}`,
        `policy=${String(expect.policy)}`,
        `arc=${String(expect.arc)}`,
      ]),
    ),
  );
  const words = [
    ...SPF_RESULTS.map((word) => `spf=${word}`),
    ...DKIM_RESULTS.map((word) => `dkim=${word}`),
    ...DMARC_RESULTS.map((word) => `dmarc=${word}`),
    ...DMARC_POLICIES.map((word) => `policy=${word}`),
    ...ARC_RESULTS.map((word) => `arc=${word}`),
  ];
  assert.deepEqual(
    words.filter((word) => !reached.has(word)),
    [...NEVER],
  );
});

test('temperror is never fail: with every name of its zone out of reach, no golden case says fail of what it asked', async () => {
  for (const golden of CASES) {
    for (const check of golden.checks) {
      const names = Object.keys({ ...golden.zone, ...check.dns });
      const dns = Object.fromEntries(names.map((name) => [name, 'SERVFAIL' as const]));
      const { findings } = await run(golden, { ...check, dns });
      for (const finding of findings) {
        if (finding.kind !== 'spf' && finding.kind !== 'dmarc') continue;
        assert.notEqual(finding.result, 'fail', `${golden.name}, ${check.say}: ${finding.kind}`);
      }
    }
  }
});

test('the worker process finds the same, whole chains and all', async () => {
  for (const name of ['arc-three-sets', 'dkim-rfc8463-ed25519-and-rsa', 'dmarc-from-unreadable']) {
    const golden = CASES.find((one) => one.name === name);
    const [check] = golden?.checks ?? [];
    assert.ok(golden !== undefined && check !== undefined);
    const { findings } = await run(golden, check);
    const resolver = goldenResolver({ ...golden.zone, ...check.dns });
    const session = withoutUndefined({ ...golden.session, ...check.session });
    const inspection = await withInspectors({ resolver }, (inspectors) =>
      inspectors.inspect(requestFor(golden.message, session)),
    );
    const kinds = new Set(findings.map(({ kind }) => kind));
    assert.deepEqual(
      inspection.findings.filter(({ kind }) => kinds.has(kind)),
      findings,
    );
  }
});

test('the golden messages are octets as they stand between DATA and the final dot: CRLF only', () => {
  assert.ok(CASES.length >= 30);
  for (const { name, message } of CASES) assert.doesNotMatch(message.toString('latin1'), /\r(?!\n)|(?<!\r)\n|\0/, name);
});
