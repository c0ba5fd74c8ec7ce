/**
 * Opens the spool and does not give up: a disk that is not mounted yet, a predecessor that still holds the database, come
 * right by waiting; meanwhile the doors say 421. A new spool is made only on a first installation: when the record beside
 * the configuration, which lives elsewhere than the mail, does not say that there was one.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import type { Observe } from '../observe/events.ts';
import { openLevelDatabase } from '../spool/database.ts';
import { isFull } from '../spool/draft.ts';
import { diskFiles } from '../spool/files.ts';
import { openSpool } from '../spool/open.ts';
import type { SpaceLimits } from '../spool/space.ts';
import type { SpoolStore } from '../spool/store.ts';

const RETRY_MS = 5_000;
/** DEFAULTS: 64 MiB, so that deletes and compaction can finish on a full disk. */
const BALLAST_OCTETS = 64 * 1024 * 1024;
/** Not EIO: after a sync that failed only a new process may sync again. */
const WAITED_FOR = new Set([
  'SPOOL_MISSING',
  'DATABASE_LOCKED',
  'DATABASE_DAMAGED',
  'DATABASE_TROUBLE',
  'ENOSPC',
  'EROFS',
  'ENOENT',
]);

export async function openSpoolPatiently(options: {
  root: string;
  /** File that remembers that a spool was made, and which. */
  record: string;
  clock: Clock;
  observe: Observe;
  limits: () => SpaceLimits;
  onFault: (error: SekishoError) => void;
}): Promise<SpoolStore> {
  const { root, record, observe } = options;
  while (true) {
    try {
      const create = !existsSync(record);
      if (create) mkdirSync(root, { recursive: true, mode: 0o700 });
      const store = await openSpool({
        ...options,
        files: diskFiles(),
        openDatabase: openLevelDatabase,
        create,
        ballastOctets: BALLAST_OCTETS,
      });
      if (create) await writeFileAtomic(record, readFileSync(path.join(root, 'identity')));
      observe.clear('spool-fault', 'spool');
      return store;
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined || !WAITED_FOR.has(code)) throw error;
      const remedy = error instanceof SekishoError && error.remedy !== undefined ? `. ${error.remedy}` : '';
      observe.raise('spool-fault', 'spool', `${describeError(error)}${remedy}`);
      // On a full disk the ballast is what opening and clearing up need.
      if (isFull(error)) await rm(path.join(root, 'ballast'), { force: true }).catch(() => undefined);
      await pause(RETRY_MS);
    }
  }
}
