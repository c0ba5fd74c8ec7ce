/**
 * What the mail servers said about recipients, kept for days and over restarts, so that a server that is down does not stop
 * the mail of people it vouched for. Bounded: the oldest answer goes first, and bad answers may fill a fifth only, so that
 * somebody who guesses addresses cannot drive the good ones out. The file is a convenience (`kept-file.ts`): damaged or
 * missing it costs new questions, nothing else.
 */
import { z } from 'zod';
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Observe } from '../observe/events.ts';
import { KeptFile } from './kept-file.ts';

export const ANSWERS_MAX = 50_000;

export interface CachedAnswer {
  known: boolean;
  age: Milliseconds;
}

const savedSchema = z.strictObject({
  /** Oldest first within good and bad: key, known, age in ms when saved. */
  answers: z.array(z.tuple([z.string().max(1_024), z.boolean(), z.number().min(0)])),
});

export class AnswerCache {
  readonly #clock: Clock;
  readonly #file: KeptFile;
  readonly #max: number;
  /** When it was answered, on the monotonic scale (negative: before the boot); oldest first. */
  readonly #good = new Map<string, number>();
  readonly #bad = new Map<string, number>();

  private constructor(options: { clock: Clock; observe: Observe; file: string; max: number }) {
    this.#clock = options.clock;
    this.#max = options.max;
    const content = (): Record<string, unknown> => ({ answers: this.#snapshot() });
    this.#file = new KeptFile({ ...options, what: 'recipient answers', content });
  }

  static async open(options: { clock: Clock; observe: Observe; file: string; max?: number }): Promise<AnswerCache> {
    const cache = new AnswerCache({ ...options, max: options.max ?? ANSWERS_MAX });
    await cache.#file.load((saved, ago) => cache.#restore(saved, ago));
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
    this.#file.changed();
  }

  /** Never rejects: a cache that cannot be saved is said in the log and stays in memory. */
  save(): Promise<void> {
    return this.#file.save();
  }

  #snapshot(): unknown[] {
    const now = this.#clock.monotonic();
    return [
      ...[...this.#good].map(([key, at]) => [key, true, Math.max(0, now - at)]),
      ...[...this.#bad].map(([key, at]) => [key, false, Math.max(0, now - at)]),
    ];
  }

  #restore(saved: Record<string, unknown>, ago: Milliseconds): void {
    const now = this.#clock.monotonic();
    for (const [key, known, age] of savedSchema.parse(saved).answers) this.#keep(key, known, now - age - ago);
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
