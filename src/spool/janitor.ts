/**
 * Clears away message files whose recipients are all settled: n unlinks → one fsync a directory → entries dropped. Paced,
 * so that clearing never competes with taking mail: it gathers for a moment unless many wait. An unlink that is lost with
 * the power costs nothing: the entry still says "settled", and the next start clears it. Small files of the queue are moved
 * to `tmp/` instead and become drafts again, once the fsync has made sure of their leaving.
 */
import type { QueueId } from '../mail/queue-id.ts';
import type { FileLayer } from './files.ts';
import type { Layout } from './layout.ts';
import type { Place } from './sketch.ts';
import type { ProgressStore } from './progress.ts';
import type { Spares } from './spares.ts';
import type { SyncGroup } from './sync-group.ts';

const GATHER_MS = 200;
const BATCH = 256;

export class Janitor {
  readonly #files: FileLayer;
  readonly #layout: Layout;
  readonly #groups: SyncGroup;
  readonly #progress: ProgressStore;
  readonly #spares: Spares;
  readonly #isFull: (id: QueueId) => boolean;
  readonly #onFault: (error: unknown) => void;
  #waiting: Array<{ id: QueueId; place: Place }> = [];
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;

  constructor(options: {
    files: FileLayer;
    layout: Layout;
    groups: SyncGroup;
    progress: ProgressStore;
    spares: Spares;
    /** No new message will come into this one's sub-folder: when empty it goes. */
    isFull: (id: QueueId) => boolean;
    onFault: (error: unknown) => void;
  }) {
    this.#files = options.files;
    this.#layout = options.layout;
    this.#groups = options.groups;
    this.#progress = options.progress;
    this.#spares = options.spares;
    this.#isFull = options.isFull;
    this.#onFault = options.onFault;
  }

  get backlog(): number {
    return this.#waiting.length;
  }

  retire(id: QueueId, place: Place): void {
    this.#waiting.push({ id, place });
    if (this.#waiting.length >= BATCH) this.#wake();
    else this.#timer ??= setTimeout(() => this.#wake(), GATHER_MS);
  }

  /** Everything that waits is gone when it resolves. */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0 || this.#working !== undefined) {
      this.#wake();
      await this.#working;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#working !== undefined) return;
    this.#working = this.#work()
      .catch((error: unknown) => {
        this.#waiting = [];
        this.#onFault(error);
      })
      .finally(() => {
        this.#working = undefined;
      });
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH);
      const spares: Array<{ file: string; octets: number }> = [];
      await Promise.all(batch.map(({ id, place }) => this.#takeAway(id, place, spares)));
      const directories = new Set(batch.map(({ id, place }) => this.#layout.directory(place.folder, id)));
      await Promise.all([...directories].map((directory) => this.#groups.sync(directory)));
      for (const { file, octets } of spares) this.#spares.add(file, octets);
      await this.#progress.write(
        batch.map(({ id }) => [id, undefined] as const),
        { sync: false },
      );
      const past = new Map(
        batch
          .filter(({ id }) => this.#isFull(id))
          .map((one) => [this.#layout.directory(one.place.folder, one.id), one]),
      );
      for (const { id, place } of past.values()) await this.#layout.prune(place.folder, id);
    }
  }

  async #takeAway(id: QueueId, place: Place, spares: Array<{ file: string; octets: number }>): Promise<void> {
    const file = this.#layout.message(id, place);
    const octets = place.size;
    const wanted = place.folder === 'queue' && this.#spares.wants(octets);
    try {
      if (wanted) {
        const spare = this.#layout.spare(id);
        await this.#files.rename(file, spare);
        spares.push({ file: spare, octets });
      } else await this.#files.unlink(file);
    } catch (error) {
      if (wanted) this.#spares.lost(octets);
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
    }
  }
}
