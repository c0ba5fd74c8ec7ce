/**
 * Files of delivered messages that become the next drafts: their octets are overwritten, their names change, and no file is
 * made or removed for a message. Making one costs more the more were removed lately (ext4 looks past each inode that was
 * freed in the last minute), and overwritten blocks need no new place on the disk.
 *
 * A spare lies in `tmp/` and its old name is durably gone before it is given away: a cut can never show new octets under the
 * old name. Small files of the queue only; what nobody needs is removed within seconds, so that no delivered mail lingers.
 */
import type { FileLayer } from './files.ts';

const MOST = 64;
const LARGEST = 64 * 1024;
const TRIM_MS = 10_000;

export class Spares {
  readonly #files: Pick<FileLayer, 'unlink'>;
  readonly #trimMs: number;
  readonly #names: string[] = [];
  /** The fewest since the last look: so many nobody needed. */
  #unused = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(files: Pick<FileLayer, 'unlink'>, options: { trimMs?: number } = {}) {
    this.#files = files;
    this.#trimMs = options.trimMs ?? TRIM_MS;
  }

  /** Is there use for a file of this size, beside `others` that are on their way? */
  wants(octets: number, others: number): boolean {
    return !this.#closed && octets <= LARGEST && this.#names.length + others < MOST;
  }

  /** The file is in `tmp/`, and its old name is durably gone. */
  add(file: string): void {
    this.#names.push(file);
    this.#timer ??= setTimeout(() => this.#look(), this.#trimMs).unref();
  }

  /** The caller's own from now on. */
  take(): string | undefined {
    const file = this.#names.shift();
    this.#unused = Math.min(this.#unused, this.#names.length);
    return file;
  }

  /** All go, none comes. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#remove(this.#names.length);
  }

  #look(): void {
    const unused = this.#unused;
    this.#unused = this.#names.length - unused;
    this.#timer = this.#names.length === 0 ? undefined : setTimeout(() => this.#look(), this.#trimMs).unref();
    this.#remove(unused).catch(() => undefined);
  }

  async #remove(count: number): Promise<void> {
    const gone = this.#names.splice(0, count);
    // what cannot be removed now is dropped by the next start
    await Promise.all(gone.map((file) => this.#files.unlink(file).catch(() => undefined)));
  }
}
