/**
 * decide(): findings + envelope + policy → one decision for each recipient, in the order of the envelope, each once. Pure.
 *
 * Every rule that applies proposes an action; the strongest proposal wins, among equal ones the rule named first:
 *   1 poison              quarantine   a worker died on it twice: the bytes are kept, nothing asks further
 *   2 virus               policy.virus
 *   3 not inspected       defer        an inspector could not look; our trouble, so 4xx and never a delivery (promise 3)
 *   4 too complex         quarantine
 *   5 disguised program, program or script, unscannable, locked archive      as policy says
 *   6 spam                inbound: reject, quarantine, tag · outbound: quarantine at the refusal threshold, else nothing
 *                 nothing for its score where the allow list has its sender, proved (lists.ts)
 *                 inbound, a recipient may have limits and a mark of his own: policy.spamFor (spam-limits.ts)
 *     block list  inbound: policy.lists.blocked
 *   7 DMARC               inbound: what the author's domain publishes, as far as policy.dmarc lets it; defer where DNS
 *                         left open whether it fails; nothing where somebody trusted stands for it (trust.ts)
 *   8 own domain          inbound: header From or reverse-path is ours and nothing vouches: policy.ownDomainFromOutside
 *   9 From                inbound: none, several, malformed: policy.suspiciousFrom
 * Strength: reject for a virus > quarantine because the message itself cannot be inspected (1, 4) > reject > discard > defer >
 * quarantine > hold > deliver with a tag > deliver. So a defer waits for the whole inspection before anything lesser is done
 * with the message, a refusal need not wait, and what would be missing again next time is quarantined at once, its octets
 * kept for a person to see: what was found of it is too little to refuse it for anything but a virus.
 *
 * Inbound means: taken by the MX listener from a client that is not the office's own server. Outbound mail is never
 * refused for its spam score: the office's server would send a bounce to a user who can do nothing with it. From the
 * refusal threshold on it is quarantined with the reason spam-reject; no other mail has that pair, and it means that an
 * account or a machine inside is misused. A null reverse-path changes nothing: a forged DSN is looked at like any mail.
 */
import type { Config } from '../config/schema.ts';
import { type Domain, domainOf, type ForwardPath } from '../mail/address.ts';
import type { Action, Decision, Reason } from '../mail/decision.ts';
import type { Envelope, Origin } from '../mail/envelope.ts';
import { type AttachmentTrait, type Finding, type Inspection, isSuspiciousFrom } from '../mail/finding.ts';
import { allowedBy, blockedBy, type ListInput } from './lists.ts';
import { limitsOf, type SpamLimits } from './spam-limits.ts';
import { dmarcOverride, isRelated, isWithin, vouchingSealer } from './trust.ts';

export interface DecideInput {
  envelope: Envelope;
  origin: Origin;
  inspection: Inspection;
  policy: Config['policy'];
  /** The domains we take mail for. */
  domains: readonly Domain[];
  /** The client is one of the office's own servers, whichever listener it came to. */
  relayClient: boolean;
}

/** What one rule wants done. */
interface Proposal {
  action: Action;
  reason: Reason;
  because?: Finding;
  tag?: string;
}

type Rule = (input: DecideInput) => Proposal[];
type FindingOf<Kind extends Finding['kind']> = Extract<Finding, { kind: Kind }>;

const CLEAN: Proposal = { action: 'deliver', reason: 'clean' };

const RULES: readonly Rule[] = [
  poison,
  virus,
  notInspected,
  tooComplex,
  attachments,
  spam,
  blocked,
  dmarc,
  ownDomain,
  author,
];

export function decide(input: DecideInput): Decision[] {
  const limits = limitsOf(input.policy, isInbound(input));
  const judged = new Map<SpamLimits, Proposal>();
  const seen = new Set<ForwardPath>();
  const decisions: Decision[] = [];
  for (const { address } of input.envelope.recipients) {
    if (seen.has(address)) continue;
    seen.add(address);
    const spam = limits(address);
    const strongest = judged.get(spam) ?? strongestOf({ ...input, policy: { ...input.policy, spam } });
    judged.set(spam, strongest);
    decisions.push({ recipient: address, ...strongest });
  }
  return decisions;
}

function strongestOf(input: DecideInput): Proposal {
  let strongest = CLEAN;
  for (const rule of RULES) {
    for (const proposal of rule(input)) if (strength(proposal) > strength(strongest)) strongest = proposal;
  }
  return strongest;
}

/** Mail from the Internet, as opposed to the office's own server and to what we write ourselves. */
export function isInbound(input: Pick<DecideInput, 'origin' | 'relayClient'>): boolean {
  return input.origin.listener === 'mx' && !input.relayClient;
}

function strength({ action, reason }: Proposal): number {
  switch (action) {
    case 'reject':
      return reason === 'virus' ? 9 : 7;
    case 'discard':
      return 6;
    case 'quarantine':
      return reason === 'poison' || reason === 'too-complex' ? 8 : 3;
    case 'defer':
      return 4;
    case 'hold':
      return 2;
    case 'deliver':
      return reason === 'clean' ? 0 : 1;
  }
}

function poison({ inspection }: DecideInput): Proposal[] {
  return findings(inspection, 'poison').map((because) => ({ action: 'quarantine', reason: 'poison', because }));
}

function virus({ inspection, policy }: DecideInput): Proposal[] {
  return findings(inspection, 'virus').map((because) => ({ action: policy.virus, reason: 'virus', because }));
}

function notInspected({ inspection }: DecideInput): Proposal[] {
  // A score that is no number is an engine's nonsense, not a low score.
  const nonsense = findings(inspection, 'spam').find((finding) => Number.isNaN(finding.score));
  if (inspection.missing.length === 0 && nonsense === undefined) return [];
  return [{ action: 'defer', reason: 'not-inspected' }];
}

function tooComplex({ inspection, policy }: DecideInput): Proposal[] {
  return findings(inspection, 'structure').flatMap((because): Proposal[] =>
    because.problem === 'too-complex'
      ? [{ action: 'quarantine', reason: 'too-complex', because }]
      : // MIME that cannot be parsed may hold what nobody saw: the same risk as an archive that cannot be opened.
        byPolicy(policy.unscannable, 'unscannable', because),
  );
}

function attachments({ inspection, policy }: DecideInput): Proposal[] {
  const rows: Array<[AttachmentTrait, Config['policy']['executable'], Reason]> = [
    ['disguised', policy.disguisedExecutable, 'disguised-executable'],
    ['executable', policy.executable, 'executable'],
    ['script', policy.executable, 'executable'],
    ['unscannable', policy.unscannable, 'unscannable'],
    ['encrypted', policy.encryptedArchive, 'encrypted-archive'],
  ];
  const found = findings(inspection, 'attachment');
  return rows.flatMap(([trait, action, reason]) =>
    found.filter((finding) => finding.traits.includes(trait)).flatMap((because) => byPolicy(action, reason, because)),
  );
}

function spam(input: DecideInput): Proposal[] {
  const limits = input.policy.spam;
  return findings(input.inspection, 'spam').flatMap((because): Proposal[] => {
    const { score } = because;
    if (!isInbound(input)) {
      return score >= limits.reject ? [{ action: 'quarantine', reason: 'spam-reject', because }] : [];
    }
    if (score >= limits.tag && allowedBy(listInput(input)) !== undefined)
      return [{ action: 'deliver', reason: 'allowed', because }];
    if (score >= limits.reject) return [{ action: 'reject', reason: 'spam-reject', because }];
    if (score >= limits.quarantine) return [{ action: 'quarantine', reason: 'spam-quarantine', because }];
    if (!(score >= limits.tag)) return [];
    const tag = limits.subjectTag === '' ? {} : { tag: limits.subjectTag };
    return [{ action: 'deliver', reason: 'spam-tag', because, ...tag }];
  });
}

function blocked(input: DecideInput): Proposal[] {
  if (!isInbound(input) || blockedBy(listInput(input)) === undefined) return [];
  return [{ action: input.policy.lists.blocked, reason: 'blocked' }];
}

function listInput({ envelope, origin, inspection, policy }: DecideInput): ListInput {
  return { envelope, origin, findings: inspection.findings, policy };
}

function dmarc(input: DecideInput): Proposal[] {
  const { inspection, origin, policy } = input;
  if (!isInbound(input) || policy.dmarc === 'ignore') return [];
  if (dmarcOverride({ findings: inspection.findings, origin, policy }) !== undefined) return [];
  return findings(inspection, 'dmarc').flatMap((because): Proposal[] => {
    // RFC 8601 §2.7: only "fail" is a fail. permerror says nothing, nor does temperror while the policy is not known.
    if (because.policy === 'none' || (because.result !== 'fail' && because.result !== 'temperror')) return [];
    // The domain wants forgeries refused, and a check that might have passed got no answer from DNS. Refusing would call
    // trouble a fail; delivering would let a forger through who names a key nobody can fetch. So: ask again.
    const open = because.result === 'temperror' ? because : unanswered(inspection, because.domain);
    if (open !== undefined) return [{ action: 'defer', reason: 'not-inspected', because: open }];
    const reject = because.policy === 'reject' && policy.dmarc === 'honour';
    return [
      reject
        ? { action: 'reject', reason: 'dmarc-reject', because }
        : { action: 'quarantine', reason: 'dmarc-quarantine', because },
    ];
  });
}

function ownDomain(input: DecideInput): Proposal[] {
  const { envelope, inspection, policy } = input;
  if (!isInbound(input)) return [];
  // Without authentication "nothing vouches" would only mean "nobody looked"; notInspected has the word then.
  if (inspection.missing.some((missing) => missing.inspector === 'authentication')) return [];
  const from = findings(inspection, 'from').find((finding) => finding.domains.some((domain) => isOurs(input, domain)));
  const reverseDomain = domainOf(envelope.reversePath);
  const claimed = new Set((from?.domains ?? []).filter((domain) => isOurs(input, domain)));
  if (reverseDomain !== undefined && isOurs(input, reverseDomain)) claimed.add(reverseDomain);
  const unvouched = [...claimed].find((domain) => !isVouchedFor(input, domain));
  if (unvouched === undefined) return [];
  // DNS that does not answer is no proof of a forgery: it never leads to a refusal (5xx).
  const unsure = unanswered(inspection, unvouched) !== undefined;
  const action = unsure && policy.ownDomainFromOutside === 'reject' ? 'quarantine' : policy.ownDomainFromOutside;
  const because = from ?? findings(inspection, 'spf')[0];
  return byPolicy(action, 'own-domain-from-outside', because);
}

function author(input: DecideInput): Proposal[] {
  if (!isInbound(input)) return [];
  return findings(input.inspection, 'from')
    .filter((finding) => isSuspiciousFrom(finding))
    .flatMap((because) => byPolicy(input.policy.suspiciousFrom, 'suspicious-from', because));
}

/**
 * Does SPF, DKIM or DMARC stand for this domain of ours? A pass counts for names under the same relay domain. The verdicts
 * "aligned" and DMARC are about the header From, so they count only when it names one single domain.
 */
function isVouchedFor(input: DecideInput, claimed: string): boolean {
  const owner = ownerOf(input, claimed);
  const inHouse = (domain: string): boolean => owner !== undefined && isWithin(domain, owner);
  const authors = new Set(findings(input.inspection, 'from').flatMap((finding) => finding.domains));
  const { inspection, policy } = input;
  // what one of our own wrote to a mailing list comes back this way
  if (vouchingSealer(inspection.findings, { policy, author: claimed }) !== undefined) return true;
  return inspection.findings.some((finding) => {
    switch (finding.kind) {
      case 'spf':
        return finding.result === 'pass' && inHouse(finding.domain);
      case 'dkim':
        return finding.result === 'pass' && (inHouse(finding.domain) || (finding.aligned && authors.size === 1));
      case 'dmarc':
        return finding.result === 'pass' && authors.size === 1;
      default:
        return false;
    }
  });
}

/** The check of this author domain that ended in a temperror though it might have spoken for it. */
function unanswered(inspection: Inspection, domain: string): Finding | undefined {
  return inspection.findings.find((finding) => {
    switch (finding.kind) {
      case 'spf':
        return finding.result === 'temperror' && isRelated(finding.domain, domain);
      case 'dkim':
        return finding.result === 'temperror' && (finding.aligned || isRelated(finding.domain, domain));
      case 'dmarc':
        return finding.result === 'temperror' && isRelated(finding.domain, domain);
      default:
        return false;
    }
  });
}

function byPolicy(action: Config['policy']['executable'], reason: Reason, because: Finding | undefined): Proposal[] {
  if (action === 'deliver') return [];
  return [because === undefined ? { action, reason } : { action, reason, because }];
}

function findings<Kind extends Finding['kind']>(inspection: Inspection, kind: Kind): Array<FindingOf<Kind>> {
  return inspection.findings.filter((finding): finding is FindingOf<Kind> => finding.kind === kind);
}

function isOurs(input: DecideInput, domain: string): boolean {
  return ownerOf(input, domain) !== undefined;
}

/** The relay domain this name is, or lies under. */
function ownerOf({ domains }: DecideInput, domain: string): Domain | undefined {
  return domains.find((own) => isWithin(domain, own));
}
