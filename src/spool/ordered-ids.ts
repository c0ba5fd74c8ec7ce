/**
 * Queue ids in order, for lists a page at a time: chunks of at most a thousand, found by halving. An id that comes behind all
 * others (nearly every new one) is pushed; any other moves a thousand places at most. A page costs its own length, however
 * many ids there are. Plain data; no clock, no I/O.
 */
import type { QueueId } from '../mail/queue-id.ts';

const MOST_A_CHUNK = 1_024;

export class OrderedIds {
  /** None of them empty. */
  readonly #chunks: QueueId[][] = [];

  add(id: QueueId): void {
    const last = this.#chunks.at(-1);
    if (last === undefined) {
      this.#chunks.push([id]);
      return;
    }
    const inOrder = id > (last.at(-1) as QueueId);
    // a full chunk is not halved by what comes in order: the lists of a start would all be half empty
    if (inOrder && last.length >= MOST_A_CHUNK) this.#chunks.push([id]);
    else if (inOrder) last.push(id);
    else this.#insert(id);
  }

  delete(id: QueueId): void {
    const at = this.#chunkFor(id);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const place = firstFrom(chunk, id);
    if (chunk[place] !== id) return;
    chunk.splice(place, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** At most `limit`, in order, behind `after`; or against the order, before it. */
  page(options: { after?: QueueId; limit: number; newestFirst?: boolean }): QueueId[] {
    return options.newestFirst === true ? this.#downwards(options) : this.#upwards(options);
  }

  #upwards({ after, limit }: { after?: QueueId; limit: number }): QueueId[] {
    const page: QueueId[] = [];
    let at = after === undefined ? 0 : this.#chunkFor(after);
    let from = after === undefined ? 0 : firstBehind(this.#chunks[at] ?? [], after);
    for (; at < this.#chunks.length && page.length < limit; at += 1) {
      const chunk = this.#chunks[at] as QueueId[];
      for (const id of chunk.slice(from, from + limit - page.length)) page.push(id);
      from = 0;
    }
    return page;
  }

  #downwards({ after, limit }: { after?: QueueId; limit: number }): QueueId[] {
    const page: QueueId[] = [];
    let at = after === undefined ? this.#chunks.length - 1 : Math.min(this.#chunkFor(after), this.#chunks.length - 1);
    let to = after === undefined ? Number.POSITIVE_INFINITY : firstFrom(this.#chunks[at] ?? [], after);
    for (; at >= 0 && page.length < limit; at -= 1) {
      const chunk = this.#chunks[at] as QueueId[];
      const end = Math.min(to, chunk.length);
      for (const id of chunk.slice(Math.max(0, end - limit + page.length), end).reverse()) page.push(id);
      to = Number.POSITIVE_INFINITY;
    }
    return page;
  }

  #insert(id: QueueId): void {
    const at = this.#chunkFor(id);
    const chunk = this.#chunks[at] as QueueId[]; // the last one ends behind `id`
    const place = firstFrom(chunk, id);
    if (chunk[place] === id) return;
    chunk.splice(place, 0, id);
    if (chunk.length > MOST_A_CHUNK) this.#chunks.splice(at + 1, 0, chunk.splice(chunk.length >> 1));
  }

  /** The first chunk that does not end before `id`; their number when all do. */
  #chunkFor(id: QueueId): number {
    return halve(this.#chunks.length, (at) => ((this.#chunks[at] as QueueId[]).at(-1) as QueueId) >= id);
  }
}

function firstFrom(chunk: readonly QueueId[], id: QueueId): number {
  return halve(chunk.length, (at) => (chunk[at] as QueueId) >= id);
}

function firstBehind(chunk: readonly QueueId[], id: QueueId): number {
  return halve(chunk.length, (at) => (chunk[at] as QueueId) > id);
}

/** The first place where `is` holds, which holds for all behind it. */
function halve(length: number, is: (at: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
