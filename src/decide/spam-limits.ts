/**
 * Which spam limits and which mark hold for a recipient: those for everybody (policy.spam), or what the first row of
 * policy.spamFor that names him says instead. Rows stand for mail from outside, and not while the owner only watches: then
 * nothing is stopped. Pure.
 */
import type { Config } from '../config/schema.ts';
import type { ForwardPath } from '../mail/address.ts';
import { LEVEL_RULES } from '../mail/protection-level.ts';
import { matchesAddress } from '../mail/sender-list.ts';

type Policy = Config['policy'];
export type SpamLimits = Policy['spam'];
type Row = Policy['spamFor'][number];

/** One object for all whom the same row names, so that it can be a key. */
export function limitsOf(policy: Policy, inbound: boolean): (recipient: ForwardPath) => SpamLimits {
  if (!inbound || policy.spamFor.length === 0 || isWatching(policy)) return () => policy.spam;
  const merged = new Map<Row, SpamLimits>();
  return (recipient) => {
    const row = policy.spamFor.find(({ recipients }) => recipients.some((match) => matchesAddress(match, recipient)));
    if (row === undefined) return policy.spam;
    const { recipients: _named, ...own } = row;
    const limits = merged.get(row) ?? { ...policy.spam, ...own };
    merged.set(row, limits);
    return limits;
  };
}

export function isWatching(policy: Policy): boolean {
  const { spam, ...rest } = LEVEL_RULES.watch;
  const stands = (wanted: object, now: object): boolean =>
    Object.entries(wanted).every(([key, value]) => now[key as keyof typeof now] === value);
  return stands(rest, policy) && stands(spam, policy.spam);
}
