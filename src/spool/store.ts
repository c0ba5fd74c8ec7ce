/**
 * The spool itself (contract in api.ts). Message files are the promise, the database remembers what was done with them; the
 * folder a file lies in is its state. Work on one message is serialised by its id. After a failed sync nothing more is
 * promised in this process: every method throws SPOOL_FAULT, and `onFault` tells the entry to stop and start anew.
 */
import { Readable } from 'node:stream';
import { type Stamp, stampOf } from '../base/clock.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { Transaction } from '../mail/envelope.ts';
import { dsnQueueId, newQueueId, type QueueId } from '../mail/queue-id.ts';
import {
  type DecidedPart,
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
  type Via,
} from './api.ts';
import { bodyStream, memoryBody } from './body.ts';
import { SpoolCore, wrongState } from './core.ts';
import { MessageDraft } from './draft.ts';
import { type Entry, isSettled, newEntry, retire, withOutcomes, withRecipients } from './entry.ts';
import { readMessageLayout } from './message-file.ts';
import { moveMessage, type Part, replaceIncoming, splitIncoming } from './move.ts';

export class SpoolStore extends SpoolCore implements Spool {
  /** Bodies of small messages that were read whole, for as long as whoever read them needs them. */
  readonly #bodies = new WeakMap<StoredMessage, readonly Buffer[]>();

  // — taking mail —

  async begin(transaction: Transaction): Promise<Draft> {
    this.assertSound();
    const announced = transaction.announcedSize ?? 0;
    if (!this.hasRoom(announced)) throw full();
    const id = newQueueId(this.nextSequence, this.options.random);
    this.nextSequence += 1;
    return this.#draft(preambleOf(id, 'mail', transaction), announced);
  }

  hasRoom(octets: number): boolean {
    return this.options.space.hasRoom(octets);
  }

  #draft(preamble: Preamble, announced: number): MessageDraft {
    const onCommit = (folder: Folder, trailer: Trailer, body: readonly Buffer[] | undefined): void => {
      const entry = newEntry(preamble, trailer);
      this.census.put(preamble.id, { folder, tries: 0, size: trailer.size });
      if (preamble.kind === 'dsn') return; // its entry comes with its parent's batch
      this.options.progress.begin(preamble.id, entry);
      if (folder === 'queue' && body !== undefined) this.fresh.put(preamble.id, { preamble, trailer, body });
      this.announce(preamble.id, folder, entry);
    };
    return new MessageDraft(this.shop, { preamble, announced, onCommit });
  }

  // — reading —

  async read(id: QueueId): Promise<StoredMessage | undefined> {
    const place = this.census.get(id);
    if (place === undefined) return undefined;
    try {
      const known = place.folder === 'queue' ? this.fresh.get(id) : undefined;
      const { files, layout } = this.options;
      const { preamble, trailer, body } = known ?? (await readMessageLayout(files, layout.message(id, place)));
      const entry = (await this.options.progress.get(id)) ?? newEntry(preamble, trailer);
      const progress = {
        recipients: entry.recipients,
        ...(entry.deleted === undefined ? {} : { deleted: entry.deleted.at }),
        ...(entry.why === undefined ? {} : { why: entry.why }),
        ...(entry.via === undefined ? {} : { via: entry.via }),
      };
      const message = { id, folder: place.folder, preamble, trailer, progress };
      if (body !== undefined) this.#bodies.set(message, body);
      return message;
    } catch (error) {
      if (this.census.get(id) !== place) return this.read(id); // it moved meanwhile
      if (errorCode(error) === 'ENOENT') {
        // it is moving right now: the name is gone already, where it goes is known when the move is durable
        await this.mutex.run(id, () => Promise.resolve());
        if (this.census.get(id) !== place) return this.read(id);
      }
      if (errorCode(error) === 'CORRUPT' && place.folder !== 'corrupt') {
        await this.setAside(id, describeError(error));
        return undefined;
      }
      if (errorCode(error) === 'CORRUPT') return undefined;
      throw error;
    }
  }

  async list(folder: Folder, options: Parameters<Spool['list']>[1] = {}): Promise<SpoolListEntry[]> {
    const page = this.census.page(folder, { ...options, limit: options.limit ?? 1_000 });
    const rows = await Promise.all(
      page.map(async (id): Promise<SpoolListEntry | undefined> => {
        const entry = await this.options.progress.get(id);
        const arrival = entry?.arrival ?? (folder === 'corrupt' ? undefined : (await this.read(id))?.preamble.arrival);
        const size = this.census.get(id)?.size ?? 0;
        return { id, folder, arrival: arrival ?? (await this.#fileTime(id)), size, deleted: this.deleted.has(id) };
      }),
    );
    return rows.filter((row) => row !== undefined);
  }

  /** Nothing else is known of a damaged file: when it was written. */
  async #fileTime(id: QueueId): Promise<Stamp> {
    const place = this.census.get(id);
    const wall = place === undefined ? 0 : await this.options.files.modified(this.options.layout.message(id, place));
    return { wall, mono: 0, boot: '', synchronised: false };
  }

  count(folder: Folder): number {
    return folder === 'incoming' ? this.census.counts.incoming : this.countsSeen()[folder]; // asked for each message
  }

  folderOf(id: QueueId): Folder | undefined {
    return this.census.get(id)?.folder;
  }

  openVariant(message: StoredMessage, variant: number): AsyncIterable<Buffer> {
    const shape = message.trailer.variants[variant];
    if (shape === undefined) throw new RangeError(`Message "${message.id}" has no variant ${variant}`);
    return this.#octets(message, shape);
  }

  openBody(message: StoredMessage): Readable {
    const octets = this.#octets(message, { prefix: '', cuts: [] });
    return octets instanceof Readable ? octets : Readable.from(octets, { objectMode: false });
  }

  #octets(message: StoredMessage, shape: { prefix: string; cuts: Array<[number, number]> }): AsyncIterable<Buffer> {
    const place = this.census.where(message.id);
    const path = this.options.layout.message(message.id, place);
    const expectedSha256 = message.trailer.sha256;
    const onCorrupt = (): Promise<void> => this.setAside(message.id, 'Body hash does not match');
    const body = this.#bodies.get(message);
    if (body !== undefined) return memoryBody(body, { shape, expectedSha256, path, onCorrupt });
    return bodyStream(this.options.files, path, { shape, expectedSha256, onCorrupt });
  }

  // — telling the stages —

  onQueued(listener: (message: QueuedMessage) => void): void {
    this.sayQueued = listener;
    for (const message of this.options.recovered.queued.splice(0)) {
      if (this.census.get(message.id)?.folder === 'queue') listener(message);
    }
  }

  onIncoming(listener: (id: QueueId) => void): void {
    this.sayIncoming = listener;
    for (const id of this.options.recovered.incoming.splice(0)) {
      if (this.census.get(id)?.folder === 'incoming') listener(id);
    }
  }

  // — incoming —

  decide(id: QueueId, decided: readonly DecidedPart[]): Promise<QueueId[]> {
    return this.exclusive(id, async () => {
      const place = this.census.where(id);
      if (place.folder !== 'incoming') throw wrongState(id, place.folder);
      const [only] = decided;
      if (only === undefined) throw new TypeError('Expected at least one part');
      if (decided.length === 1) {
        const entry = await replaceIncoming(this.mover, { id, place, ...only });
        this.#settlePlaces(id, [{ id, place: { folder: only.folder, tries: 0, size: entry.size }, entry }]);
        return [id];
      }
      const { preamble, trailer } = await this.layoutOf(id);
      const entry = newEntry(preamble, trailer);
      const parts = await splitIncoming(this.mover, { id, place, entry, parts: decided });
      for (const part of parts) this.#tellOfPart(id, part);
      this.#settlePlaces(id, parts);
      return parts.map((part) => part.id);
    });
  }

  /** The census follows what the disk now holds; then the stages hear of it. */
  #settlePlaces(id: QueueId, parts: readonly Part[]): void {
    this.census.forget(id);
    for (const part of parts) this.census.put(part.id, part.place);
    for (const part of parts) this.announce(part.id, part.place.folder, part.entry);
  }

  #tellOfPart(parent: QueueId, part: Part): void {
    const recipients = part.entry.recipients.map(({ address }) => address);
    this.options.observe.emit({ event: 'derived', id: part.id, parent, why: 'split', recipients });
  }

  countTry(id: QueueId): Promise<number> {
    return this.exclusive(id, async () => {
      const place = this.census.where(id);
      const { files, layout } = this.options;
      const next = { ...place, tries: place.tries + 1 };
      await files.rename(layout.message(id, place), layout.message(id, next));
      this.census.put(id, next);
      await this.syncGroup(layout.directory(place.folder, id));
      return next.tries;
    });
  }

  forgetTries(id: QueueId): Promise<void> {
    return this.exclusive(id, async () => {
      const place = this.census.where(id);
      if (place.folder !== 'incoming' || place.tries === 0) return;
      const { files, layout } = this.options;
      const next = { ...place, tries: 0 };
      await files.rename(layout.message(id, place), layout.message(id, next));
      this.census.put(id, next);
    });
  }

  tries(id: QueueId): number {
    return this.census.get(id)?.tries ?? 0;
  }

  // — delivering —

  recordAttempt(id: QueueId, recipients: readonly ForwardPath[], nextHop: string): Promise<void> {
    return this.change(id, async (entry) => {
      const place = this.census.where(id);
      if (place.folder !== 'queue' || entry.deleted !== undefined) throw wrongState(id, place.folder);
      const now = stampOf(this.options.clock);
      const busy = this.busy.get(id) ?? new Set();
      for (const address of recipients) busy.add(address);
      this.busy.set(id, busy);
      const next = withRecipients(entry, recipients, (recipient) => ({
        ...recipient,
        attempts: recipient.attempts + 1,
        lastAttempt: now,
        nextHop,
      }));
      await this.options.progress.put(id, next);
    });
  }

  defer(id: QueueId, recipients: readonly DeferredRecipient[]): Promise<void> {
    return this.change(id, async (entry) => {
      this.fresh.drop(id);
      this.free(id, recipients);
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
      await this.options.progress.put(id, next);
    });
  }

  settle(id: QueueId, recipients: readonly SettledRecipient[]): Promise<void> {
    return this.change(id, (entry) => this.#settle(id, entry, { recipients, also: [] }));
  }

  async #settle(
    id: QueueId,
    entry: Entry,
    options: { recipients: readonly SettledRecipient[]; also: ReadonlyArray<readonly [QueueId, Entry]> },
  ): Promise<void> {
    const next = withOutcomes(entry, options.recipients);
    const done = isSettled(next);
    const retired = done ? [[id, retire(next, stampOf(this.options.clock))] as const] : [];
    await this.options.progress.write([[id, next], ...options.also], { sync: true, retired });
    this.free(id, options.recipients);
    if (done) this.clear(id);
  }

  bounce(
    id: QueueId,
    recipients: readonly SettledRecipient[],
    dsn: { attempt: number; transaction: Transaction; message: Buffer; delayNotified?: readonly ForwardPath[] },
  ): Promise<QueueId> {
    return this.change(id, async (before) => {
      const entry = withRecipients(before, dsn.delayNotified ?? [], (each) => ({ ...each, delayNotified: true }));
      let attempt = dsn.attempt;
      while (this.census.get(dsnQueueId(id, attempt)) !== undefined) attempt += 1; // two routes bounced in the same round
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
      this.announce(dsnId, 'queue', dsnEntry);
      return dsnId;
    });
  }

  // — moving and removing —

  move(
    id: QueueId,
    folder: 'queue' | 'held' | 'quarantine',
    options: { recipients?: readonly ForwardPath[]; why?: string } = {},
  ): Promise<QueueId> {
    return this.change(id, async (entry) => {
      const place = this.census.where(id);
      this.assertIdle(id);
      this.fresh.drop(id);
      this.endAlarms(id);
      if (place.folder === 'incoming' || place.folder === 'corrupt' || entry.deleted !== undefined) {
        throw wrongState(id, place.folder);
      }
      const parts = await moveMessage(this.mover, { ...options, id, place, entry, folder });
      // Whoever moves tells of the part that moved; of the one that stayed under a new id only we know.
      for (const part of parts) if (part.place.folder !== folder) this.#tellOfPart(id, part);
      this.#settlePlaces(id, parts);
      return (parts.find((part) => part.place.folder === folder) ?? parts[0])?.id ?? id;
    });
  }

  remove(id: QueueId, outcome: 'deleted' | 'discarded' | 'expired'): Promise<void> {
    return this.change(id, async (entry) => {
      this.assertIdle(id);
      if (entry.deleted !== undefined) return;
      const at = stampOf(this.options.clock);
      await this.options.progress.write([[id, { ...entry, deleted: { at, outcome } }]], { sync: true });
      this.deleted.set(id, at);
      this.endAlarms(id);
    });
  }

  undelete(id: QueueId): Promise<void> {
    return this.change(id, async (entry) => {
      if (entry.deleted === undefined) return;
      const { deleted: _deleted, ...rest } = entry;
      await this.options.progress.write([[id, rest]], { sync: true });
      this.deleted.delete(id);
      this.announce(id, this.census.where(id).folder, rest);
    });
  }

  reroute(id: QueueId, via: Via | undefined): Promise<void> {
    return this.change(id, async ({ via: _before, ...entry }) => {
      const { folder } = this.census.where(id);
      if ((folder !== 'queue' && folder !== 'held') || entry.deleted !== undefined) throw wrongState(id, folder);
      await this.options.progress.write([[id, via === undefined ? entry : { ...entry, via }]], { sync: true });
    });
  }

  // — looking after —

  status(): SpoolStatus {
    return {
      counts: this.countsSeen(),
      octets: this.census.octets,
      freeOctets: this.options.space.freeOctets,
      floorOctets: this.options.space.floorOctets,
      ...(this.faultSeen === undefined ? {} : { fault: describeError(this.faultSeen) }),
      recovery: this.options.recovered.report,
    };
  }

  /** Directory syncs and synced batches made so far, for the figures. */
  syncs(): { directories: number; batches: number } {
    return { directories: this.groups.count, batches: this.options.progress.syncs };
  }
}

function preambleOf(id: QueueId, kind: 'mail' | 'dsn', transaction: Transaction): Preamble {
  const { envelope, origin, arrival } = transaction;
  return { version: 1, id, kind, envelope, origin, arrival };
}

function full(): SekishoError {
  return new SekishoError('SPOOL_FULL', 'Free space is below the floor', {
    retryable: true,
    remedy: 'Make room on the data disk, or lower spool.floorOctets',
  });
}
