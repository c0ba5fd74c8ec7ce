/**
 * The octets of a message on their way out. The hash of the whole original body is computed while it is read, and the last
 * block is held back until the hash is right: on damage the reader throws `CORRUPT` before the final octets are out, so that
 * the connection can be cut before the final dot.
 */
import { createHash, hash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Variant } from './api.ts';
import type { FileLayer, ReadableFile } from './files.ts';
import { corrupt, type MessageLayout, openMessageFile } from './message-file.ts';

const BLOCK = 256 * 1024;

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

function sha256Of(body: readonly Buffer[]): string {
  const [only] = body;
  if (only !== undefined && body.length === 1) return hash('sha256', only);
  const sum = createHash('sha256');
  for (const block of body) sum.update(block);
  return sum.digest('hex');
}

/** A stream of the same; `onCorrupt` is told before the stream errors. Closes the file in every case. */
export function bodyStream(
  files: FileLayer,
  path: string,
  options: { shape: Shape; expectedSha256: string; onCorrupt: () => Promise<void> },
): Readable {
  async function* octets(): AsyncGenerator<Buffer> {
    let file: ReadableFile | undefined;
    try {
      const opened = await openMessageFile(files, path);
      file = opened.file;
      if (opened.layout.trailer.sha256 !== options.expectedSha256) throw corrupt(path, 'not the message it was');
      yield* readBody(file, opened.layout, { shape: options.shape, path });
    } catch (error) {
      if ((error as { code?: string }).code === 'CORRUPT') await options.onCorrupt();
      throw error;
    } finally {
      await file?.close();
    }
  }
  return Readable.from(octets(), { objectMode: false, highWaterMark: BLOCK });
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
