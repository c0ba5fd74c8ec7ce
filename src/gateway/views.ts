/** Messages as the control sockets show them: plain JSON out of the spool's records. */
import { ageOf, type Clock, type Stamp } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { VerbAnswer } from '../control/contract.ts';
import { showVia } from '../deliver/route.ts';
import type { Origin } from '../mail/envelope.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observer } from '../observe/observer.ts';
import type { QuarantineEntry } from '../quarantine/api.ts';
import type { RecipientProgress, Spool, StoredMessage } from '../spool/api.ts';

export type MessageDetails = VerbAnswer<'queue.show'>;
type QueueEntry = VerbAnswer<'queue.list'>['entries'][number];
type QuarantineRow = VerbAnswer<'quarantine.list'>['entries'][number];

const UNDO_MS = 600_000;
const DAY_MS = 86_400_000;

export const VERSION = '0.1.0';

export function alarmRows(observe: Pick<Observer, 'alarms'>): VerbAnswer<'alarms.list'>['alarms'] {
  return observe.alarms().map((row) => ({
    name: row.name,
    key: row.key,
    detail: row.detail,
    since: iso(row.first),
    lastAt: iso(row.last),
    times: row.count,
    title: row.title,
    remedy: row.remedy,
  }));
}

export function iso(wall: number): string {
  return new Date(wall).toISOString();
}

export function asQueueId(text: string): QueueId {
  return text as QueueId; // the contract's pattern was checked; an id nobody has is NOT_FOUND
}

/** One way to say that something is not there. */
export function notFound(id: string): SekishoError {
  return new SekishoError('NOT_FOUND', `Nothing is known of message "${id}"`, {
    remedy: 'Look for it with "sekisho search"',
  });
}

export async function mustRead(spool: Spool, id: QueueId): Promise<StoredMessage> {
  const message = await spool.read(id);
  if (message !== undefined) return message;
  throw new SekishoError('NOT_FOUND', `No message "${id}" in the spool`, {
    remedy: `It may have been delivered or deleted: look at its way with "sekisho trace ${id}"`,
  });
}

/** STYLE "Words": queued mail is deferred when every open recipient waits for a later attempt. */
export function stateOf(message: StoredMessage, clock: Clock): MessageDetails['state'] {
  switch (message.folder) {
    case 'incoming':
      return 'incoming';
    case 'held':
      return 'held';
    case 'quarantine':
      return 'quarantined';
    case 'corrupt':
      return 'corrupt';
    case 'queue': {
      const open = message.progress.recipients.filter(({ outcome }) => outcome === undefined);
      if (open.length === 0) return 'retired';
      return open.every((recipient) => remaining(recipient, clock) > 0) ? 'deferred' : 'active';
    }
  }
}

export function queueEntry(message: StoredMessage, clock: Clock): QueueEntry {
  const { preamble, trailer, progress, folder } = message;
  const open = progress.recipients.filter(({ outcome }) => outcome === undefined);
  // An incoming message has no variants yet: its recipients are those of the envelope.
  const shown =
    progress.recipients.length > 0
      ? open
      : preamble.envelope.recipients.map(({ address }) => ({ address, attempts: 0, wait: 0 }));
  const recipients = shown.map((recipient) => recipientRow(recipient, { clock, queued: folder === 'queue' }));
  const next = recipients.map(({ nextAttemptAt }) => nextAttemptAt).filter((at) => at !== undefined);
  return {
    id: message.id,
    state: stateOf(message, clock),
    kind: preamble.kind,
    direction: preamble.origin.direction,
    arrivedAt: iso(preamble.arrival.wall),
    size: trailer.size,
    reversePath: preamble.envelope.reversePath,
    recipients,
    ...(next.length === 0 ? {} : { nextAttemptAt: next.toSorted()[0] as string }),
    ...deletedUntil(progress.deleted),
  };
}

export function messageDetails(message: StoredMessage, clock: Clock): MessageDetails {
  const { preamble, trailer, progress, folder } = message;
  const entry = queueEntry(message, clock);
  const queued = folder === 'queue';
  const all = progress.recipients.map((recipient) => recipientRow(recipient, { clock, queued }));
  const why = progress.why ?? trailer.hold?.reason;
  const until = trailer.hold?.until === undefined ? {} : { until: iso(trailer.hold.until) };
  return {
    ...entry,
    recipients: all.length > 0 ? all : entry.recipients,
    sha256: trailer.sha256,
    client: clientOf(preamble.origin),
    decisions: trailer.decisions.map(({ recipient, action, reason }) => ({ recipient, action, reason })),
    findings: trailer.inspection?.findings ?? [],
    missing: (trailer.inspection?.missing ?? []).map(({ inspector, reason, detail }) => ({
      inspector,
      reason,
      detail,
    })),
    ...(folder !== 'held' || why === undefined ? {} : { hold: { reason: why, ...until } }),
    ...(preamble.parent === undefined ? {} : { parent: preamble.parent.id }),
    ...(progress.via === undefined ? {} : { route: showVia(progress.via) }),
  };
}

export function quarantineRow(entry: QuarantineEntry, days: number): QuarantineRow {
  return {
    id: entry.id,
    arrivedAt: iso(entry.arrival.wall),
    size: entry.size,
    direction: entry.direction,
    reversePath: entry.reversePath,
    recipients: entry.recipients,
    subject: entry.subject,
    from: entry.from,
    reason: entry.reason,
    expiresAt: iso(entry.arrival.wall + days * DAY_MS),
    ...deletedUntil(entry.deletedAt),
  };
}

export function clientOf(origin: Origin): MessageDetails['client'] {
  return {
    listener: origin.listener,
    address: origin.clientAddress,
    helo: origin.helo,
    protocol: origin.protocol,
    ...(origin.clientName === undefined ? {} : { name: origin.clientName }),
    ...(origin.tls === undefined ? {} : { tls: `${origin.tls.protocol} ${origin.tls.cipher}` }),
  };
}

export function deletedUntil(deleted: Stamp | undefined): { deletedUntil?: string } {
  return deleted === undefined ? {} : { deletedUntil: iso(deleted.wall + UNDO_MS) };
}

function recipientRow(
  recipient: RecipientProgress,
  at: { clock: Clock; queued: boolean },
): MessageDetails['recipients'][number] {
  const { address, outcome, attempts, lastAttempt, lastReply, nextHop } = recipient;
  const due = outcome === undefined && at.queued ? iso(at.clock.wall() + remaining(recipient, at.clock)) : undefined;
  return {
    address,
    attempts,
    ...(outcome === undefined ? {} : { outcome }),
    ...(lastAttempt === undefined ? {} : { lastAttemptAt: iso(lastAttempt.wall) }),
    ...(due === undefined ? {} : { nextAttemptAt: due }),
    ...(lastReply === undefined ? {} : { lastReply }),
    ...(nextHop === undefined ? {} : { nextHop }),
  };
}

function remaining(recipient: Pick<RecipientProgress, 'lastAttempt' | 'wait'>, clock: Clock): number {
  if (recipient.lastAttempt === undefined) return 0;
  return Math.max(0, recipient.wait - ageOf(recipient.lastAttempt, clock));
}
