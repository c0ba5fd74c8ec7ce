/**
 * A file layer that changes nothing: reads go to the disk, a rename is only remembered (the new name then reads the old
 * file), all else is taken and not done. With it the recovery of a start can be played through on the folder of a stopped
 * or dead box, read-only mounts included, to learn what it would do.
 */
import type { FileLayer } from '../files.ts';

export interface DryFiles extends FileLayer {
  /** Where the file really lies that would have been renamed to `file`. */
  onDisk(file: string): string;
}

export function dryFiles(disk: FileLayer): DryFiles {
  const renamed = new Map<string, string>();
  const onDisk = (file: string): string => renamed.get(file) ?? file;
  const nothing = async (): Promise<void> => undefined;
  const readOnly = (): Promise<never> =>
    Promise.reject(Object.assign(new Error('Nothing is written here'), { code: 'EROFS' }));
  return {
    onDisk,
    makeDirectory: nothing,
    removeDirectory: nothing,
    syncDirectory: nothing,
    unlink: nothing,
    link: nothing,
    modified: (file) => disk.modified(onDisk(file)),
    list: (directory) => disk.list(directory),
    open: (file) => disk.open(onDisk(file)),
    create: readOnly,
    reuse: readOnly,
    empty: readOnly,
    rename: async (from, to) => {
      renamed.set(to, onDisk(from));
    },
    space: (directory) => disk.space(directory),
  };
}
