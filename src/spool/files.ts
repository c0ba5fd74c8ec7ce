/**
 * The file layer under the spool: the few calls whose order decides what survives a power cut. The disk behind it is the
 * real one; tests put a layer in its place that forgets what was not synced, or fails at call k. A write is complete or
 * throws (short writes are continued); nothing here retries a sync.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';

export interface WritableFile {
  write(buffers: readonly Buffer[]): Promise<void>;
  /** fdatasync: the octets written so far are durable when it resolves; the name is not. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadableFile {
  readonly size: number;
  /** Up to `length` octets from `position`; shorter only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

export interface Space {
  freeOctets: number;
  totalOctets: number;
  freeInodes: number;
  totalInodes: number;
}

export interface FileLayer {
  /** The parent must be synced before the folder may be relied upon. Existing is no error. */
  makeDirectory(directory: string): Promise<void>;
  /** Fails with ENOTEMPTY or ENOENT. */
  removeDirectory(directory: string): Promise<void>;
  syncDirectory(directory: string): Promise<void>;
  /** Names in the directory; empty when it does not exist. */
  list(directory: string): Promise<string[]>;
  /** A new file; fails with EEXIST. */
  create(file: string): Promise<WritableFile>;
  /** Fails with ENOENT. */
  open(file: string): Promise<ReadableFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(file: string): Promise<void>;
  space(directory: string): Promise<Space>;
}

const openFd = promisify(fs.open);
const closeFd = promisify(fs.close);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const fstat = promisify(fs.fstat);
const mkdir = promisify(fs.mkdir);
const rmdir = promisify(fs.rmdir);
const readdir = promisify(fs.readdir);
const renamePath = promisify(fs.rename);
const unlinkPath = promisify(fs.unlink);
const statfs = promisify(fs.statfs);

/** Linux: an open or read that finds ENOENT becomes an empty listing. */
export function diskFiles(): FileLayer {
  return {
    makeDirectory: async (directory) => {
      await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    },
    removeDirectory: (directory) => rmdir(directory),
    syncDirectory: async (directory) => {
      const fd = await openFd(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
      try {
        await fsync(fd);
      } finally {
        await closeFd(fd);
      }
    },
    list: async (directory) => {
      try {
        return await readdir(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    },
    create: async (file) => {
      const fd = await openFd(file, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o600);
      return {
        write: (buffers) => writeAll(fd, buffers),
        sync: () => fdatasync(fd),
        close: () => closeFd(fd),
      };
    },
    open: async (file) => {
      const fd = await openFd(file, fs.constants.O_RDONLY);
      const { size } = await fstat(fd);
      return {
        size,
        read: (position, length) => readFully(fd, { position, length: Math.max(0, Math.min(length, size - position)) }),
        close: () => closeFd(fd),
      };
    },
    rename: (from, to) => renamePath(from, to),
    unlink: (file) => unlinkPath(file),
    space: async (directory) => {
      const figures = await statfs(directory);
      return {
        freeOctets: figures.bavail * figures.bsize,
        totalOctets: figures.blocks * figures.bsize,
        freeInodes: figures.ffree,
        totalInodes: figures.files,
      };
    },
  };
}

/** writev until everything is written: the kernel may take less than it was given. */
async function writeAll(fd: number, buffers: readonly Buffer[]): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.length > 0);
  while (rest.length > 0) {
    const batch = rest.slice(0, 1024); // IOV_MAX
    let written = await new Promise<number>((resolve, reject) => {
      fs.writev(fd, batch, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
    if (written === 0) throw Object.assign(new Error('Write made no progress'), { code: 'EIO' });
    let index = 0;
    while (index < rest.length) {
      const buffer = rest[index] as Buffer;
      if (written < buffer.length) break;
      written -= buffer.length;
      index += 1;
    }
    const partial = rest[index];
    rest = partial === undefined ? [] : [partial.subarray(written), ...rest.slice(index + 1)];
  }
}

async function readFully(fd: number, range: { position: number; length: number }): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(range.length);
  let filled = 0;
  while (filled < range.length) {
    const count = await new Promise<number>((resolve, reject) => {
      fs.read(fd, buffer, filled, range.length - filled, range.position + filled, (error, read) =>
        error === null ? resolve(read) : reject(error),
      );
    });
    if (count === 0) break;
    filled += count;
  }
  return filled === range.length ? buffer : buffer.subarray(0, filled);
}
