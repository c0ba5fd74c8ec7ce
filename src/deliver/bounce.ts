/**
 * What becomes of recipients that cannot be served any more. Exactly one of: a DSN to a verified reverse-path, durable with
 * the settlement; settled in silence (NOTIFY without FAILURE); or held as *undeliverable*, because the reverse-path may be
 * forged, or because it is null: a notice that failed itself (double bounce) is for a person to look at. Never backscatter,
 * never lost. Throws what the spool throws.
 */
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { DsnRecipient } from '../mail/dsn.ts';
import type { RecipientDsn } from '../mail/envelope.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { SettledRecipient, Spool, StoredMessage } from '../spool/api.ts';
import { isReversePathVerified, knownOf, writeNotice } from './notice.ts';

export interface FailedRecipient {
  address: ForwardPath;
  outcome: 'bounced' | 'expired';
  status: string;
  reply: string;
  /** For the record: `host[address]:port` or the hop's key. */
  nextHop: string;
  /** Set when a peer said `reply`. */
  remoteMta?: string;
}

export interface FailureOptions {
  spool: Spool;
  observe: Observe;
  clock: Clock;
  config: Config;
  /** Unguessable text for boundary and Message-ID. */
  token: () => string;
  /** Runs the work while no recipient of the message is being served: its file is about to be split. */
  alone: (id: QueueId, work: () => Promise<void>) => Promise<void>;
}

export async function settleFailed(
  message: StoredMessage,
  failed: readonly FailedRecipient[],
  options: FailureOptions,
): Promise<void> {
  if (failed.length === 0) return;
  const { envelope, kind } = message.preamble;
  // RFC 5321 §6.1: nothing answers a null reverse-path.
  if (kind === 'dsn' || envelope.reversePath === '') {
    const why = 'Double bounce, a notice or a message with a null reverse-path';
    return options.alone(message.id, () => holdUndeliverable(message, failed, { ...options, why }));
  }
  const dsnOf = new Map(envelope.recipients.map((recipient) => [recipient.address, recipient.dsn]));
  const quiet = failed.filter((each) => !wantsNotice(dsnOf.get(each.address)));
  const loud = failed.filter((each) => wantsNotice(dsnOf.get(each.address)));
  if (quiet.length > 0) {
    await options.spool.settle(message.id, quiet.map(settled));
    tell(message.id, quiet, options);
  }
  if (loud.length === 0) return;
  if (isReversePathVerified(message)) await sendDsn(message, loud, options);
  else {
    const why = `Nobody vouches for the reverse-path <${envelope.reversePath}>, so no DSN was sent`;
    await options.alone(message.id, () => holdUndeliverable(message, loud, { ...options, why }));
  }
}

/** RFC 3461 §4.1: without NOTIFY a failure is told; with it only if FAILURE is on the list. */
function wantsNotice(dsn: RecipientDsn | undefined): boolean {
  return dsn?.notify === undefined || dsn.notify.includes('FAILURE');
}

async function sendDsn(
  message: StoredMessage,
  failed: readonly FailedRecipient[],
  options: FailureOptions,
): Promise<void> {
  const notice = await writeNotice(message, {
    ...options,
    recipients: failed.map((each) => dsnRecipient(message, each)),
  });
  // The number names the DSN (`….d2`). Each DSN settles somebody, so one more than the settled is new every time, and
  // the same again when a power cut undid the step.
  const attempt = 1 + message.progress.recipients.filter((each) => each.outcome !== undefined).length;
  const id = await options.spool.bounce(message.id, failed.map(settled), { attempt, ...notice });
  options.observe.emit({ event: 'derived', id, parent: message.id, why: 'dsn' });
  tell(message.id, failed, options, id);
}

function dsnRecipient(message: StoredMessage, failed: FailedRecipient): DsnRecipient {
  return {
    ...knownOf(message, failed.address),
    outcome: failed.outcome,
    // RFC 3463 §3.5 X.4.7: the delivery time expired; "failed" needs class 5 (RFC 3464 §2.3.4).
    status: failed.outcome === 'expired' ? '5.4.7' : failed.status,
    ...(failed.remoteMta === undefined ? {} : { remoteMta: failed.remoteMta }),
    diagnostic: failed.reply,
  };
}

async function holdUndeliverable(
  message: StoredMessage,
  failed: readonly FailedRecipient[],
  { spool, observe, why }: FailureOptions & { why: string },
): Promise<void> {
  const recipients = failed.map((each) => each.address);
  // Ends the attempt on record, or the file could not be moved; and the last reply is there for whoever looks at it.
  await spool.defer(
    message.id,
    failed.map(({ address, reply, nextHop }) => ({ address, reply, nextHop, wait: 0 })),
  );
  const id = await spool.move(message.id, 'held', { recipients, why: 'undeliverable' });
  if (id !== message.id) observe.emit({ event: 'derived', id, parent: message.id, why: 'undeliverable', recipients });
  observe.emit({ event: 'held', id, why: 'undeliverable', by: 'gateway' });
  const words = failed.map((each) => `<${each.address}> ${each.reply}`).join('; ');
  observe.raise('undeliverable', id, `Held. ${why}: ${words}`);
}

function settled(failed: FailedRecipient): SettledRecipient {
  return { address: failed.address, outcome: failed.outcome, reply: failed.reply, nextHop: failed.nextHop };
}

/** One event for each next hop and reply, so that each trail says what was said about it. */
function tell(id: QueueId, failed: readonly FailedRecipient[], options: FailureOptions, dsn?: QueueId): void {
  const groups = Map.groupBy(failed, (each) => `${each.outcome}\n${each.nextHop}\n${each.reply}`);
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const recipients = group.map((each) => each.address);
    const common = { id, recipients, reply: first.reply, ...(dsn === undefined ? {} : { dsn }) };
    if (first.outcome === 'expired') options.observe.emit({ event: 'expired', ...common });
    else options.observe.emit({ event: 'bounced', ...common, nextHop: first.nextHop });
  }
}
