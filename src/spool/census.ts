/** Which messages are where: one slim row a message in memory, counts and octets kept along. The folders are the truth. */
import { SekishoError } from '../base/errors.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Folder } from './api.ts';
import type { Place } from './layout.ts';

export class Census {
  readonly #places: Map<QueueId, Place>;
  readonly counts: Record<Folder, number> = { incoming: 0, queue: 0, held: 0, quarantine: 0, corrupt: 0 };
  octets = 0;

  constructor(places: Map<QueueId, Place>) {
    this.#places = places;
    for (const place of places.values()) this.#count(place, 1);
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
    this.forget(id);
    this.#places.set(id, place);
    this.#count(place, 1);
  }

  forget(id: QueueId): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    this.#count(place, -1);
  }

  /** In order of arrival or against it, what comes after `after` in that order. */
  page(folder: Folder, options: { after?: QueueId; limit: number; newestFirst?: boolean }): QueueId[] {
    const { after, limit, newestFirst = false } = options;
    const isBefore = (one: QueueId, other: QueueId): boolean => (newestFirst ? one > other : one < other);
    let first: QueueId[] = [];
    let last: QueueId | undefined;
    // only twice a page is ever sorted: a page of a hundred thousand must not hold the loop for as long as sorting them takes
    const cut = (): void => {
      first.sort();
      if (newestFirst) first.reverse();
      first = first.slice(0, limit);
      if (first.length === limit) last = first.at(-1);
    };
    for (const [id, place] of this.#places) {
      if (place.folder !== folder || (after !== undefined && !isBefore(after, id))) continue;
      if (last !== undefined && !isBefore(id, last)) continue;
      if (first.push(id) >= 2 * limit) cut();
    }
    cut();
    return first;
  }

  #count(place: Place, by: 1 | -1): void {
    this.counts[place.folder] += by;
    this.octets += by * place.size;
  }
}
