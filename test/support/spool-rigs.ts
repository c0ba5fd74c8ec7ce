/** Rigs for the spool's contract: the real disk with LevelDB, and memory layers that can lose what was not synced. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SekishoError } from '../../src/base/errors.ts';
import { type Observe, silentObserve } from '../../src/observe/events.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles, type FileLayer } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import type { Rig } from '../contracts/spool.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryDatabase } from './memory-database.ts';
import { MemoryFiles } from './memory-files.ts';

const limits = () => ({ floorOctets: 0, floorPercent: 0 });

export async function diskRig(): Promise<Rig & { root: string; faults: SekishoError[] }> {
  const root = await mkdtemp(path.join(tmpdir(), 'sekisho-spool-'));
  const clock = new FakeClock();
  const faults: SekishoError[] = [];
  let store: SpoolStore | undefined;
  let database: Awaited<ReturnType<typeof openLevelDatabase>> | undefined;
  let first = true;
  let life = { dead: false };
  return {
    root,
    clock,
    faults,
    open: async () => {
      life = { dead: false };
      store = await openSpool({
        root,
        files: mortal(diskFiles(), life),
        openDatabase: async (directory) => {
          database = await openLevelDatabase(directory);
          return database;
        },
        clock,
        observe: silentObserve,
        limits,
        create: first,
        onFault: (error) => faults.push(error),
      });
      first = false;
      return store;
    },
    // In one process a kill is: nothing more is written, and LevelDB's lock is given back. SIGKILL itself is tested elsewhere.
    kill: async () => {
      life.dead = true;
      await database?.close();
    },
    dispose: async () => {
      await store?.[Symbol.asyncDispose]().catch(() => undefined);
      await database?.close().catch(() => undefined);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** What its timers would still do fails: a dead process does nothing. */
function mortal(files: FileLayer, life: { dead: boolean }): FileLayer {
  const alive = <T extends FileLayer[keyof FileLayer]>(call: T): T =>
    ((...given: unknown[]) =>
      life.dead
        ? Promise.reject(new Error('This process is dead'))
        : (call as (...all: unknown[]) => unknown)(...given)) as T;
  return Object.fromEntries(Object.entries(files).map(([name, call]) => [name, alive(call)])) as unknown as FileLayer;
}

export interface MemoryRig extends Rig {
  files: MemoryFiles;
  database: MemoryDatabase;
  faults: SekishoError[];
  cut: () => void;
}

export async function memoryRig(options: { observe?: Observe } = {}): Promise<MemoryRig> {
  const files = new MemoryFiles('/spool');
  const database = new MemoryDatabase();
  const clock = new FakeClock();
  const faults: SekishoError[] = [];
  let first = true;
  return {
    clock,
    files,
    database,
    faults,
    open: async () => {
      const store = await openSpool({
        root: '/spool',
        files,
        openDatabase: async (directory) => {
          await files.makeDirectory(directory);
          return database.open();
        },
        clock,
        observe: options.observe ?? silentObserve,
        limits,
        create: first,
        onFault: (error) => faults.push(error),
      });
      first = false;
      return store;
    },
    kill: async () => undefined,
    cut: () => {
      files.cut();
      database.cut();
    },
    dispose: async () => undefined,
  };
}
