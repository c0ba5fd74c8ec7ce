/**
 * Messages of the history as they stand in memory while a batch of events is applied, and how they are written once at its
 * end: most messages come, go out and are done within one batch, so each row and index is touched once and not at every
 * step. Everything here runs inside the caller's transaction; after a rollback `forget` must be called.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { QueueId } from '../mail/queue-id.ts';
import { foldText, pairTokens } from './fold.ts';
import { HISTORY_STATES, type HistoryState } from './history-api.ts';
import { KEY, PER_MILLISECOND } from './history-schema.ts';
import { prepareStatements } from './history-statements.ts';
import { clip, domainPart, readable } from './history-text.ts';

export interface RecipientRecord {
  state: HistoryState;
  /** The state before an operator deleted it. */
  before: HistoryState;
  reason: string;
  reply: string;
  nextHop: string;
  updated: number;
  changed: boolean;
}

export interface MessageFacts {
  /** Undefined for a refused session. */
  id: QueueId | undefined;
  parent: string | undefined;
  why: string | undefined;
  direction: string;
  reversePath: string;
  /** False when a session ended before MAIL. */
  senderKnown: boolean;
  from: string;
  subject: string;
  messageId: string;
  size: number;
  client: string;
  reason: string;
  /** What the normal level would have done, where only watching let it in: `action reason`. */
  would?: string | undefined;
}

export interface MessageRecord extends MessageFacts {
  n: number;
  state: HistoryState;
  recipients: Map<string, RecipientRecord>;
  /** Not in the file yet. */
  fresh: boolean;
  changed: boolean;
  /** Its words and keys must be written (again). */
  reindex: boolean;
}

export interface HistoryRecords {
  find(id: string): MessageRecord | undefined;
  /** A new message, arrived at that time; `state` stands until it has recipients. */
  create(facts: MessageFacts, state: HistoryState, at: number): MessageRecord;
  /** Empty `reason`, `reply`, `nextHop` leave what stood there. */
  set(
    message: MessageRecord,
    address: string,
    told: { state: HistoryState; at: number; reason?: string; reply?: string; nextHop?: string; before?: HistoryState },
  ): void;
  insertEvent(message: MessageRecord, event: { at: number; kind: string; json: string }): void;
  /** Writes what changed. */
  flush(): void;
  /** What was not written never was; what is written is read anew. */
  forget(): void;
}

const MAX_CACHED = 1_000;

export function createHistoryRecords(database: DatabaseSync): HistoryRecords {
  const sql = prepareStatements(database);
  const known = new Map<string, MessageRecord>();
  /** Of this batch, refused sessions too. */
  let touched = new Set<MessageRecord>();
  let taken = new Set<number>();
  let highest = readHighest();
  let last = 0;

  function readHighest(): number {
    return Number(database.prepare('SELECT max(n) AS n FROM messages').get()?.['n'] ?? 0);
  }

  /** The first free number of that millisecond. */
  function numberFor(at: number): number {
    const base = Math.max(0, Math.trunc(at)) * PER_MILLISECOND;
    let n = last >= base && last < base + PER_MILLISECOND ? last + 1 : base;
    while (taken.has(n) || (n <= highest && sql.taken.get(n) !== undefined)) n += 1;
    last = n;
    taken.add(n);
    return n;
  }

  function read(id: string): MessageRecord | undefined {
    const row = sql.byId.get(id);
    if (row === undefined) return undefined;
    const text = (name: string): string => String(row[name] ?? '');
    const recipients = new Map<string, RecipientRecord>();
    for (const found of sql.recipients.all(Number(row['n'])))
      recipients.set(String(found['address']), {
        state: String(found['state']) as HistoryState,
        before: String(found['before']) as HistoryState,
        reason: String(found['reason']),
        reply: String(found['reply']),
        nextHop: String(found['next_hop']),
        updated: Number(found['updated']),
        changed: false,
      });
    return {
      n: Number(row['n']),
      id: id as QueueId,
      parent: row['parent'] === null ? undefined : text('parent'),
      why: row['why'] === null ? undefined : text('why'),
      direction: text('direction'),
      state: text('state') as HistoryState,
      reversePath: text('reverse_path'),
      senderKnown: true,
      from: text('header_from'),
      subject: text('subject'),
      messageId: text('message_id'),
      size: Number(row['size']),
      client: text('client'),
      reason: text('reason'),
      would: typeof row['would'] === 'string' ? row['would'] : undefined,
      recipients,
      fresh: false,
      changed: false,
      reindex: false,
    };
  }

  function find(id: string): MessageRecord | undefined {
    const message = known.get(id) ?? read(id);
    if (message === undefined) return undefined;
    known.delete(id); // the latest used stands last
    known.set(id, message);
    touched.add(message);
    return message;
  }

  function write(message: MessageRecord): void {
    const { n, id, parent, why, direction, reversePath, from, subject, messageId, size, client, reason } = message;
    const would = message.would ?? null;
    const state = summary(message);
    if (message.fresh)
      sql.insertMessage.run(
        n,
        id ?? null,
        parent ?? null,
        why ?? null,
        direction,
        state,
        reversePath,
        from,
        subject,
        messageId,
        size,
        client,
        reason,
        message.recipients.size,
        would,
      );
    else if (message.changed || state !== message.state)
      sql.updateMessage.run(
        state,
        direction,
        reversePath,
        from,
        subject,
        messageId,
        size,
        client,
        reason,
        parent ?? null,
        why ?? null,
        message.recipients.size,
        would,
        n,
      );
    for (const [address, one] of message.recipients) {
      if (!one.changed) continue;
      sql.putRecipient.run(n, address, one.state, one.before, one.reason, one.reply, one.nextHop, one.updated);
      one.changed = false;
    }
    if (message.reindex) index(message);
    highest = Math.max(highest, n);
    Object.assign(message, { state, fresh: false, changed: false, reindex: false });
  }

  /** Words and exact keys of a message; words that stood there before are replaced. */
  function index(message: MessageRecord): void {
    const { n, reversePath, from } = message;
    const addresses = [...message.recipients.keys()];
    if (!message.fresh) sql.dropWords.run(n);
    sql.insertWords.run(n, ...wordsOf({ subject: message.subject, reversePath, from }, addresses));
    for (const [kind, key] of keysOf(message, addresses)) sql.insertKey.run(kind, key, n);
  }

  return {
    find,
    create: (facts, state, at) => {
      const message: MessageRecord = {
        ...facts,
        n: numberFor(at),
        state,
        recipients: new Map(),
        fresh: true,
        changed: true,
        reindex: true,
      };
      if (facts.id !== undefined) known.set(facts.id, message);
      touched.add(message);
      return message;
    },
    set: (message, address, told) => {
      const key = clip(address, 400);
      const before = message.recipients.get(key);
      const keep = (wanted: string | undefined, stood: string | undefined): string =>
        wanted === undefined || wanted === '' ? (stood ?? '') : clip(wanted, 1_000);
      message.recipients.set(key, {
        state: told.state,
        before: told.before ?? told.state,
        reason: keep(told.reason, before?.reason),
        reply: keep(told.reply, before?.reply),
        nextHop: keep(told.nextHop, before?.nextHop),
        updated: told.at,
        changed: true,
      });
      if (before === undefined) Object.assign(message, { changed: true, reindex: true });
    },
    insertEvent: (message, { at, kind, json }) => void sql.insertEvent.run(message.n, at, kind, json),
    flush: () => {
      for (const message of touched) write(message);
      touched = new Set();
      taken = new Set();
      for (const id of known.keys()) {
        if (known.size <= MAX_CACHED) break;
        known.delete(id);
      }
    },
    forget: () => {
      known.clear();
      touched = new Set();
      taken = new Set();
      last = 0;
      highest = readHighest();
    },
  };
}

/** Tokens of subject, sender, recipients. */
export function wordsOf(
  { subject, reversePath, from }: Pick<MessageFacts, 'subject' | 'reversePath' | 'from'>,
  addresses: readonly string[],
): [subject: string, sender: string, recipient: string] {
  return [
    pairTokens(foldText(subject, 1_000)),
    pairTokens(foldText([reversePath, ...readable(reversePath), from].join(' '), 2_000)),
    // Folded one by one: each ends with a lone character, so that no word reaches from one address into the next
    addresses.map((address) => pairTokens(foldText([address, ...readable(address)].join(' '), 700))).join(' '),
  ];
}

/** A message shows the state of its recipients that needs most attention; without any, what it was told. */
function summary(message: MessageRecord): HistoryState {
  let best: number = HISTORY_STATES.length;
  for (const { state } of message.recipients.values()) best = Math.min(best, HISTORY_STATES.indexOf(state));
  return HISTORY_STATES.at(best) ?? message.state;
}

function keysOf(message: MessageRecord, addresses: readonly string[]): Array<[kind: number, key: string]> {
  const keys: Array<[kind: number, key: string]> = [];
  const add = (kind: number, key: string): void => {
    if (key !== '') keys.push([kind, key.toLowerCase()]);
  };
  const author = /<([^<>\s]+@[^<>\s]+)>\s*$|^\s*([^<>\s]+@[^<>\s]+)\s*$/.exec(message.from.slice(-1_000));
  const authorAddress = author?.[1] ?? author?.[2] ?? '';
  // The null reverse-path is a key too
  if (message.senderKnown) keys.push([KEY.sender, message.reversePath.toLowerCase()]);
  add(KEY.senderDomain, domainPart(message.reversePath));
  if (authorAddress.toLowerCase() !== message.reversePath.toLowerCase()) {
    add(KEY.sender, authorAddress);
    add(KEY.senderDomain, domainPart(authorAddress));
  }
  add(KEY.client, message.client);
  add(KEY.messageId, message.messageId);
  for (const address of addresses) add(KEY.recipient, address);
  for (const domain of new Set(addresses.map(domainPart))) add(KEY.recipientDomain, domain);
  return keys;
}
