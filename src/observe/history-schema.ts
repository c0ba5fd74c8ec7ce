/**
 * The tables of the history, and how an older file becomes today's. A message's number `n` is its arrival: milliseconds
 * since 1970 × 1024 + order within the millisecond, so that newest-first, a span of time, a page and the expiry are all
 * plain ranges of the primary key, in every table. Written in WAL mode, synchronous NORMAL: a power cut costs the last
 * moments, never the file.
 */
import type { DatabaseSync } from 'node:sqlite';
import { bringToVersion } from '../base/sqlite-version.ts';

/** Rows of one millisecond; more spill into the next. 2^53 / 1024 ms is the year 2248. */
export const PER_MILLISECOND = 1_024;

/** Kinds of exact keys. */
export const KEY = { sender: 1, senderDomain: 2, recipient: 3, recipientDomain: 4, client: 5, messageId: 6 } as const;

const STEPS: readonly string[] = [
  `CREATE TABLE messages (
     n INTEGER PRIMARY KEY,
     id TEXT,
     parent TEXT,
     why TEXT,
     direction TEXT NOT NULL,
     state TEXT NOT NULL,
     reverse_path TEXT NOT NULL,
     header_from TEXT NOT NULL,
     subject TEXT NOT NULL,
     message_id TEXT NOT NULL,
     size INTEGER NOT NULL,
     client TEXT NOT NULL,
     reason TEXT NOT NULL,
     recipient_count INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX messages_id ON messages (id) WHERE id IS NOT NULL;
   CREATE INDEX messages_state ON messages (state);
   CREATE INDEX messages_direction ON messages (direction);
   CREATE TABLE recipients (
     n INTEGER NOT NULL,
     address TEXT NOT NULL,
     state TEXT NOT NULL,
     before TEXT NOT NULL,
     reason TEXT NOT NULL,
     reply TEXT NOT NULL,
     next_hop TEXT NOT NULL,
     updated INTEGER NOT NULL,
     PRIMARY KEY (n, address)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE events (
     n INTEGER NOT NULL,
     at INTEGER NOT NULL,
     kind TEXT NOT NULL,
     json TEXT NOT NULL
   ) STRICT;
   CREATE INDEX events_n ON events (n);
   CREATE TABLE keys (
     kind INTEGER NOT NULL,
     key TEXT NOT NULL,
     n INTEGER NOT NULL,
     PRIMARY KEY (kind, key, n)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE VIRTUAL TABLE words USING fts5 (
     subject, sender, recipient, content = '', contentless_delete = 1, tokenize = 'ascii'
   );`,
  // What watching only would have stopped: `action reason`
  `ALTER TABLE messages ADD COLUMN would TEXT;
   CREATE INDEX messages_would ON messages (n) WHERE would IS NOT NULL;`,
];

/** Brings the file to today's version. Throws when a newer release made it unreadable to us (it is then set aside, not touched). */
export function prepareDatabase(database: DatabaseSync): void {
  // the second holds for a file without tables only
  database.exec('PRAGMA busy_timeout = 2000; PRAGMA auto_vacuum = INCREMENTAL');
  const newer = bringToVersion(database, { steps: STEPS, readableFrom: 1 });
  if (newer !== undefined)
    throw Object.assign(new Error(`History has version "${newer}", this release knows "${STEPS.length}"`), {
      code: 'HISTORY_NEWER',
    });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000');
  // A checkpoint syncs: one for 16 MiB, not for 4
  database.exec('PRAGMA wal_autocheckpoint = 4000');
  database.exec('PRAGMA journal_size_limit = 33554432; PRAGMA temp_store = MEMORY');
  // A damaged file shows itself here rather than in the midst of a batch
  database.prepare('SELECT count(*) FROM sqlite_schema').get();
  database.prepare('SELECT n FROM messages ORDER BY n DESC LIMIT 1').get();
}
