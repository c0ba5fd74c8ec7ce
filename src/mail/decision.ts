/**
 * The policy's outcome for one recipient. One closed list of reasons serves header, log, metric, page and test; a new one
 * breaks the build where its words (ja/en) are missing.
 */
import type { ForwardPath } from './address.ts';
import type { Finding } from './finding.ts';

export const ACTIONS = ['deliver', 'quarantine', 'hold', 'reject', 'defer', 'discard'] as const;
export type Action = (typeof ACTIONS)[number];

export const REASONS = [
  'clean', // nothing was found that the policy minds
  'virus',
  'spam-reject',
  'spam-quarantine',
  'spam-tag',
  'allowed', // its spam score would have stopped it, but its sender is on the allow list and proved
  'blocked', // on the block list
  'dmarc-reject',
  'dmarc-quarantine',
  'own-domain-from-outside', // the header From is ours, the client is not, and nothing vouches for it
  'suspicious-from', // none, several or malformed From fields
  'disguised-executable',
  'executable', // a bare program or script, when the policy minds
  'encrypted-archive',
  'unscannable',
  'too-complex',
  'poison',
  'not-inspected', // an engine could not look: deferred, or incoming; never delivered
  'undeliverable', // a DSN would go to a stranger: held instead
  'operator', // somebody said so
] as const;
export type Reason = (typeof REASONS)[number];

export interface Decision {
  recipient: ForwardPath;
  action: Action;
  reason: Reason;
  /** The finding that decided, if one did. */
  because?: Finding;
  /** Text put before the subject, when tagged: `[SPAM]`. */
  tag?: string;
}
