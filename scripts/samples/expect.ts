/**
 * What must become of a sample, worked out from the live configuration and the sample's own nature, without asking the
 * gateway's policy code: change a threshold and another outcome is expected. The spam score is the one fact taken from the
 * gateway's findings, because rspamd's rules differ from release to release; GTUBE must reach 15 all the same.
 */
import { z } from 'zod';
import { configSchema } from '../../src/config/schema.ts';
import type { Finding } from '../../src/mail/finding.ts';
import type { Sample } from './messages.ts';

/** The part of the configuration that the samples depend on. */
export const liveConfigSchema = z.object({
  listeners: configSchema.shape.listeners,
  domains: configSchema.shape.domains,
  limits: configSchema.shape.limits,
  policy: configSchema.shape.policy,
});
export type LiveConfig = z.output<typeof liveConfigSchema>;

export const OUTCOMES = ['rejected', 'quarantined', 'tagged', 'delivered', 'unknown-recipient', 'too-large'] as const;
export type SampleOutcome = (typeof OUTCOMES)[number];

const GTUBE_SCORE = 15;
const HARMLESS_SCORE = 5;
const STRENGTH: Record<SampleOutcome, number> = {
  rejected: 3,
  quarantined: 2,
  tagged: 1,
  delivered: 0,
  'unknown-recipient': 4,
  'too-large': 4,
};

export interface Expectation {
  outcome: SampleOutcome;
  /** What the findings lack; empty when all is there. */
  lacking: string[];
}

export function expectationOf(sample: Sample, config: LiveConfig, findings: readonly Finding[]): Expectation {
  const { policy, limits, domains } = config;
  if (sample.message.length > limits.messageOctets) return { outcome: 'too-large', lacking: [] };
  const domain = sample.recipient.slice(sample.recipient.indexOf('@') + 1);
  const check = domains.find((entry) => entry.name === domain)?.recipients.check;
  if (sample.trait === 'unknown-recipient' && check !== 'any') return { outcome: 'unknown-recipient', lacking: [] };

  const wanted: SampleOutcome[] = ['delivered'];
  const lacking: string[] = [];
  switch (sample.trait) {
    case 'virus':
      wanted.push(policy.virus === 'reject' ? 'rejected' : 'quarantined');
      if (!findings.some((finding) => finding.kind === 'virus' && /eicar/i.test(finding.name)))
        lacking.push('virus EICAR');
      break;
    case 'spam':
      if (spamScore(findings) < GTUBE_SCORE) lacking.push(`spam ≥ ${GTUBE_SCORE}`);
      break;
    case 'disguised':
      wanted.push(byAction(policy.disguisedExecutable));
      // The same file is a program, whatever its name says.
      wanted.push(byAction(policy.executable));
      if (!hasAttachment(findings, 'invoice.pdf')) lacking.push('invoice.pdf: executable, disguised');
      break;
    case 'spoofed':
      wanted.push(byAction(policy.ownDomainFromOutside));
      if (!findings.some((finding) => finding.kind === 'from' && finding.domains.includes(domain)))
        lacking.push(`from ${domain}`);
      break;
    case 'clean':
    case 'unknown-recipient':
      if (!findings.some((finding) => finding.kind === 'spf' && finding.result === 'pass')) lacking.push('spf pass');
      // Ordinary mail of ordinary people: rspamd's rules must not take it for spam.
      if (spamScore(findings) >= HARMLESS_SCORE) lacking.push(`spam < ${HARMLESS_SCORE}`);
      break;
  }
  wanted.push(bySpamScore(spamScore(findings), policy.spam));
  if (!findings.some((finding) => finding.kind === 'spam')) lacking.push('spam score');
  return { outcome: wanted.reduce((one, other) => (STRENGTH[other] > STRENGTH[one] ? other : one)), lacking };
}

function byAction(action: 'reject' | 'quarantine' | 'deliver'): SampleOutcome {
  return action === 'reject' ? 'rejected' : action === 'quarantine' ? 'quarantined' : 'delivered';
}

function bySpamScore(score: number, limits: LiveConfig['policy']['spam']): SampleOutcome {
  if (score >= limits.reject) return 'rejected';
  if (score >= limits.quarantine) return 'quarantined';
  return score >= limits.tag ? 'tagged' : 'delivered';
}

export function spamScore(findings: readonly Finding[]): number {
  return findings.reduce(
    (sum, finding) => (finding.kind === 'spam' ? Math.max(sum, finding.score) : sum),
    Number.NEGATIVE_INFINITY,
  );
}

function hasAttachment(findings: readonly Finding[], name: string): boolean {
  return findings.some(
    (finding) =>
      finding.kind === 'attachment' &&
      finding.name === name &&
      finding.traits.includes('executable') &&
      finding.traits.includes('disguised'),
  );
}
