/** Starts that have to wait, again and again: what they find is left as it is. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { SekishoError } from '../../src/base/errors.ts';
import { type Observe, silentObserve } from '../../src/observe/events.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles, type FileLayer } from '../../src/spool/files.ts';
import { openSpool, type SpoolOptions } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, BOB, put } from '../contracts/spool.ts';
import { FakeClock } from '../support/fake-clock.ts';

interface House extends AsyncDisposable {
  clock: FakeClock;
  open(options?: Partial<SpoolOptions>): Promise<SpoolStore>;
}

/** The real disk and the real database: its lock is what is asked about. */
async function makeHouse(): Promise<House> {
  const root = await mkdtemp(path.join(tmpdir(), 'sekisho-opening-'));
  const clock = new FakeClock();
  let create = true;
  return {
    clock,
    open: async (options = {}) => {
      const store = await openSpool({
        root,
        files: diskFiles(),
        openDatabase: openLevelDatabase,
        clock,
        observe: silentObserve,
        limits: () => ({ floorOctets: 0, floorPercent: 0 }),
        create,
        onFault: (error) => assert.fail(error),
        ...options,
      });
      create = false;
      return store;
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function times<T>(count: number, work: () => Promise<T>): Promise<void> {
  for (let at = 0; at < count; at += 1) await work();
}

test('who waits for a predecessor that still works leaves its database alone, however often he looks', async () => {
  await using house = await makeHouse();
  const before = await house.open();
  const id = await put(before, house.clock, { to: [ALICE, BOB] });
  await times(5, () => assert.rejects(house.open(), { code: 'DATABASE_LOCKED' }));
  await before.settle(id, [{ address: ALICE, outcome: 'delivered' }]);
  await before[Symbol.asyncDispose]();
  await using after = await house.open();
  assert.equal(after.status().recovery.databaseRebuilt, false);
  assert.deepEqual(
    (await after.read(id))?.progress.recipients.map(({ outcome }) => outcome),
    ['delivered', undefined],
  );
});

test('a database that could not be opened for want of room or rights is opened when there is some, and not made anew', async () => {
  await using house = await makeHouse();
  const before = await house.open();
  const id = await put(before, house.clock, { to: [ALICE, BOB] });
  await before.settle(id, [{ address: ALICE, outcome: 'delivered' }]);
  await before[Symbol.asyncDispose]();
  const openDatabase = (): Promise<never> =>
    Promise.reject(new SekishoError('DATABASE_TROUBLE', 'Permission denied', { retryable: true }));
  await times(5, () => assert.rejects(house.open({ openDatabase }), { code: 'DATABASE_TROUBLE' }));
  await using after = await house.open();
  assert.equal(after.status().recovery.databaseRebuilt, false);
  assert.equal((await after.read(id))?.progress.recipients[0]?.outcome, 'delivered');
});

test('a start that failed behind the database can be tried again in the same process', async () => {
  await using house = await makeHouse();
  const before = await house.open();
  const id = await put(before, house.clock);
  await before[Symbol.asyncDispose]();
  const files = diskFiles();
  const full: FileLayer = {
    ...files,
    create: (file) =>
      file.endsWith('sequence.new')
        ? Promise.reject(Object.assign(new Error('No space left on device'), { code: 'ENOSPC' }))
        : files.create(file),
  };
  await times(3, () => assert.rejects(house.open({ files: full }), { code: 'ENOSPC' }));
  await using after = await house.open();
  assert.equal(after.status().recovery.databaseRebuilt, false);
  assert.equal(after.folderOf(id), 'queue');
});

test('a start that ended while the database was read counts: after two of them it is made anew', async () => {
  await using house = await makeHouse();
  const before = await house.open();
  const id = await put(before, house.clock);
  await before[Symbol.asyncDispose]();
  // the process ends: nothing that comes after it is done
  const files = diskFiles();
  let ended = false;
  const mortal: FileLayer = {
    ...files,
    create: (file) => (ended ? new Promise(() => undefined) : files.create(file)),
  };
  const openDatabase = (): Promise<never> => {
    ended = true;
    return new Promise(() => undefined);
  };
  for (let start = 0; start < 2; start += 1) {
    ended = false;
    void house.open({ files: mortal, openDatabase });
    while (!ended) await new Promise(setImmediate);
  }
  const told: string[] = [];
  const observe: Observe = { ...silentObserve, raise: (alarm) => void told.push(alarm) };
  await using after = await house.open({ observe });
  assert.equal(after.status().recovery.databaseRebuilt, true);
  assert.equal(after.folderOf(id), 'queue');
  assert.deepEqual(told, ['spool-recovered']);
});
