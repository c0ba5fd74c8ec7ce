/**
 * Where things lie under the spool root: `<folder>/<sub-folder>/<queue id>[.try<n>].msg`, drafts in `tmp/`, the database in
 * `level/`, what was set aside for inquiry in `inquiry/`. The queue id says the sub-folder; the name of an *incoming* file
 * also says how often its inspection was tried. A sub-folder is made, and its parent synced, before its first use.
 */
import path from 'node:path';
import { folderOf, parseQueueId, type QueueId } from '../mail/queue-id.ts';
import { FOLDERS, type Folder } from './api.ts';
import type { FileLayer } from './files.ts';

const PRUNED_KEPT = 256;
const NAME = /^(.+?)(?:\.try(\d{1,3}))?\.msg$/;

export class Layout {
  readonly root: string;
  readonly #files: FileLayer;
  readonly #ready = new Map<string, Promise<void>>();
  /** Sub-folders that were removed by us, the latest ones. */
  readonly #pruned = new Set<string>();
  /** A sync failed: gives the error to throw. Whoever trusts the disk in this process must hear of it. */
  onSyncFailed: (what: string, error: unknown) => unknown = (_what, error) => error;

  constructor(root: string, files: FileLayer) {
    this.root = path.resolve(root);
    this.#files = files;
  }

  path(...parts: string[]): string {
    return path.join(this.root, ...parts);
  }

  directory(folder: Folder, id: QueueId): string {
    return `${this.root}/${folder}/${folderOf(id)}`; // no path.join: thrice for each message, of parts that are plain
  }

  message(id: QueueId, place: { folder: Folder; tries: number }): string {
    const tries = place.tries === 0 ? '' : `.try${place.tries}`;
    return `${this.directory(place.folder, id)}/${id}${tries}.msg`;
  }

  draft(id: QueueId): string {
    return `${this.root}/tmp/${id}.draft`;
  }

  /** Where the file of a delivered message waits to become a draft; dropped by the next start like any draft. */
  spare(id: QueueId): string {
    return `${this.root}/tmp/${id}.spare`;
  }

  /** The top folders; the root itself must exist. Durable when it returns. */
  async create(): Promise<void> {
    for (const name of ['tmp', 'inquiry', ...FOLDERS]) await this.#files.makeDirectory(this.path(name));
    await this.#files.syncDirectory(this.root);
  }

  /** Makes the sub-folder of `id` in `folder` once; durable when it resolves. */
  ensure(folder: Folder, id: QueueId): Promise<void> {
    const directory = this.directory(folder, id);
    let ready = this.#ready.get(directory);
    if (ready === undefined) {
      ready = (async () => {
        await this.#files.makeDirectory(directory);
        this.#pruned.delete(directory);
        try {
          await this.#files.syncDirectory(path.dirname(directory));
        } catch (error) {
          throw this.onSyncFailed(`Sync of "${path.dirname(directory)}"`, error);
        }
      })();
      ready.catch(() => this.#ready.delete(directory));
      this.#ready.set(directory, ready);
    }
    return ready;
  }

  /** Renames `from` to its place in `folder`. The sub-folder may be cleared away between being made sure of and being used. */
  async settle(from: string, id: QueueId, place: { folder: Folder; tries: number }): Promise<void> {
    await this.ensure(place.folder, id);
    try {
      await this.#files.rename(from, this.message(id, place));
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
      this.#ready.delete(this.directory(place.folder, id));
      await this.ensure(place.folder, id);
      await this.#files.rename(from, this.message(id, place));
    }
  }

  /** Removes a sub-folder that has become empty; one in use stays (ENOTEMPTY). */
  async prune(folder: Folder, id: QueueId): Promise<void> {
    const directory = this.directory(folder, id);
    this.#pruned.add(directory); // before: whoever meets it half-way must know
    try {
      await this.#files.removeDirectory(directory);
      this.#ready.delete(directory);
    } catch {
      // Not empty, or gone already: both are as they should be.
      this.#pruned.delete(directory);
    }
    const [oldest] = this.#pruned;
    if (this.#pruned.size > PRUNED_KEPT && oldest !== undefined) this.#pruned.delete(oldest);
  }

  /**
   * Makes durable what entered and left a sub-folder. The last message may leave one that is pruned before its leaving is
   * synced: then the leaving of the sub-folder itself is. One that is gone and was not pruned is a fault of the disk.
   */
  async sync(directory: string): Promise<void> {
    try {
      await this.#files.syncDirectory(directory);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT' || !this.#pruned.has(directory)) throw error;
      await this.#files.syncDirectory(path.dirname(directory));
    }
  }

  /** Every message file of a folder, by name; sizes are not known yet. */
  async *scan(folder: Folder): AsyncGenerator<{ id: QueueId; tries: number }> {
    for (const sub of await this.#files.list(this.path(folder))) {
      for (const name of await this.#files.list(this.path(folder, sub))) {
        const match = NAME.exec(name);
        // a string of its own: what is cut out of a name keeps the name in memory, and ids are kept for long
        const id = match?.[1] === undefined ? undefined : parseQueueId(Buffer.from(match[1]).toString('latin1'));
        if (id !== undefined) yield { id, tries: Number(match?.[2] ?? 0) };
      }
    }
  }
}
