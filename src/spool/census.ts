/**
 * Which messages are where: one slim row a message in memory, in order, counts and octets kept along. The folders are the
 * truth. A page costs its own length, however long the queue is.
 */
import type { Clock } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { FOLDERS, type Folder } from './api.ts';
import type { Entry } from './entry.ts';
import { OrderedIds } from './ordered-ids.ts';
import { Kinds, type Place } from './sketch.ts';

export class Census {
  readonly #places: Map<QueueId, Place>;
  readonly #order: Record<Folder, OrderedIds>;
  readonly #kinds: Kinds;
  readonly #clock: Clock;
  readonly counts: Record<Folder, number> = { incoming: 0, queue: 0, held: 0, quarantine: 0, corrupt: 0 };
  octets = 0;

  /** `kinds`: those of the places given. */
  constructor(places: Map<QueueId, Place>, options: { clock: Clock; kinds?: Kinds }) {
    this.#places = places;
    this.#clock = options.clock;
    this.#kinds = options.kinds ?? new Kinds();
    this.#order = Object.fromEntries(FOLDERS.map((folder) => [folder, new OrderedIds()])) as Record<Folder, OrderedIds>;
    for (const [id, place] of places) {
      this.#order[place.folder].add(id);
      this.#count(place, 1);
    }
  }

  get(id: QueueId): Place | undefined {
    return this.#places.get(id);
  }

  /** Throws NOT_FOUND. */
  where(id: QueueId): Place {
    const place = this.#places.get(id);
    if (place === undefined) throw new SekishoError('NOT_FOUND', `No message "${id}" in the spool`);
    return place;
  }

  put(id: QueueId, place: Place): void {
    const before = this.#places.get(id);
    if (before !== undefined) this.#leave(id, before, place.folder);
    if (before !== undefined && before.kind !== place.kind) this.#kinds.forget(before);
    this.#places.set(id, place);
    if (before?.folder !== place.folder) this.#order[place.folder].add(id);
    this.#count(place, 1);
  }

  /** What its entry says of how it waits; nothing when it is gone. */
  describe(id: QueueId, entry: Entry, others: readonly ForwardPath[] = []): void {
    const place = this.#places.get(id);
    if (place !== undefined) this.#kinds.describe(place, entry, { clock: this.#clock, others });
  }

  forget(id: QueueId): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    this.#leave(id, place);
    this.#kinds.forget(place);
  }

  /** In order of arrival or against it, what comes after `after` in that order. */
  page(folder: Folder, options: { after?: QueueId; limit: number; newestFirst?: boolean }): QueueId[] {
    return this.#order[folder].page(options);
  }

  /** Of several folders in one order. */
  pageOf(folders: readonly Folder[], options: { after?: QueueId; limit: number }): QueueId[] {
    const pages = folders.map((folder) => this.#order[folder].page(options)).filter((page) => page.length > 0);
    if (pages.length < 2) return pages[0] ?? [];
    return pages.flat().sort().slice(0, options.limit);
  }

  #leave(id: QueueId, place: Place, next?: Folder): void {
    if (place.folder !== next) this.#order[place.folder].delete(id);
    this.#count(place, -1);
  }

  #count(place: Place, by: 1 | -1): void {
    this.counts[place.folder] += by;
    this.octets += by * place.size;
  }
}
