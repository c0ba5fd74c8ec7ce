/**
 * The database as it was found, kept until it has proved itself. LevelDB changes what it opens: it replays its log into a
 * table and deletes files it believes to be unused, so that after a silent loss nobody could tell what was there. Its files
 * are written once (`reuse_logs` is off), so hard links made before it opens keep all of it at the price of a few names.
 * Nothing here may stop a start: where links cannot be made there is no copy, and the directory itself is set aside.
 */
import { randomUUID } from 'node:crypto';
import { describeError } from '../base/errors.ts';
import type { FileLayer } from './files.ts';
import type { Layout } from './layout.ts';

/** LevelDB's lock and its diary tell nothing of what was stored. */
const NOT_KEPT = /^LOCK$|^LOG(?:\.old)?$/;

export interface Inquiry {
  /** The database is damaged: what was found stays in `inquiry/` for good, `level/` is cleared. Durable when it resolves. */
  setAside(): Promise<string>;
  /** It proved itself: the links go. */
  forget(): Promise<void>;
}

export async function keepAsFound(
  files: FileLayer,
  layout: Layout,
  options: {
    wall: () => number;
    /** The start before this one died while it read: what it found first is what is kept. */
    died: boolean;
    log: (message: string, facts: Record<string, unknown>) => void;
  },
): Promise<Inquiry> {
  const level = layout.path('level');
  const found = layout.path('inquiry', 'as-found');
  const inside = (...names: string[]): string => layout.path('inquiry', 'as-found', ...names);
  let kept = false;
  try {
    kept = options.died && (await files.list(found)).length > 0;
    if (!kept) {
      await clear(files, found); // of a start that was cut off
      const names = (await files.list(level)).filter((name) => !NOT_KEPT.test(name));
      if (names.length > 0) await files.makeDirectory(found);
      for (const name of names) await files.link(layout.path('level', name), inside(name));
      kept = names.length > 0;
    }
  } catch (error) {
    options.log('Database is opened without a copy of how it was found', { error: describeError(error) });
  }
  return {
    setAside: async () => {
      const aside = layout.path('inquiry', `level-${options.wall()}-${randomUUID().slice(0, 8)}`);
      await files.rename(kept ? found : level, aside);
      if (kept) await clear(files, level);
      await files.syncDirectory(layout.path('inquiry'));
      await files.syncDirectory(layout.root);
      kept = false;
      return aside;
    },
    forget: async () => {
      if (!kept) return;
      kept = false;
      await clear(files, found).catch((error: unknown) =>
        options.log('Links to the database cannot be removed', { error: describeError(error) }),
      );
    },
  };
}

async function clear(files: FileLayer, directory: string): Promise<void> {
  const names = await files.list(directory);
  for (const name of names) await files.unlink(`${directory}/${name}`);
  await files.removeDirectory(directory).catch((error: { code?: string }) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
