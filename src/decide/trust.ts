/**
 * Whom the owner trusts to have checked before us (policy.trustedForwarders, policy.trustedSealers): forwarding breaks SPF, a
 * mailing list breaks DKIM, and both then fail DMARC innocently. An override only keeps DMARC from being acted on; every
 * other rule stands, the finding stays, and Authentication-Results says why (RFC 8601 §2.2 reason). Pure.
 *
 * A forwarder is the client that hands us the message: its address lies in a listed network, or SPF passes for a reverse-path
 * domain (HELO name, when the reverse-path is null) that is, or lies under, a listed domain.
 * A sealer must stand at the newest end of an ARC chain that passes, and only sealers without a gap of strangers after them
 * are believed: a stranger who seals later may have put another message under an old, honest set (RFC 8617 §9.2, §9.3).
 */
import { inNetworks, parseNetwork } from '../base/network.ts';
import type { Config } from '../config/schema.ts';
import type { Origin } from '../mail/envelope.ts';
import { type ArcSet, type Finding, isSuspiciousFrom } from '../mail/finding.ts';

export interface DmarcOverride {
  by: 'forwarder' | 'sealer';
  /** The address or domain that is trusted, as it showed itself. */
  name: string;
}

export interface TrustInput {
  findings: readonly Finding[];
  origin: Origin;
  policy: Config['policy'];
}

/** Why a DMARC result of this message that would be acted on is not; undefined when nobody trusted stands for it. */
export function dmarcOverride({ findings, origin, policy }: TrustInput): DmarcOverride | undefined {
  if (origin.listener !== 'mx' || policy.dmarc === 'ignore') return undefined;
  const dmarc = findings.find((finding) => finding.kind === 'dmarc');
  if (dmarc === undefined || dmarc.policy === 'none') return undefined;
  if (dmarc.result !== 'fail' && dmarc.result !== 'temperror') return undefined;
  const sealer = vouchingSealer(findings, { policy, author: dmarc.domain });
  if (sealer !== undefined) return { by: 'sealer', name: sealer };
  const forwarder = trustedForwarder(findings, { origin, policy });
  return forwarder === undefined ? undefined : { by: 'forwarder', name: forwarder };
}

/** For Authentication-Results. */
export function overrideReason({ by, name }: DmarcOverride): string {
  return by === 'sealer'
    ? `local policy: not acted on, trusted ARC sealer ${name}`
    : `local policy: not acted on, trusted forwarder ${name}`;
}

/** The trusted sealer that saw this author domain authenticated, if one did. */
export function vouchingSealer(
  findings: readonly Finding[],
  { policy, author }: { policy: Config['policy']; author: string },
): string | undefined {
  const from = findings.find((finding) => finding.kind === 'from');
  // a From that two programs read differently is no author anybody could have vouched for
  if (author === '' || from === undefined || isSuspiciousFrom(from) || from.domains[0] !== author) return undefined;
  const arc = findings.find((finding) => finding.kind === 'arc');
  if (arc?.result !== 'pass') return undefined;
  for (const set of (arc.sets ?? []).toReversed()) {
    if (!policy.trustedSealers.some((trusted) => isWithin(set.sealer, trusted))) return undefined;
    if (saidPass(set, author)) return set.sealer;
  }
  return undefined;
}

/**
 * A hop that says anything of DMARC is taken by that word alone, and for this author only; one that does not check DMARC, by an
 * SPF or DKIM pass of a related name.
 */
function saidPass({ said }: ArcSet, author: string): boolean {
  const dmarc = said.filter(({ method }) => method === 'dmarc');
  if (dmarc.length > 0) return dmarc.every(({ result, domain }) => result === 'pass' && domain === author);
  return said.some(({ result, domain }) => result === 'pass' && domain !== '' && isRelated(domain, author));
}

function trustedForwarder(
  findings: readonly Finding[],
  { origin, policy }: { origin: Origin; policy: Config['policy'] },
): string | undefined {
  const networks = policy.trustedForwarders.filter((entry) => parseNetwork(entry) !== undefined);
  if (inNetworks(origin.clientAddress, networks)) return origin.clientAddress;
  const domains = policy.trustedForwarders.filter((entry) => parseNetwork(entry) === undefined);
  const spf = findings.find((finding) => finding.kind === 'spf');
  if (spf?.result !== 'pass') return undefined;
  return domains.some((trusted) => isWithin(spf.domain, trusted)) ? spf.domain : undefined;
}

export function isWithin(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}

export function isRelated(one: string, other: string): boolean {
  return isWithin(one, other) || isWithin(other, one);
}
