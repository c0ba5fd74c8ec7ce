/**
 * Questions to the history. Each search walks one table downwards in time and stops when the page is full: the words'
 * index when there is text, else the exact keys, else the messages; further conditions are checked row by row by primary
 * key. Reading only.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { parseAddress, parseDomain } from '../mail/address.ts';
import type { ForwardPath, ReversePath } from '../mail/address.ts';
import { DIRECTIONS, type Direction } from '../mail/envelope.ts';
import { parseQueueId, type QueueId, rootOf } from '../mail/queue-id.ts';
import type { MailEvent } from './events.ts';
import { matchExpression } from './fold.ts';
import {
  HISTORY_STATES,
  type HistoryPage,
  type HistoryRow,
  type HistorySearch,
  type HistoryState,
  type Trail,
} from './history-api.ts';
import { KEY, PER_MILLISECOND } from './history-schema.ts';

type Row = Record<string, unknown>;
const SHOWN_RECIPIENTS = 20;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;
const MAX_EVENTS = 2_000;
const MAX_COPIES = 50;

/** States of most messages; any other is rare, and the fastest way to the rows in it is its own index. */
const COMMON_STATES: readonly HistoryState[] = ['delivered', 'refused', 'rejected'];

interface Condition {
  sql: string;
  values: SQLInputValue[];
}

export function searchHistory(database: DatabaseSync, query: HistorySearch): HistoryPage {
  const limit = Math.min(MAX_LIMIT, Math.max(1, Math.trunc(query.limit ?? DEFAULT_LIMIT) || DEFAULT_LIMIT));
  const id = parseQueueId(
    (query.id ?? query.text ?? '')
      .trim()
      .toUpperCase()
      .replace(/\.D(?=\d)/g, '.d'),
  );
  if (query.id !== undefined && id === undefined) return { rows: [] };
  const keys = exactKeys(query);
  const words: string[] = [];
  const text = id === undefined && query.text !== undefined ? matchExpression(query.text) : undefined;
  if (text !== undefined) words.push(`(${text})`);
  for (const column of ['sender', 'recipient'] as const) {
    const asked = query[column]?.trim() ?? '';
    if (asked === '') continue;
    const exact = exactAddress(database, column, asked);
    if (exact !== undefined) keys.push(exact);
    else {
      const expression = matchExpression(asked, column);
      if (expression !== undefined) words.push(`(${expression})`);
    }
  }
  const { from, number, where } = drive({ id, keys, words, state: query.state });
  where.push(...filters(query, number));
  const sql = `SELECT m.* FROM ${from} WHERE ${where.map((part) => part.sql).join(' AND ')} ORDER BY ${number} DESC LIMIT ${limit + 1}`;
  const found = database.prepare(sql).all(...where.flatMap((part) => part.values));
  const rows = found.slice(0, limit).map((row) => rowOf(database, row));
  const last = found[limit - 1]?.['n'];
  return found.length > limit && last !== undefined ? { rows, next: String(last) } : { rows };
}

/** The table that is walked, its number column (bounded by time and cursor), its conditions. */
function drive(by: {
  id: QueueId | undefined;
  keys: Array<[number, string]>;
  words: string[];
  state: HistoryState | undefined;
}): {
  from: string;
  number: string;
  where: Condition[];
} {
  const where: Condition[] = [];
  const keys = [...by.keys];
  let from = 'messages m';
  let number = 'm.n';
  const match = by.words.join(' AND ');
  if (by.id !== undefined) {
    // A family is small: found by its ids, then sorted, never by walking all messages in order
    from = 'messages m INDEXED BY messages_id';
    number = '+m.n';
    where.push(family(by.id));
    if (match !== '')
      where.push({ sql: 'EXISTS (SELECT 1 FROM words WHERE words MATCH ? AND rowid = m.n)', values: [match] });
  } else if (match !== '') {
    from = 'words CROSS JOIN messages m ON m.n = words.rowid';
    number = 'words.rowid';
    where.push({ sql: 'words MATCH ?', values: [match] });
  } else if (keys.length > 0 && (by.state === undefined || COMMON_STATES.includes(by.state))) {
    const [kind, key] = keys.shift() ?? [0, ''];
    from = 'keys k CROSS JOIN messages m ON m.n = k.n';
    number = 'k.n';
    where.push({ sql: 'k.kind = ? AND k.key = ?', values: [kind, key] });
  }
  for (const [kind, key] of keys)
    where.push({
      sql: `EXISTS (SELECT 1 FROM keys WHERE kind = ? AND key = ? AND n = ${number})`,
      values: [kind, key],
    });
  return { from, number, where };
}

/** All ids of a family begin with the root's; a dot follows, and `/` is the next character after it. */
function family(id: QueueId): Condition {
  const root = rootOf(id);
  return { sql: 'm.id >= ? AND m.id < ?', values: [root, `${root}/`] };
}

function filters(query: HistorySearch, number: string): Condition[] {
  const where: Condition[] = [];
  const from = Math.max(0, Math.trunc(query.from ?? 0)) * PER_MILLISECOND;
  const to =
    query.to === undefined
      ? Number.MAX_SAFE_INTEGER
      : Math.min(Number.MAX_SAFE_INTEGER, Math.trunc(query.to) * PER_MILLISECOND + PER_MILLISECOND - 1);
  const cursor = query.cursor !== undefined && /^\d{1,16}$/.test(query.cursor) ? Number(query.cursor) - 1 : to;
  where.push({ sql: `${number} BETWEEN ? AND ?`, values: [from, Math.min(to, cursor)] });
  if (query.state !== undefined && HISTORY_STATES.includes(query.state))
    where.push({ sql: 'm.state = ?', values: [query.state] });
  if (query.direction !== undefined && DIRECTIONS.includes(query.direction))
    // Where there is a state its index is the better one
    where.push({ sql: query.state === undefined ? 'm.direction = ?' : '+m.direction = ?', values: [query.direction] });
  return where;
}

function exactKeys(query: HistorySearch): Array<[number, string]> {
  const keys: Array<[number, string]> = [];
  const client = query.client?.trim() ?? '';
  if (client !== '') keys.push([KEY.client, client.toLowerCase()]);
  const messageId = (query.messageId ?? '').trim().replace(/^<(.*)>$/, '$1');
  if (messageId !== '') keys.push([KEY.messageId, messageId.toLowerCase()]);
  return keys;
}

/** `<>`, `@domain`, or a whole address that is known; anything else is a fragment. */
function exactAddress(
  database: DatabaseSync,
  column: 'sender' | 'recipient',
  asked: string,
): [number, string] | undefined {
  if (asked === '<>') return column === 'sender' ? [KEY.sender, ''] : undefined;
  const bare = asked.replace(/^<(.*)>$/, '$1');
  const parts = parseAddress(bare);
  const domain = bare.startsWith('@') ? parseDomain(bare.slice(1)) : undefined;
  const key: [number, string] | undefined =
    domain !== undefined
      ? [KEY[`${column}Domain`], domain]
      : parts !== undefined
        ? [KEY[column], `${parts.localpart}@${parts.domain}`.toLowerCase()]
        : undefined;
  if (key === undefined) return undefined;
  const known = database.prepare('SELECT 1 FROM keys WHERE kind = ? AND key = ? LIMIT 1').get(...key);
  return known === undefined ? undefined : key;
}

function rowOf(database: DatabaseSync, row: Row): HistoryRow {
  const recipients = database
    .prepare(`SELECT address FROM recipients WHERE n = ? LIMIT ${SHOWN_RECIPIENTS}`)
    .all(Number(row['n']))
    .map((found) => String(found['address']));
  return {
    ...(typeof row['id'] === 'string' ? { id: row['id'] as QueueId } : {}),
    arrived: Math.floor(Number(row['n']) / PER_MILLISECOND),
    direction: String(row['direction']) as Direction,
    state: String(row['state']) as HistoryState,
    reversePath: String(row['reverse_path']) as ReversePath,
    from: String(row['header_from']),
    subject: String(row['subject']),
    messageId: String(row['message_id']),
    size: Number(row['size']),
    client: String(row['client']),
    recipientCount: Number(row['recipient_count']),
    recipients,
    reason: String(row['reason']),
  };
}

/** The trail of a message: its own row (or its root's), and what happened to the whole family. */
export function readTrail(database: DatabaseSync, id: QueueId): Trail | undefined {
  const { sql, values } = family(id);
  const members = database.prepare(`SELECT m.* FROM messages m WHERE ${sql} ORDER BY m.n LIMIT 1000`).all(...values);
  const own = members.find((row) => row['id'] === id) ?? members.find((row) => row['id'] === rootOf(id));
  if (own === undefined) return undefined;
  const readRecipients = database.prepare('SELECT * FROM recipients WHERE n = ? ORDER BY address');
  const readEvents = database.prepare(`SELECT * FROM events WHERE n = ? ORDER BY rowid LIMIT ${MAX_EVENTS}`);
  const trail: Trail = {
    message: { ...rowOf(database, own), id: own['id'] as QueueId },
    recipients: [],
    events: [],
    related: [],
  };
  for (const member of members) {
    const memberId = member['id'] as QueueId;
    const n = Number(member['n']);
    // A DSN's recipient is the sender: it belongs to the DSN's own trail
    const aboutIt = memberId === own['id'] || (member['why'] !== 'dsn' && own['why'] !== 'dsn');
    if (aboutIt) trail.recipients.push(...readRecipients.all(n).map((row) => recipientOf(memberId, row)));
    for (const row of readEvents.all(n))
      trail.events.push({ id: memberId, at: Number(row['at']), event: JSON.parse(String(row['json'])) as MailEvent });
    if (memberId !== own['id'])
      trail.related.push({
        id: memberId,
        why: (member['why'] ?? 'root') as Trail['related'][number]['why'],
        state: String(member['state']) as HistoryState,
      });
  }
  trail.events.sort((a, b) => a.at - b.at);
  trail.related.push(...copiesOf(database, trail, own));
  return trail;
}

/** Copies sent again have ids of their own: those made of it, and what it is a copy of. */
function copiesOf(database: DatabaseSync, trail: Trail, own: Row): Trail['related'] {
  const copies = trail.events.flatMap(({ event }) => (event.event === 'resent' ? [event.as] : []));
  const original = own['why'] === 'resend' && typeof own['parent'] === 'string' ? [own['parent'] as QueueId] : [];
  const stateOf = database.prepare('SELECT state FROM messages WHERE id = ?');
  return [...new Set([...original, ...copies])].slice(0, MAX_COPIES).flatMap((id) => {
    const row = stateOf.get(id);
    if (row === undefined) return [];
    return [
      {
        id,
        why: original.includes(id) ? ('root' as const) : ('resend' as const),
        state: String(row['state']) as HistoryState,
      },
    ];
  });
}

function recipientOf(id: QueueId, row: Row): Trail['recipients'][number] {
  return {
    id,
    address: String(row['address']) as ForwardPath,
    state: String(row['state']) as HistoryState,
    reason: String(row['reason']),
    reply: String(row['reply']),
    nextHop: String(row['next_hop']),
    updated: Number(row['updated']),
  };
}
