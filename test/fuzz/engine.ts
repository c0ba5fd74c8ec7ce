/**
 * A small fuzzer: inputs are made from a seed and a case number alone, so that what broke is made again from two numbers. A
 * target says how an input looks and what must hold; anything thrown, any unhandled rejection, and any case that takes
 * longer than `SLOW_MS` is a finding. It runs in a process of its own (run.ts), which whoever waits may end.
 */
import { readFileSync } from 'node:fs';

/** Far beyond what any case takes (a few ms): only what hangs or grows out of proportion is caught. */
const SLOW_MS = 5_000;

export interface Target {
  name: string;
  /** One input of at most some 64 KiB. */
  make(random: Random): Buffer;
  /** Throws where something does not hold. */
  run(input: Buffer): void | Promise<void>;
  close?(): Promise<void>;
}

/** A bug of the kind the target is there for, put into a scratch copy: it must be found. */
export interface Planted {
  file: string;
  find: string;
  replace: string;
}

export interface Finding {
  target: string;
  seed: number;
  index: number;
  message: string;
  input: Buffer;
}

/** Deterministic, fast, of no cryptographic use (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ n < 2^32 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 ≤ n < below */
  below(limit: number): number {
    return limit <= 0 ? 0 : this.next() % limit;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** Some of: flipped bits, cut and doubled stretches, tokens put in, octets of special meaning. */
export function mutate(
  random: Random,
  source: Buffer,
  options: { tokens: readonly (string | Buffer)[]; max?: number },
): Buffer {
  let bytes = Buffer.from(source);
  for (let round = random.below(8); round >= 0; round -= 1) {
    const at = random.below(bytes.length + 1);
    const length = random.below(Math.min(64, bytes.length - at) + 1);
    switch (random.below(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
        break;
      case 3:
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(options.tokens)), bytes.subarray(at)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(9)), bytes.subarray(at)]);
        break;
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(random.below(600), random.pick([0, 9, 32, 40, 45, 46, 61, 65, 255])),
          bytes.subarray(at),
        ]);
    }
  }
  return bytes.subarray(0, options.max ?? 65_536);
}

/** Some tokens after one another, with now and then noise between. */
export function compose(random: Random, tokens: readonly string[], most: number): Buffer {
  const parts: Buffer[] = [];
  for (let count = random.below(most) + 1; count > 0; count -= 1) {
    parts.push(random.chance(6) ? random.bytes(random.below(12)) : Buffer.from(random.pick(tokens), 'latin1'));
  }
  return Buffer.concat(parts);
}

export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

export async function fuzz(
  target: Target,
  options: { seed: number; cases: number; ms: number; onCase?: (index: number) => void },
): Promise<{ cases: number; finding?: Finding }> {
  const { seed } = options;
  const until = performance.now() + options.ms;
  let stray: unknown;
  const onStray = (error: unknown): void => {
    stray ??= error;
  };
  process.on('unhandledRejection', onStray);
  process.on('uncaughtException', onStray);
  try {
    // Both: at least so many cases, and at least so long.
    for (let index = 0; index < options.cases || performance.now() < until; index += 1) {
      options.onCase?.(index);
      const input = inputOf(target, seed, index);
      const message = await judge(target, input, () => stray);
      if (message !== undefined)
        return { cases: index + 1, finding: { target: target.name, seed, index, message, input } };
      if (index + 1 >= options.cases && performance.now() >= until) return { cases: index + 1 };
    }
    return { cases: options.cases };
  } finally {
    process.off('unhandledRejection', onStray);
    process.off('uncaughtException', onStray);
  }
}

export function inputOf(target: Target, seed: number, index: number): Buffer {
  return target.make(new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)));
}

/** What does not hold, or undefined. */
export async function judge(
  target: Target,
  input: Buffer,
  stray: () => unknown = () => undefined,
): Promise<string | undefined> {
  const began = performance.now();
  try {
    const work = target.run(input);
    if (work !== undefined) await work;
    const loose = stray();
    if (loose !== undefined) throw loose;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const ms = performance.now() - began;
  return ms > SLOW_MS ? `Took ${Math.round(ms)} ms` : undefined;
}

/** A mail of the corpus. */
export function sample(name: string): Buffer {
  return readFileSync(new URL(`../corpus/${name}`, import.meta.url));
}
