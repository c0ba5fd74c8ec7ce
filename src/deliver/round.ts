/**
 * Who is served in one round of a message, and in which transactions: the recipients of the jobs that are due, but not who is
 * settled or just being served; each variant by itself, at most `MAX_RECIPIENTS` at once. Pure; the message is as it was read.
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { Recipient } from '../mail/envelope.ts';
import type { StoredMessage, Variant } from '../spool/api.ts';
import type { InFlight } from './in-flight.ts';
import { routingDomain } from './route.ts';
import { type Job, pauseLeft } from './schedule.ts';
import { MAX_RECIPIENTS } from './send.ts';

/** Whom to come back for, and after how long. */
export type Again = Array<{ domain: string; wait: Milliseconds }>;

/**
 * Not settled, not being served, of these jobs. `early`: a domain that was tried since its job was made (held and let go
 * again, deleted and brought back, it had two) waits its pause; never dropped, for no job can know that it has a double.
 */
export function recipientsFor(
  jobs: readonly Job[],
  message: StoredMessage,
  context: { clock: Clock; config: Config; inFlight: InFlight },
): { mine: ForwardPath[]; early: Again } {
  const { clock, config, inFlight } = context;
  const open = message.progress.recipients.filter(
    ({ outcome, address }) => outcome === undefined && !inFlight.isClaimed(message.id, address),
  );
  const byDomain = Map.groupBy(open, ({ address }): string => routingDomain(address, config) ?? '');
  const mine: ForwardPath[] = [];
  const early: Again = [];
  for (const { domain, asked } of jobs) {
    const recipients = byDomain.get(domain) ?? [];
    const wait = asked === true ? 0 : Math.min(...recipients.map((recipient) => pauseLeft(recipient, clock)));
    if (wait > 0 && recipients.length > 0) early.push({ domain, wait });
    else mine.push(...recipients.map(({ address }) => address));
  }
  return { mine, early };
}

export interface Batch {
  variant: number;
  recipients: Recipient[];
}

export function batchesOf(
  message: StoredMessage,
  mine: readonly ForwardPath[],
): { batches: Batch[]; orphans: ForwardPath[] } {
  const wanted = new Set(mine);
  const said = new Map(message.preamble.envelope.recipients.map((recipient) => [recipient.address, recipient]));
  const batches: Batch[] = [];
  for (const [variant, { recipients }] of message.trailer.variants.entries()) {
    const here = recipients.filter((address) => wanted.delete(address));
    for (let at = 0; at < here.length; at += MAX_RECIPIENTS) {
      const part = here.slice(at, at + MAX_RECIPIENTS);
      batches.push({ variant, recipients: part.map((address) => said.get(address) ?? { address }) });
    }
  }
  return { batches, orphans: [...wanted] };
}

export function variantSize(message: StoredMessage, variant: Variant): number {
  const cut = variant.cuts.reduce((sum, [start, end]) => sum + end - start, 0);
  return Buffer.byteLength(variant.prefix) + message.trailer.size - cut;
}
