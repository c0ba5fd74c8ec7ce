/**
 * Files of delivered messages that become the next drafts: their octets are overwritten, their names change, and no file is
 * made or removed for a message. Making one costs more the more were removed lately (ext4 looks past each inode that was
 * freed in the last minutes: 0.6 of 3 ms a message while a mail server was down), and overwritten blocks need no new place.
 *
 * A spare lies in `tmp/` and its old name is durably gone before it is given away: a cut can never show new octets under the
 * old name. Files of the queue only. What nobody needs is emptied within seconds, so that no delivered mail lingers; the
 * empty files stay in stock for the day when much comes in and nothing leaves. All go with a clean stop, or at the next start.
 */
import type { FileLayer } from './files.ts';

/** A file of this size or less is never given to a larger message's shelf, and the other way round. */
const LARGE = 64 * 1024;
/** Files in stock, the empty ones included: an inode each, which the kernel keeps at about 1 KB… */
const MOST = 4_096;
/** …and of the file system's inodes at most this share. */
const INODE_SHARE = 0.01;
/** Octets that still stand in files in stock. */
const MOST_OCTETS = 32 * 1024 * 1024;
const TRIM_MS = 10_000;

interface Spare {
  file: string;
  octets: number;
}

/** What one size of message left behind; the newest last. */
class Shelf {
  readonly files: Spare[] = [];
  /** The fewest since the last look: so many nobody needed. */
  unused = 0;

  take(): Spare | undefined {
    const spare = this.files.pop();
    this.unused = Math.min(this.unused, this.files.length);
    return spare;
  }

  /** The oldest, as many as nobody needed since the last time. */
  trim(): Spare[] {
    const gone = this.files.splice(0, this.unused);
    this.unused = this.files.length;
    return gone;
  }
}

export class Spares {
  readonly #files: Pick<FileLayer, 'unlink' | 'empty'>;
  readonly #totalInodes: () => number;
  readonly #trimMs: number;
  readonly #small = new Shelf();
  readonly #large = new Shelf();
  readonly #empty: string[] = [];
  /** In stock, or promised by `wants` and on its way. */
  #octets = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #trimming: Promise<void> = Promise.resolve();
  #closed = false;

  /** `totalInodes`: of the file system; 0 where it has no fixed number. */
  constructor(files: Pick<FileLayer, 'unlink' | 'empty'>, options: { totalInodes: () => number; trimMs?: number }) {
    this.#files = files;
    this.#totalInodes = options.totalInodes;
    this.#trimMs = options.trimMs ?? TRIM_MS;
  }

  /** Is there use for a file of this size? After a yes it must be added, or `lost`. */
  wants(octets: number): boolean {
    const inodes = this.#totalInodes() || Number.POSITIVE_INFINITY;
    const most = Math.min(MOST, inodes * INODE_SHARE);
    if (this.#closed || this.#count >= most || this.#octets + octets > MOST_OCTETS) return false;
    this.#count += 1;
    this.#octets += octets;
    return true;
  }

  /** What was wanted is not to be had. */
  lost(octets: number): void {
    this.#count -= 1;
    this.#octets -= octets;
  }

  /** The file is in `tmp/`, and its old name is durably gone. */
  add(file: string, octets: number): void {
    this.#shelf(octets).files.push({ file, octets });
    this.#timer ??= setTimeout(() => this.#look(), this.#trimMs).unref();
  }

  /** For a message of about so many octets: the caller's own from now on. */
  take(octets: number): string | undefined {
    const spare = this.#shelf(octets).take();
    const file = spare?.file ?? this.#empty.pop();
    if (file !== undefined) this.lost(spare?.octets ?? 0);
    return file;
  }

  /** All go, none comes. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#trimming;
    const all = [...this.#small.files, ...this.#large.files].map(({ file }) => file).concat(this.#empty);
    for (const list of [this.#small.files, this.#large.files, this.#empty]) list.length = 0;
    // what cannot be removed now is dropped by the next start
    await Promise.all(all.map((file) => this.#files.unlink(file).catch(() => undefined)));
  }

  #shelf(octets: number): Shelf {
    return octets > LARGE ? this.#large : this.#small;
  }

  /** Empties what nobody needed since the last time. */
  trim(): Promise<void> {
    const unused = [...this.#small.trim(), ...this.#large.trim()];
    this.#trimming = this.#trimming.then(() => this.#makeEmpty(unused));
    return this.#trimming;
  }

  #look(): void {
    void this.trim();
    const full = this.#small.files.length + this.#large.files.length > 0;
    this.#timer = full ? setTimeout(() => this.#look(), this.#trimMs).unref() : undefined;
  }

  /** One after the other: nobody waits for it, and mail comes first. */
  async #makeEmpty(unused: readonly Spare[]): Promise<void> {
    for (const { file, octets } of unused) {
      try {
        await this.#files.empty(file);
        this.#octets -= octets;
        this.#empty.push(file);
      } catch {
        this.lost(octets); // the next start drops what lies there
        await this.#files.unlink(file).catch(() => undefined);
      }
    }
  }
}
