/**
 * One message inside the worker: in memory up to 2 MiB (a worker has at most a few at once), beyond that in a file of the worker's private folder. Written
 * once, then read any number of times. A write that fails (ENOSPC) throws, and the store is good for `dispose` only. Nothing is
 * durable; `dispose` leaves no trace.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { Bytes } from '../base/brand.ts';

/** More is kept in a file. */
export const IN_MEMORY: Bytes = 2 * 1024 * 1024;
let counter = 0;

export class MessageStore {
  size: Bytes = 0;
  #chunks: Buffer[] = [];
  #file: { path: string; handle: FileHandle } | undefined;

  /** `chunk` is the store's from now on, until `dispose`. */
  async write(chunk: Buffer): Promise<void> {
    this.size += chunk.length;
    if (this.#file === undefined && this.size <= IN_MEMORY) {
      this.#chunks.push(chunk);
      return;
    }
    if (this.#file === undefined) {
      const name = path.join(tmpdir(), `message-${process.pid}-${(counter += 1)}`);
      this.#file = { path: name, handle: await open(name, 'wx+', 0o600) };
      await this.#file.handle.writeFile(Buffer.concat(this.#chunks));
      this.#chunks = [];
    }
    await this.#file.handle.writeFile(chunk);
  }

  /** The first octets, at most `length`. */
  async head(length: Bytes): Promise<Buffer> {
    if (this.#file === undefined) {
      const [only] = this.#chunks;
      const octets = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
      return octets.subarray(0, length);
    }
    const buffer = Buffer.alloc(Math.min(length, this.size));
    const { bytesRead } = await this.#file.handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  }

  /** All of it, piece by piece. */
  pieces(): Iterable<Buffer> | AsyncIterable<Buffer> {
    return this.#file === undefined ? this.#chunks : readFile(this.#file.path);
  }

  /** Without the octets in `cuts` (ascending, not overlapping). */
  stream(cuts: ReadonlyArray<readonly [number, number]> = []): Readable {
    return Readable.from(without(this.pieces(), cuts), { objectMode: false });
  }

  async dispose(): Promise<void> {
    this.#chunks = [];
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    await rm(file.path, { force: true }); // first: a close that fails must not leave it lying there
    await file.handle.close();
  }
}

function readFile(file: string): AsyncIterable<Buffer> {
  return createReadStream(file, { highWaterMark: 65_536 }) as AsyncIterable<Buffer>;
}

async function* without(
  source: Iterable<Buffer> | AsyncIterable<Buffer>,
  cuts: ReadonlyArray<readonly [number, number]>,
): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const chunk of source) {
    let from = 0;
    for (const [start, end] of cuts) {
      if (end <= at || start >= at + chunk.length) continue;
      if (start > at + from) yield chunk.subarray(from, start - at);
      from = Math.max(from, end - at);
    }
    if (from < chunk.length) yield chunk.subarray(from);
    at += chunk.length;
  }
}
