/**
 * A file that only takes up room: given back when the disk is full, so that settling, clearing and the database's own
 * clearing-up can finish; made again when there is plenty. Never in the way: every failure here only means "no ballast".
 */
import type { FileLayer } from './files.ts';
import type { Layout } from './layout.ts';

const STEP = 1024 * 1024;
const NAME = 'ballast';

export class Ballast {
  readonly #files: FileLayer;
  readonly #layout: Layout;
  readonly #octets: number;
  #present = false;
  #working: Promise<void> = Promise.resolve();

  constructor(options: { files: FileLayer; layout: Layout; octets: number }) {
    this.#files = options.files;
    this.#layout = options.layout;
    this.#octets = options.octets;
  }

  /** The disk is full: the room goes back at once. */
  drop(): Promise<void> {
    return this.#then(async () => {
      this.#present = false;
      await this.#files.unlink(this.#layout.path(NAME));
      await this.#files.syncDirectory(this.#layout.root);
    });
  }

  /** Makes it when it is missing and there is room for it three times over. */
  keep(room: number): Promise<void> {
    return this.#then(async () => {
      if (this.#octets === 0 || this.#present) return;
      if ((await this.#files.list(this.#layout.root)).includes(NAME)) {
        this.#present = true;
        return;
      }
      if (room < 3 * this.#octets) return;
      const draft = this.#layout.path('tmp', NAME); // a half-made one goes with the drafts
      await this.#files.unlink(draft).catch(() => undefined);
      const file = await this.#files.create(draft);
      try {
        const block = Buffer.alloc(STEP, 0x5a);
        for (let written = 0; written < this.#octets; written += STEP) await file.write([block]);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#files.rename(draft, this.#layout.path(NAME));
      this.#present = true;
    });
  }

  #then(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.then(work).catch(() => undefined);
    return this.#working;
  }
}
