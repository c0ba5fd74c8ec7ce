/**
 * What each event means for the history: which message, which recipients, which state. Works on records in memory;
 * `flush` writes them (history-record.ts). An event of a message the history never saw (it lost rows, or was made anew)
 * makes a record with what the event tells.
 */
import type { DatabaseSync } from 'node:sqlite';
import { assertNever } from '../base/brand.ts';
import type { Action } from '../mail/decision.ts';
import { type QueueId, rootOf } from '../mail/queue-id.ts';
import type { MailEvent } from './events.ts';
import { type HistoryState, OPEN_STATES } from './history-api.ts';
import { createHistoryRecords, type MessageRecord } from './history-record.ts';
import { bareMessageId, clip, compact } from './history-text.ts';

type Of<Name extends MailEvent['event']> = Extract<MailEvent, { event: Name }>;
type Received = Of<'received'>;

const OPEN: readonly HistoryState[] = OPEN_STATES;
/** Told by an attempt or a split: an arrival told late does not undo it. */
const SETTLED: readonly HistoryState[] = ['delivered', 'deferred', 'bounced', 'expired', 'moved', 'deleted'];
const ARRIVED_STATE: Readonly<Record<Received['state'], HistoryState>> = {
  queue: 'queued',
  held: 'held',
  quarantine: 'quarantined',
  incoming: 'incoming',
  rejected: 'rejected',
  deferred: 'not-taken',
  discarded: 'discarded',
};

export interface HistoryWriter {
  /** `json`: the event as it came, JSON. */
  apply(json: string, at: number): void;
  flush(): void;
  /** After a rollback. */
  forget(): void;
}

export function createHistoryWriter(
  database: DatabaseSync,
  options: { settings: () => { subjects: boolean } },
): HistoryWriter {
  const records = createHistoryRecords(database);

  /** Parts that were heard of before the message they are of, by its id. */
  const orphans = new Map<QueueId, Set<QueueId>>();

  /** The record of a message, made when there is none: from its nearest known ancestor, else empty. */
  function recordOf(id: QueueId, at: number, child?: { parent: QueueId; why: string }): MessageRecord {
    const known = records.find(id);
    if (known !== undefined) return known;
    const above = ancestorsOf(id);
    let source: MessageRecord | undefined;
    for (const ancestor of child === undefined ? above : [child.parent, ...above]) source ??= records.find(ancestor);
    const why = child?.why ?? (above.length === 0 ? undefined : /\.d\d+$/.test(id) ? 'dsn' : 'split');
    const message = records.create(
      {
        id,
        parent: child?.parent ?? source?.id ?? above[0],
        why,
        direction: source?.direction ?? 'inbound',
        ...(why === 'dsn' ? UNKNOWN : source === undefined ? UNKNOWN : inherited(source)),
        senderKnown: why === 'dsn' || source !== undefined,
      },
      why === 'undeliverable' ? 'held' : 'queued',
      at,
    );
    // A DSN goes to the reverse-path of what it is about (RFC 3464 §2)
    if (why === 'dsn' && source !== undefined && source.reversePath !== '')
      records.set(message, source.reversePath, { state: 'queued', at });
    if (source === undefined && above.length > 0) remember(id);
    return message;
  }

  function remember(id: QueueId): void {
    const root = rootOf(id);
    const parts = orphans.get(root) ?? new Set();
    orphans.set(root, parts.add(id));
    const [oldest] = orphans.keys();
    if (orphans.size > MAX_ORPHANS && oldest !== undefined) orphans.delete(oldest);
  }

  /** Delivery of a part may be told before the arrival of the whole: the part then learns what it is of. */
  function adopt(root: MessageRecord & { id: QueueId }, at: number): void {
    for (const id of orphans.get(root.id) ?? []) {
      const part = records.find(id);
      if (part === undefined) continue;
      Object.assign(part, { direction: root.direction, changed: true, reindex: true });
      if (part.why !== 'dsn') Object.assign(part, { ...inherited(root), senderKnown: true });
      takeOver(part, [...part.recipients.keys()], at);
    }
    orphans.delete(root.id);
  }

  function refused(event: Of<'refused'>, at: number): MessageRecord {
    const message = records.create(
      {
        id: undefined,
        parent: undefined,
        why: undefined,
        direction: event.origin.direction,
        reversePath: clip(event.reversePath ?? '', 400),
        senderKnown: event.reversePath !== undefined,
        from: '',
        subject: '',
        messageId: '',
        size: 0,
        client: clip(event.origin.clientAddress, 64),
        reason: `${event.stage}: ${clip(event.reply, 500)}`,
      },
      'refused',
      at,
    );
    if (event.recipient !== undefined)
      records.set(message, event.recipient, { state: 'refused', at, reply: event.reply });
    return message;
  }

  /** What header and decision tell, cut to size. */
  function described(
    event: Received | Of<'decided'>,
  ): Pick<MessageRecord, 'from' | 'subject' | 'messageId' | 'reason' | 'would'> {
    const leading = event.decisions.find((decision) => decision.action !== 'deliver') ?? event.decisions[0];
    return {
      from: clip(event.from, 500),
      subject: options.settings().subjects ? clip(event.subject, 1_000) : '',
      messageId: clip(bareMessageId(event.messageId), 500),
      reason: leading?.reason ?? '',
      would: event.would === undefined ? undefined : `${event.would.action} ${event.would.reason}`,
    };
  }

  function received(event: Received, at: number): MessageRecord {
    const facts = {
      ...described(event),
      direction: event.direction,
      reversePath: clip(event.reversePath, 400),
      senderKnown: true,
      size: event.size,
      client: clip(event.origin.clientAddress, 64),
    };
    const arrived = ARRIVED_STATE[event.state];
    const known = records.find(event.id);
    const message = known ?? records.create({ id: event.id, parent: undefined, why: undefined, ...facts }, arrived, at);
    if (known !== undefined) Object.assign(known, { ...facts, state: arrived, changed: true, reindex: true });
    const decided = new Map(event.decisions.map((decision) => [decision.recipient, decision]));
    for (const address of event.recipients) {
      // The first attempt may be told before the arrival: its outcome stands
      if (SETTLED.includes(message.recipients.get(address)?.state ?? 'queued')) continue;
      const decision = decided.get(address);
      const state = decision === undefined ? arrived : recipientState(decision.action, event.state);
      const reply = state === 'rejected' || state === 'not-taken' ? event.reply : '';
      records.set(message, address, { state, at, reply, reason: decision?.reason ?? '' });
    }
    adopt({ ...message, id: event.id }, at);
    return message;
  }

  function decided(event: Of<'decided'>, at: number): MessageRecord {
    const message = recordOf(event.id, at);
    Object.assign(message, { ...described(event), state: ARRIVED_STATE[event.state], changed: true, reindex: true });
    for (const { recipient, action, reason } of event.decisions)
      records.set(message, recipient, { state: recipientState(action, event.state), at, reason });
    return message;
  }

  /** A part of a split takes over what those it is of still counted as their own. */
  function takeOver(message: MessageRecord, recipients: readonly string[], at: number): void {
    if (message.id === undefined || message.parent === undefined) return;
    if (message.why === 'dsn' || message.why === 'resend') return;
    for (const ancestor of new Set([message.parent, ...ancestorsOf(message.id)])) {
      const above = records.find(ancestor);
      if (above === undefined) continue;
      for (const address of recipients) {
        const one = above.recipients.get(address);
        if (one !== undefined && OPEN.includes(one.state))
          records.set(above, address, { state: 'moved', before: one.state, at });
      }
    }
  }

  function attempted(event: Of<'attempt'>, at: number): MessageRecord {
    const message = recordOf(event.id, at);
    // The outcome comes soon and says the rest; only who was unknown is noted
    for (const address of event.recipients)
      if (!message.recipients.has(address))
        records.set(message, address, { state: 'queued', at, nextHop: event.nextHop });
    takeOver(message, event.recipients, at);
    return message;
  }

  function outcome(event: Of<'delivered' | 'deferred' | 'bounced' | 'expired'>, at: number): MessageRecord {
    const message = recordOf(event.id, at);
    const nextHop = 'nextHop' in event ? event.nextHop : '';
    for (const address of event.recipients)
      records.set(message, address, { state: event.event, at, reply: event.reply, nextHop });
    takeOver(message, event.recipients, at);
    return message;
  }

  /** All recipients that are still ours change together. */
  function setOpen(id: QueueId, at: number, state: HistoryState): MessageRecord {
    const message = recordOf(id, at);
    for (const [address, one] of message.recipients)
      if (OPEN.includes(one.state)) records.set(message, address, { state, before: one.state, at });
    if (message.recipients.size === 0) Object.assign(message, { state, changed: true });
    return message;
  }

  function derived(event: Of<'derived'>, at: number): MessageRecord {
    const message = recordOf(event.id, at, event);
    Object.assign(message, { parent: event.parent, why: event.why, changed: true });
    if (event.why === 'resend') message.reason = 'operator';
    const recipients = event.recipients ?? [];
    const state = event.why === 'undeliverable' ? 'held' : 'queued';
    // Told late, after the first attempt: what is known already stands
    for (const address of recipients)
      if (!message.recipients.has(address))
        records.set(message, address, { state: parentState(message, address) ?? state, at, reason: message.reason });
    takeOver(message, recipients, at);
    return message;
  }

  /** A share that was put aside by its decision stays aside in its own file. */
  function parentState(message: MessageRecord, address: string): HistoryState | undefined {
    if (message.why !== 'split' || message.parent === undefined) return undefined;
    const state = records.find(message.parent)?.recipients.get(address)?.state;
    return state === 'quarantined' || state === 'held' || state === 'incoming' ? state : undefined;
  }

  function released(event: Of<'released'>, at: number): MessageRecord {
    const message = recordOf(event.id, at);
    // Released into a part of its own: there it is queued
    for (const address of event.recipients)
      if (message.recipients.get(address)?.state !== 'moved')
        records.set(message, address, { state: 'queued', at, reason: 'operator' });
    takeOver(message, event.recipients, at);
    return message;
  }

  function undeleted(event: Of<'undeleted'>, at: number): MessageRecord {
    const message = recordOf(event.id, at);
    for (const [address, one] of message.recipients)
      if (one.state !== one.before && one.state !== 'moved') records.set(message, address, { state: one.before, at });
    return message;
  }

  function recorded(event: MailEvent, at: number): MessageRecord {
    switch (event.event) {
      case 'refused':
        return refused(event, at);
      case 'received':
        return received(event, at);
      case 'decided':
        return decided(event, at);
      case 'attempt':
        return attempted(event, at);
      case 'delivered':
      case 'deferred':
      case 'bounced':
      case 'expired':
        return outcome(event, at);
      case 'held':
        return setOpen(event.id, at, 'held');
      case 'derived':
        return derived(event, at);
      case 'released':
        return released(event, at);
      case 'deleted':
        return setOpen(event.id, at, event.why === 'operator' ? 'deleted' : event.why);
      case 'rerouted':
      case 'resent':
      case 'reported':
        return recordOf(event.id, at);
      case 'undeleted':
        return undeleted(event, at);
      case 'corrupt':
        return setOpen(event.id, at, 'corrupt');
      default:
        return assertNever(event);
    }
  }

  return {
    apply: (json, at) => {
      const event = JSON.parse(json) as MailEvent;
      const message = recorded(event, at);
      records.insertEvent(message, { at, kind: event.event, json: keptJson(event, json, options.settings()) });
    },
    flush: () => records.flush(),
    forget: () => records.forget(),
  };
}

const MAX_ORPHANS = 1_000;
const UNKNOWN = { reversePath: '', from: '', subject: '', messageId: '', size: 0, client: '', reason: '' };

function inherited(source: MessageRecord): typeof UNKNOWN {
  const { reversePath, from, subject, messageId, size, client, reason } = source;
  return { reversePath, from, subject, messageId, size, client, reason };
}

/** `X.1.d2` → `X.1`, `X`. */
function ancestorsOf(id: QueueId): QueueId[] {
  const above: QueueId[] = [];
  for (let at = id.lastIndexOf('.'); at > 0; at = id.lastIndexOf('.', at - 1)) above.push(id.slice(0, at) as QueueId);
  return above;
}

/** What became of a recipient by its decision, given where the message as a whole went. */
function recipientState(action: Action, went: Received['state']): HistoryState {
  if (went === 'rejected' || went === 'deferred') return ARRIVED_STATE[went]; // one reply for all (RFC 5321 §4.2)
  switch (action) {
    case 'deliver':
      return went === 'incoming' ? 'incoming' : 'queued';
    case 'quarantine':
      return 'quarantined';
    case 'hold':
      return 'held';
    case 'reject':
      // A share that cannot be refused any more: kept aside or dropped, never bounced to a stranger
      return went === 'quarantine' ? 'quarantined' : 'discarded';
    case 'defer':
      return 'incoming';
    case 'discard':
      return 'discarded';
    default:
      return assertNever(action);
  }
}

const SMALL = 8_192;

/** Most events are small and are kept as they came; a large one is cut, and a subject nobody wants is left out. */
function keptJson(event: MailEvent, json: string, settings: { subjects: boolean }): string {
  if (json.length <= SMALL && (settings.subjects || !('subject' in event)) && !json.includes('"description":'))
    return json;
  return JSON.stringify(compact(event, settings.subjects));
}
