/**
 * Where log lines go: a file descriptor, written in batches, never waited for. Lines that can wait are gathered for a moment
 * (a write each was a twentieth of a message's cost); an urgent one takes all before it along at once. What the reader does
 * not take is kept up to `maxOctets`, then lines are dropped and counted, and one line says how many once there is room
 * again. A closed reader (EPIPE), a full disk, a stopped terminal cost lines, never mail: nothing here throws, blocks or
 * ends the process.
 */
import { fstatSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { errorCode } from '../base/errors.ts';

export interface LogSink {
  /** One line with its end. `urgent`: at once, not with the next batch. */
  write(line: string, urgent?: boolean): void;
  /** Lines lost so far. */
  dropped(): number;
  /** Resolves when all is written, or lost, or the time is over. */
  flush(deadlineMs: number): Promise<void>;
}

/** Hands octets over; calls back with an error, or how many were taken. At most one call is under way. */
export type RawWrite = (octets: Buffer, done: (error: Error | null, taken: number) => void) => void;

const BATCH = 65_536;
const RETRY_MS = 100;
const GATHER_MS = 50;

export function createLogSink(options: {
  write: RawWrite;
  maxOctets?: number;
  /** How long a line that is not urgent may wait for others. */
  gatherMs?: number;
  /** The line that tells of lost ones, with its end. */
  lostLine?: (lines: number) => string;
}): LogSink {
  const maxOctets = options.maxOctets ?? 4 * 1024 * 1024;
  const gatherMs = options.gatherMs ?? GATHER_MS;
  let waiting: Buffer[] = [];
  let octets = 0;
  let busy = false;
  let gathering: NodeJS.Timeout | undefined;
  /** Somebody waits for what is gathered. */
  let pressing = false;
  let lost = 0;
  let untold = 0;
  let idle: Array<() => void> = [];

  function begin(): void {
    clearTimeout(gathering);
    gathering = undefined;
    if (busy) return;
    if (waiting.length === 0) {
      for (const done of idle) done();
      idle = [];
      return;
    }
    let size = 0;
    let count = 0;
    while (count < waiting.length && (count === 0 || size + (waiting[count]?.length ?? 0) <= BATCH)) {
      size += waiting[count]?.length ?? 0;
      count += 1;
    }
    const lines = waiting.slice(0, count);
    waiting = waiting.slice(count);
    if (waiting.length === 0) pressing = false;
    busy = true;
    hand(Buffer.concat(lines, size), lines.length, size);
  }

  function hand(rest: Buffer, lines: number, size: number): void {
    const again = (later: Buffer): void => void setTimeout(() => hand(later, lines, size), RETRY_MS).unref();
    try {
      options.write(rest, (error, taken) => {
        const code = error === null ? undefined : errorCode(error);
        if (code === 'EAGAIN' || code === 'EBUSY') return again(rest);
        if (error === null && taken < rest.length) {
          if (taken > 0) return hand(rest.subarray(taken), lines, size);
          return again(rest);
        }
        if (error !== null) lose(lines);
        finish(size, error === null);
      });
    } catch {
      lose(lines);
      finish(size, false);
    }
  }

  function finish(size: number, written: boolean): void {
    busy = false;
    octets -= size;
    if (written && untold > 0 && options.lostLine !== undefined && octets < maxOctets / 2) {
      const line = Buffer.from(options.lostLine(untold));
      untold = 0;
      waiting.push(line);
      octets += line.length;
      pressing = true;
    }
    next();
  }

  /** Now, or together with what comes in the next moment. */
  function next(): void {
    if (waiting.length === 0 || pressing || idle.length > 0 || octets >= BATCH) begin();
    else gathering ??= setTimeout(begin, gatherMs);
  }

  function lose(lines: number): void {
    lost += lines;
    untold += lines;
  }

  return {
    write: (line, urgent = false) => {
      const bytes = Buffer.from(line);
      if (octets + bytes.length > maxOctets) return lose(1);
      waiting.push(bytes);
      octets += bytes.length;
      pressing ||= urgent;
      if (!busy) next();
    },
    dropped: () => lost,
    flush: (deadlineMs) =>
      new Promise((resolve) => {
        if (!busy && waiting.length === 0) return resolve();
        const timer = setTimeout(resolve, deadlineMs);
        idle.push(() => {
          clearTimeout(timer);
          resolve();
        });
        begin();
      }),
  };
}

/**
 * A pipe or socket is written as a stream, without blocking (a thread of the pool stuck in write(2) would be missing
 * elsewhere); a file or terminal through the thread pool.
 */
export function writeTo(fd: number): RawWrite {
  const kind = fstatSync(fd);
  if (!kind.isFIFO() && !kind.isSocket()) return (bytes, done) => write(fd, bytes, done);
  const stream = fd === 1 ? process.stdout : new Socket({ fd, readable: false, writable: true });
  stream.on('error', () => undefined); // told by the callback of the write it hit
  return (bytes, done) => {
    if (!stream.writable) return done(Object.assign(new Error('The reader of the log is gone'), { code: 'EPIPE' }), 0);
    let told = false;
    stream.write(bytes, (error) => {
      if (told) return;
      told = true;
      done(error ?? null, bytes.length);
    });
  };
}
