/**
 * The owner's allow and block list (policy.lists) against one inbound message. Pure.
 *
 * Block: the client's network, the reverse-path, or any author of the header From; what a forger claims is enough, for
 * nothing is given away by refusing it. Allow: only a sender who is proved. The reverse-path counts where SPF passes for its
 * domain, the author where an aligned DKIM signature or DMARC passes, the client's address by itself (a TCP connection from
 * it is no claim). Allowing spares a message its spam score and nothing else.
 */
import type { Config } from '../config/schema.ts';
import { domainOf, parseForwardPath } from '../mail/address.ts';
import type { Envelope, Origin } from '../mail/envelope.ts';
import { type Finding, isSuspiciousFrom } from '../mail/finding.ts';
import { entryFor } from '../mail/sender-list.ts';
import { stripComments } from '../mail/words.ts';

export interface ListInput {
  envelope: Envelope;
  origin: Origin;
  findings: readonly Finding[];
  policy: Config['policy'];
}

type From = Extract<Finding, { kind: 'from' }>;

/** The entry that blocks it. */
export function blockedBy({ envelope, origin, findings, policy }: ListInput): string | undefined {
  const from = findings.find((finding) => finding.kind === 'from');
  // a comment (RFC 5322 §3.2.2) behind the address hides nobody; here more than one reading may count
  const authors =
    from === undefined ? [] : [...claimedBy(from), ...claimedBy({ ...from, text: stripComments(from.text) })];
  const claimed = [envelope.reversePath, ...authors].filter((one) => one !== '');
  return entryFor(policy.lists.block, { clientAddress: origin.clientAddress, addresses: claimed });
}

/** The entry that spares it the spam score. */
export function allowedBy({ envelope, origin, findings, policy }: ListInput): string | undefined {
  if (policy.lists.allow.length === 0) return undefined;
  const proved: string[] = [];
  const pathDomain = domainOf(envelope.reversePath);
  if (findings.some((one) => one.kind === 'spf' && one.result === 'pass' && one.domain === pathDomain))
    proved.push(envelope.reversePath);
  const from = findings.find((finding) => finding.kind === 'from');
  const vouched = findings.some(
    (one) =>
      (one.kind === 'dkim' && one.result === 'pass' && one.aligned) || (one.kind === 'dmarc' && one.result === 'pass'),
  );
  // a From that two programs read differently proves nobody
  if (from !== undefined && vouched && !isSuspiciousFrom(from)) proved.push(...claimedBy(from));
  return entryFor(policy.lists.allow, { clientAddress: origin.clientAddress, addresses: proved });
}

/** The author's address where the field shows one plainly; in any case each domain, as an address of nobody there. */
function claimedBy({ text, domains }: From): string[] {
  const shown = parseForwardPath((/<([^<>]*)>\s*$/.exec(text)?.[1] ?? text).trim());
  const plain = shown !== undefined && domains.some((domain) => domain === domainOf(shown)) ? [shown] : [];
  return [...plain, ...domains.map((domain) => `@${domain}`)];
}
