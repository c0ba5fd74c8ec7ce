/**
 * The memory that bodies of mail may take, and blocks of it that are used again and again. Memory outside the heap that only the
 * collector can find again is what a mail gateway's peak is made of: a mail of 1 MB left 2 MB of it. On its way in a body is kept whole
 * up to 256 KiB, a larger one is gathered in a block for each write; on its way out it is read into blocks. Beyond the budget
 * a body goes to its file as it comes, and comes back in memory of its own. Nothing waits here and nothing is refused.
 *
 * A block is given back by who can prove that nobody looks at it any more; in doubt it is lost, and the collector finds it.
 */

/** Of all drafts together, kept bodies and blocks; and once more of all bodies on their way out. */
export const MEMORY_BUDGET = 32 * 1024 * 1024;
export const BLOCK = 256 * 1024;
/** Free blocks that stay. */
const KEPT = 16;

export class BodyMemory {
  readonly #free: Buffer[];
  #used = 0;
  #most = 0;

  /** `sharing`: its free blocks are these as well. */
  constructor(sharing?: BodyMemory) {
    this.#free = sharing === undefined ? [] : sharing.#free;
  }

  /** Octets in use now. */
  get used(): number {
    return this.#used;
  }

  /** The most that were in use at once. */
  get most(): number {
    return this.#most;
  }

  hold(octets: number): void {
    this.#used += octets;
    this.#most = Math.max(this.#most, this.#used);
  }

  /** A block, or undefined beyond the budget. What stands in it is somebody else's: only what was written there may be read. */
  take(): Buffer | undefined {
    if (this.#used + BLOCK > MEMORY_BUDGET) return undefined;
    this.hold(BLOCK);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
  }

  /** Nobody looks at it any more. */
  give(block: Buffer): void {
    this.lose();
    this.recycle(block);
  }

  /** Somebody may still look at it: it no longer counts, and is not used again before `recycle` says so, if ever. */
  lose(): void {
    this.hold(-BLOCK);
  }

  recycle(block: Buffer): void {
    if (this.#free.length < KEPT) this.#free.push(block);
  }
}
