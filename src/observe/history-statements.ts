/**
 * The history's statements for writing, prepared once for one database. What they mean is told in history-record.ts. Every column
 * is named: a later release may have added others, and an update may be taken back.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

export type Statements = Record<
  | 'taken'
  | 'byId'
  | 'recipients'
  | 'insertMessage'
  | 'updateMessage'
  | 'putRecipient'
  | 'dropWords'
  | 'insertWords'
  | 'insertKey'
  | 'insertEvent',
  StatementSync
>;

export function prepareStatements(database: DatabaseSync): Statements {
  const read = (sql: string): StatementSync => database.prepare(sql);
  const write = (sql: string): StatementSync => prepareWrite(database, sql);
  return {
    taken: read('SELECT 1 FROM messages WHERE n = ?'),
    byId: read('SELECT * FROM messages WHERE id = ?'),
    recipients: read('SELECT * FROM recipients WHERE n = ?'),
    insertMessage: write(
      `INSERT INTO messages (n, id, parent, why, direction, state, reverse_path, header_from, subject, message_id, size,
         client, reason, recipient_count, would) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    updateMessage: write(
      `UPDATE messages SET state = ?, direction = ?, reverse_path = ?, header_from = ?, subject = ?, message_id = ?, size = ?,
         client = ?, reason = ?, parent = ?, why = ?, recipient_count = ?, would = ? WHERE n = ?`,
    ),
    putRecipient: write(
      `INSERT OR REPLACE INTO recipients (n, address, state, before, reason, reply, next_hop, updated)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    dropWords: write('DELETE FROM words WHERE rowid = ?'),
    insertWords: write('INSERT INTO words (rowid, subject, sender, recipient) VALUES (?, ?, ?, ?)'),
    insertKey: write('INSERT OR IGNORE INTO keys (kind, key, n) VALUES (?, ?, ?)'),
    insertEvent: write('INSERT INTO events (n, at, kind, json) VALUES (?, ?, ?, ?)'),
  };
}

/**
 * A statement for `run`. The index of words keeps its own rows under numbers beyond 2^53, and `run` reports the last row
 * number of the connection, whatever it is: as a plain number that throws.
 */
export function prepareWrite(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  return statement;
}
