/** A database port that forgets what was not synced: a write-ahead log whose tail goes with the power. */
import type { Database, DatabaseWrite } from '../../src/spool/database.ts';

export class MemoryDatabase {
  #live = new Map<string, Buffer>();
  #durable = new Map<string, Buffer>();
  /** Throw to fail a batch. */
  onBatch: (sync: boolean) => void = () => undefined;
  isOpen = false;

  cut(): void {
    this.#live = new Map(this.#durable);
    this.isOpen = false;
  }

  /** The database is gone, as after damage. */
  wipe(): void {
    this.#live = new Map();
    this.#durable = new Map();
  }

  /** Silently rolled back to an older state, as measured with LevelDB. */
  rollBackTo(snapshot: ReadonlyMap<string, Buffer>): void {
    this.#live = new Map(snapshot);
    this.#durable = new Map(snapshot);
  }

  snapshot(): ReadonlyMap<string, Buffer> {
    return new Map(this.#live);
  }

  open(): Database {
    this.isOpen = true;
    return {
      get: async (key) => this.#live.get(key),
      batch: async (writes: readonly DatabaseWrite[], options) => {
        this.onBatch(options.sync);
        for (const { key, value } of writes) {
          if (value === undefined) this.#live.delete(key);
          else this.#live.set(key, Buffer.from(value));
        }
        if (options.sync) this.#durable = new Map(this.#live);
      },
      page: async (prefix, options) =>
        [...this.#live.entries()]
          .filter(([key]) => key.startsWith(prefix) && (options.after === undefined || key > options.after))
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .slice(0, options.limit)
          .map(([key, value]) => ({ key, value })),
      prove: async () => undefined,
      close: async () => {
        this.isOpen = false;
      },
    };
  }
}
