/**
 * A mail that the box itself writes to its users: durable in the spool when it resolves, delivered like any other, on record in the
 * history. Nobody is told when it cannot be delivered (RFC 3461 §4.1 NOTIFY=NEVER). Throws what the spool throws.
 */
import { type Clock, stampOf } from '../base/clock.ts';
import { type ForwardPath, needsSmtpUtf8, type ReversePath } from '../mail/address.ts';
import type { Direction, Transaction } from '../mail/envelope.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { Spool } from './api.ts';

export interface OwnMail {
  author: ReversePath;
  /** One transaction: at least one. */
  recipients: readonly ForwardPath[];
  /** Whole, CRLF. */
  message: Buffer;
  /** For the history. */
  subject: string;
  direction: Direction;
  hostname: string;
  /** It may use the room that is kept free for the box itself. */
  belowFloor?: boolean;
}

export async function putOwnMail(
  parts: { spool: Pick<Spool, 'begin'>; observe: Pick<Observe, 'emit'>; clock: Clock },
  { author, recipients, message, subject, direction, hostname, belowFloor = false }: OwnMail,
): Promise<QueueId> {
  const { spool, observe, clock } = parts;
  const origin: Transaction['origin'] = {
    direction,
    listener: 'local',
    sessionId: '',
    clientAddress: '',
    helo: hostname,
    protocol: 'LOCAL',
  };
  const utf8 = recipients.some(needsSmtpUtf8);
  const envelope: Transaction['envelope'] = {
    reversePath: author,
    recipients: recipients.map((address) => ({ address, dsn: { notify: ['NEVER'] } })),
    smtpUtf8: utf8,
    eightBit: utf8,
  };
  const draft = await spool.begin({ origin, envelope, arrival: stampOf(clock) }, { belowFloor });
  const decisions = recipients.map((recipient) => ({ recipient, action: 'deliver', reason: 'clean' }) as const);
  try {
    await draft.write(message);
    await draft.seal();
    await draft.commit('queue', {
      decidedAt: stampOf(clock),
      decisions,
      variants: [{ recipients: [...recipients], prefix: '', cuts: [] }],
    });
  } catch (error) {
    await draft.abort().catch(() => undefined); // the first trouble is the one to tell
    throw error;
  }
  observe.emit({
    event: 'received',
    id: draft.id,
    direction,
    origin,
    reversePath: author,
    recipients: [...recipients],
    size: message.length,
    subject,
    messageId: '',
    from: author,
    findings: [],
    decisions,
    state: 'queue',
    reply: '',
  });
  return draft.id;
}
