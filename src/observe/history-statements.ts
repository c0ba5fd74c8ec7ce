/** The history's writing statements, prepared once for one database. SQL only; what they mean is told in history-writer.ts. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { OPEN_STATES } from './history-api.ts';

export function prepareStatements(
  database: DatabaseSync,
): Record<
  | 'lastOf'
  | 'taken'
  | 'byId'
  | 'insertMessage'
  | 'addresses'
  | 'dropWords'
  | 'insertWords'
  | 'insertKey'
  | 'setRecipient'
  | 'states'
  | 'summarise'
  | 'describe'
  | 'attempt'
  | 'move'
  | 'all'
  | 'setState'
  | 'adopt'
  | 'restore'
  | 'insertEvent',
  StatementSync
> {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const write = (sql: string): StatementSync => prepareWrite(database, sql);
  return {
    lastOf: prepare('SELECT max(n) AS n FROM messages WHERE n BETWEEN ? AND ?'),
    taken: prepare('SELECT 1 FROM messages WHERE n = ?'),
    byId: prepare(
      'SELECT n, direction, reverse_path, header_from, subject, message_id, size, client, reason, parent, why FROM messages WHERE id = ?',
    ),
    insertMessage: write('INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    addresses: prepare('SELECT address FROM recipients WHERE n = ?'),
    dropWords: write('DELETE FROM words WHERE rowid = ?'),
    insertWords: write('INSERT INTO words (rowid, subject, sender, recipient) VALUES (?, ?, ?, ?)'),
    insertKey: write('INSERT OR IGNORE INTO keys VALUES (?, ?, ?)'),
    // An outcome keeps the reason of the decision, and a later event without a reply keeps the last reply
    setRecipient: write(
      `INSERT INTO recipients VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (n, address) DO UPDATE SET state = excluded.state, before = excluded.before, updated = excluded.updated,
         reason = iif(excluded.reason = '', reason, excluded.reason),
         reply = iif(excluded.reply = '', reply, excluded.reply),
         next_hop = iif(excluded.next_hop = '', next_hop, excluded.next_hop)`,
    ),
    states: prepare('SELECT state, count(*) AS amount FROM recipients WHERE n = ? GROUP BY state'),
    summarise: write('UPDATE messages SET state = ?, recipient_count = ? WHERE n = ?'),
    describe: write('UPDATE messages SET header_from = ?, subject = ?, message_id = ?, reason = ? WHERE n = ?'),
    attempt: write(
      `INSERT INTO recipients VALUES (?1, ?2, 'queued', 'queued', '', '', ?3, ?4)
       ON CONFLICT (n, address) DO UPDATE SET next_hop = excluded.next_hop, updated = excluded.updated`,
    ),
    move: write(
      `UPDATE recipients SET before = state, state = 'moved', updated = ? WHERE n = ? AND address = ?
         AND state IN (${OPEN_STATES.map((state) => `'${state}'`).join(', ')})`,
    ),
    all: prepare('SELECT address, state FROM recipients WHERE n = ?'),
    setState: write('UPDATE recipients SET state = ?, before = ?, updated = ? WHERE n = ? AND address = ?'),
    adopt: write('UPDATE messages SET parent = ?, why = ? WHERE n = ?'),
    restore: write(
      "UPDATE recipients SET state = before, updated = ? WHERE n = ? AND state IN ('deleted', 'discarded', 'expired')",
    ),
    insertEvent: write('INSERT INTO events VALUES (?, ?, ?, ?)'),
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
