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
  /** Up to `length` octets from `position`; shorter only at the end of the file. `into`: memory that may be used for them. */
  read(position: number, length: number, options?: { into?: Buffer }): Promise<Buffer>;
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
  /** Overwrites a file from its first octet on; what stood behind the last one written is gone with the first sync. */
  reuse(file: string): Promise<WritableFile>;
  /** The octets go, the file stays. Durable with nothing: only for what may be dropped. */
  empty(file: string): Promise<void>;
  /** Fails with ENOENT. */
  open(file: string): Promise<ReadableFile>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for the same octets. Fails with EPERM where the file system has no such thing. */
  link(from: string, to: string): Promise<void>;
  unlink(file: string): Promise<void>;
  /** When it was last written, ms of the wall clock. */
  modified(file: string): Promise<number>;
  space(directory: string): Promise<Space>;
}

const openFile = promisify(fs.open);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const mkdir = promisify(fs.mkdir);
const rmdir = promisify(fs.rmdir);
const readdir = promisify(fs.readdir);
const renamePath = promisify(fs.rename);
const linkPath = promisify(fs.link);
const unlinkPath = promisify(fs.unlink);
const statfs = promisify(fs.statfs);
const stat = promisify(fs.stat);

/**
 * What the kernel answers from memory is asked on the spot: a hop through the thread pool costs more than the call itself
 * (measured: 15 of them a message were a third of the processor time). What may wait for the disk goes through the pool.
 */
const WRITE_ON_THE_SPOT = 256 * 1024;
/** A change of names that took longer waited for the disk (a journal being written)… */
const SLOW_MS = 3;
/** …and for so long the next ones go through the pool, where nobody else waits with them. */
const POOL_FOR_MS = 1_000;
/** Directories whose descriptor stays open for the next sync. */
const OPEN_DIRECTORIES = 64;

/** Linux. A directory that does not exist lists as empty. */
export function diskFiles(): FileLayer {
  const directories = new OpenDirectories();
  const names = new OnTheSpot();
  return {
    makeDirectory: async (directory) => {
      await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    },
    removeDirectory: async (directory) => {
      await rmdir(directory);
      directories.forget(directory);
    },
    syncDirectory: (directory) => directories.sync(directory),
    list: async (directory) => {
      try {
        return await readdir(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    },
    create: async (file) => {
      const fd = fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o600);
      return {
        write: (buffers) => writeAll(fd, buffers),
        sync: () => fdatasync(fd),
        close: async () => fs.closeSync(fd),
      };
    },
    reuse: async (file) => {
      const fd = fs.openSync(file, fs.constants.O_WRONLY);
      let { size } = fs.fstatSync(fd);
      let written = 0;
      return {
        write: async (buffers) => {
          await writeAll(fd, buffers);
          written += buffers.reduce((sum, buffer) => sum + buffer.length, 0);
        },
        sync: async () => {
          if (written < size) fs.ftruncateSync(fd, written);
          size = written;
          await fdatasync(fd);
        },
        close: async () => fs.closeSync(fd),
      };
    },
    empty: async (file) => {
      const fd = await openFile(file, fs.constants.O_WRONLY | fs.constants.O_TRUNC);
      fs.closeSync(fd);
    },
    open: async (file) => {
      const fd = fs.openSync(file, fs.constants.O_RDONLY);
      const { size } = fs.fstatSync(fd);
      return {
        size,
        read: (position, length, { into } = {}) =>
          readFully(fd, { position, length: Math.max(0, Math.min(length, size - position)), into }),
        close: async () => fs.closeSync(fd),
      };
    },
    rename: async (from, to) => {
      if (names.quick()) names.time(() => fs.renameSync(from, to));
      else await renamePath(from, to);
    },
    link: (from, to) => linkPath(from, to),
    unlink: async (file) => {
      if (names.quick()) names.time(() => fs.unlinkSync(file));
      else await unlinkPath(file);
    },
    modified: async (file) => (await stat(file)).mtimeMs,
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

/**
 * Names change in the kernel's memory, in a tenth of the time a hop through the pool takes on the whole; but a file system
 * with a journal may let one wait while it writes that. Then the pool takes over for a moment.
 */
class OnTheSpot {
  #poolUntil = 0;

  quick(): boolean {
    return performance.now() >= this.#poolUntil;
  }

  time(call: () => void): void {
    const begun = performance.now();
    try {
      call();
    } finally {
      const ended = performance.now();
      if (ended - begun > SLOW_MS) this.#poolUntil = ended + POOL_FOR_MS;
    }
  }
}

/** Keeps the descriptors of the directories that are synced again and again; the oldest goes when there are too many. */
class OpenDirectories {
  readonly #open = new Map<string, { fd: number; users: number }>();

  async sync(directory: string): Promise<void> {
    let entry = this.#open.get(directory);
    if (entry === undefined) {
      this.#makeRoom();
      entry = { fd: fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY), users: 0 };
      this.#open.set(directory, entry);
    }
    entry.users += 1;
    try {
      await fsync(entry.fd);
    } finally {
      entry.users -= 1;
      if (entry.users === 0 && this.#open.get(directory) !== entry) fs.closeSync(entry.fd);
    }
  }

  /** Gone or no longer wanted: closed once nobody syncs it. */
  forget(directory: string): void {
    const entry = this.#open.get(directory);
    this.#open.delete(directory);
    if (entry?.users === 0) fs.closeSync(entry.fd);
  }

  #makeRoom(): void {
    if (this.#open.size < OPEN_DIRECTORIES) return;
    const oldest = this.#open.keys().next().value;
    if (oldest !== undefined) this.forget(oldest);
  }
}

/** writev until everything is written: the kernel may take less than it was given. */
async function writeAll(fd: number, buffers: readonly Buffer[]): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.length > 0);
  while (rest.length > 0) {
    const batch = rest.slice(0, 1024); // IOV_MAX
    const octets = batch.reduce((sum, buffer) => sum + buffer.length, 0);
    let written =
      octets <= WRITE_ON_THE_SPOT
        ? fs.writevSync(fd, batch)
        : await new Promise<number>((resolve, reject) => {
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

async function readFully(
  fd: number,
  range: { position: number; length: number; into: Buffer | undefined },
): Promise<Buffer> {
  const buffer = range.into?.subarray(0, range.length) ?? Buffer.allocUnsafe(range.length);
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
