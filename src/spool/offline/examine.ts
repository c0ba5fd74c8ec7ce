/**
 * Looks into the spool folder of a stopped or dead box without changing an octet of it: the database is read from a copy,
 * recovery is played through dry (dry-files.ts). What comes out is what the next start would find.
 *
 * Throws `SPOOL_MISSING` (no identity file: this is no spool), `SPOOL_IN_USE` (a gateway has it open).
 */
import { cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { describeError, SekishoError } from '../../base/errors.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import { type Database, openLevelDatabase } from '../database.ts';
import type { Entry } from '../entry.ts';
import { diskFiles } from '../files.ts';
import { Layout } from '../layout.ts';
import { asSequence } from '../open.ts';
import { ProgressStore } from '../progress.ts';
import { recover, type Recovered } from '../recovery.ts';
import { readSmallFile } from '../small-file.ts';
import { type DryFiles, dryFiles } from './dry-files.ts';

/** whole: as the next start wants it. damaged, behind, missing: it would be set aside and rebuilt. */
export interface DatabaseState {
  state: 'whole' | 'damaged' | 'behind' | 'missing';
  why?: string;
}

export interface Examination extends AsyncDisposable {
  files: DryFiles;
  layout: Layout;
  database: DatabaseState;
  cleanStop: boolean;
  recovered: Recovered;
  /** What is known of a message: nothing when the database is lost or never heard of it. */
  entry(id: QueueId): Promise<Entry | undefined>;
}

export async function examineSpool(root: string): Promise<Examination> {
  const files = dryFiles(diskFiles());
  const layout = new Layout(root, files);
  const identity = await readSmallFile(files, layout.path('identity'));
  if (identity === undefined)
    throw new SekishoError('SPOOL_MISSING', `"${root}" is no spool: it has no identity file`, {
      remedy: 'Give the folder that holds "queue", "quarantine" and "identity": "spool" below the data folder',
    });
  await assertNotInUse(root);
  const cleanStop = (await readSmallFile(files, layout.path('clean-stop'))) !== undefined;
  const reached = asSequence(await readSmallFile(files, layout.path('sequence'))).database;
  const scratch = await mkdtemp(path.join(tmpdir(), 'sekisho-examine-'));
  try {
    const { state, database } = await openCopy(layout.path('level'), { scratch, reached });
    const progress = new ProgressStore(database, () => undefined);
    const recovered = await recover(
      { files, layout, progress, clock: systemClock(), log: () => undefined },
      { cleanStop, databaseRebuilt: state.state !== 'whole' },
    );
    return {
      files,
      layout,
      database: state,
      cleanStop,
      recovered,
      entry: (id) => progress.get(id),
      [Symbol.asyncDispose]: async () => {
        await progress.close().catch(() => undefined);
        await rm(scratch, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
}

/** A copy that does not open, or knows less than it did, gives way to an empty one, as at a start. */
async function openCopy(
  directory: string,
  options: { scratch: string; reached: number },
): Promise<{ state: DatabaseState; database: Database }> {
  const { scratch, reached } = options;
  const copy = path.join(scratch, 'level');
  const fresh = (): Promise<Database> => openLevelDatabase(path.join(scratch, 'empty'));
  try {
    await cp(directory, copy, { recursive: true });
  } catch (error) {
    return { state: { state: 'missing', why: describeError(error) }, database: await fresh() };
  }
  let database: Database | undefined;
  try {
    database = await openLevelDatabase(copy);
    const progress = new ProgressStore(database, () => undefined);
    await progress.open();
    for await (const _entry of progress.entries()) continue; // every row is read once: each carries its CRC
    if (progress.sequence >= reached) return { state: { state: 'whole' }, database };
    await database.close();
    const why = `Database is at ${progress.sequence}, had reached ${reached}`;
    return { state: { state: 'behind', why }, database: await fresh() };
  } catch (error) {
    await database?.close().catch(() => undefined);
    return { state: { state: 'damaged', why: describeError(error) }, database: await fresh() };
  }
}

/** LevelDB locks its file `LOCK` by fcntl; the kernel lists who holds what in /proc/locks. */
export async function assertNotInUse(root: string): Promise<void> {
  const lock = await stat(path.join(root, 'level', 'LOCK')).catch(() => undefined);
  if (lock === undefined) return;
  const table = await readFile('/proc/locks', 'utf8').catch(() => '');
  const major = (lock.dev >> 8) & 0xfff;
  const minor = (lock.dev & 0xff) | ((lock.dev >> 12) & 0xfff00);
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  const name = ` ${hex(major)}:${hex(minor)}:${lock.ino} `;
  if (table.includes(name))
    throw new SekishoError('SPOOL_IN_USE', `A gateway has the spool "${root}" open`, {
      retryable: true,
      remedy: 'Stop the gateway first; of a running one ask "sekisho status" and "sekisho queue list"',
    });
}
