/**
 * The octets of a message on their way out. The hash of the whole original body is computed while it is read, and the last
 * block is held back until the hash is right: on damage the reader throws `CORRUPT` before the final octets are out, so that
 * the connection can be cut before the final dot.
 */
import { createHash, hash } from 'node:crypto';
import type { BodyOctets, Variant } from './api.ts';
import { BLOCK, type BodyMemory } from './body-memory.ts';
import type { FileLayer, ReadableFile } from './files.ts';
import { corrupt, type MessageLayout, openMessageFile } from './message-file.ts';

/** Where a body is: in its file, and perhaps in memory as well. */
export interface BodyPlace {
  bodyOffset: number;
  body?: readonly Buffer[];
}

export interface FileBodyOptions {
  shape: Shape;
  expectedSha256: string;
  path: string;
  /** When it is not known the file says it. */
  bodyOffset: number | undefined;
  size: number;
  memory: BodyMemory;
  onCorrupt: () => Promise<void>;
}

export type Shape = Pick<Variant, 'prefix' | 'cuts'>;
const UNCHANGED: Shape = { prefix: '', cuts: [] };

/** Prefix, then the body without its cuts; verified. Buffers are the reader's to keep. */
export async function* readBody(
  file: ReadableFile,
  layout: MessageLayout,
  options: { shape?: Shape; path: string },
): AsyncGenerator<Buffer> {
  const shape = options.shape ?? UNCHANGED;
  const { size, sha256 } = layout.trailer;
  const hash = createHash('sha256');
  let held: Buffer[] = shape.prefix === '' ? [] : [Buffer.from(shape.prefix, 'latin1')];
  for (let at = 0; at < size; at += BLOCK) {
    const block = await file.read(layout.bodyOffset + at, Math.min(BLOCK, size - at));
    hash.update(block);
    if (at > 0) {
      yield* held;
      held = [];
    }
    held.push(...withoutCuts(block, at, shape.cuts));
  }
  if (hash.digest('hex') !== sha256) throw corrupt(options.path, 'body hash');
  yield* held;
}

/** The same for a body in memory: verified before any of it is out. No stream: that costs more than the octets. */
export async function* memoryBody(
  body: readonly Buffer[],
  options: { shape: Shape; expectedSha256: string; path: string; onCorrupt: () => Promise<void> },
): AsyncGenerator<Buffer> {
  if (sha256Of(body) !== options.expectedSha256) {
    await options.onCorrupt();
    throw corrupt(options.path, 'body hash');
  }
  const { prefix, cuts } = options.shape;
  if (prefix !== '') yield Buffer.from(prefix, 'latin1');
  let at = 0;
  for (const block of body) {
    yield* withoutCuts(block, at, cuts);
    at += block.length;
  }
}

export function sha256Of(body: readonly Buffer[]): string {
  const [only] = body;
  if (only !== undefined && body.length === 1) return hash('sha256', only);
  const sum = createHash('sha256');
  for (const block of body) sum.update(block);
  return sum.digest('hex');
}

/**
 * The same from the file, block by block, in memory that is lent: whoever has let go of all he was given says so (`taken`), and
 * it is used again; who never says so keeps it. `onCorrupt` is told before it throws. Closes the file in every case. To be read once.
 */
export class FileBody implements BodyOctets {
  readonly #files: FileLayer;
  readonly #options: FileBodyOptions;
  /** Given out whole since the last `taken`. */
  #given: Buffer[] = [];
  /** Not given out, or not all of it. */
  #held: Buffer | undefined;
  #ended = false;

  constructor(files: FileLayer, options: FileBodyOptions) {
    this.#files = files;
    this.#options = options;
  }

  taken(): void {
    const { memory } = this.#options;
    for (const block of this.#given.splice(0)) {
      if (this.#ended) memory.recycle(block);
      else memory.give(block);
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const { memory } = this.#options;
    let file: ReadableFile | undefined;
    try {
      const opened = await this.#open();
      file = opened.file;
      yield* this.#blocks(file, opened.bodyOffset);
    } catch (error) {
      if ((error as { code?: string }).code === 'CORRUPT') await this.#options.onCorrupt();
      throw error;
    } finally {
      this.#ended = true;
      for (const _block of this.#given) memory.lose();
      if (this.#held !== undefined) memory.lose();
      await file?.close();
    }
  }

  async #open(): Promise<{ file: ReadableFile; bodyOffset: number }> {
    const { path, bodyOffset, expectedSha256 } = this.#options;
    if (bodyOffset !== undefined) return { file: await this.#files.open(path), bodyOffset };
    const { file, layout } = await openMessageFile(this.#files, path);
    if (layout.trailer.sha256 === expectedSha256) return { file, bodyOffset: layout.bodyOffset };
    await file.close();
    throw corrupt(path, 'not the message it was');
  }

  /** The last block is held back until the hash of all is right. */
  async *#blocks(file: ReadableFile, bodyOffset: number): AsyncGenerator<Buffer> {
    const { shape, size, expectedSha256, path, memory } = this.#options;
    const sum = createHash('sha256');
    let held: Buffer[] = shape.prefix === '' ? [] : [Buffer.from(shape.prefix, 'latin1')];
    for (let at = 0; at < size; at += BLOCK) {
      if (at > 0) {
        yield* this.#give(held);
        held = [];
      }
      const block = memory.take();
      this.#held = block;
      const wanted = Math.min(BLOCK, size - at);
      const octets = await file.read(bodyOffset + at, wanted, block === undefined ? {} : { into: block });
      sum.update(octets);
      held.push(...withoutCuts(octets, at, shape.cuts));
    }
    if (sum.digest('hex') !== expectedSha256) throw corrupt(path, 'body hash');
    yield* this.#give(held);
  }

  *#give(pieces: readonly Buffer[]): Generator<Buffer> {
    yield* pieces;
    if (this.#held !== undefined) this.#given.push(this.#held);
    this.#held = undefined;
  }
}

function withoutCuts(block: Buffer, at: number, cuts: Shape['cuts']): Buffer[] {
  const end = at + block.length;
  const pieces: Buffer[] = [];
  let from = at;
  for (const [cutStart, cutEnd] of cuts) {
    if (cutEnd <= from) continue;
    if (cutStart >= end) break;
    if (cutStart > from) pieces.push(block.subarray(from - at, cutStart - at));
    from = Math.min(cutEnd, end);
  }
  if (from < end) pieces.push(block.subarray(from - at));
  return pieces;
}
