/**
 * One person's address in the history: everything that is kept of it, and forgetting it. Forgetting writes a pseudonym of the
 * same domain in place of the address, in rows, keys, words and events, and takes subject and display name of those messages
 * out; times, sizes, verdicts and counts stay true. Messages the box still has are left alone: their story goes on. Each step
 * is one transaction and begins where the last one ended: a cut in the midst is mended by asking again.
 */
import type { DatabaseSync } from 'node:sqlite';
import { OPEN_STATES, type Trail } from './history-api.ts';
import { readTrail } from './history-query.ts';
import { wordsOf } from './history-record.ts';
import { KEY } from './history-schema.ts';
import { prepareWrite } from './history-statements.ts';
import { addressPattern } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';

export interface PersonPage {
  /** Oldest first. A refused session has no story. */
  entries: Array<Trail | { refused: Record<string, unknown> }>;
  /** Where to go on. */
  next?: number;
}

export interface Forgotten {
  messages: number;
  /** The box still has these: not touched. */
  waiting: number;
  /** Ids of what was touched, for what is kept elsewhere under them. */
  ids: string[];
  next?: number;
}

const PAGE = 100;
const OPEN: readonly string[] = OPEN_STATES;

/** Rows in which the address is the sender (reverse-path or author) or a recipient. */
function numbersOf(database: DatabaseSync, address: string, after: number): number[] {
  return database
    .prepare(
      `SELECT DISTINCT n FROM keys WHERE kind IN (${KEY.sender}, ${KEY.recipient}) AND key = ? AND n > ? ORDER BY n LIMIT ${PAGE}`,
    )
    .all(address.toLowerCase(), after)
    .map((row) => Number(row['n']));
}

export function personPage(database: DatabaseSync, address: string, after: number): PersonPage {
  const numbers = numbersOf(database, address, after);
  const read = database.prepare('SELECT * FROM messages WHERE n = ?');
  const entries = numbers.flatMap((n): PersonPage['entries'] => {
    const row = read.get(n);
    if (row === undefined) return [];
    if (typeof row['id'] !== 'string') return [{ refused: { ...row } }];
    const trail = readTrail(database, row['id'] as QueueId);
    return trail === undefined ? [] : [trail];
  });
  const last = numbers.at(-1);
  return numbers.length === PAGE && last !== undefined ? { entries, next: last } : { entries };
}

export function forgetPage(
  database: DatabaseSync,
  address: string,
  by: { after: number; pseudonym: string },
): Forgotten {
  const told: Forgotten = { messages: 0, waiting: 0, ids: [] };
  const numbers = numbersOf(database, address, by.after);
  const forget = forgetter(database, address, by.pseudonym);
  // What is overwritten does not stay readable in free pages
  database.exec('PRAGMA secure_delete = ON; BEGIN IMMEDIATE');
  try {
    for (const n of numbers) {
      const row = database.prepare('SELECT * FROM messages WHERE n = ?').get(n);
      if (row === undefined) continue;
      if (OPEN.includes(String(row['state']))) {
        told.waiting += 1;
        continue;
      }
      forget(n, row);
      told.messages += 1;
      if (typeof row['id'] === 'string') told.ids.push(row['id']);
    }
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  } finally {
    database.exec('PRAGMA secure_delete = OFF');
  }
  const last = numbers.at(-1);
  return numbers.length === PAGE && last !== undefined ? { ...told, next: last } : told;
}

function forgetter(
  database: DatabaseSync,
  address: string,
  pseudonym: string,
): (n: number, row: Record<string, unknown>) => void {
  const everywhere = addressPattern(address);
  const mask = (text: unknown): string => String(text).replaceAll(everywhere, pseudonym);
  const events = database.prepare('SELECT rowid AS at, json FROM events WHERE n = ?');
  const putEvent = prepareWrite(database, 'UPDATE events SET json = ? WHERE rowid = ?');
  const recipients = database.prepare('SELECT * FROM recipients WHERE n = ?');
  const putRecipient = prepareWrite(
    database,
    'UPDATE recipients SET address = ?, reply = ?, reason = ? WHERE n = ? AND address = ?',
  );
  const putMessage = prepareWrite(
    database,
    "UPDATE messages SET reverse_path = ?, header_from = ?, subject = '', reason = ? WHERE n = ?",
  );
  const putKey = prepareWrite(database, 'UPDATE OR REPLACE keys SET key = ? WHERE kind = ? AND key = ? AND n = ?');
  const dropWords = prepareWrite(database, 'DELETE FROM words WHERE rowid = ?');
  const putWords = prepareWrite(database, 'INSERT INTO words (rowid, subject, sender, recipient) VALUES (?, ?, ?, ?)');
  const numberOf = database.prepare('SELECT n FROM messages WHERE id = ?');

  function scrubEvents(n: number): void {
    for (const { at, json } of events.all(n)) putEvent.run(mask(withoutWords(String(json))), Number(at));
  }

  return (n, row) => {
    // The author's name beside the address is the person too
    const isAuthor = mask(row['header_from']) !== row['header_from'];
    const reversePath = mask(row['reverse_path']);
    const from = isAuthor ? pseudonym : String(row['header_from']);
    putMessage.run(reversePath, from, mask(row['reason']), n);
    const addresses: string[] = [];
    for (const { address: one, reply, reason } of recipients.all(n)) {
      putRecipient.run(mask(one), mask(reply), mask(reason), n, String(one));
      addresses.push(mask(one));
    }
    for (const kind of [KEY.sender, KEY.recipient]) putKey.run(pseudonym, kind, address.toLowerCase(), n);
    dropWords.run(n);
    putWords.run(n, ...wordsOf({ subject: '', reversePath, from }, addresses));
    scrubEvents(n);
    // The message a copy was made of tells in its story to whom
    const original =
      row['why'] === 'resend' && typeof row['parent'] === 'string' ? numberOf.get(row['parent']) : undefined;
    if (original !== undefined) scrubEvents(Number(original['n']));
  };
}

/** An event without what people wrote: subject and author, also where a finding repeats them. */
function withoutWords(json: string): string {
  return JSON.stringify(JSON.parse(json), (key, value: unknown) => {
    if ((key === 'subject' || key === 'from' || key === 'text') && typeof value === 'string') return '';
    return value;
  });
}
