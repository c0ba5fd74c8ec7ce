/**
 * Opens the spool: identity, clean-stop marker, database (set aside and begun anew when damaged or rolled back), recovery.
 * Throws `SPOOL_MISSING` when the identity file is absent and nothing says that this is a first installation (the disk is
 * not mounted: an empty folder must not be taken for an empty spool), `DATABASE_LOCKED` when another process has it.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import { FILES_PER_FOLDER, sequenceOf } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { Database } from './database.ts';
import { isFull } from './draft.ts';
import type { FileLayer } from './files.ts';
import { type Inquiry, keepAsFound } from './inquiry.ts';
import { Layout } from './layout.ts';
import { ProgressStore } from './progress.ts';
import { recover } from './recovery.ts';
import { readSmallFile, writeSmallFile } from './small-file.ts';
import { SpaceGuard, type SpaceLimits } from './space.ts';
import { SpoolStore } from './store.ts';

export interface SpoolOptions {
  root: string;
  files: FileLayer;
  /** Opens the database in this directory; throws DATABASE_DAMAGED, DATABASE_LOCKED. */
  openDatabase: (directory: string) => Promise<Database>;
  clock: Clock;
  observe: Observe;
  limits: () => SpaceLimits;
  /** First installation: make the spool when the root is empty. */
  create: boolean;
  /** Told once, when a sync or a settlement failed: the process must stop and start anew. */
  onFault: (error: SekishoError) => void;
  random?: (size: number) => Uint8Array;
  /** The database is set aside and made anew, whatever it says: somebody doubts it. */
  rebuildDatabase?: boolean;
  /** Given back when the disk is full; 0 or absent: none. */
  ballastOctets?: number;
}

/** Starts in a row that ended while the database was read; then it is rebuilt. */
const MOST_DEATHS = 2;
/** What waiting mends, or a person: it says nothing against the database, and another process may be at work with it. */
const NOT_ITS_FAULT = new Set(['DATABASE_LOCKED', 'DATABASE_TROUBLE', 'ENOENT', 'EROFS', 'EACCES', 'EMFILE', 'ENFILE']);

/** Kept in `sequence`: what the database and the queue ids had reached, at most a second ago. */
export interface SequenceFile {
  database: number;
  message: number;
}

export async function openSpool(options: SpoolOptions): Promise<SpoolStore> {
  const { files } = options;
  const begun = options.clock.monotonic();
  const layout = new Layout(options.root, files);
  await checkIdentity(layout, options);
  await layout.create();
  // LevelDB ends the whole process on some damage. A start that did not get past reading it is on record; after two of them
  // the database is doubted, or the box would never come back.
  const deaths = countOf(await readSmallFile(files, layout.path('opening')));
  await writeSmallFile(files, layout, { name: 'opening', value: { starts: deaths + 1 } });
  const reading: { progress?: ProgressStore } = {};
  try {
    return await openCounted(options, { layout, begun, deaths, reading });
  } catch (error) {
    // whoever tries again in this process must not meet himself
    await reading.progress?.close().catch(() => undefined);
    if (NOT_ITS_FAULT.has(errorCode(error) ?? '') || isFull(error))
      // not synced: what failed may have been a sync of this very folder, and a cut here counts one start too many at worst
      await writeSmallFile(files, layout, { name: 'opening', value: { starts: deaths }, synced: false }).catch(
        () => undefined,
      );
    throw error;
  }
}

async function openCounted(
  options: SpoolOptions,
  start: { layout: Layout; begun: number; deaths: number; reading: { progress?: ProgressStore } },
): Promise<SpoolStore> {
  const { files, clock, observe } = options;
  const { layout, deaths, reading } = start;
  const sequence = asSequence(await readSmallFile(files, layout.path('sequence')));
  const marker = await readSmallFile(files, layout.path('clean-stop'));
  const stopped = marker === undefined ? undefined : asSequence(marker);
  const expected = Math.max(sequence.database, stopped?.database ?? 0);
  const opening: { store?: SpoolStore } = {};
  const onDatabaseFault = (error: unknown): void => {
    if (opening.store !== undefined) opening.store.fault('Database', error);
    else observe.log('error', 'Database failed during recovery', { error: describeError(error) });
  };
  const warn = (message: string, facts: Record<string, unknown>): void => observe.log('warn', message, facts);
  const doubted = options.rebuildDatabase === true || deaths >= MOST_DEATHS;
  const inquiry = await keepAsFound(files, layout, { wall: () => clock.wall(), died: deaths > 0, log: warn });
  const known = { layout, inquiry, onFault: onDatabaseFault };
  const opened = await openProgress(options, { ...known, expected, doubted });
  const attempt = (progress: ProgressStore, databaseRebuilt: boolean) =>
    recover({ files, layout, progress, clock, log: warn }, { cleanStop: stopped !== undefined, databaseRebuilt });

  let { progress } = opened;
  reading.progress = progress;
  let recovered;
  try {
    recovered = await attempt(progress, opened.rebuilt);
    // After a stop that was none: what would end the process in mid-work ends it here, where it is on record.
    if (stopped === undefined) await progress.prove();
  } catch (error) {
    if (errorCode(error) !== 'DATABASE_DAMAGED') throw error;
    await progress.close().catch(() => undefined);
    progress = await rebuild(options, { ...known, why: describeError(error) });
    reading.progress = progress;
    recovered = await attempt(progress, true);
  }
  await inquiry.forget();
  await files.unlink(layout.path('opening'));
  await files.syncDirectory(layout.root);
  if (recovered.report.databaseRebuilt || recovered.report.lost > 0 || recovered.report.corrupt > 0) {
    observe.raise('spool-recovered', 'spool', JSON.stringify(recovered.report));
  }
  for (const id of recovered.damaged) {
    observe.emit({ event: 'corrupt', id, detail: 'Found damaged at start' });
    observe.raise('corrupt-message', id, 'Found damaged at start; its octets are kept in corrupt/');
  }
  for (const { id, name, detail } of recovered.standing) observe.raise(name, id, detail);
  for (const id of recovered.lost) observe.log('error', 'Entry has no message file', { id });

  let highest = sequence.message;
  for (const id of recovered.places.keys()) highest = Math.max(highest, sequenceOf(id) + 1);
  const message = Math.ceil((highest + 1) / FILES_PER_FOLDER) * FILES_PER_FOLDER;
  await writeSmallFile(files, layout, { name: 'sequence', value: { database: progress.sequence, message } });
  if (marker !== undefined) {
    await files.unlink(layout.path('clean-stop'));
    await files.syncDirectory(layout.root);
  }
  const space = new SpaceGuard({ files, directory: options.root, clock, limits: options.limits });
  await space.refresh();
  recovered.report.elapsedMs = clock.monotonic() - start.begun;
  opening.store = new SpoolStore({ ...options, layout, progress, space, recovered, nextSequence: message });
  return opening.store;
}

async function checkIdentity(layout: Layout, options: SpoolOptions): Promise<void> {
  const { files } = options;
  if ((await readSmallFile(files, layout.path('identity'))) !== undefined) return;
  const names = await files.list(layout.root);
  if (!options.create || names.some((name) => name !== 'tmp' && name !== 'lost+found')) {
    throw new SekishoError('SPOOL_MISSING', `Spool "${layout.root}" has no identity file`, {
      retryable: true,
      remedy:
        'Mount the data disk. Only if the mail is gone for good: remove spool-identity.json beside the configuration and start anew',
    });
  }
  await files.makeDirectory(layout.root);
  await files.makeDirectory(layout.path('tmp'));
  await writeSmallFile(files, layout, { name: 'identity', value: { id: randomUUID(), format: 1 } });
}

async function openProgress(
  options: SpoolOptions,
  known: { layout: Layout; inquiry: Inquiry; expected: number; doubted: boolean; onFault: (error: unknown) => void },
): Promise<{ progress: ProgressStore; rebuilt: boolean }> {
  const { layout, expected, onFault } = known;
  let why: string;
  try {
    if (known.doubted) throw new SekishoError('DATABASE_DAMAGED', 'Asked for, or starts ended while it was read');
    const database = await options.openDatabase(layout.path('level'));
    const progress = new ProgressStore(database, onFault);
    try {
      await progress.open();
      if (progress.sequence >= expected) return { progress, rebuilt: false };
      // LevelDB opened without a word, and knows less than it did: it dropped records (measured).
      why = `Database is at ${progress.sequence}, had reached ${expected}`;
    } catch (error) {
      why = describeError(error);
    }
    await database.close().catch(() => undefined);
  } catch (error) {
    if (errorCode(error) !== 'DATABASE_DAMAGED') throw error;
    why = describeError(error);
  }
  return { progress: await rebuild(options, { ...known, why }), rebuilt: true };
}

/** The damaged database is kept under inquiry/ as it was found, a new one begins. The message files are the truth. */
async function rebuild(
  options: SpoolOptions,
  known: { layout: Layout; inquiry: Inquiry; onFault: (error: unknown) => void; why: string },
): Promise<ProgressStore> {
  const { layout } = known;
  const aside = await known.inquiry.setAside();
  options.observe.log('error', 'Database is set aside and rebuilt from the message files', { why: known.why, aside });
  const progress = new ProgressStore(await options.openDatabase(layout.path('level')), known.onFault);
  await progress.open();
  return progress;
}

function countOf(opening: unknown): number {
  const starts = Number((opening as { starts?: unknown } | undefined)?.starts ?? 0);
  return Number.isFinite(starts) ? starts : MOST_DEATHS;
}

export function asSequence(value: unknown): SequenceFile {
  const file = (value ?? {}) as Partial<SequenceFile>;
  return { database: Number(file.database ?? 0), message: Number(file.message ?? 0) };
}
