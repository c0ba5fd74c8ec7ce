/**
 * What the normal level would have done with a message while the owner only watches: for counting and for the trail, never
 * acted on. Undefined unless the rules are those of `watch`, or when nothing would have been stopped. Pure.
 */
import type { Config } from '../config/schema.ts';
import type { Reason } from '../mail/decision.ts';
import { LEVEL_RULES } from '../mail/protection-level.ts';
import { decide, type DecideInput } from './decide.ts';
import { isWatching } from './spam-limits.ts';

export interface WouldHave {
  action: 'reject' | 'quarantine';
  reason: Reason;
}

type Policy = Config['policy'];

export function wouldHave(input: DecideInput): WouldHave | undefined {
  if (!isWatching(input.policy)) return undefined;
  const { spam, ...rest } = LEVEL_RULES.normal;
  const policy: Policy = { ...input.policy, ...rest, spam: { ...input.policy.spam, ...spam } };
  const [real] = decide(input);
  const [would] = decide({ ...input, policy });
  if (real?.action !== 'deliver' || would === undefined) return undefined;
  if (would.action !== 'reject' && would.action !== 'quarantine') return undefined;
  return { action: would.action, reason: would.reason };
}
