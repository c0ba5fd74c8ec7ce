import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LANGUAGES } from '../../src/base/i18n.ts';
import { configSchema, type ConfigInput } from '../../src/config/schema.ts';
import { decide } from '../../src/decide/decide.ts';
import { explain } from '../../src/decide/explain.ts';
import { dmarcOverride, overrideReason } from '../../src/decide/trust.ts';
import { composeAuthenticationResults } from '../../src/mail/authentication-results.ts';
import { parseAuthenticationResults } from '../../src/mail/authentication-results-parser.ts';
import type { Finding } from '../../src/mail/finding.ts';
import { newQueueId } from '../../src/mail/queue-id.ts';
import { authenticateBytes } from '../inspect/authenticate.ts';
import { goldenCases, goldenResolver } from '../inspect/golden.ts';
import { arc, dmarc, domain, envelope, from, inspection, origin, spf } from './findings.ts';

const FAILED = [spf('none', 'other.example'), from('example.com'), dmarc('fail', 'example.com', 'reject')];

function policyOf(policy: ConfigInput['policy']): ReturnType<typeof configSchema.parse>['policy'] {
  return configSchema.parse({ policy }).policy;
}

function outcome(findings: Finding[], policy: ConfigInput['policy']): { decision: string; header: string } {
  const read = policyOf(policy);
  const input = {
    envelope: envelope(['taro@office.example']),
    origin: origin(),
    inspection: inspection(findings),
    policy: read,
    domains: [domain('office.example')],
    relayClient: false,
  };
  const [decision] = decide(input);
  const trusted = dmarcOverride({ findings, origin: origin(), policy: read });
  const header = composeAuthenticationResults({
    hostname: 'mx.office.example',
    findings,
    reversePath: 'x@other.example',
    ...(trusted === undefined ? {} : { override: overrideReason(trusted) }),
  });
  return { decision: `${String(decision?.action)} ${String(decision?.reason)}`, header };
}

describe('trust, on real chains', () => {
  const found = async (name: string): Promise<Finding[]> => {
    const golden = goldenCases().find((one) => one.name === name);
    assert.ok(golden !== undefined);
    const { ip, helo, reversePath } = golden.session;
    const session = { ip: String(ip), helo: String(helo), reversePath: String(reversePath) };
    return await authenticateBytes(golden.message, { resolver: goldenResolver(golden.zone), ...session });
  };

  it('a chain of one: refused unless its sealer is trusted; then delivered, and the results say why', async () => {
    const findings = await found('arc-one-set');
    assert.equal(outcome(findings, {}).decision, 'reject dmarc-reject');
    assert.doesNotMatch(outcome(findings, {}).header, /reason/);
    const { decision, header } = outcome(findings, { trustedSealers: ['List.Example'] });
    assert.equal(decision, 'deliver clean');
    const read = parseAuthenticationResults(header.slice(header.indexOf(':') + 1, -2));
    const result = read?.results.find(({ method }) => method === 'dmarc');
    assert.deepEqual(
      [result?.result, result?.reason, result?.properties['header.from']],
      ['fail', 'local policy: not acted on, trusted ARC sealer list.example', 'example.com'],
    );
  });

  it('a chain of three: all sealers after the one who saw the pass must be trusted', async () => {
    const findings = await found('arc-three-sets');
    assert.equal(outcome(findings, { trustedSealers: ['list.example'] }).decision, 'reject dmarc-reject');
    assert.equal(outcome(findings, { trustedSealers: ['list.example', 'fwd.example'] }).decision, 'deliver clean');
  });

  it('a chain somebody altered, or whose key cannot be fetched, moves nothing', async () => {
    const policy = { trustedSealers: ['list.example', 'fwd.example'] };
    for (const name of ['arc-altered-body', 'arc-altered-results', 'arc-set-missing-in-the-middle']) {
      assert.equal(outcome(await found(name), policy).decision, 'reject dmarc-reject', name);
    }
  });

  it('a chain that passes, but whose newest signature covers the beginning of the body only (l=), moves nothing', async () => {
    const findings = await found('arc-partial-body');
    assert.ok(findings.some((finding) => finding.kind === 'arc' && finding.result === 'pass'));
    assert.equal(outcome(findings, { trustedSealers: ['list.example'] }).decision, 'reject dmarc-reject');
  });
});

describe('trust, told', () => {
  const told = (findings: Finding[], policy: ConfigInput['policy']): Array<[text: string, language: string]> =>
    LANGUAGES.map((language) => {
      const facts = { envelope: envelope(['taro@office.example']), origin: origin(), policy: policyOf(policy) };
      const story = { ...facts, id: newQueueId(1), inspection: inspection(findings), decisions: [] };
      return [explain(story, language).join('\n'), language];
    });

  it('explain() names the sealer, in both languages', () => {
    const sealed = [...FAILED, arc(['list.example', 'dmarc=pass example.com'])];
    const words = { ja: /判定に使いました[\s\S]*「list\.example」/, en: /used to decide[\s\S]*"list\.example"/ };
    for (const [text, language] of told(sealed, { trustedSealers: ['list.example'] })) {
      assert.match(text, words[language as 'ja']);
    }
    for (const [text, language] of told(sealed, {})) {
      assert.match(text, { ja: /判定には使っていません/, en: /not used to decide/ }[language as 'ja']);
    }
  });

  it('explain() names the forwarder, in both languages', () => {
    const words = { ja: /転送サービス「192\.0\.2\.1」/, en: /"192\.0\.2\.1", a forwarder your settings trust/ };
    for (const [text, language] of told(FAILED, { trustedForwarders: ['192.0.2.0/24'] })) {
      assert.match(text, words[language as 'ja']);
    }
  });
});

describe('trust, as a setting', () => {
  it('takes networks and domains in any spelling, and nothing else', () => {
    const { trustedForwarders } = policyOf({
      trustedForwarders: ['192.0.2.0/24', '2001:db8::1', 'Forward.Example', '会社.example', 'abc.de'],
    });
    assert.deepEqual(trustedForwarders, [
      '192.0.2.0/24',
      '2001:db8::1',
      'forward.example',
      'xn--6oq404h.example',
      'abc.de',
    ]);
    for (const wrong of [
      '',
      '192.0.2.0/33',
      '0.0.0.0/0',
      '::/0',
      '999.1.1.1',
      'a b',
      '[192.0.2.1]',
      'x@forward.example',
    ]) {
      assert.equal(configSchema.safeParse({ policy: { trustedForwarders: [wrong] } }).success, false, wrong);
    }
  });

  it('holds for mail from the Internet only, and not where DMARC asks for nothing or is ignored', () => {
    const policy = policyOf({ trustedForwarders: ['192.0.2.0/24'] });
    const findings = FAILED;
    assert.ok(dmarcOverride({ findings, origin: origin(), policy }) !== undefined);
    assert.equal(dmarcOverride({ findings, origin: origin('relay'), policy }), undefined);
    assert.equal(dmarcOverride({ findings, origin: origin(), policy: { ...policy, dmarc: 'ignore' } }), undefined);
    assert.equal(
      dmarcOverride({ findings: [dmarc('fail', 'example.com', 'none')], origin: origin(), policy }),
      undefined,
    );
    assert.equal(
      dmarcOverride({ findings: [dmarc('pass', 'example.com', 'reject')], origin: origin(), policy }),
      undefined,
    );
  });
});
