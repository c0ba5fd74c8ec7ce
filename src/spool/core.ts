/**
 * What every verb of the spool stands on: the state in memory, one message at a time, trust in the disk, telling the stages.
 * After a failed sync nothing more is promised in this process: SPOOL_FAULT everywhere, and `onFault` tells the entry.
 */
import { type Clock, type Stamp, stampOf } from '../base/clock.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { ForwardPath } from '../mail/address.ts';
import { folderOf, newQueueId, type QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { Folder, QueuedMessage } from './api.ts';
import { BodyMemory } from './body-memory.ts';
import { Census } from './census.ts';
import { isFull, type Workshop } from './draft.ts';
import { type Entry, newEntry, retire, toQueued, withOutcomes } from './entry.ts';
import type { FileLayer } from './files.ts';
import { Fresh } from './fresh.ts';
import { Janitor } from './janitor.ts';
import type { Layout } from './layout.ts';
import { readMessageLayout } from './message-file.ts';
import type { Mover } from './move.ts';
import type { ProgressStore } from './progress.ts';
import type { Recovered } from './recovery.ts';
import { placeOf } from './sketch.ts';
import { writeSmallFile } from './small-file.ts';
import type { SpaceGuard } from './space.ts';
import { Spares } from './spares.ts';
import { SyncGroup } from './sync-group.ts';
import { Upkeep } from './upkeep.ts';

export interface StoreOptions {
  files: FileLayer;
  layout: Layout;
  progress: ProgressStore;
  space: SpaceGuard;
  clock: Clock;
  observe: Observe;
  recovered: Recovered;
  nextSequence: number;
  /** Octets of the ballast file; 0: none. */
  ballastOctets?: number;
  onFault: (error: SekishoError) => void;
  random?: (size: number) => Uint8Array;
}

/** Alarms whose key is a queue id. */
const MESSAGE_ALARMS = [
  'undeliverable',
  'corrupt-message',
  'poison-message',
  'inspection-late',
  'release-requested',
] as const;

export abstract class SpoolCore {
  protected readonly options: StoreOptions;
  protected readonly census: Census;
  protected readonly deleted: Map<QueueId, Stamp>;
  protected readonly busy = new Map<QueueId, Set<ForwardPath>>();
  protected readonly fresh = new Fresh();
  protected readonly mutex = new KeyedMutex<QueueId>();
  protected readonly groups: SyncGroup;
  protected readonly janitor: Janitor;
  protected readonly spares: Spares;
  protected readonly upkeep: Upkeep;
  protected readonly shop: Workshop;
  /** Blocks for bodies on their way out. */
  protected readonly leaving: BodyMemory;
  protected readonly mover: Mover;
  protected nextSequence: number;
  protected faultSeen: SekishoError | undefined;
  protected closed = false;
  protected sayQueued: ((message: QueuedMessage) => void) | undefined;
  protected sayIncoming: ((id: QueueId) => void) | undefined;

  constructor(options: StoreOptions) {
    this.options = options;
    const { files, layout, progress, space } = options;
    this.census = new Census(options.recovered.places, { clock: options.clock, kinds: options.recovered.kinds });
    this.deleted = options.recovered.deleted;
    this.nextSequence = options.nextSequence;
    this.groups = new SyncGroup((directory) => layout.sync(directory));
    layout.onSyncFailed = (what, error) => this.fault(what, error);
    const onFault = (error: unknown): void => void this.fault('Clearing settled messages', error);
    const isPast = (id: QueueId): boolean => folderOf(id) < folderOf(newQueueId(this.nextSequence));
    this.spares = new Spares(files, { totalInodes: () => space.totalInodes });
    const { groups, spares } = this;
    this.janitor = new Janitor({ files, layout, groups, progress, spares, isFull: isPast, onFault });
    this.shop = {
      files,
      layout,
      space,
      groups,
      spares,
      memory: new BodyMemory(),
      fault: (what, error) => this.fault(what, error),
      assertSound: () => this.assertSound(),
    };
    this.leaving = new BodyMemory(this.shop.memory);
    this.mover = { ...this.shop, progress, clock: options.clock };
    this.upkeep = new Upkeep({
      ...options,
      ballastOctets: options.ballastOctets ?? 0,
      deleted: this.deleted,
      expire: (id) => this.expireDeleted(id),
      nextSequence: () => this.nextSequence,
      isSound: () => this.faultSeen === undefined,
      fault: (what, error) => this.fault(what, error),
    });
  }

  fault(what: string, error: unknown): SekishoError {
    if (this.faultSeen === undefined) {
      this.faultSeen = new SekishoError('SPOOL_FAULT', `${what} failed, the spool is not trusted until a restart`, {
        retryable: true,
        cause: error,
      });
      if (isFull(error)) this.upkeep.giveRoom();
      this.options.observe.raise('spool-fault', 'spool', describeError(this.faultSeen));
      this.options.onFault(this.faultSeen);
    }
    return this.faultSeen;
  }

  /** Finishes clearing, writes the chores down now: for tests and for a clean stop. */
  async flush(): Promise<void> {
    await this.upkeep.run();
    await this.janitor.flush();
  }

  /** A clean stop: settled files cleared, database synced and closed, then the marker. After a fault: no marker. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const { files, layout, progress } = this.options;
    try {
      await this.upkeep.stop();
      if (this.faultSeen === undefined) await this.janitor.flush();
      await this.spares.close();
    } finally {
      const database = await progress.close();
      if (this.faultSeen === undefined) {
        await writeSmallFile(files, layout, { name: 'sequence', value: { database, message: this.nextSequence } });
        await writeSmallFile(files, layout, { name: 'clean-stop', value: { database, message: this.nextSequence } });
      }
    }
  }

  protected announce(id: QueueId, folder: Folder, entry: Entry): void {
    // Before anybody listens it waits with what the start found.
    const { queued, incoming } = this.options.recovered;
    if (folder === 'queue') (this.sayQueued ?? ((message) => queued.push(message)))(toQueued(id, entry));
    if (folder === 'incoming') (this.sayIncoming ?? ((waiting) => incoming.push(waiting)))(id);
  }

  /** As people see them: what was deleted is gone, though it can be brought back for ten minutes. */
  protected countsSeen(): Record<Folder, number> {
    const counts = { ...this.census.counts };
    for (const id of this.deleted.keys()) {
      const folder = this.census.get(id)?.folder;
      if (folder !== undefined) counts[folder] -= 1;
    }
    return counts;
  }

  /** What was deleted ten minutes ago goes for good. */
  protected expireDeleted(id: QueueId): Promise<void> {
    const { clock, progress } = this.options;
    return this.change(id, async (entry) => {
      if (entry.deleted === undefined) return;
      const { outcome } = entry.deleted;
      const open = entry.recipients.filter((recipient) => recipient.outcome === undefined);
      const settled = open.map(({ address }) => ({ address, outcome }));
      const next = withOutcomes(entry, settled);
      await progress.write([[id, next]], { sync: true, retired: [[id, retire(next, stampOf(clock))]] });
      this.deleted.delete(id);
      this.clear(id);
    });
  }

  protected exclusive<T>(id: QueueId, work: () => Promise<T>): Promise<T> {
    return this.mutex.run(id, async () => {
      this.assertSound();
      return work();
    });
  }

  /** Work on the entry of a message that is here; made anew from the file when the database has none. */
  protected change<T>(id: QueueId, work: (entry: Entry) => Promise<T>): Promise<T> {
    return this.exclusive(id, async () => {
      const place = this.census.where(id);
      let entry = await this.options.progress.get(id);
      if (entry === undefined && place.folder === 'corrupt') entry = unreadable(stampOf(this.options.clock));
      if (entry === undefined) {
        const { preamble, trailer } = await this.layoutOf(id);
        entry = newEntry(preamble, trailer);
      }
      return work(entry);
    });
  }

  protected layoutOf(id: QueueId): ReturnType<typeof readMessageLayout> {
    return readMessageLayout(this.options.files, this.options.layout.message(id, this.census.where(id)));
  }

  /** Every recipient is settled and on record: the file may go. */
  protected clear(id: QueueId): void {
    const place = this.census.where(id);
    this.census.forget(id);
    this.fresh.drop(id);
    this.endAlarms(id);
    this.janitor.retire(id, place);
  }

  /** What was wrong with one message is over when it is gone, moved or deleted. */
  protected endAlarms(id: QueueId): void {
    for (const alarm of MESSAGE_ALARMS) this.options.observe.clear(alarm, id);
  }

  protected free(id: QueueId, recipients: ReadonlyArray<{ address: ForwardPath }>): void {
    const busy = this.busy.get(id);
    for (const { address } of recipients) busy?.delete(address);
    if (busy?.size === 0) this.busy.delete(id);
  }

  protected assertIdle(id: QueueId): void {
    if (!this.busy.has(id)) return;
    throw new SekishoError('BUSY', `Message "${id}" is being delivered right now`, {
      retryable: true,
      remedy: 'Try again in a moment',
    });
  }

  /** Held, set aside or marked for deletion meanwhile: whoever did that is in charge of it. */
  protected assertQueued(id: QueueId, entry: Entry): void {
    const { folder } = this.census.where(id);
    if (folder !== 'queue' || entry.deleted !== undefined) throw wrongState(id, folder);
  }

  protected assertSound(): void {
    if (this.faultSeen !== undefined) throw this.faultSeen;
    if (this.closed) throw new SekishoError('SPOOL_CLOSED', 'Spool is closed', { retryable: true });
  }

  protected async syncGroup(directory: string): Promise<void> {
    try {
      await this.groups.sync(directory);
    } catch (error) {
      throw this.fault(`Sync of "${directory}"`, error);
    }
  }

  protected async setAside(id: QueueId, detail: string): Promise<void> {
    await this.mutex.run(id, async () => {
      const place = this.census.get(id);
      if (place === undefined || place.folder === 'corrupt') return;
      const { layout, observe } = this.options;
      const target = { ...placeOf({ folder: 'corrupt', size: place.size }), arrived: place.arrived };
      await layout.settle(layout.message(id, place), id, target);
      this.census.put(id, target);
      this.busy.delete(id); // the attempt that met the damage has nobody to tell of: it could not be deleted any more
      await this.syncGroup(layout.directory('corrupt', id));
      await this.syncGroup(layout.directory(place.folder, id));
      observe.emit({ event: 'corrupt', id, detail });
      observe.raise('corrupt-message', id, detail);
    });
  }
}

/** A damaged file may tell nothing about itself; it can still be deleted. */
function unreadable(now: Stamp): Entry {
  return { v: 1, kind: 'mail', arrival: now, size: 0, sha256: '', recipients: [] };
}

export function wrongState(id: QueueId, folder: Folder): SekishoError {
  return new SekishoError('WRONG_STATE', `Message "${id}" is in "${folder}"`, {
    remedy: 'Look where it is now with "sekisho trace"',
  });
}
