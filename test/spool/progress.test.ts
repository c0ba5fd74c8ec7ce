/** What is written to the database: together what comes together, each key once, the last word counting. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SekishoError } from '../../src/base/errors.ts';
import type { QueueId } from '../../src/mail/queue-id.ts';
import type { Database, DatabaseWrite } from '../../src/spool/database.ts';
import type { Entry } from '../../src/spool/entry.ts';
import { ProgressStore } from '../../src/spool/progress.ts';
import { MemoryDatabase } from '../support/memory-database.ts';

const ONE = '0000001-AAAAAAAAAAAAA' as QueueId;
const TWO = '0000002-AAAAAAAAAAAAA' as QueueId;

function entry(size: number): Entry {
  return {
    v: 1,
    kind: 'mail',
    arrival: { wall: 0, mono: 0, boot: '', synchronised: true },
    size,
    sha256: '',
    recipients: [],
  };
}

function watched(): { database: Database; memory: MemoryDatabase; batches: DatabaseWrite[][] } {
  const memory = new MemoryDatabase();
  const database = memory.open();
  const batches: DatabaseWrite[][] = [];
  const batch: Database['batch'] = (writes, options) => {
    batches.push([...writes]);
    return database.batch(writes, options);
  };
  return { database: { ...database, batch }, memory, batches };
}

it('writes of one turn leave in one batch, each key once with its last value', async () => {
  const { database, memory, batches } = watched();
  const store = new ProgressStore(database, () => assert.fail('no fault'));
  await Promise.all([
    store.put(ONE, entry(1)),
    store.put(TWO, entry(2)),
    store.put(ONE, entry(3)),
    store.write([[TWO, undefined]], { sync: false }),
  ]);
  assert.deepEqual(
    batches.map((writes) => writes.map(({ key, value }) => [key, value === undefined])),
    [
      [
        [`m/${ONE}`, false],
        [`m/${TWO}`, true],
      ],
    ],
  );
  const later = new ProgressStore(memory.open(), () => assert.fail('no fault'));
  assert.equal((await later.get(ONE))?.size, 3);
  assert.equal(await later.get(TWO), undefined);
});

it('an entry that is not what was written is told as a fault: only a new start makes it anew', async () => {
  const { database } = watched();
  const damaged = new SekishoError('DATABASE_DAMAGED', 'Value fails its checksum');
  const busy = new SekishoError('DATABASE_TROUBLE', 'Too many open files');
  let answer: SekishoError = busy;
  const faults: unknown[] = [];
  const store = new ProgressStore({ ...database, get: () => Promise.reject(answer) }, (error) => faults.push(error));
  await assert.rejects(store.get(ONE), { code: 'DATABASE_TROUBLE' });
  assert.deepEqual(faults, []);
  answer = damaged;
  await assert.rejects(store.get(ONE), { code: 'DATABASE_DAMAGED' });
  assert.deepEqual(faults, [damaged]);
});

it('a removal and a later write of one key in one batch leave the write', async () => {
  const { database, memory } = watched();
  const store = new ProgressStore(database, () => assert.fail('no fault'));
  await Promise.all([store.write([[ONE, undefined]], { sync: false }), store.put(ONE, entry(7))]);
  const later = new ProgressStore(memory.open(), () => assert.fail('no fault'));
  assert.equal((await later.get(ONE))?.size, 7);
});
