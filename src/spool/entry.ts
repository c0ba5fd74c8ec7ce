/** What is remembered of one message: values that are replaced, never changed in place. Pure. */
import type { Stamp } from '../base/clock.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Outcome, Preamble, QueuedMessage, RecipientProgress, SettledRecipient, Trailer, Via } from './api.ts';

export interface Entry {
  v: 1;
  kind: 'mail' | 'dsn';
  arrival: Stamp;
  size: number;
  sha256: string;
  recipients: RecipientProgress[];
  deleted?: { at: Stamp; outcome: Outcome };
  /** Why it was moved to where it is. */
  why?: string;
  via?: Via;
  /** When it was let go, had it been kept: from then on it is tried. */
  letGo?: Stamp;
}

/** The last word on a message that is gone, kept 7 days. */
export interface Retired {
  at: Stamp;
  recipients: Array<{ address: string; outcome: Outcome; reply?: string }>;
}

export function newEntry(preamble: Preamble, trailer: Trailer): Entry {
  return {
    v: 1,
    kind: preamble.kind,
    arrival: preamble.arrival,
    size: trailer.size,
    sha256: trailer.sha256,
    recipients: trailer.variants.flatMap((variant) =>
      variant.recipients.map((address) => ({ address, attempts: 0, wait: 0 })),
    ),
  };
}

export function isSettled(entry: Entry): boolean {
  return entry.recipients.length > 0 && entry.recipients.every((recipient) => recipient.outcome !== undefined);
}

/** As the scheduler wants it: the open recipients. */
export function toQueued(id: QueueId, entry: Entry): QueuedMessage {
  return {
    id,
    since: entry.letGo ?? entry.arrival,
    kind: entry.kind,
    ...(entry.via === undefined ? {} : { via: entry.via }),
    recipients: entry.recipients
      .filter((recipient) => recipient.outcome === undefined)
      .map(({ address, attempts, wait, lastAttempt }) => ({
        address,
        attempts,
        wait,
        ...(lastAttempt === undefined ? {} : { lastAttempt }),
      })),
  };
}

/** Changes those recipients that are named and still open: an outcome is final. */
export function withRecipients(
  entry: Entry,
  addresses: readonly ForwardPath[],
  change: (recipient: RecipientProgress) => RecipientProgress,
): Entry {
  const wanted = new Set(addresses);
  return {
    ...entry,
    recipients: entry.recipients.map((recipient) =>
      wanted.has(recipient.address) && recipient.outcome === undefined ? change(recipient) : recipient,
    ),
  };
}

export function withOutcomes(entry: Entry, settled: readonly SettledRecipient[]): Entry {
  const by = new Map(settled.map((recipient) => [recipient.address, recipient]));
  return withRecipients(entry, [...by.keys()], (recipient) => {
    const said = by.get(recipient.address) as SettledRecipient;
    return {
      ...recipient,
      outcome: said.outcome,
      ...(said.reply === undefined ? {} : { lastReply: said.reply }),
      ...(said.nextHop === undefined ? {} : { nextHop: said.nextHop }),
    };
  });
}

export function retire(entry: Entry, at: Stamp): Retired {
  return {
    at,
    recipients: entry.recipients.map(({ address, outcome, lastReply }) => ({
      address,
      outcome: outcome ?? 'deleted',
      ...(lastReply === undefined ? {} : { reply: lastReply }),
    })),
  };
}
