/**
 * What the mail servers said about recipients, kept for days and over restarts, so that a server that is down does not stop
 * the mail of people it vouched for. Bounded: the oldest answer goes first, and bad answers may fill a fifth only, so that
 * somebody who guesses addresses cannot drive the good ones out. The file is a convenience: damaged or missing it costs
 * new questions, nothing else. Ages are carried by the monotonic clock; over a reboot by the wall clock when it
 * was right on both sides, and otherwise an answer keeps the age it was saved with.
 */
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Milliseconds } from '../base/brand.ts';
import { ageOf, type Clock, type Stamp, stampOf } from '../base/clock.ts';
import { describeError, errorCode } from '../base/errors.ts';
import type { Observe } from '../observe/events.ts';

export const ANSWERS_MAX = 50_000;
const SAVE_EVERY_MS = 60_000;

export interface CachedAnswer {
  known: boolean;
  age: Milliseconds;
}

const fileSchema = z.strictObject({
  version: z.literal(1),
  stamp: z.strictObject({ wall: z.number(), mono: z.number(), boot: z.string(), synchronised: z.boolean() }),
  /** Oldest first within good and bad: key, known, age in ms when saved. */
  answers: z.array(z.tuple([z.string().max(1_024), z.boolean(), z.number().min(0)])),
});

export class AnswerCache {
  readonly #clock: Clock;
  readonly #observe: Observe;
  readonly #file: string;
  readonly #max: number;
  /** When it was answered, on the monotonic scale (negative: before the boot); oldest first. */
  readonly #good = new Map<string, number>();
  readonly #bad = new Map<string, number>();
  #changed = false;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  private constructor(options: { clock: Clock; observe: Observe; file: string; max: number }) {
    this.#clock = options.clock;
    this.#observe = options.observe;
    this.#file = options.file;
    this.#max = options.max;
  }

  static async open(options: { clock: Clock; observe: Observe; file: string; max?: number }): Promise<AnswerCache> {
    const cache = new AnswerCache({ ...options, max: options.max ?? ANSWERS_MAX });
    await cache.#load();
    return cache;
  }

  get size(): number {
    return this.#good.size + this.#bad.size;
  }

  get(key: string): CachedAnswer | undefined {
    const good = this.#good.get(key);
    const at = good ?? this.#bad.get(key);
    return at === undefined ? undefined : { known: good !== undefined, age: this.#clock.monotonic() - at };
  }

  set(key: string, known: boolean): void {
    this.#keep(key, known, this.#clock.monotonic());
    this.#changed = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.save();
    }, SAVE_EVERY_MS).unref();
  }

  /** Never rejects: a cache that cannot be saved is said in the log and stays in memory. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const now = this.#clock.monotonic();
    const answers = [
      ...[...this.#good].map(([key, at]) => [key, true, Math.max(0, now - at)]),
      ...[...this.#bad].map(([key, at]) => [key, false, Math.max(0, now - at)]),
    ];
    try {
      await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#file, JSON.stringify({ version: 1, stamp: stampOf(this.#clock), answers }));
    } catch (error) {
      this.#changed = true;
      this.#observe.log('warn', `Cannot save the recipient answers to "${this.#file}": ${describeError(error)}`);
    }
  }

  async #load(): Promise<void> {
    try {
      const saved = fileSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
      const since = ageOf(saved.stamp satisfies Stamp, this.#clock);
      const now = this.#clock.monotonic();
      for (const [key, known, age] of saved.answers) this.#keep(key, known, now - age - since);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      this.#observe.log('warn', `The recipient answers in "${this.#file}" are lost: ${describeError(error)}`);
    }
  }

  #keep(key: string, known: boolean, at: number): void {
    this.#good.delete(key); // it goes to the young end
    this.#bad.delete(key);
    (known ? this.#good : this.#bad).set(key, at);
    while (this.#bad.size > this.#max / 5) dropOldest(this.#bad);
    while (this.size > this.#max) dropOldest(this.#good);
  }
}

function dropOldest(answers: Map<string, number>): void {
  const [oldest] = answers.keys();
  if (oldest !== undefined) answers.delete(oldest);
}
