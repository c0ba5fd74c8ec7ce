/**
 * The memory of what is due when: slim jobs, one for each message and recipient domain. Pure data structure; no clock, no
 * timer, no I/O. `later` is one heap by due time; what is due waits at its hop in a heap by queue id, which is the order of
 * arrival, so a hop that is down costs the others nothing. The spool is the record; all of this is rebuilt at start.
 */
import type { Milliseconds } from '../base/brand.ts';
import { ageOf, type Clock, type Stamp } from '../base/clock.ts';
import type { QueueId } from '../mail/queue-id.ts';

/** Kept small: 100,000 of them stand in memory when a mail server is away for long. */
export interface Job {
  readonly id: QueueId;
  /** The recipients' domain. */
  readonly domain: string;
  readonly kind: 'mail' | 'dsn';
  /** When the message arrived, or was let go, on the monotonic scale of this boot; may be negative. */
  readonly born: Milliseconds;
  /** Monotonic. */
  due: Milliseconds;
  /** The sender was told of the delay, or need not be. */
  delayTold?: boolean;
  /** Not waiting for its time: somebody wants it now, or its server is back. */
  asked?: boolean;
}

export class Heap<T> {
  #items: T[] = [];
  readonly #before: (one: T, other: T) => boolean;

  constructor(before: (one: T, other: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  values(): readonly T[] {
    return this.#items;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as T;
      if (!this.#before(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (items.length > 0 && last !== undefined) this.#sink(last, 0);
    return top;
  }

  /** Takes out all that match, in one pass. */
  take(matches: (item: T) => boolean): T[] {
    const taken: T[] = [];
    const kept: T[] = [];
    for (const item of this.#items) (matches(item) ? taken : kept).push(item);
    if (taken.length === 0) return taken;
    this.#items = kept;
    for (let at = (kept.length >> 1) - 1; at >= 0; at -= 1) this.#sink(kept[at] as T, at);
    return taken;
  }

  #sink(item: T, from: number): void {
    const items = this.#items;
    const half = items.length >> 1;
    let at = from;
    while (at < half) {
      let child = 2 * at + 1;
      const right = child + 1;
      if (right < items.length && this.#before(items[right] as T, items[child] as T)) child = right;
      const below = items[child] as T;
      if (!this.#before(below, item)) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }
}

/** By due time; equal ones in order of arrival. */
export function laterHeap<T extends Job>(): Heap<T> {
  return new Heap<T>((one, other) => (one.due === other.due ? one.id < other.id : one.due < other.due));
}

/** Oldest first: a queue id begins with its sequence number. */
export function readyHeap<T extends Job>(): Heap<T> {
  return new Heap<T>((one, other) => one.id < other.id);
}

/** Share by which a pause may differ, so that a burst of failures does not come back as a burst. */
export const JITTER = 0.1;

/** The pause after attempt number `attempts` (1…); the last of the list repeats. `random`: 0 ≤ x < 1. */
export function retryPause(
  attempts: number,
  options: { retryMs: readonly Milliseconds[]; random: () => number },
): Milliseconds {
  const at = Math.min(Math.max(attempts, 1), options.retryMs.length) - 1;
  const base = options.retryMs[at] ?? 0;
  return Math.round(base * (1 - JITTER + 2 * JITTER * options.random()));
}

/** The pause after trouble of our own, which says nothing about the next hop. */
export function troublePause(options: { retryMs: readonly Milliseconds[]; random: () => number }): Milliseconds {
  return Math.max(retryPause(1, options), 1_000);
}

/** What is left of a pause that was begun in this boot, where no clock can be wrong; 0: none that is certain. */
export function pauseLeft(recipient: { wait: Milliseconds; lastAttempt?: Stamp }, clock: Clock): Milliseconds {
  return recipient.lastAttempt?.boot === clock.bootId ? remainingWait(recipient, clock) : 0;
}

/** What is left of a pause after a restart; never more than the pause itself, whatever the clocks say. */
export function remainingWait(recipient: { wait: Milliseconds; lastAttempt?: Stamp }, clock: Clock): Milliseconds {
  if (recipient.lastAttempt === undefined) return 0;
  return Math.min(Math.max(recipient.wait - ageOf(recipient.lastAttempt, clock), 0), recipient.wait);
}
