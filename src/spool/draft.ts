/**
 * A message on its way in. Those up to 256 KiB stay in memory and become one file with one write; larger ones go into `tmp/`
 * as they come, synced in 4 MiB steps. `commit` is durable when it resolves: fdatasync, rename, directory fsync shared with whoever
 * waits. Until then nothing but a file in `tmp/` exists, which the next start drops.
 */
import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describeError, SekishoError } from '../base/errors.ts';
import type { Transaction } from '../mail/envelope.ts';
import { findHeaderEnd } from '../mail/header.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { type BodyPlace, sha256Of } from './body.ts';
import type { BodySource, Draft, Folder, Preamble, Trailer } from './api.ts';
import { BLOCK, type BodyMemory, MEMORY_BUDGET } from './body-memory.ts';
import type { FileLayer, WritableFile } from './files.ts';
import type { Layout } from './layout.ts';
import { encodePreamble, encodeTrailer } from './message-file.ts';
import type { SpaceGuard } from './space.ts';
import type { Spares } from './spares.ts';
import type { SyncGroup } from './sync-group.ts';

// A body up to a block stays in memory, while all together stay below the budget; a larger one is read back from its file.
/** Of the message, for whoever reads its header. */
const HEAD = BLOCK;
/** As many octets are kept as they come, in pieces of their own length; what is more is gathered in a block. */
const PIECES = 96 * 1024;
const SYNC_STEP = 4 * 1024 * 1024;
/** One is read ahead for each reader, and stays until that one has ended: no more than the inspect worker looks at first. */
const READ_BLOCK = 128 * 1024;
const NOTHING = Buffer.alloc(0);

/** What the store lends to its drafts. */
export interface Workshop {
  files: FileLayer;
  layout: Layout;
  space: SpaceGuard;
  groups: SyncGroup;
  spares: Spares;
  memory: BodyMemory;
  /** A sync failed: the process can no longer trust what it wrote. Returns the error to throw. */
  fault(what: string, error: unknown): SekishoError;
  /** Throws SPOOL_FAULT when a fault was seen. */
  assertSound(): void;
}

/** Told once the file is durable. */
export type OnCommit = (folder: Folder, trailer: Trailer, lies: BodyPlace) => void;

export class MessageDraft implements Draft {
  readonly id;
  readonly #shop: Workshop;
  readonly #preamble: Preamble;
  readonly #onCommit: OnCommit;
  /** Of a body that goes to the file. */
  #hash: Hash | undefined;
  readonly #announced: number;
  #chunks: Buffer[] = [];
  /** Of a body that is no longer a few pieces: what is gathered, for the next write or to the end. */
  #block: Buffer | undefined;
  #filled = 0;
  /** The header of a body that went to the file, if it had all come by then. */
  #header: Buffer | undefined;
  #size = 0;
  #sha256: string | undefined;
  #file: WritableFile | undefined;
  /** In `tmp/`: its own name, or that of the spare it took over. */
  #path: string;
  #bodyOffset = 0;
  #unsynced = 0;
  /** The last write: whoever gives the file back waits for it, or it would end up in whatever file has the number next. */
  #writing: Promise<void> | undefined;
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

  write(chunk: Buffer): Promise<void> | undefined {
    this.#hash?.update(chunk);
    const before = Math.max(this.#size, this.#announced);
    this.#size += chunk.length;
    this.#shop.space.hold(Math.max(this.#size, this.#announced) - before);
    const { memory } = this.#shop;
    if (this.#block === undefined) {
      const inMemory = this.#hash === undefined;
      const few = inMemory && this.#size <= PIECES && memory.used + chunk.length <= MEMORY_BUDGET;
      if (!few) this.#block = memory.take();
      if (this.#block === undefined) {
        if (!inMemory) return this.#append([Buffer.from(chunk)]);
        this.#chunks.push(Buffer.from(chunk));
        memory.hold(chunk.length);
        return few ? undefined : this.#spill();
      }
      this.#gather();
    }
    const copied = chunk.copy(this.#block, this.#filled);
    this.#filled += copied;
    return copied === chunk.length ? undefined : this.#appendBlock(chunk.subarray(copied));
  }

  /** What came in pieces so far goes into the block. */
  #gather(): void {
    const block = this.#block;
    if (block === undefined) return;
    for (const piece of this.#chunks) this.#filled += piece.copy(block, this.#filled);
    this.#shop.memory.hold(-octetsOf(this.#chunks));
    this.#chunks = [];
  }

  async seal(): Promise<BodySource> {
    const size = this.#size;
    if (this.#hash === undefined) {
      if (this.#block !== undefined) this.#keepBlock(this.#block);
      const body = this.#chunks;
      const sha256 = sha256Of(body);
      this.#sha256 = sha256;
      const stream = (): Readable => Readable.from(body, { objectMode: false });
      return { size, sha256, head: headOf(body), pieces: body, stream };
    }
    if (this.#block !== undefined) await this.#appendBlock(NOTHING);
    const sha256 = this.#hash.digest('hex');
    this.#sha256 = sha256;
    const path = this.#path;
    const { files } = this.#shop;
    const offset = this.#bodyOffset;
    const head = this.#header ?? (await this.#readHead());
    return { size, sha256, head, stream: () => fileStream(files, path, { offset, size }) };
  }

  async #readHead(): Promise<Buffer> {
    const reader = await this.#shop.files.open(this.#path);
    try {
      return await reader.read(this.#bodyOffset, Math.min(this.#size, HEAD));
    } finally {
      await reader.close();
    }
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
    const lies = { bodyOffset: this.#bodyOffset, ...(this.#hash === undefined ? { body: this.#chunks } : {}) };
    this.#release();
    try {
      await groups.sync(layout.directory(folder, this.id));
    } catch (error) {
      // The file may or may not be there after a cut: 451, and if it reappears it counts as a duplicate.
      throw this.#shop.fault(`Sync of the folder of "${this.id}"`, error);
    }
    this.#onCommit(folder, trailer, lies);
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    await this.#drop();
  }

  /** It fits into one block after all: as one piece, in memory of its own. */
  #keepBlock(block: Buffer): void {
    const { memory } = this.#shop;
    this.#chunks = [Buffer.from(block.subarray(0, this.#filled))];
    memory.hold(this.#filled);
    memory.give(block);
    this.#block = undefined;
  }

  async #spill(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#leaveMemory(chunks);
    try {
      await this.#open(chunks);
    } finally {
      this.#shop.memory.hold(-octetsOf(chunks));
    }
  }

  /** All that came so far: what is to be known of it when it lies in the file. */
  #leaveMemory(pieces: readonly Buffer[]): Hash {
    this.#header = headerIn(headOf(pieces));
    const sum = createHash('sha256');
    for (const piece of pieces) sum.update(piece);
    this.#hash = sum;
    return sum;
  }

  /** Writes what was gathered; `rest`, lent, is the beginning of the next block before anything is waited for. */
  async #appendBlock(rest: Buffer): Promise<void> {
    const { memory } = this.#shop;
    const gathered = this.#block;
    const pieces = gathered === undefined ? [] : [gathered.subarray(0, this.#filled)];
    if (this.#hash === undefined) this.#leaveMemory(pieces).update(rest);
    this.#block = rest.length === 0 || rest.length > BLOCK ? undefined : memory.take();
    this.#filled = this.#block === undefined ? 0 : rest.copy(this.#block);
    if (this.#block === undefined && rest.length > 0) pieces.push(Buffer.from(rest));
    try {
      if (this.#file === undefined) await this.#open(pieces);
      else await this.#append(pieces);
    } catch (error) {
      if (gathered !== undefined) memory.lose();
      throw error;
    }
    if (gathered !== undefined) memory.give(gathered);
  }

  async #open(chunks: readonly Buffer[]): Promise<void> {
    const preamble = encodePreamble(this.#preamble);
    this.#bodyOffset = preamble.length;
    try {
      this.#file = (await this.#takeOver()) ?? (await this.#shop.files.create(this.#path));
    } catch (error) {
      throw this.#own(error);
    }
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
      this.#writing = this.#file?.write(buffers);
      await this.#writing;
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
    await this.#writing?.catch(() => undefined);
    await this.#syncing.catch(() => undefined);
    await file?.close().catch(() => undefined);
    await this.#shop.files.unlink(this.#path).catch(() => undefined); // the next start drops it
  }

  #release(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#shop.space.hold(-Math.max(this.#size, this.#announced));
    this.#shop.memory.hold(-octetsOf(this.#chunks));
    this.#chunks = [];
    if (this.#block !== undefined) this.#shop.memory.give(this.#block); // only gathered so far: nobody else has seen it
    this.#block = undefined;
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

/** In memory of its own, or undefined: it is not whole. */
function headerIn(head: Buffer): Buffer | undefined {
  const end = findHeaderEnd(head);
  return end < 0 ? undefined : Buffer.from(head.subarray(0, end));
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

export function preambleOf(id: QueueId, kind: 'mail' | 'dsn', transaction: Transaction): Preamble {
  const { envelope, origin, arrival } = transaction;
  return { version: 1, id, kind, envelope, origin, arrival };
}
