/**
 * The one database of the process `admin`: users, sessions, tokens, audit, wizard. SQLite in its own file (0600), WAL,
 * synchronous FULL: what was answered is on the disk, also after a power cut. Calls are short and synchronous; their number is
 * that of a few people at work. Throws ADMIN_STORE_NEWER for a file of a later release that this one cannot read; it is not touched.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SekishoError } from '../../base/errors.ts';
import { bringToVersion } from '../../base/sqlite-version.ts';

const STEPS: readonly string[] = [
  `CREATE TABLE users (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     full_name TEXT NOT NULL,
     role TEXT NOT NULL,
     content_allowed INTEGER NOT NULL,
     language TEXT NOT NULL,
     enabled INTEGER NOT NULL,
     password TEXT NOT NULL,
     must_change INTEGER NOT NULL,
     totp_secret TEXT,
     totp_pending TEXT,
     totp_counter INTEGER NOT NULL DEFAULT 0,
     created_at INTEGER NOT NULL,
     last_login_at INTEGER
   ) STRICT;
   CREATE TABLE recovery_codes (
     user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
     hash TEXT NOT NULL,
     PRIMARY KEY (user_id, hash)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE sessions (
     id TEXT PRIMARY KEY,
     hash TEXT NOT NULL UNIQUE,
     user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
     created_at INTEGER NOT NULL,
     seen_at INTEGER NOT NULL,
     confirmed_until INTEGER NOT NULL,
     address TEXT NOT NULL,
     user_agent TEXT NOT NULL
   ) STRICT;
   CREATE INDEX sessions_user ON sessions (user_id);
   CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     hash TEXT NOT NULL,
     user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
     name TEXT NOT NULL,
     scopes TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     last_used_at INTEGER
   ) STRICT;
   CREATE TABLE failures (
     bucket TEXT PRIMARY KEY,
     count INTEGER NOT NULL,
     last_at INTEGER NOT NULL,
     locked_until INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE audit (
     n INTEGER PRIMARY KEY,
     at INTEGER NOT NULL,
     actor TEXT NOT NULL,
     address TEXT NOT NULL,
     action TEXT NOT NULL,
     target TEXT NOT NULL,
     outcome TEXT NOT NULL,
     detail TEXT NOT NULL,
     previous TEXT NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;
   CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
   CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
   CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
];

export interface AdminDatabase {
  readonly database: DatabaseSync;
  /** All or nothing. */
  inTransaction<T>(work: () => T): T;
  fact(key: string): unknown;
  setFact(key: string, value: unknown): void;
  close(): void;
}

/** `directory` is made with mode 0700; `:memory:` keeps nothing. */
export function openAdminDatabase(directory: string): AdminDatabase {
  const file = directory === ':memory:' ? directory : path.join(directory, 'admin.sqlite');
  if (file !== ':memory:') mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file);
  if (file !== ':memory:') chmodSync(file, 0o600);
  database.exec('PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec('PRAGMA foreign_keys = ON');
  const newer = bringToVersion(database, { steps: STEPS, readableFrom: 1 });
  if (newer !== undefined)
    throw new SekishoError('ADMIN_STORE_NEWER', `"${file}" is of a later release (version ${newer})`, {
      remedy: 'Go back to the release that wrote it, or restore a backup',
    });
  const readFact = database.prepare('SELECT value FROM facts WHERE key = ?');
  const writeFact = database.prepare(
    'INSERT INTO facts (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  return {
    database,
    inTransaction: (work) => {
      database.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        database.exec('COMMIT');
        return result;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
    fact: (key) => {
      const row = readFact.get(key);
      return row === undefined ? undefined : JSON.parse(String(row['value']));
    },
    setFact: (key, value) => void writeFact.run(key, JSON.stringify(value)),
    close: () => database.close(),
  };
}
