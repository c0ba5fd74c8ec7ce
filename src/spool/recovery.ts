/**
 * What happens before any listener opens: drafts go, the folders are walked, and what they hold is brought together with
 * what the database remembers. The files are the truth. Order: drafts → doubles → database → splits → DSNs → every file.
 * Returns what is queued and waiting; counts all it did. A damaged file costs that file (moved to corrupt/, never deleted);
 * a damaged or rolled-back database is set aside and rebuilt, at the price of recipients that may be served again.
 */
import type { Clock, Stamp } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import { parseQueueId, type QueueId } from '../mail/queue-id.ts';
import { FOLDERS, type Folder, type QueuedMessage, type SpoolRecovery } from './api.ts';
import { type Entry, isSettled, newEntry, toQueued } from './entry.ts';
import type { FileLayer } from './files.ts';
import type { Layout } from './layout.ts';
import { readMessageLayout, type MessageLayout } from './message-file.ts';
import type { ProgressStore } from './progress.ts';
import { Kinds, type Place, placeOf } from './sketch.ts';
import { type StandingAlarm, standingAlarm } from './standing.ts';

/** Found twice: the first of these stays. */
const RANK: readonly Folder[] = ['corrupt', 'quarantine', 'held', 'queue', 'incoming'];
const PARALLEL = 16;
/** The octets of a file whose entry was not read yet. */
const UNKNOWN = -1;

export interface Recovered {
  places: Map<QueueId, Place>;
  kinds: Kinds;
  queued: QueuedMessage[];
  incoming: QueueId[];
  deleted: Map<QueueId, Stamp>;
  report: SpoolRecovery;
  /** Ids whose file is damaged or whose entry has no file, for the alarm. */
  damaged: QueueId[];
  lost: QueueId[];
  /** What was wrong before this start, and still is. */
  standing: Array<StandingAlarm & { id: QueueId }>;
}

export interface RecoveryContext {
  files: FileLayer;
  layout: Layout;
  progress: ProgressStore;
  clock: Clock;
  log: (message: string, facts: Record<string, unknown>) => void;
}

export async function recover(
  context: RecoveryContext,
  known: { cleanStop: boolean; databaseRebuilt: boolean },
): Promise<Recovered> {
  const state = new Recovery(context);
  await state.dropDrafts();
  await state.walk();
  await state.completeSplits();
  await state.readEntries();
  await state.dropUnfinishedDsns();
  await state.reconcile();
  return {
    ...state.result(),
    report: { ...state.report, ...known, elapsedMs: 0 },
  };
}

class Recovery {
  readonly #context: RecoveryContext;
  readonly #places = new Map<QueueId, Place>();
  readonly #kinds = new Kinds();
  /** Those that need a second look; of all others what is wanted was taken when they were read. */
  readonly #entries = new Map<QueueId, Entry>();
  /** Part → the message it stands for since this start: its file is gone, its entry is the last that is known. */
  readonly #replaced = new Map<QueueId, QueueId>();
  /** One string for all: a boot's name stands in every stamp. */
  readonly #boots = new Map<string, string>();
  readonly #queued: QueuedMessage[] = [];
  readonly #incoming: QueueId[] = [];
  readonly #deleted = new Map<QueueId, Stamp>();
  readonly #damaged: QueueId[] = [];
  readonly #lost: QueueId[] = [];
  readonly #standing: Recovered['standing'] = [];
  readonly report = { files: 0, dropped: 0, requeued: 0, lost: 0, corrupt: 0 };

  constructor(context: RecoveryContext) {
    this.#context = context;
  }

  result(): Omit<Recovered, 'report'> {
    return {
      places: this.#places,
      kinds: this.#kinds,
      queued: this.#queued,
      incoming: this.#incoming,
      deleted: this.#deleted,
      damaged: this.#damaged,
      lost: this.#lost,
      standing: this.#standing,
    };
  }

  /** Only files in tmp/ may ever be dropped: no 250 was given for them. */
  async dropDrafts(): Promise<void> {
    const { files, layout } = this.#context;
    const names = await files.list(layout.path('tmp'));
    await this.#each(names, (name) => files.unlink(layout.path('tmp', name)));
    this.report.dropped = names.length;
  }

  async walk(): Promise<void> {
    for (const folder of FOLDERS) {
      for await (const { id, tries } of this.#context.layout.scan(folder)) {
        const place = placeOf({ folder, tries, size: UNKNOWN });
        const other = this.#places.get(id);
        if (other === undefined) this.#places.set(id, place);
        else this.#places.set(id, await this.#chooseDouble(id, other, place));
      }
    }
    this.report.files = this.#places.size;
  }

  /** A power cut between the new file and the unlink of the old one leaves both. The better one stays if it is whole. */
  async #chooseDouble(id: QueueId, first: Place, second: Place): Promise<Place> {
    const { files, layout, log } = this.#context;
    const ranked = [first, second].toSorted(
      (a, b) => RANK.indexOf(a.folder) - RANK.indexOf(b.folder) || b.tries - a.tries,
    );
    const [better, worse] = ranked as [Place, Place];
    const whole = better.folder === 'corrupt' ? undefined : await this.#layoutOf(id, better);
    const keep = whole === undefined && better.folder !== 'corrupt' ? worse : better;
    const drop = keep === better ? worse : better;
    log('Message was found twice, one file goes', { id, kept: keep.folder, dropped: drop.folder });
    await files.unlink(layout.message(id, drop));
    await files.syncDirectory(layout.directory(drop.folder, id));
    return keep;
  }

  /** A parent with all its parts is done; a parent with some of them is still whole, and the parts go. */
  async completeSplits(): Promise<void> {
    const { files, layout, log } = this.#context;
    const families = new Map<QueueId, QueueId[]>();
    for (const id of this.#places.keys()) {
      const parent = parentBySplit(id);
      if (parent === undefined) continue;
      if (!this.#places.has(parent))
        this.#replaced.set(id, parent); // long ago, or a start that was cut off here
      else families.set(parent, [...(families.get(parent) ?? []), id]);
    }
    for (const [parent, children] of families) {
      const layouts = await Promise.all(
        children.map((child) => this.#layoutOf(child, this.#places.get(child) as Place)),
      );
      const of = layouts.map((found) => partsOf(found)).find((count) => count !== undefined) ?? 0;
      const complete = children.length === of && layouts.every((found) => found !== undefined);
      const gone = complete ? [parent] : children;
      if (complete) for (const child of children) this.#replaced.set(child, parent);
      log('Split was interrupted', { id: parent, parts: children.length, of, completed: complete });
      for (const id of gone) {
        const place = this.#places.get(id) as Place;
        await files.unlink(layout.message(id, place));
        await files.syncDirectory(layout.directory(place.folder, id));
        this.#places.delete(id);
      }
    }
  }

  async readEntries(): Promise<void> {
    for await (const [id, entry] of this.#context.progress.entries()) {
      const place = this.#places.get(id);
      if (place === undefined || place.folder === 'corrupt' || isSettled(entry) || isUndecided(entry, place))
        this.#entries.set(id, entry);
      else this.#take(id, place, entry); // nearly all of them: a million entries are never in memory at once
    }
  }

  /** A DSN whose batch did not reach the disk was never due: its parent will bounce again. */
  async dropUnfinishedDsns(): Promise<void> {
    const { files, layout } = this.#context;
    for (const [id, place] of this.#places) {
      const parent = parentByDsn(id);
      if (parent === undefined || place.size !== UNKNOWN || this.#entries.has(id) || !this.#places.has(parent))
        continue;
      const parentEntry = this.#entries.get(parent);
      if (parentEntry !== undefined && isSettled(parentEntry)) continue;
      await files.unlink(layout.message(id, place));
      await files.syncDirectory(layout.directory(place.folder, id));
      this.#places.delete(id);
    }
  }

  async reconcile(): Promise<void> {
    const open: Array<readonly [QueueId, Place]> = [];
    for (const [id, place] of this.#places) if (place.size === UNKNOWN) open.push([id, place]);
    await this.#each(open, ([id, place]) => this.#settleFile(id, place));
    const orphans: Array<readonly [QueueId, undefined]> = [];
    const replaced = new Set(this.#replaced.values());
    for (const [id, entry] of this.#entries) {
      if (this.#places.has(id)) continue;
      if (!isSettled(entry) && entry.deleted === undefined && !replaced.has(id)) {
        this.#lost.push(id);
        this.report.lost += 1;
      }
      orphans.push([id, undefined]);
    }
    await this.#makeAbsenceDurable(orphans.map(([id]) => id));
    for (let at = 0; at < orphans.length; at += 500) {
      await this.#context.progress.write(orphans.slice(at, at + 500), { sync: false });
    }
    this.#queued.sort((a, b) => (a.id < b.id ? -1 : 1)); // oldest first
    this.#incoming.sort();
  }

  /** A file that went just before a kill may come back with the next power cut; its entry must not go before it. */
  async #makeAbsenceDurable(ids: readonly QueueId[]): Promise<void> {
    const { files, layout } = this.#context;
    const directories = new Set<string>();
    for (const folder of FOLDERS) for (const id of ids) directories.add(layout.directory(folder, id));
    if (ids.length > 0) for (const folder of FOLDERS) directories.add(layout.path(folder));
    for (const directory of directories) {
      await files.syncDirectory(directory).catch((error: unknown) => {
        if (errorCode(error) !== 'ENOENT') throw error;
      });
    }
  }

  async #settleFile(id: QueueId, place: Place): Promise<void> {
    const { files, layout, progress } = this.#context;
    let entry = this.#entries.get(id);
    if (place.folder === 'corrupt') {
      place.size = 0;
      place.arrived = entry === undefined ? await this.#written(id, place) : seconds(entry.arrival.wall);
      if (entry?.deleted !== undefined) this.#deleted.set(id, entry.deleted.at);
      this.#stands(id, place, entry);
      return;
    }
    const done = entry !== undefined && isSettled(entry);
    const undecided = entry !== undefined && isUndecided(entry, place);
    if (entry === undefined || done || undecided) {
      const found = await this.#layoutOf(id, place);
      if (found === undefined) return this.#setAside(id, place);
      // Settled, and the file did not go yet. It goes only if it is the very message that was settled.
      if (done && entry?.sha256 === found.trailer.sha256) {
        await files.unlink(layout.message(id, place));
        await files.syncDirectory(layout.directory(place.folder, id));
        this.#places.delete(id);
        return;
      }
      const deleted = undecided && entry?.deleted !== undefined ? { deleted: entry.deleted } : {};
      entry = { ...this.#madeAnew(id, found), ...deleted };
      this.#entries.set(id, entry);
      await progress.put(id, entry);
      if (place.folder === 'queue' && !undecided) this.report.requeued += 1;
    }
    this.#take(id, place, entry);
  }

  #take(id: QueueId, place: Place, entry: Entry): void {
    place.size = entry.size;
    this.#kinds.describe(place, entry, { clock: this.#context.clock });
    if (entry.deleted !== undefined) {
      this.#deleted.set(id, entry.deleted.at);
      return;
    }
    if (place.folder === 'queue') {
      const queued = toQueued(id, entry);
      this.#queued.push({ ...queued, since: { ...queued.since, boot: this.#boot(queued.since.boot) } });
    }
    if (place.folder === 'incoming') this.#incoming.push(id);
    if (place.folder === 'held') this.#stands(id, place, entry);
  }

  #stands(id: QueueId, { folder }: Place, entry: Entry | undefined): void {
    const alarm = standingAlarm(folder, entry);
    if (alarm !== undefined) this.#standing.push({ id, ...alarm });
  }

  /** The cut came before the parts of a split were on record: what is known of their recipients stands with the parent. */
  #madeAnew(id: QueueId, found: MessageLayout): Entry {
    const entry = newEntry(found.preamble, found.trailer);
    const replaced = this.#replaced.get(id);
    const parent = replaced === undefined ? undefined : this.#entries.get(replaced);
    if (parent === undefined) return entry;
    const before = new Map(parent.recipients.map((recipient) => [recipient.address, recipient]));
    return {
      ...entry,
      ...(parent.via === undefined ? {} : { via: parent.via }),
      recipients: entry.recipients.map((recipient) => {
        const known = before.get(recipient.address);
        return known === undefined || known.outcome !== undefined ? recipient : { ...known, wait: 0 };
      }),
    };
  }

  #boot(name: string): string {
    const known = this.#boots.get(name);
    if (known === undefined) this.#boots.set(name, name);
    return known ?? name;
  }

  async #setAside(id: QueueId, place: Place): Promise<void> {
    const { files, layout } = this.#context;
    const known = this.#entries.get(id)?.arrival.wall;
    const arrived = known === undefined ? await this.#written(id, place) : seconds(known);
    const target = { ...placeOf({ folder: 'corrupt', size: 0 }), arrived };
    await layout.settle(layout.message(id, place), id, target);
    await files.syncDirectory(layout.directory('corrupt', id));
    await files.syncDirectory(layout.directory(place.folder, id));
    this.#places.set(id, target);
    this.#damaged.push(id);
    this.report.corrupt += 1;
  }

  /** Nothing else is known of a damaged file: when it was written, in seconds; 0: not even that, which stops no start. */
  async #written(id: QueueId, place: Place): Promise<number> {
    const { files, layout } = this.#context;
    return files.modified(layout.message(id, place)).then(seconds, () => 0);
  }

  async #layoutOf(id: QueueId, place: Place): Promise<MessageLayout | undefined> {
    try {
      return await readMessageLayout(this.#context.files, this.#context.layout.message(id, place));
    } catch (error) {
      if (errorCode(error) === 'CORRUPT') return undefined;
      throw error; // EIO and the like: the disk is in trouble, not the file
    }
  }

  async #each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const rest = items.values(); // shared by the workers: each takes the next one
    const worker = async (): Promise<void> => {
      for (const item of rest) await work(item);
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

/** Decided, and the cut came before the decision was on record: it still has the recipients of an incoming one, none. */
function isUndecided(entry: Entry, place: Place): boolean {
  return entry.recipients.length === 0 && place.folder !== 'incoming';
}

function parentBySplit(id: QueueId): QueueId | undefined {
  const match = /^(.+)\.\d+$/.exec(id);
  return match?.[1] === undefined ? undefined : parseQueueId(match[1]);
}

function parentByDsn(id: QueueId): QueueId | undefined {
  const match = /^(.+)\.d\d+$/.exec(id);
  return match?.[1] === undefined ? undefined : parseQueueId(match[1]);
}

function partsOf(layout: MessageLayout | undefined): number | undefined {
  const parent = layout?.preamble.parent;
  return parent !== undefined && 'of' in parent ? parent.of : undefined;
}
