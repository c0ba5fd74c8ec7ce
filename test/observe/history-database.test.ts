import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { type Batch, openHistoryDatabase, setAside } from '../../src/observe/history-database.ts';
import { NOON, queueId, received, temporaryFolder } from './support.ts';

const settings = { days: 400, subjects: true, floorOctets: 0 };

function batchOf(number: number, count: number): Batch {
  return {
    run: 'one',
    number,
    rows: Array.from({ length: count }, (_, at) => ({ at: NOON + at, json: JSON.stringify(received(queueId())) })),
  };
}

describe('the history’s file', () => {
  it('takes a batch that is sent twice once, and that of another run anew', async () => {
    await using temporary = await temporaryFolder();
    const file = path.join(temporary.folder, 'h.sqlite');
    const first = openHistoryDatabase(file, settings);
    const batch = batchOf(1, 3);
    first.apply(batch);
    first.apply(batch);
    first.close();
    const again = openHistoryDatabase(file, settings);
    again.apply(batch);
    again.apply(batchOf(2, 4));
    again.apply({ ...batchOf(1, 5), run: 'two' });
    assert.equal(again.figures().messages, 12);
    again.close();
    const left = new DatabaseSync(file);
    assert.equal(left.prepare('SELECT count(*) AS n FROM events').get()?.['n'], 12);
    left.close();
  });

  it('writes nothing of a batch when the disk is full in its midst, and all of it later', async () => {
    await using temporary = await temporaryFolder();
    const file = path.join(temporary.folder, 'h.sqlite');
    openHistoryDatabase(file, settings).close();
    const database = openHistoryDatabase(file, settings);
    // SQLite's own limit of pages gives the very error of a full disk (SQLITE_FULL)
    const limit = new DatabaseSync(file);
    const pages = Number(limit.prepare('PRAGMA page_count').get()?.['page_count']);
    limit.close();
    database.limitPages(pages + 2);
    assert.throws(() => database.apply(batchOf(1, 500)), { errcode: 13 });
    assert.equal(database.figures().messages, 0);
    assert.deepEqual(database.search({}).rows, []);
    database.limitPages(1_000_000);
    assert.deepEqual(database.apply(batchOf(1, 500)), { lost: 0 });
    assert.equal(database.figures().messages, 500);
    assert.equal(database.search({ text: 'minutes', limit: 500 }).rows.length, 500);
    database.close();
  });

  it('keeps the newest three of the files it set aside', async () => {
    await using temporary = await temporaryFolder();
    const file = path.join(temporary.folder, 'h.sqlite');
    for (let i = 0; i < 5; i += 1) {
      writeFileSync(file, `bad ${i}`);
      writeFileSync(`${file}-wal`, `bad ${i}`);
      setAside(file, NOON + i);
    }
    const left = readdirSync(temporary.folder).toSorted();
    assert.equal(left.length, 6, left.join(' '));
    assert.match(String(left[0]), /\.damaged-2026-11-21T09-00-00-002Z$/);
  });
});
