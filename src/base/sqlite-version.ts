/**
 * The version of an SQLite file of ours (`PRAGMA user_version`: how many steps were made), and the steps to today's. An update on
 * trial may be taken back, and the release before it must then read what the trial wrote. So a file says from which version on it
 * can be read, and a release opens a newer file when that is its own version or an older one. Steps therefore only add (tables,
 * indexes, columns that may be absent); one that takes something away raises `readableFrom`, and may ship only after a release
 * that no longer needs what it takes.
 */
import type { DatabaseSync } from 'node:sqlite';

export interface Steps {
  /** SQL, each from one version to the next; never changed once released. */
  steps: readonly string[];
  /** The oldest version whose program can read and write today's file. */
  readableFrom: number;
}

/** Undefined: the file can be used. Else the version of a newer one that cannot; it is not touched. */
export function bringToVersion(database: DatabaseSync, { steps, readableFrom }: Steps): number | undefined {
  const version = firstNumber(database.prepare('PRAGMA user_version').get()) ?? 0;
  if (version > steps.length) return readableFromOf(database, version) <= steps.length ? undefined : version;
  for (const [at, sql] of steps.entries()) {
    if (at < version) continue;
    const mark = `CREATE TABLE IF NOT EXISTS compatibility (readable_from INTEGER NOT NULL) STRICT;
      DELETE FROM compatibility; INSERT INTO compatibility VALUES (${Math.min(readableFrom, at + 1)});`;
    database.exec(`BEGIN IMMEDIATE; ${sql} ${mark} PRAGMA user_version = ${at + 1}; COMMIT;`);
  }
  return undefined;
}

/** A file that does not say is readable by its own version only. */
function readableFromOf(database: DatabaseSync, version: number): number {
  const told = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'compatibility'").get();
  if (told === undefined) return version;
  return firstNumber(database.prepare('SELECT readable_from FROM compatibility').get()) ?? version;
}

function firstNumber(row: Record<string, unknown> | undefined): number | undefined {
  const [value] = Object.values(row ?? {});
  return typeof value === 'number' ? value : undefined;
}
