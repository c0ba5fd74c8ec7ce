/**
 * The spool itself (contract in api.ts). Message files are the promise, the database remembers what was done with them; the
 * folder a file lies in is its state. Work on one message is serialised by its id. After a failed sync nothing more is
 * promised in this process: every method throws SPOOL_FAULT, and `onFault` tells the entry to stop and start anew.
 */
import { stampOf } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
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
  type SpoolStatus,
  type Trailer,
  type Via,
} from './api.ts';
import type { BodyPlace } from './body.ts';
import type { BodyMemory } from './body-memory.ts';
import { wrongState } from './core.ts';
import { MessageDraft, preambleOf } from './draft.ts';
import { type Entry, isSettled, newEntry, retire, withOutcomes, withRecipients } from './entry.ts';
import { moveMessage, type Part, replaceIncoming, splitIncoming } from './move.ts';
import { SpoolReading } from './reading.ts';
import { placeOf } from './sketch.ts';
import { standingAlarm } from './standing.ts';
import { noRoom } from './space.ts';

export class SpoolStore extends SpoolReading implements Spool {
  // — taking mail —

  async begin(transaction: Transaction, { belowFloor = false }: { belowFloor?: boolean } = {}): Promise<Draft> {
    this.assertSound();
    const announced = transaction.announcedSize ?? 0;
    if (!belowFloor && !this.hasRoom(announced)) throw noRoom();
    const id = newQueueId(this.nextSequence, this.options.random);
    this.nextSequence += 1;
    return this.#draft(preambleOf(id, 'mail', transaction), announced);
  }

  hasRoom(octets: number): boolean {
    return this.options.space.hasRoom(octets);
  }

  #draft(preamble: Preamble, announced: number): MessageDraft {
    const onCommit = (folder: Folder, trailer: Trailer, lies: BodyPlace): void => {
      const entry = newEntry(preamble, trailer);
      const to = preamble.envelope.recipients.map(({ address }) => address);
      this.census.put(preamble.id, placeOf({ folder, size: trailer.size }));
      this.census.describe(preamble.id, entry, to);
      if (preamble.kind === 'dsn') return; // its entry comes with its parent's batch
      this.options.progress.begin(preamble.id, entry);
      if (folder === 'queue') this.fresh.put(preamble.id, { preamble, trailer, ...lies });
      this.announce(preamble.id, folder, entry);
    };
    return new MessageDraft(this.shop, { preamble, announced, onCommit });
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
        this.#settlePlaces(id, [{ id, place: placeOf({ folder: only.folder, size: entry.size }), entry }]);
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
    for (const part of parts) {
      this.census.put(part.id, part.place);
      this.census.describe(part.id, part.entry);
    }
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
      this.assertQueued(id, entry);
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
      // of a first attempt a list learns nothing new
      if (entry.recipients.some(({ wait }) => wait > 0)) this.census.describe(id, next);
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
      this.census.describe(id, next);
    });
  }

  settle(id: QueueId, recipients: readonly SettledRecipient[]): Promise<void> {
    return this.change(id, (entry) => {
      // what was delivered is delivered, wherever the message lies by now
      if (recipients.some(({ outcome }) => outcome === 'bounced' || outcome === 'expired'))
        this.assertQueued(id, entry);
      return this.#settle(id, entry, { recipients, also: [] });
    });
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
    else this.census.describe(id, next);
  }

  bounce(
    id: QueueId,
    recipients: readonly SettledRecipient[],
    dsn: { attempt: number; transaction: Transaction; message: Buffer; delayNotified?: readonly ForwardPath[] },
  ): Promise<QueueId> {
    return this.change(id, async (before) => {
      this.assertQueued(id, before);
      const entry = withRecipients(before, dsn.delayNotified ?? [], (each) => ({ ...each, delayNotified: true }));
      // Who asked may have counted before another notice of this message was written, and that one may be delivered already
      // while its file is still going: no name twice.
      let attempt = Math.max(dsn.attempt, 1 + before.recipients.filter(({ outcome }) => outcome !== undefined).length);
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
      const { folder } = this.census.where(id);
      const alarm = standingAlarm(folder, rest);
      if (alarm !== undefined) this.options.observe.raise(alarm.name, id, alarm.detail);
      this.announce(id, folder, rest);
    });
  }

  reroute(id: QueueId, via: Via | undefined): Promise<void> {
    return this.change(id, async ({ via: _before, ...entry }) => {
      const { folder } = this.census.where(id);
      if ((folder !== 'queue' && folder !== 'held') || entry.deleted !== undefined) throw wrongState(id, folder);
      const next = via === undefined ? entry : { ...entry, via };
      await this.options.progress.write([[id, next]], { sync: true });
      this.census.describe(id, next);
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

  /** Octets of bodies in memory: coming in, going out, and of messages just committed. For the figures. */
  bodies(): { coming: BodyMemory; leaving: BodyMemory; fresh: number } {
    return { coming: this.shop.memory, leaving: this.leaving, fresh: this.fresh.octets };
  }

  /** Directory syncs and synced batches made so far, likewise. */
  syncs(): { directories: number; batches: number } {
    return { directories: this.groups.count, batches: this.options.progress.syncs };
  }
}
