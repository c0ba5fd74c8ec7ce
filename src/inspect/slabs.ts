/**
 * Memory for messages that come whole, lent and used again: with memory of its own for each message the worker spent a third of
 * its time collecting garbage (it lies outside the heap, and so much of it sets off full collections). What an earlier
 * message left there lies behind the length that was asked for, where nobody reads.
 */
import type { Bytes } from '../base/brand.ts';
import { MAX_PAYLOAD } from './frames.ts';

/** More than are in work at once are not kept. */
const KEPT = 8;

export class Slabs {
  readonly #free: ArrayBuffer[] = [];

  take(length: Bytes): Buffer {
    return Buffer.from(this.#free.pop() ?? new ArrayBuffer(MAX_PAYLOAD), 0, length);
  }

  /** From now on nobody may look at it. A message without octets came in no slab. */
  give(octets: Buffer): void {
    const slab = octets.buffer as ArrayBuffer;
    if (slab.byteLength === MAX_PAYLOAD && this.#free.length < KEPT) this.#free.push(slab);
  }
}
