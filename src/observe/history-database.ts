/**
 * The history's file: opened, written in batches (one transaction each), asked, trimmed. Synchronous, for the worker thread.
 * A batch is all or nothing, and known by its number: sent twice it is written once. A file that is damaged, no database, or
 * from a newer release is set aside under its own name with the time, and a new one is begun.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { errorCode, SekishoError } from '../base/errors.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { HistoryPage, HistorySearch, HistorySettings, Trail } from './history-api.ts';
import { OPEN_STATES } from './history-api.ts';
import { forgetPage, type Forgotten, type PersonPage, personPage } from './history-person.ts';
import { readTrail, searchHistory } from './history-query.ts';
import {
  type HistoryReport,
  reportHistory,
  type ReportQuery,
  scoresSince,
  type Watched,
  watchedIn,
} from './history-report.ts';
import { PER_MILLISECOND, prepareDatabase } from './history-schema.ts';
import { prepareWrite } from './history-statements.ts';
import { createHistoryWriter, type HistoryWriter } from './history-writer.ts';

export interface Batch {
  /** Of this process run; a number that is written already is passed over. */
  run: string;
  number: number;
  rows: Array<{ at: number; json: string }>;
}

export interface HistoryDatabase {
  /**
   * Throws SekishoError HISTORY_FULL (below the floor), or what the database says of itself. A row that cannot be written
   * for its own sake is left out; `lost` says how many.
   */
  apply(batch: Batch): { lost: number };
  search(query: HistorySearch): HistoryPage;
  trail(id: QueueId): Trail | undefined;
  report(query: ReportQuery): HistoryReport;
  watched(query: ReportQuery): Watched[];
  person(address: string, after: number): PersonPage;
  forget(address: string, by: { after: number; pseudonym: string }): Forgotten;
  /** Spam scores since then. */
  scores(from: number): number[];
  /** One step of forgetting; call again until `done`. */
  expireStep(cutoff: number): { messages: number; done: boolean };
  /** Counts all rows: not for each batch. */
  figures(): { messages: number; octets: number };
  configure(settings: HistorySettings): void;
  /** The file may not grow beyond this many pages of 4 KiB. */
  limitPages(pages: number): void;
  close(): void;
}

const KEPT_ASIDE = 3;
const EXPIRE_MESSAGES = 500;
const EXPIRE_KEYS = 20_000;
/** Messages that still seem open are forgotten this much later: their last event was lost. */
const OPEN_GRACE_MS = 30 * 86_400_000;

/** Does this error say that the file itself is bad (SQLITE_CORRUPT, SQLITE_NOTADB), or not ours to write? */
export function isDamage(error: unknown): boolean {
  if (errorCode(error) === 'HISTORY_NEWER') return true;
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return false;
  const primary = Number(error.errcode) & 0xff;
  return primary === 11 || primary === 26;
}

/** SQLite's primary result codes that tell of the row, not of the file or the disk: ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
const ROW_CODES = [1, 18, 19, 20, 25];

/** Would the next row fail as well? */
function isTrouble(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return false;
  return !ROW_CODES.includes(Number(error.errcode) & 0xff);
}

function attempt(database: DatabaseSync, writer: HistoryWriter, row: Batch['rows'][number]): boolean {
  database.exec('SAVEPOINT one');
  try {
    writer.apply(row.json, row.at);
    writer.flush();
    database.exec('RELEASE one');
    return true;
  } catch (error) {
    if (isTrouble(error)) throw error;
    database.exec('ROLLBACK TO one; RELEASE one');
    writer.forget();
    return false;
  }
}

export function openHistoryDatabase(file: string, settings: HistorySettings): HistoryDatabase {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o750 });
  const database = new DatabaseSync(file);
  try {
    prepareDatabase(database);
  } catch (error) {
    database.close();
    throw error;
  }
  let current = { ...settings };
  const writer = createHistoryWriter(database, { settings: () => current });
  const forget = createForgetter(database);
  const lastBatch = database.prepare("SELECT value FROM meta WHERE key = 'batch'");
  const markBatch = prepareWrite(database, "INSERT OR REPLACE INTO meta (key, value) VALUES ('batch', ?)");

  return {
    apply: (batch) => {
      const [run, number] = String(lastBatch.get()?.['value'] ?? '').split(' ');
      if (run === batch.run && Number(number) >= batch.number) return { lost: 0 };
      const { bavail, bsize } = statfsSync(path.dirname(file));
      if (bavail * bsize < current.floorOctets)
        throw new SekishoError('HISTORY_FULL', `History has less than ${current.floorOctets} octets of disk left`, {
          retryable: true,
        });
      const within = (work: () => number): { lost: number } => {
        database.exec('BEGIN IMMEDIATE');
        try {
          const lost = work();
          markBatch.run(`${batch.run} ${batch.number}`);
          database.exec('COMMIT');
          return { lost };
        } catch (error) {
          if (database.isTransaction) database.exec('ROLLBACK');
          writer.forget();
          throw error;
        }
      };
      try {
        return within(() => {
          for (const row of batch.rows) writer.apply(row.json, row.at);
          writer.flush();
          return 0;
        });
      } catch (error) {
        if (isTrouble(error)) throw error;
        // One row of them is bad: each on its own savepoint, the bad ones left out
        return within(() => batch.rows.reduce((lost, row) => lost + (attempt(database, writer, row) ? 0 : 1), 0));
      }
    },
    report: (query) => reportHistory(database, query),
    watched: (query) => watchedIn(database, query),
    person: (address, after) => personPage(database, address, after),
    forget: (address, by) => {
      writer.forget(); // what is remembered here must not bring it back
      return forgetPage(database, address, by);
    },
    scores: (from) => scoresSince(database, from),
    search: (query) => searchHistory(database, query),
    trail: (id) => readTrail(database, id),
    expireStep: (cutoff) => {
      writer.forget(); // nothing waits between batches; what is forgotten must not be remembered here
      return forget(cutoff);
    },
    figures: () => {
      const messages = Number(database.prepare('SELECT count(*) AS n FROM messages').get()?.['n'] ?? 0);
      return { messages, octets: sizeOf(file) + sizeOf(`${file}-wal`) };
    },
    configure: (wanted) => {
      current = { ...wanted };
    },
    limitPages: (pages) => database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.trunc(pages))}`),
    close: () => {
      if (!database.isOpen) return;
      try {
        database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } finally {
        database.close();
      }
    },
  };
}

/** Forgets in small transactions: messages with their rows first, then the keys that nobody owns any more. */
function createForgetter(database: DatabaseSync): (cutoff: number) => { messages: number; done: boolean } {
  const open = OPEN_STATES.map((state) => `'${state}'`).join(', ');
  const old = database.prepare(
    `SELECT n FROM messages WHERE n < ?1 AND (state NOT IN (${open}) OR n < ?2) ORDER BY n LIMIT ${EXPIRE_MESSAGES}`,
  );
  const drops = ['messages WHERE n', 'recipients WHERE n', 'events WHERE n', 'words WHERE rowid'].map((table) =>
    prepareWrite(database, `DELETE FROM ${table} = ?`),
  );
  const keys = database.prepare(
    `SELECT kind, key, n FROM keys WHERE (kind, key, n) > (?, ?, ?) ORDER BY kind, key, n LIMIT ${EXPIRE_KEYS}`,
  );
  const owned = database.prepare('SELECT 1 FROM messages WHERE n = ?');
  const dropKey = prepareWrite(database, 'DELETE FROM keys WHERE kind = ? AND key = ? AND n = ?');
  let swept: [number, string, number] | undefined;

  return (cutoff) => {
    const limit = Math.max(0, cutoff) * PER_MILLISECOND;
    database.exec('BEGIN IMMEDIATE');
    try {
      const found = old
        .all(limit, Math.max(0, cutoff - OPEN_GRACE_MS) * PER_MILLISECOND)
        .map((row) => Number(row['n']));
      for (const n of found) for (const drop of drops) drop.run(n);
      if (found.length > 0) swept = [0, '', 0];
      const page = found.length === 0 && swept !== undefined ? keys.all(...swept) : [];
      for (const { kind, key, n } of page)
        if (Number(n) < limit && owned.get(Number(n)) === undefined) dropKey.run(Number(kind), String(key), Number(n));
      const last = page.at(-1);
      if (last !== undefined) swept = [Number(last['kind']), String(last['key']), Number(last['n'])];
      database.exec('COMMIT');
      const done = found.length === 0 && page.length < EXPIRE_KEYS;
      if (done) {
        if (swept !== undefined) database.exec('PRAGMA incremental_vacuum(2000)');
        swept = undefined;
      }
      return { messages: found.length, done };
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };
}

/** Moves the file and what belongs to it out of the way; returns the name it now has. Only the newest few are kept. */
export function setAside(file: string, now: number): string {
  const suffix = `.damaged-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`;
  for (const part of ['', '-wal', '-shm']) {
    try {
      renameSync(`${file}${part}`, `${file}${suffix}${part}`);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  const directory = path.dirname(file);
  const name = path.basename(file);
  const aside = readdirSync(directory)
    .filter((entry) => entry.startsWith(`${name}.damaged-`) && !/-(?:wal|shm)$/.test(entry))
    .toSorted();
  for (const entry of aside.slice(0, -KEPT_ASIDE))
    for (const part of ['', '-wal', '-shm']) rmSync(path.join(directory, entry + part), { force: true });
  return `${file}${suffix}`;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
