/**
 * A memory that outlives restarts in one small file: written atomically, at most once a minute and when asked. The file is a
 * convenience: damaged, missing or unwritable it costs what was remembered, is said in the log, and nothing else. Ages are
 * carried by the monotonic clock; over a reboot by the wall clock when it was right on both sides, and otherwise a memory
 * keeps the age it was saved with.
 */
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Milliseconds } from '../base/brand.ts';
import { ageOf, type Clock, type Stamp, stampOf } from '../base/clock.ts';
import { describeError, errorCode } from '../base/errors.ts';
import type { Observe } from '../observe/events.ts';

const SAVE_EVERY_MS = 60_000;

const stampSchema = z.strictObject({ wall: z.number(), mono: z.number(), boot: z.string(), synchronised: z.boolean() });
const headSchema = z.looseObject({ version: z.literal(1), stamp: stampSchema });

export interface KeptFileOptions {
  file: string;
  clock: Clock;
  observe: Observe;
  /** For the log: `recipient answers`. */
  what: string;
  /** What is written beside version and stamp; ages in ms. */
  content: () => Record<string, unknown>;
}

export class KeptFile {
  readonly #options: KeptFileOptions;
  #changed = false;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: KeptFileOptions) {
    this.#options = options;
  }

  /** What was saved, and how long ago; undefined: nothing usable. Throws nothing; `restore` may. */
  async load(restore: (saved: Record<string, unknown>, ago: Milliseconds) => void): Promise<void> {
    const { file, clock, observe, what } = this.#options;
    try {
      const { version: _, stamp, ...saved } = headSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      restore(saved, ageOf(stamp satisfies Stamp, clock));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      observe.log('warn', `The ${what} in "${file}" are lost: ${describeError(error)}`);
    }
  }

  /** It will be saved within the minute. */
  changed(): void {
    this.#changed = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.save();
    }, SAVE_EVERY_MS).unref();
  }

  /** Never rejects: what cannot be saved is said in the log and stays in memory. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const { file, clock, observe, what, content } = this.#options;
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      await writeFileAtomic(file, JSON.stringify({ version: 1, stamp: stampOf(clock), ...content() }));
    } catch (error) {
      this.#changed = true;
      observe.log('warn', `Cannot save the ${what} to "${file}": ${describeError(error)}`);
    }
  }
}
