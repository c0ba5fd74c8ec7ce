/**
 * One directory fsync for all that wait. A caller that arrives while a sync runs waits for the next one, because the
 * running one may have begun before the caller's rename. No delay is added. A failure reaches every waiter.
 */
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
    const running = this.#running.get(directory);
    if (running === undefined) return this.#start(directory);
    const next = running
      .catch(() => undefined) // its own waiters hear of it; we still need a sync of our own
      .then(() => {
        this.#next.delete(directory);
        return this.#start(directory);
      });
    this.#next.set(directory, next);
    return next;
  }

  #start(directory: string): Promise<void> {
    this.count += 1;
    const run = this.#sync(directory).finally(() => this.#running.delete(directory));
    this.#running.set(directory, run);
    return run;
  }
}
