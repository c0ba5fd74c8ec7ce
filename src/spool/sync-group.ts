/**
 * One directory fsync for all that wait. A caller that arrives while a sync runs waits for the next one, because the
 * running one may have begun before the caller's rename. It begins at the end of a turn of the loop, with all that became
 * ready in that turn; no other delay is added. A failure reaches every waiter, and the same directory is never synced again
 * in this process: the kernel has marked its pages clean, a second sync would lie.
 */
import { endOfTurn } from '../base/turn.ts';

export class SyncGroup {
  readonly #sync: (directory: string) => Promise<void>;
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();
  /** How many syncs were made, for the figures. */
  count = 0;

  constructor(sync: (directory: string) => Promise<void>) {
    this.#sync = sync;
  }

  /** Durable: every entry made or removed in `directory` before this call. */
  sync(directory: string): Promise<void> {
    const waiting = this.#next.get(directory);
    if (waiting !== undefined) return waiting;
    const before = this.#running.get(directory) ?? Promise.resolve();
    const next = before.then(endOfTurn).then(
      () => this.#start(directory),
      (error: unknown) => {
        this.#next.delete(directory);
        throw error;
      },
    );
    this.#next.set(directory, next);
    return next;
  }

  #start(directory: string): Promise<void> {
    this.count += 1;
    this.#next.delete(directory); // in the same step as it begins: never two at a time
    // a failed one stays where it is: who comes later gets its failure, not a sync
    const run = this.#sync(directory).then(() => void this.#running.delete(directory));
    this.#running.set(directory, run);
    return run;
  }
}
