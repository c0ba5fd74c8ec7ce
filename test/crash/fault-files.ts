/**
 * A file layer in front of another that fails once, at a chosen call: with an errno, or half-way through a write. And a
 * guard that never sleeps: whoever syncs a file or folder again after a sync of it failed in the same process is caught,
 * because the kernel has marked its pages clean and the second sync would lie (ATC'20).
 */
import type { FileLayer, WritableFile } from '../../src/spool/files.ts';
import type { Database } from '../../src/spool/database.ts';
import { failure } from '../support/memory-files.ts';

export const FAULT_CALLS = [
  'create',
  'write',
  'fdatasync',
  'rename',
  'fsync',
  'unlink',
  'mkdir',
  'database write',
] as const;
export type FaultCall = (typeof FAULT_CALLS)[number];
export const FAULT_KINDS = ['EIO', 'ENOSPC', 'short write'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Counts calls, fails the one it was told to, watches the syncs. One of it for one process. */
export class Faults {
  readonly counts = Object.fromEntries(FAULT_CALLS.map((call) => [call, 0])) as Record<FaultCall, number>;
  /** Syncs of what had failed to sync before: must stay empty. */
  readonly syncedAgain: string[] = [];
  /** The call that failed, once it did. */
  hit: { call: FaultCall; path: string } | undefined;
  calls = 0;
  #at: number;
  readonly #kind: FaultKind;
  readonly #failedSyncs = new Set<string>();

  /** Fails call number `at` (from 1). */
  constructor(at: number, kind: FaultKind) {
    this.#at = at;
    this.#kind = kind;
  }

  /** No call fails any more: what follows is the proof. */
  disarm(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }

  /** A new process: it may sync what the old one could not. */
  restart(): void {
    this.#failedSyncs.clear();
  }

  /** Throws when it is this call's turn; `half` does what a short write leaves behind. */
  async called(call: FaultCall, path: string, half?: () => Promise<void>): Promise<void> {
    this.calls += 1;
    this.counts[call] += 1;
    const isSync = call === 'fdatasync' || call === 'fsync';
    if (isSync && this.#failedSyncs.has(path)) this.syncedAgain.push(path);
    if (this.calls !== this.#at) return;
    this.hit = { call, path };
    if (isSync) this.#failedSyncs.add(path);
    if (this.#kind === 'short write' && half !== undefined) await half();
    throw failure(this.#kind === 'ENOSPC' ? 'ENOSPC' : 'EIO', path);
  }
}

/** One process: when it is dead it calls nothing any more. */
export interface Life {
  dead: boolean;
}

export function faultyFiles(files: FileLayer, shared: Faults, life: Life): FileLayer {
  const faults = inLife(shared, life);
  return {
    ...plain(files),
    makeDirectory: async (directory) => {
      await faults.called('mkdir', directory);
      await files.makeDirectory(directory);
    },
    syncDirectory: async (directory) => {
      await faults.called('fsync', directory);
      await files.syncDirectory(directory);
    },
    create: async (file) => {
      await faults.called('create', file);
      return faultyFile(await files.create(file), { path: file, faults });
    },
    reuse: async (file) => {
      await faults.called('create', file);
      return faultyFile(await files.reuse(file), { path: file, faults });
    },
    empty: async (file) => {
      await faults.called('write', file);
      await files.empty(file);
    },
    rename: async (from, to) => {
      await faults.called('rename', to);
      await files.rename(from, to);
    },
    unlink: async (file) => {
      await faults.called('unlink', file);
      await files.unlink(file);
    },
  };
}

/** Its methods may live on a prototype. */
function plain(files: FileLayer): FileLayer {
  return {
    makeDirectory: (directory) => files.makeDirectory(directory),
    removeDirectory: (directory) => files.removeDirectory(directory),
    syncDirectory: (directory) => files.syncDirectory(directory),
    list: (directory) => files.list(directory),
    create: (file) => files.create(file),
    reuse: (file) => files.reuse(file),
    empty: (file) => files.empty(file),
    open: (file) => files.open(file),
    rename: (from, to) => files.rename(from, to),
    link: (from, to) => files.link(from, to),
    unlink: (file) => files.unlink(file),
    modified: (file) => files.modified(file),
    space: (directory) => files.space(directory),
  };
}

interface Caller {
  readonly counts: Faults['counts'];
  called: Faults['called'];
}

function inLife(faults: Faults, life: Life): Caller {
  return {
    counts: faults.counts,
    called: async (call, path, half) => {
      if (life.dead) throw failure('EDEAD', path);
      await faults.called(call, path, half);
    },
  };
}

function faultyFile(file: WritableFile, at: { path: string; faults: Caller }): WritableFile {
  const { path, faults } = at;
  // a file made anew under an old name is another file
  const inode = `${path} #${faults.counts.create}`;
  return {
    write: async (buffers) => {
      const octets = Buffer.concat(buffers);
      await faults.called('write', path, () => file.write([octets.subarray(0, Math.floor(octets.length / 2))]));
      await file.write(buffers);
    },
    sync: async () => {
      await faults.called('fdatasync', inode);
      await file.sync();
    },
    close: () => file.close(),
  };
}

export function faultyDatabase(database: Database, shared: Faults, life: Life): Database {
  const faults = inLife(shared, life);
  return {
    get: (key) => database.get(key),
    page: (prefix, options) => database.page(prefix, options),
    prove: () => database.prove(),
    close: () => database.close(),
    batch: async (writes, options) => {
      await faults.called('database write', options.sync ? 'synced' : 'not synced');
      await database.batch(writes, options);
    },
  };
}
