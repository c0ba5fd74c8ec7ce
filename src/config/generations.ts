/**
 * Every accepted configuration, numbered: `generations/00000012.json` holds the file's content with time, who and why. Kept:
 * the last 50. Durable when `add` returns. A damaged generation is left out of the list, never a reason not to start.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { errorCode, SekishoError } from '../base/errors.ts';

export const GENERATIONS_KEPT = 50;

const generationSchema = z.object({
  generation: z.number().int().min(1),
  /** ISO 8601, UTC. */
  at: z.string(),
  by: z.string(),
  why: z.string(),
  changed: z.array(z.string()),
  /** As in the file: defaults not filled in. */
  config: z.unknown(),
});

export type Generation = z.output<typeof generationSchema>;
export type GenerationSummary = Omit<Generation, 'config'>;

export interface Generations {
  /** Oldest first. */
  list(): Promise<Generation[]>;
  /** Throws NOT_FOUND. */
  read(generation: number): Promise<Generation>;
  add(entry: Omit<Generation, 'generation'>): Promise<number>;
  /** Takes back the newest: the change it records did not happen. */
  withdraw(generation: number): Promise<void>;
}

export function openGenerations(directory: string): Generations {
  const fileOf = (generation: number): string => path.join(directory, `${String(generation).padStart(8, '0')}.json`);

  async function numbers(): Promise<number[]> {
    try {
      const names = await readdir(directory);
      return names
        .map((name) => /^(\d{8})\.json$/.exec(name)?.[1])
        .filter((name) => name !== undefined)
        .map(Number)
        .toSorted((a, b) => a - b);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  async function load(generation: number): Promise<Generation | undefined> {
    try {
      const parsed = generationSchema.safeParse(JSON.parse(await readFile(fileOf(generation), 'utf8')));
      return parsed.success && parsed.data.generation === generation ? parsed.data : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  return {
    async list() {
      const loaded = await Promise.all((await numbers()).map(load));
      return loaded.filter((entry) => entry !== undefined);
    },
    async read(generation) {
      const entry = await load(generation);
      if (entry !== undefined) return entry;
      throw new SekishoError('NOT_FOUND', `Generation ${generation} of the configuration is not kept`, {
        remedy: 'See "sekisho config generations"',
      });
    },
    async add(entry) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const before = await numbers();
      const generation = (before.at(-1) ?? 0) + 1;
      await writeFileAtomic(fileOf(generation), `${JSON.stringify({ generation, ...entry }, null, 2)}\n`);
      for (const old of before.slice(0, Math.max(0, before.length + 1 - GENERATIONS_KEPT)))
        await rm(fileOf(old), { force: true });
      return generation;
    },
    async withdraw(generation) {
      await rm(fileOf(generation), { force: true });
    },
  };
}
