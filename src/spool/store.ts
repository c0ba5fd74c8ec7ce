/**
 * The spool itself (contract in api.ts). Message files are the promise, the database remembers what was done with them; the
 * folder a file lies in is its state. Work on one message is serialised by its id. After a failed sync nothing more is
 * promised in this process: every method throws SPOOL_FAULT, and `onFault` tells the entry to stop and start anew.
 */
import type { Readable } from 'node:stream';
import { type Clock, type Stamp, stampOf } from '../base/clock.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { Transaction } from '../mail/envelope.ts';
import { dsnQueueId, folderOf, newQueueId, type QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import {
  type DeferredRecipient,
  type Draft,
  type Folder,
  type Preamble,
  type QueuedMessage,
  type SettledRecipient,
  type Spool,
  type SpoolListEntry,
  type SpoolStatus,
  type StoredMessage,
  type Trailer,
} from './api.ts';
import { bodyStream } from './body.ts';
import { Census } from './census.ts';
import { isFull, MessageDraft, type Workshop } from './draft.ts';
import { type Entry, isSettled, newEntry, retire, toQueued, withOutcomes, withRecipients } from './entry.ts';
import type { FileLayer } from './files.ts';
import { Janitor } from './janitor.ts';
import type { Layout, Place } from './layout.ts';
import { readMessageLayout } from './message-file.ts';
import { type Mover, moveMessage, replaceIncoming } from './move.ts';
import type { ProgressStore } from './progress.ts';
import type { Recovered } from './recovery.ts';
import { writeSmallFile } from './small-file.ts';
import type { SpaceGuard } from './space.ts';
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

export class SpoolStore implements Spool {
  readonly #options: StoreOptions;
  readonly #census: Census;
  readonly #deleted: Map<QueueId, Stamp>;
  readonly #busy = new Map<QueueId, Set<ForwardPath>>();
  readonly #mutex = new KeyedMutex<QueueId>();
  readonly #groups: SyncGroup;
  readonly #janitor: Janitor;
  readonly #upkeep: Upkeep;
  readonly #shop: Workshop;
  readonly #mover: Mover;
  #nextSequence: number;
  #fault: SekishoError | undefined;
  #closed = false;
  #sayQueued: ((message: QueuedMessage) => void) | undefined;
  #sayIncoming: ((id: QueueId) => void) | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
    const { files, layout, progress, space } = options;
    this.#census = new Census(options.recovered.places);
    this.#deleted = options.recovered.deleted;
    this.#nextSequence = options.nextSequence;
    this.#groups = new SyncGroup((directory) => files.syncDirectory(directory));
    const onFault = (error: unknown): void => void this.fault('Clearing settled messages', error);
    const isPast = (id: QueueId): boolean => folderOf(id) < folderOf(newQueueId(this.#nextSequence));
    this.#janitor = new Janitor({ files, layout, groups: this.#groups, progress, isFull: isPast, onFault });
    this.#shop = {
      files,
      layout,
      space,
      groups: this.#groups,
      memory: { used: 0 },
      fault: (what, error) => this.fault(what, error),
      assertSound: () => this.#assertSound(),
    };
    this.#mover = { ...this.#shop, progress, clock: options.clock };
    this.#upkeep = new Upkeep({
      ...options,
      ballastOctets: options.ballastOctets ?? 0,
      deleted: this.#deleted,
      expire: (id) => this.#expireDeleted(id),
      nextSequence: () => this.#nextSequence,
      isSound: () => this.#fault === undefined,
      fault: (what, error) => this.fault(what, error),
    });
  }

  // — taking mail —

  async begin(transaction: Transaction): Promise<Draft> {
    this.#assertSound();
    const announced = transaction.announcedSize ?? 0;
    if (!this.hasRoom(announced)) throw full();
    const id = newQueueId(this.#nextSequence, this.#options.random);
    this.#nextSequence += 1;
    return this.#draft(preambleOf(id, 'mail', transaction), announced);
  }

  hasRoom(octets: number): boolean {
    return this.#options.space.hasRoom(octets);
  }

  #draft(preamble: Preamble, announced: number): MessageDraft {
    const onCommit = async (folder: Folder, trailer: Trailer): Promise<void> => {
      const entry = newEntry(preamble, trailer);
      this.#census.put(preamble.id, { folder, tries: 0, size: trailer.size });
      if (preamble.kind === 'dsn') return; // its entry comes with its parent's batch
      // The 250 does not wait for this: the file is the promise. An entry that fails here is a fault of the database.
      this.#options.progress.put(preamble.id, entry).catch(() => undefined);
      this.#announce(preamble.id, folder, entry);
    };
    return new MessageDraft(this.#shop, { preamble, announced, onCommit });
  }

  // — reading —

  async read(id: QueueId): Promise<StoredMessage | undefined> {
    const place = this.#census.get(id);
    if (place === undefined) return undefined;
    try {
      const { preamble, trailer } = await readMessageLayout(
        this.#options.files,
        this.#options.layout.message(id, place),
      );
      const entry = (await this.#options.progress.get(id)) ?? newEntry(preamble, trailer);
      const progress = {
        recipients: entry.recipients,
        ...(entry.deleted === undefined ? {} : { deleted: entry.deleted.at }),
        ...(entry.why === undefined ? {} : { why: entry.why }),
      };
      return { id, folder: place.folder, preamble, trailer, progress };
    } catch (error) {
      if (this.#census.get(id) !== place) return this.read(id); // it moved meanwhile
      if (errorCode(error) === 'CORRUPT' && place.folder !== 'corrupt') {
        await this.#setAside(id, describeError(error));
        return undefined;
      }
      if (errorCode(error) === 'CORRUPT') return undefined;
      throw error;
    }
  }

  async list(folder: Folder, options: { after?: QueueId; limit?: number } = {}): Promise<SpoolListEntry[]> {
    const page = this.#census.page(folder, { ...options, limit: options.limit ?? 1_000 });
    const rows = await Promise.all(
      page.map(async (id): Promise<SpoolListEntry | undefined> => {
        const entry = await this.#options.progress.get(id);
        const arrival = entry?.arrival ?? (folder === 'corrupt' ? undefined : (await this.read(id))?.preamble.arrival);
        const size = this.#census.get(id)?.size ?? 0;
        const unknown = { wall: 0, mono: 0, boot: '', synchronised: false };
        return { id, folder, arrival: arrival ?? unknown, size, deleted: this.#deleted.has(id) };
      }),
    );
    return rows.filter((row) => row !== undefined);
  }

  count(folder: Folder): number {
    return this.#census.counts[folder];
  }

  openVariant(message: StoredMessage, variant: number): Readable {
    const shape = message.trailer.variants[variant];
    if (shape === undefined) throw new RangeError(`Message "${message.id}" has no variant ${variant}`);
    return this.#stream(message, shape);
  }

  openBody(message: StoredMessage): Readable {
    return this.#stream(message, { prefix: '', cuts: [] });
  }

  #stream(message: StoredMessage, shape: { prefix: string; cuts: Array<[number, number]> }): Readable {
    const place = this.#census.where(message.id);
    const path = this.#options.layout.message(message.id, place);
    return bodyStream(this.#options.files, path, {
      shape,
      expectedSha256: message.trailer.sha256,
      onCorrupt: () => this.#setAside(message.id, 'Body hash does not match'),
    });
  }

  // — telling the stages —

  onQueued(listener: (message: QueuedMessage) => void): void {
    this.#sayQueued = listener;
    for (const message of this.#options.recovered.queued.splice(0)) {
      if (this.#census.get(message.id)?.folder === 'queue') listener(message);
    }
  }

  onIncoming(listener: (id: QueueId) => void): void {
    this.#sayIncoming = listener;
    for (const id of this.#options.recovered.incoming.splice(0)) {
      if (this.#census.get(id)?.folder === 'incoming') listener(id);
    }
  }

  #announce(id: QueueId, folder: Folder, entry: Entry): void {
    // Before anybody listens it waits with what the start found.
    const { queued, incoming } = this.#options.recovered;
    if (folder === 'queue') (this.#sayQueued ?? ((message) => queued.push(message)))(toQueued(id, entry));
    if (folder === 'incoming') (this.#sayIncoming ?? ((waiting) => incoming.push(waiting)))(id);
  }

  // — incoming —

  decide(
    id: QueueId,
    folder: 'queue' | 'held' | 'quarantine',
    trailer: Omit<Trailer, 'size' | 'sha256'>,
  ): Promise<void> {
    return this.#exclusive(id, async () => {
      const place = this.#census.where(id);
      if (place.folder !== 'incoming') throw wrongState(id, place.folder);
      const entry = await replaceIncoming(this.#mover, { id, place, folder, trailer });
      this.#census.put(id, { folder, tries: 0, size: entry.size });
      this.#announce(id, folder, entry);
    });
  }

  countTry(id: QueueId): Promise<number> {
    return this.#exclusive(id, async () => {
      const place = this.#census.where(id);
      const { files, layout } = this.#options;
      const next = { ...place, tries: place.tries + 1 };
      await files.rename(layout.message(id, place), layout.message(id, next));
      this.#census.put(id, next);
      await this.#syncGroup(layout.directory(place.folder, id));
      return next.tries;
    });
  }

  forgetTries(id: QueueId): Promise<void> {
    return this.#exclusive(id, async () => {
      const place = this.#census.where(id);
      if (place.folder !== 'incoming' || place.tries === 0) return;
      const { files, layout } = this.#options;
      const next = { ...place, tries: 0 };
      await files.rename(layout.message(id, place), layout.message(id, next));
      this.#census.put(id, next);
    });
  }

  tries(id: QueueId): number {
    return this.#census.get(id)?.tries ?? 0;
  }

  // — delivering —

  recordAttempt(id: QueueId, recipients: readonly ForwardPath[], nextHop: string): Promise<void> {
    return this.#change(id, async (entry) => {
      const place = this.#census.where(id);
      if (place.folder !== 'queue' || entry.deleted !== undefined) throw wrongState(id, place.folder);
      const now = stampOf(this.#options.clock);
      const busy = this.#busy.get(id) ?? new Set();
      for (const address of recipients) busy.add(address);
      this.#busy.set(id, busy);
      const next = withRecipients(entry, recipients, (recipient) => ({
        ...recipient,
        attempts: recipient.attempts + 1,
        lastAttempt: now,
        nextHop,
      }));
      await this.#options.progress.put(id, next);
    });
  }

  defer(id: QueueId, recipients: readonly DeferredRecipient[]): Promise<void> {
    return this.#change(id, async (entry) => {
      this.#free(id, recipients);
      const by = new Map(recipients.map((recipient) => [recipient.address, recipient]));
      const next = withRecipients(entry, [...by.keys()], (recipient) => {
        const said = by.get(recipient.address) as DeferredRecipient;
        return {
          ...recipient,
          lastReply: said.reply,
          wait: said.wait,
          ...(said.nextHop === undefined ? {} : { nextHop: said.nextHop }),
          ...(said.delayNotified === undefined ? {} : { delayNotified: said.delayNotified }),
        };
      });
      await this.#options.progress.put(id, next);
    });
  }

  settle(id: QueueId, recipients: readonly SettledRecipient[]): Promise<void> {
    return this.#change(id, (entry) => this.#settle(id, entry, { recipients, also: [] }));
  }

  async #settle(
    id: QueueId,
    entry: Entry,
    options: { recipients: readonly SettledRecipient[]; also: ReadonlyArray<readonly [QueueId, Entry]> },
  ): Promise<void> {
    const next = withOutcomes(entry, options.recipients);
    const done = isSettled(next);
    const retired = done ? [[id, retire(next, stampOf(this.#options.clock))] as const] : [];
    await this.#options.progress.write([[id, next], ...options.also], { sync: true, retired });
    this.#free(id, options.recipients);
    if (done) this.#clear(id);
  }

  bounce(
    id: QueueId,
    recipients: readonly SettledRecipient[],
    dsn: { attempt: number; transaction: Transaction; message: Buffer },
  ): Promise<QueueId> {
    return this.#change(id, async (entry) => {
      let attempt = dsn.attempt;
      while (this.#census.get(dsnQueueId(id, attempt)) !== undefined) attempt += 1; // two routes bounced in the same round
      const dsnId = dsnQueueId(id, attempt);
      const parent = { id, attempt };
      const draft = this.#draft({ ...preambleOf(dsnId, 'dsn', dsn.transaction), parent }, dsn.message.length);
      let sha256: string;
      try {
        await draft.write(dsn.message);
        sha256 = (await draft.seal()).sha256;
      } catch (error) {
        await draft.abort();
        throw error;
      }
      const to = dsn.transaction.envelope.recipients.map((recipient) => recipient.address);
      await draft.commit('queue', { decisions: [], variants: [{ recipients: to, prefix: '', cuts: [] }] });
      const dsnEntry: Entry = {
        v: 1,
        kind: 'dsn',
        arrival: dsn.transaction.arrival,
        size: dsn.message.length,
        sha256,
        recipients: to.map((address) => ({ address, attempts: 0, wait: 0 })),
      };
      await this.#settle(id, entry, { recipients, also: [[dsnId, dsnEntry]] });
      this.#announce(dsnId, 'queue', dsnEntry);
      return dsnId;
    });
  }

  // — moving and removing —

  move(
    id: QueueId,
    folder: 'queue' | 'held' | 'quarantine',
    options: { recipients?: readonly ForwardPath[]; why?: string } = {},
  ): Promise<QueueId> {
    return this.#change(id, async (entry) => {
      const place = this.#census.where(id);
      this.#assertIdle(id);
      if (place.folder === 'incoming' || place.folder === 'corrupt' || entry.deleted !== undefined) {
        throw wrongState(id, place.folder);
      }
      const parts = await moveMessage(this.#mover, { ...options, id, place, entry, folder });
      if (parts.length > 1 || parts[0]?.id !== id) this.#census.forget(id);
      for (const part of parts) this.#census.put(part.id, part.place);
      for (const part of parts) {
        // Whoever moves tells of the part that moved; of the one that stayed under a new id only we know.
        if (part.place.folder !== folder) {
          const recipients = part.entry.recipients.map(({ address }) => address);
          this.#options.observe.emit({ event: 'derived', id: part.id, parent: id, why: 'split', recipients });
        }
      }
      for (const part of parts) this.#announce(part.id, part.place.folder, part.entry);
      return (parts.find((part) => part.place.folder === folder) ?? parts[0])?.id ?? id;
    });
  }

  remove(id: QueueId, outcome: 'deleted' | 'discarded' | 'expired'): Promise<void> {
    return this.#change(id, async (entry) => {
      const place = this.#census.where(id);
      this.#assertIdle(id);
      if (place.folder === 'corrupt') throw wrongState(id, place.folder);
      if (entry.deleted !== undefined) return;
      const at = stampOf(this.#options.clock);
      await this.#options.progress.write([[id, { ...entry, deleted: { at, outcome } }]], { sync: true });
      this.#deleted.set(id, at);
    });
  }

  undelete(id: QueueId): Promise<void> {
    return this.#change(id, async (entry) => {
      if (entry.deleted === undefined) return;
      const { deleted: _deleted, ...rest } = entry;
      await this.#options.progress.write([[id, rest]], { sync: true });
      this.#deleted.delete(id);
      this.#announce(id, this.#census.where(id).folder, rest);
    });
  }

  // — looking after —

  status(): SpoolStatus {
    return {
      counts: { ...this.#census.counts },
      octets: this.#census.octets,
      freeOctets: this.#options.space.freeOctets,
      floorOctets: this.#options.space.floorOctets,
      ...(this.#fault === undefined ? {} : { fault: describeError(this.#fault) }),
      recovery: this.#options.recovered.report,
    };
  }

  /** Directory syncs and synced batches made so far, for the figures. */
  syncs(): { directories: number; batches: number } {
    return { directories: this.#groups.count, batches: this.#options.progress.syncs };
  }

  fault(what: string, error: unknown): SekishoError {
    if (this.#fault === undefined) {
      this.#fault = new SekishoError('SPOOL_FAULT', `${what} failed, the spool is not trusted until a restart`, {
        retryable: true,
        cause: error,
      });
      if (isFull(error)) this.#upkeep.giveRoom();
      this.#options.observe.raise('spool-fault', 'spool', describeError(this.#fault));
      this.#options.onFault(this.#fault);
    }
    return this.#fault;
  }

  /** Finishes clearing, writes the chores down now: for tests and for a clean stop. */
  async flush(): Promise<void> {
    await this.#upkeep.run();
    await this.#janitor.flush();
  }

  /** A clean stop: settled files cleared, database synced and closed, then the marker. After a fault: no marker. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { files, layout, progress } = this.#options;
    try {
      await this.#upkeep.stop();
      if (this.#fault === undefined) await this.#janitor.flush();
    } finally {
      const database = await progress.close();
      if (this.#fault === undefined) {
        await writeSmallFile(files, layout, { name: 'sequence', value: { database, message: this.#nextSequence } });
        await writeSmallFile(files, layout, { name: 'clean-stop', value: { database, message: this.#nextSequence } });
      }
    }
  }

  /** What was deleted ten minutes ago goes for good. */
  #expireDeleted(id: QueueId): Promise<void> {
    const { clock, progress } = this.#options;
    return this.#change(id, async (entry) => {
      if (entry.deleted === undefined) return;
      const { outcome } = entry.deleted;
      const open = entry.recipients.filter((recipient) => recipient.outcome === undefined);
      const settled = open.map(({ address }) => ({ address, outcome }));
      const next = withOutcomes(entry, settled);
      await progress.write([[id, next]], { sync: true, retired: [[id, retire(next, stampOf(clock))]] });
      this.#deleted.delete(id);
      this.#clear(id);
    });
  }

  // — small pieces —

  #exclusive<T>(id: QueueId, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(id, async () => {
      this.#assertSound();
      return work();
    });
  }

  /** Work on the entry of a message that is here; made anew from the file when the database has none. */
  #change<T>(id: QueueId, work: (entry: Entry) => Promise<T>): Promise<T> {
    return this.#exclusive(id, async () => {
      this.#census.where(id);
      let entry = await this.#options.progress.get(id);
      if (entry === undefined) {
        const { preamble, trailer } = await this.#layoutOf(id);
        entry = newEntry(preamble, trailer);
      }
      return work(entry);
    });
  }

  #layoutOf(id: QueueId): ReturnType<typeof readMessageLayout> {
    return readMessageLayout(this.#options.files, this.#options.layout.message(id, this.#census.where(id)));
  }

  /** Every recipient is settled and on record: the file may go. */
  #clear(id: QueueId): void {
    const place = this.#census.where(id);
    this.#census.forget(id);
    this.#janitor.retire(id, place);
  }

  #free(id: QueueId, recipients: ReadonlyArray<{ address: ForwardPath }>): void {
    const busy = this.#busy.get(id);
    for (const { address } of recipients) busy?.delete(address);
    if (busy?.size === 0) this.#busy.delete(id);
  }

  #assertIdle(id: QueueId): void {
    if (!this.#busy.has(id)) return;
    throw new SekishoError('BUSY', `Message "${id}" is being delivered right now`, {
      retryable: true,
      remedy: 'Try again in a moment',
    });
  }

  #assertSound(): void {
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#closed) throw new SekishoError('SPOOL_CLOSED', 'Spool is closed', { retryable: true });
  }

  async #syncGroup(directory: string): Promise<void> {
    try {
      await this.#groups.sync(directory);
    } catch (error) {
      throw this.fault(`Sync of "${directory}"`, error);
    }
  }

  async #setAside(id: QueueId, detail: string): Promise<void> {
    await this.#mutex.run(id, async () => {
      const place = this.#census.get(id);
      if (place === undefined || place.folder === 'corrupt') return;
      const { layout, observe } = this.#options;
      const target: Place = { folder: 'corrupt', tries: 0, size: place.size };
      await layout.settle(layout.message(id, place), id, target);
      this.#census.put(id, target);
      await this.#syncGroup(layout.directory('corrupt', id));
      await this.#syncGroup(layout.directory(place.folder, id));
      observe.emit({ event: 'corrupt', id, detail });
      observe.raise('corrupt-message', id, detail);
    });
  }
}

function preambleOf(id: QueueId, kind: 'mail' | 'dsn', transaction: Transaction): Preamble {
  const { envelope, origin, arrival } = transaction;
  return { version: 1, id, kind, envelope, origin, arrival };
}

function wrongState(id: QueueId, folder: Folder): SekishoError {
  return new SekishoError('WRONG_STATE', `Message "${id}" is in "${folder}"`, {
    remedy: 'Look where it is now with "sekisho trace"',
  });
}

function full(): SekishoError {
  return new SekishoError('SPOOL_FULL', 'Free space is below the floor', {
    retryable: true,
    remedy: 'Make room on the data disk, or lower spool.floorOctets',
  });
}
