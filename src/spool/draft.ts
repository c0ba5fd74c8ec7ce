/**
 * A message on its way in. Those up to 2 MiB stay in memory and become one file with one write; larger ones go into `tmp/`
 * as they come, synced in 1 MiB steps. `commit` is durable when it resolves: fdatasync, rename, directory fsync shared with whoever
 * waits. Until then nothing but a file in `tmp/` exists, which the next start drops.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describeError, SekishoError } from '../base/errors.ts';
import { findHeaderEnd } from '../mail/header.ts';
import type { BodySource, Draft, Folder, Preamble, Trailer } from './api.ts';
import type { FileLayer, WritableFile } from './files.ts';
import type { Layout } from './layout.ts';
import { encodePreamble, encodeTrailer } from './message-file.ts';
import type { SpaceGuard } from './space.ts';
import type { Spares } from './spares.ts';
import type { SyncGroup } from './sync-group.ts';

/** A body up to this stays in memory, while all bodies together stay below the budget. */
export const MEMORY_PER_BODY = 2 * 1024 * 1024;
/** Of the message, for whoever reads its header. */
const HEAD = 256 * 1024;
const MEMORY_BUDGET = 64 * 1024 * 1024;
const SYNC_STEP = 1024 * 1024;
const READ_BLOCK = 256 * 1024;

/** What the store lends to its drafts. */
export interface Workshop {
  files: FileLayer;
  layout: Layout;
  space: SpaceGuard;
  groups: SyncGroup;
  spares: Spares;
  memory: { used: number };
  /** A sync failed: the process can no longer trust what it wrote. Returns the error to throw. */
  fault(what: string, error: unknown): SekishoError;
  /** Throws SPOOL_FAULT when a fault was seen. */
  assertSound(): void;
}

/** Told once the file is durable. `body`: when it was small enough to stay in memory. */
export type OnCommit = (folder: Folder, trailer: Trailer, body: readonly Buffer[] | undefined) => void;

export class MessageDraft implements Draft {
  readonly id;
  readonly #shop: Workshop;
  readonly #preamble: Preamble;
  readonly #onCommit: OnCommit;
  readonly #hash = createHash('sha256');
  readonly #announced: number;
  #chunks: Buffer[] = [];
  #size = 0;
  #sha256: string | undefined;
  #file: WritableFile | undefined;
  /** In `tmp/`: its own name, or that of the spare it took over. */
  #path: string;
  #bodyOffset = 0;
  #unsynced = 0;
  #syncing: Promise<void> = Promise.resolve();
  #created = false;
  #ended = false;

  constructor(
    shop: Workshop,
    options: {
      preamble: Preamble;
      announced: number;
      onCommit: OnCommit;
    },
  ) {
    this.id = options.preamble.id;
    this.#shop = shop;
    this.#preamble = options.preamble;
    this.#announced = options.announced;
    this.#onCommit = options.onCommit;
    this.#path = shop.layout.draft(this.id);
    shop.space.hold(options.announced);
  }

  async write(chunk: Buffer): Promise<void> {
    this.#hash.update(chunk);
    const before = Math.max(this.#size, this.#announced);
    this.#size += chunk.length;
    this.#shop.space.hold(Math.max(this.#size, this.#announced) - before);
    if (this.#file === undefined) {
      this.#chunks.push(chunk);
      this.#shop.memory.used += chunk.length;
      const small = this.#size <= MEMORY_PER_BODY && this.#shop.memory.used <= MEMORY_BUDGET;
      if (!small) await this.#spill();
      return;
    }
    await this.#append([chunk]);
  }

  async seal(): Promise<BodySource> {
    this.#sha256 = this.#hash.digest('hex');
    const size = this.#size;
    const sha256 = this.#sha256;
    if (this.#file === undefined) {
      const body = this.#chunks;
      const stream = (): Readable => Readable.from(body, { objectMode: false });
      return { size, sha256, head: headOf(body), pieces: body, stream };
    }
    const path = this.#path;
    const { files } = this.#shop;
    const offset = this.#bodyOffset;
    const reader = await files.open(path);
    let head: Buffer;
    try {
      head = await reader.read(offset, Math.min(size, HEAD));
    } finally {
      await reader.close();
    }
    return { size, sha256, head, stream: () => fileStream(files, path, { offset, size }) };
  }

  async commit(folder: Exclude<Folder, 'corrupt'>, given: Omit<Trailer, 'size' | 'sha256'>): Promise<void> {
    const { layout, groups } = this.#shop;
    this.#shop.assertSound();
    if (this.#sha256 === undefined) throw new TypeError('Draft was not sealed');
    const trailer: Trailer = { ...given, size: this.#size, sha256: this.#sha256 };
    const place = { folder, tries: 0 };
    try {
      const last = encodeTrailer(trailer);
      if (this.#file === undefined) await this.#open([...this.#chunks, last]);
      else await this.#append([last]);
      await this.#syncing;
      await this.#syncFile();
      await this.#file?.close();
      this.#file = undefined;
      await layout.settle(this.#path, this.id, place);
    } catch (error) {
      await this.#drop();
      throw this.#own(error);
    }
    const body = this.#chunks.length === 0 ? undefined : this.#chunks;
    this.#release();
    try {
      await groups.sync(layout.directory(folder, this.id));
    } catch (error) {
      // The file may or may not be there after a cut: 451, and if it reappears it counts as a duplicate.
      throw this.#shop.fault(`Sync of the folder of "${this.id}"`, error);
    }
    this.#onCommit(folder, trailer, body);
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    await this.#drop();
  }

  async #spill(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    try {
      await this.#open(chunks);
    } catch (error) {
      throw this.#own(error);
    } finally {
      this.#shop.memory.used -= octetsOf(chunks);
    }
  }

  async #open(chunks: readonly Buffer[]): Promise<void> {
    const preamble = encodePreamble(this.#preamble);
    this.#bodyOffset = preamble.length;
    this.#file = (await this.#takeOver()) ?? (await this.#shop.files.create(this.#path));
    this.#created = true;
    await this.#write([preamble, ...chunks]);
  }

  /** A spare file, when there is one and it can be had. */
  async #takeOver(): Promise<WritableFile | undefined> {
    const { spares, files } = this.#shop;
    const spare = spares.take(Math.max(this.#size, this.#announced));
    if (spare === undefined) return undefined;
    try {
      const file = await files.reuse(spare);
      this.#path = spare;
      return file;
    } catch {
      return undefined; // a new file then; the next start drops what lies there
    }
  }

  async #write(buffers: readonly Buffer[]): Promise<void> {
    try {
      await this.#file?.write(buffers);
    } catch (error) {
      throw this.#own(error);
    }
    this.#unsynced += octetsOf(buffers);
  }

  async #append(buffers: readonly Buffer[]): Promise<void> {
    await this.#write(buffers);
    if (this.#unsynced < SYNC_STEP) return;
    await this.#syncing; // at most one step behind, so that the last sync is short
    this.#unsynced = 0;
    this.#syncing = this.#syncFile();
    this.#syncing.catch(() => undefined); // awaited before the next step and before commit
  }

  async #syncFile(): Promise<void> {
    try {
      await this.#file?.sync();
    } catch (error) {
      // The file is only a draft and goes away whole, so a full disk here is no loss of trust; anything else is.
      if (isFull(error)) throw error;
      throw this.#shop.fault(`Sync of "${this.id}"`, error);
    }
  }

  /** Memory, file and claimed room go back; no trace is left. */
  async #drop(): Promise<void> {
    const file = this.#file;
    this.#release();
    if (!this.#created) return;
    this.#file = undefined;
    await this.#syncing.catch(() => undefined);
    await file?.close().catch(() => undefined);
    await this.#shop.files.unlink(this.#path).catch(() => undefined); // the next start drops it
  }

  #release(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#shop.space.hold(-Math.max(this.#size, this.#announced));
    this.#shop.memory.used -= octetsOf(this.#chunks);
    this.#chunks = [];
  }

  #own(error: unknown): SekishoError {
    if (error instanceof SekishoError) return error;
    if (isFull(error)) {
      this.#shop.space.sawFull();
      return new SekishoError('SPOOL_FULL', `Disk is full while writing "${this.id}"`, {
        retryable: true,
        cause: error,
      });
    }
    return new SekishoError('SPOOL_WRITE', `Writing "${this.id}" failed`, { retryable: true, cause: error });
  }
}

/** The beginning, at most `HEAD` octets; not joined beyond the piece that ends the header. */
function headOf(body: readonly Buffer[]): Buffer {
  const first = body[0] ?? Buffer.alloc(0);
  if (body.length <= 1 && first.length <= HEAD) return first;
  if (findHeaderEnd(first) >= 0) return first.subarray(0, HEAD);
  return Buffer.concat(body, Math.min(HEAD, octetsOf(body)));
}

function octetsOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.length, 0);
}

export function isFull(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  // LevelDB has no code of its own for it, only words.
  return code === 'ENOSPC' || code === 'EDQUOT' || /No space left|Disk quota/.test(describeError(error));
}

function fileStream(files: FileLayer, path: string, range: { offset: number; size: number }): Readable {
  async function* octets(): AsyncGenerator<Buffer> {
    const file = await files.open(path);
    try {
      for (let at = 0; at < range.size; at += READ_BLOCK) {
        yield await file.read(range.offset + at, Math.min(READ_BLOCK, range.size - at));
      }
    } finally {
      await file.close();
    }
  }
  return Readable.from(octets(), { objectMode: false, highWaterMark: READ_BLOCK });
}
