/**
 * Messages whose verdict was reported as wrong, as they came: `samples/spam/ID.eml`, `samples/ham/ID.eml`, for the owner and
 * for whoever mends the rules; they never leave the box by themselves. At most 500 of each kind: the oldest go. A report and
 * its contrary: the later one counts. Durable when `keep` resolves.
 */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { syncDirectory } from '../base/atomic-file.ts';
import type { QueueId } from '../mail/queue-id.ts';

export type SampleKind = 'spam' | 'ham';
const MOST_KEPT = 500;

export interface Samples {
  /** How many of this kind there are now. */
  keep(id: QueueId, as: SampleKind, body: () => Readable): Promise<number>;
  /** How many files went. */
  forget(ids: readonly string[]): Promise<number>;
}

export function createSamples(directory: string): Samples {
  const folderOf = (kind: SampleKind): string => path.join(directory, kind);
  return {
    keep: async (id, as, body) => {
      const folder = folderOf(as);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const temporary = path.join(folder, `.${id}.${process.pid}.new`);
      try {
        const handle = await open(temporary, 'w', 0o600);
        try {
          for await (const chunk of body()) await handle.writeFile(chunk as Buffer);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(temporary, path.join(folder, `${id}.eml`));
        await syncDirectory(folder);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await rm(path.join(folderOf(as === 'spam' ? 'ham' : 'spam'), `${id}.eml`), { force: true });
      return trim(folder);
    },
    forget: async (ids) => {
      let gone = 0;
      for (const kind of ['spam', 'ham'] as const)
        for (const id of ids) {
          const file = path.join(folderOf(kind), `${path.basename(id)}.eml`);
          if ((await stat(file).catch(() => undefined)) === undefined) continue;
          await rm(file, { force: true });
          gone += 1;
        }
      return gone;
    },
  };
}

async function trim(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.eml') && !name.startsWith('.'));
  if (names.length <= MOST_KEPT) return names.length;
  const dated = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(path.join(folder, name))).mtimeMs })),
  );
  const old = dated.toSorted((a, b) => a.at - b.at).slice(0, names.length - MOST_KEPT);
  for (const { name } of old) await rm(path.join(folder, name), { force: true });
  return MOST_KEPT;
}
