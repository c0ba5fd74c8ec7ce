/**
 * Turns events into rows. Runs inside the caller's transaction; every statement is prepared once. An event of a message the
 * history never saw (it lost rows, or was made anew) makes a row with what the event tells.
 */
import type { DatabaseSync } from 'node:sqlite';
import { assertNever } from '../base/brand.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { Action, Reason } from '../mail/decision.ts';
import { rootOf, type QueueId } from '../mail/queue-id.ts';
import type { MailEvent } from './events.ts';
import { foldText, pairTokens } from './fold.ts';
import { HISTORY_STATES, type HistoryState, OPEN_STATES } from './history-api.ts';
import { KEY, PER_MILLISECOND } from './history-schema.ts';
import { prepareStatements } from './history-statements.ts';
import { bareMessageId, clip, compact, domainPart, readable } from './history-text.ts';

type Of<Name extends MailEvent['event']> = Extract<MailEvent, { event: Name }>;
type Received = Of<'received'>;
type Decisions = Array<{ recipient: ForwardPath; action: Action; reason: Reason }>;

interface MessageRow {
  n: number;
  direction: string;
  reverse_path: string;
  header_from: string;
  subject: string;
  message_id: string;
  size: number;
  client: string;
  reason: string;
  parent: string | null;
  why: string | null;
}

const OPEN: readonly string[] = OPEN_STATES;
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
  apply(event: MailEvent, at: number): void;
}

export function createHistoryWriter(database: DatabaseSync, settings: { subjects: boolean }): HistoryWriter {
  const sql = prepareStatements(database);
  let lastNumber = 0;

  /** The first free number of that millisecond. */
  function numberFor(at: number): number {
    const base = Math.max(0, Math.trunc(at)) * PER_MILLISECOND;
    if (lastNumber >= base && lastNumber < base + PER_MILLISECOND) lastNumber += 1;
    else lastNumber = Number(sql.lastOf.get(base, base + PER_MILLISECOND - 1)?.['n'] ?? base - 1) + 1;
    while (sql.taken.get(lastNumber) !== undefined) lastNumber += 1;
    return lastNumber;
  }

  function find(id: QueueId): MessageRow | undefined {
    return sql.byId.get(id) as unknown as MessageRow | undefined;
  }

  function insert(
    n: number,
    row: Omit<MessageRow, 'n'> & { id: string | null; state: HistoryState; count: number },
  ): void {
    sql.insertMessage.run(
      n,
      row.id,
      row.parent,
      row.why,
      row.direction,
      row.state,
      row.reverse_path,
      row.header_from,
      row.subject,
      row.message_id,
      row.size,
      row.client,
      row.reason,
      row.count,
    );
  }

  /** Words and exact keys of a message; what stood there before is replaced. */
  function index(
    n: number,
    row: Pick<MessageRow, 'subject' | 'reverse_path' | 'header_from' | 'client' | 'message_id'>,
    options: { senderKnown: boolean } = { senderKnown: true },
  ): void {
    const recipients = sql.addresses.all(n).map((found) => String(found['address']));
    const sender = [row.reverse_path, ...readable(row.reverse_path), row.header_from].join(' ');
    sql.dropWords.run(n);
    sql.insertWords.run(
      n,
      pairTokens(foldText(row.subject, 1_000)),
      pairTokens(foldText(sender, 2_000)),
      // Folded one by one: each ends with a lone character, so that no word reaches from one address into the next
      recipients.map((address) => pairTokens(foldText([address, ...readable(address)].join(' '), 700))).join(' '),
    );
    const keys: Array<[kind: number, key: string]> = [
      [KEY.sender, row.reverse_path],
      [KEY.senderDomain, domainPart(row.reverse_path)],
      [KEY.client, row.client],
      [KEY.messageId, row.message_id],
    ];
    const author = /<([^<>\s]+@[^<>\s]+)>\s*$|^\s*([^<>\s]+@[^<>\s]+)\s*$/.exec(row.header_from);
    const authorAddress = author?.[1] ?? author?.[2] ?? '';
    if (authorAddress !== '') keys.push([KEY.sender, authorAddress], [KEY.senderDomain, domainPart(authorAddress)]);
    for (const address of recipients) keys.push([KEY.recipient, address], [KEY.recipientDomain, domainPart(address)]);
    // The null reverse-path is a key too; an absent Message-ID, domain or client is none
    for (const [kind, key] of keys)
      if (key !== '' || (kind === KEY.sender && options.senderKnown)) sql.insertKey.run(kind, key.toLowerCase(), n);
  }

  function setRecipient(
    n: number,
    address: string,
    told: { state: HistoryState; at: number; reason?: string; reply?: string; nextHop?: string },
  ): void {
    sql.setRecipient.run(
      n,
      clip(address, 400),
      told.state,
      told.state,
      told.reason ?? '',
      clip(told.reply ?? '', 1_000),
      told.nextHop ?? '',
      told.at,
    );
  }

  /** A message shows the state of its recipients that needs most attention. */
  function summarise(n: number, otherwise?: HistoryState): void {
    const found = sql.states.all(n);
    let best: HistoryState | undefined;
    let count = 0;
    for (const { state, amount } of found) {
      count += Number(amount);
      const candidate = state as HistoryState;
      if (best === undefined || HISTORY_STATES.indexOf(candidate) < HISTORY_STATES.indexOf(best)) best = candidate;
    }
    const state = best ?? otherwise;
    if (state !== undefined) sql.summarise.run(state, count, n);
  }

  /** The row of a message, made when there is none: from its family's root, else empty. */
  function rowOf(id: QueueId, at: number, child?: { parent: QueueId; why: string }): MessageRow & { id: string } {
    const known = find(id);
    if (known !== undefined) return { ...known, id };
    const source = find(child?.parent ?? rootOf(id)) ?? find(rootOf(id));
    const dsn = child?.why === 'dsn' || (child === undefined && /\.d\d+$/.test(id));
    const n = numberFor(at);
    const row = {
      direction: source?.direction ?? 'inbound',
      reverse_path: dsn ? '' : (source?.reverse_path ?? ''),
      header_from: dsn ? '' : (source?.header_from ?? ''),
      subject: dsn ? '' : (source?.subject ?? ''),
      message_id: dsn ? '' : (source?.message_id ?? ''),
      size: dsn ? 0 : (source?.size ?? 0),
      client: dsn ? '' : (source?.client ?? ''),
      reason: dsn ? '' : (source?.reason ?? ''),
      parent: child?.parent ?? (rootOf(id) === id ? null : rootOf(id)),
      why: child?.why ?? (rootOf(id) === id ? null : dsn ? 'dsn' : 'split'),
    };
    insert(n, { ...row, id, state: child?.why === 'undeliverable' ? 'held' : 'queued', count: 0 });
    if (dsn && source !== undefined && source.reverse_path !== '')
      setRecipient(n, source.reverse_path, { state: 'queued', at });
    summarise(n);
    index(n, row);
    return { ...row, n, id };
  }

  function refused(event: Of<'refused'>, at: number): number {
    const n = numberFor(at);
    const row = {
      id: null,
      parent: null,
      why: null,
      direction: event.origin.direction,
      state: 'refused' as const,
      reverse_path: clip(event.reversePath ?? '', 400),
      header_from: '',
      subject: '',
      message_id: '',
      size: 0,
      client: clip(event.origin.clientAddress, 64),
      reason: `${event.stage}: ${clip(event.reply, 500)}`,
      count: 0,
    };
    insert(n, row);
    if (event.recipient !== undefined) setRecipient(n, event.recipient, { state: 'refused', at, reply: event.reply });
    summarise(n, 'refused');
    index(n, row, { senderKnown: event.reversePath !== undefined });
    return n;
  }

  function received(event: Received, at: number): number {
    const known = find(event.id);
    const n = known?.n ?? numberFor(at);
    const row = {
      id: event.id,
      parent: known?.parent ?? null,
      why: known?.why ?? null,
      direction: event.direction,
      state: ARRIVED_STATE[event.state],
      reverse_path: event.reversePath,
      header_from: clip(event.from, 500),
      subject: settings.subjects ? clip(event.subject, 1_000) : '',
      message_id: clip(bareMessageId(event.messageId), 500),
      size: event.size,
      client: clip(event.origin.clientAddress, 64),
      reason: leadingReason(event.decisions),
      count: event.recipients.length,
    };
    insert(n, row);
    const arrived = ARRIVED_STATE[event.state];
    const decided = new Map(event.decisions.map((decision) => [decision.recipient, decision]));
    for (const address of event.recipients) {
      const decision = decided.get(address);
      const state = decision === undefined ? arrived : recipientState(decision.action, event.state);
      setRecipient(n, address, {
        state,
        at,
        reason: decision?.reason ?? '',
        reply: state === 'rejected' || state === 'not-taken' ? event.reply : '',
      });
    }
    summarise(n, arrived);
    index(n, row);
    return n;
  }

  function decided(event: Of<'decided'>, at: number): number {
    const before = rowOf(event.id, at);
    const row = {
      ...before,
      header_from: clip(event.from, 500),
      subject: settings.subjects ? clip(event.subject, 1_000) : '',
      message_id: clip(bareMessageId(event.messageId), 500),
    };
    sql.describe.run(row.header_from, row.subject, row.message_id, leadingReason(event.decisions), row.n);
    for (const { recipient, action, reason } of event.decisions)
      setRecipient(row.n, recipient, { state: recipientState(action, event.state), at, reason });
    summarise(row.n, ARRIVED_STATE[event.state]);
    index(row.n, row);
    return row.n;
  }

  /** Recipients of an attempt. A part of a split takes over what its parent still counted as its own. */
  function outcome(event: Of<'attempt' | 'delivered' | 'deferred' | 'bounced' | 'expired'>, at: number): number {
    const row = rowOf(event.id, at);
    for (const address of event.recipients) {
      if (event.event === 'attempt') sql.attempt.run(row.n, address, event.nextHop, at);
      else
        setRecipient(row.n, address, {
          state: event.event,
          at,
          reply: event.reply,
          nextHop: 'nextHop' in event ? event.nextHop : '',
        });
    }
    if (row.parent !== null && row.why !== 'dsn') takeOver(row.parent, event.recipients, at);
    summarise(row.n);
    return row.n;
  }

  function takeOver(parent: string, recipients: readonly string[], at: number): void {
    const above = find(parent as QueueId);
    if (above === undefined) return;
    let moved = false;
    for (const address of recipients) moved = Number(sql.move.run(at, above.n, address).changes) > 0 || moved;
    if (moved) summarise(above.n);
  }

  /** All recipients that are still ours change together. */
  function setOpen(id: QueueId, at: number, state: HistoryState): number {
    const row = rowOf(id, at);
    for (const found of sql.all.all(row.n))
      if (OPEN.includes(String(found['state'])))
        sql.setState.run(state, String(found['state']), at, row.n, String(found['address']));
    summarise(row.n, state);
    return row.n;
  }

  function derived(event: Of<'derived'>, at: number): number {
    const row = rowOf(event.id, at, { parent: event.parent, why: event.why });
    sql.adopt.run(event.parent, event.why, row.n);
    const state = event.why === 'undeliverable' ? 'held' : 'queued';
    for (const address of event.recipients ?? []) setRecipient(row.n, address, { state, at, reason: row.reason });
    if (event.why !== 'dsn') takeOver(event.parent, event.recipients ?? [], at);
    if ((event.recipients ?? []).length > 0) index(row.n, row);
    summarise(row.n, state);
    return row.n;
  }

  function released(event: Of<'released'>, at: number): number {
    const row = rowOf(event.id, at);
    for (const address of event.recipients) setRecipient(row.n, address, { state: 'queued', at, reason: 'operator' });
    if (row.parent !== null) takeOver(row.parent, event.recipients, at);
    summarise(row.n);
    return row.n;
  }

  function undeleted(event: Of<'undeleted'>, at: number): number {
    const row = rowOf(event.id, at);
    sql.restore.run(at, row.n);
    summarise(row.n);
    return row.n;
  }

  function rowsOf(event: MailEvent, at: number): number {
    switch (event.event) {
      case 'refused':
        return refused(event, at);
      case 'received':
        return received(event, at);
      case 'decided':
        return decided(event, at);
      case 'attempt':
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
      case 'undeleted':
        return undeleted(event, at);
      case 'corrupt':
        return setOpen(event.id, at, 'corrupt');
      default:
        return assertNever(event);
    }
  }

  return {
    apply: (event, at) => {
      const n = rowsOf(event, at);
      sql.insertEvent.run(n, at, event.event, JSON.stringify(compact(event, settings.subjects)));
    },
  };
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

/** The first reason that changed anything, else the first. */
function leadingReason(decisions: Decisions): string {
  return (decisions.find((decision) => decision.action !== 'deliver') ?? decisions[0])?.reason ?? '';
}
