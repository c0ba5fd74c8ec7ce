import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { eventually, NOON, queueId, received, temporaryFolder } from './support.ts';

import { bench } from './history-bench.ts';

/** For what is to come; only a hang takes so long. */
const GUARD_MS = 60_000;

describe('the history in trouble', () => {
  it('writes what waits when it closes, and has it after the next start', async () => {
    await using b = await bench({ batchMs: 60_000 });
    const ids = Array.from({ length: 1_300 }, () => queueId());
    for (const id of ids) b.history.record(received(id), NOON);
    await b.history[Symbol.asyncDispose]();
    assert.equal(b.history.status().state, 'closed');
    await assert.rejects(b.history.search({}), { code: 'HISTORY_UNAVAILABLE' });
    b.history.record(received(queueId()), NOON);
    assert.equal(b.history.status().dropped, 1);
    await using again = await bench({ file: b.file });
    await eventually('figures', () => again.history.status().messages === 1_300);
  });

  it('answers with what was told before, however long its thread takes to start', async () => {
    const entry = new URL('../../src/observe/history-worker.ts', import.meta.url);
    const late = `await new Promise((go) => setTimeout(go, 1_500)); await import(${JSON.stringify(entry.href)});`;
    await using b = await bench({
      startWorker: (start) =>
        new Worker(new URL(`data:text/javascript,${encodeURIComponent(late)}`), { workerData: start }),
    });
    const id = queueId();
    b.history.record(received(id), NOON);
    assert.deepEqual(
      (await b.history.search({})).rows.map((row) => row.id),
      [id],
    );
  });

  it('starts a worker anew that died, and loses nothing', async () => {
    await using b = await bench();
    const [one, two, three] = [queueId(), queueId(), queueId()];
    b.history.record(received(one), NOON);
    assert.equal(await b.history.flush(GUARD_MS), true);
    b.history.record(received(two), NOON + 1);
    await b.workers[0]?.terminate();
    b.history.record(received(three), NOON + 2); // must neither throw nor wait
    await eventually('second worker', () => b.workers.length === 2);
    assert.deepEqual(
      (await b.history.search({})).rows.map((row) => row.id),
      [three, two, one],
    );
    assert.equal(b.history.status().restarts, 1);
    assert.equal(b.history.status().state, 'up');
    assert.match(b.faults[0] ?? '', /worker ended/i);
    assert.equal(b.faults.at(-1), undefined);
  });

  it('writes a batch once though its worker died before it could say so', async () => {
    await using b = await bench();
    for (let i = 0; i < 5; i += 1) {
      for (let j = 0; j < 20; j += 1) b.history.record(received(queueId()), NOON + i);
      await new Promise((resolve) => setTimeout(resolve, 6 + i));
      await b.workers.at(-1)?.terminate();
      await eventually('next worker', () => b.workers.length === i + 2);
    }
    assert.equal(await b.history.flush(GUARD_MS), true);
    await b.history[Symbol.asyncDispose]();
    const left = new DatabaseSync(b.file);
    assert.equal(left.prepare('SELECT count(*) AS n FROM events').get()?.['n'], 100);
    left.close();
  });

  for (const deaths of [1, 2])
    it(`${deaths === 1 ? 'sends a batch again whose worker died on it' : 'gives a batch up that killed two workers, and counts it'}`, async () => {
      let begun = 0;
      const dies =
        "const { parentPort } = require('node:worker_threads'); parentPort.postMessage({ type: 'ready' });" +
        "parentPort.on('message', (message) => { if (message.type === 'batch') process.exit(1); });";
      await using b = await bench({
        startWorker: (start) => {
          begun += 1;
          if (begun <= deaths) return new Worker(dies, { eval: true });
          return new Worker(new URL('../../src/observe/history-worker.ts', import.meta.url), { workerData: start });
        },
      });
      b.history.record(received(queueId()), NOON);
      b.history.record(received(queueId()), NOON);
      await eventually('third worker', () => begun === deaths + 1);
      b.history.record(received(queueId()), NOON + 1);
      const { rows } = await b.history.search({});
      const { written, dropped, restarts } = b.history.status();
      assert.deepEqual([rows.length, written, dropped, restarts], deaths === 1 ? [3, 3, 0, 1] : [1, 1, 2, 2]);
    });

  it('ends a question with an error when the worker dies on it', async () => {
    await using b = await bench();
    await b.history.search({});
    const asked = b.history.search({});
    asked.catch(() => undefined);
    await b.workers[0]?.terminate();
    await assert.rejects(asked, { code: 'HISTORY_UNAVAILABLE' });
    assert.deepEqual((await b.history.search({})).rows, []);
  });

  it('drops and counts what does not fit into its queue, says so once, and goes on', async () => {
    await using b = await bench({ maxWaiting: 50, batchMs: 20 });
    for (let i = 0; i < 120; i += 1) b.history.record(received(queueId()), NOON + i);
    assert.equal(b.history.status().dropped, 70);
    assert.equal(b.faults.length, 1);
    assert.match(b.faults[0] ?? '', /behind/);
    assert.equal(await b.history.flush(GUARD_MS), true);
    assert.equal(b.faults.at(-1), undefined);
    b.history.record(received(queueId()), NOON + 200);
    assert.equal((await b.history.search({ limit: 500 })).rows.length, 51);
  });

  it('waits while the disk is too full, and writes when there is room again', async () => {
    await using b = await bench({ floorOctets: Number.MAX_SAFE_INTEGER });
    b.history.record(received(queueId()), NOON);
    await eventually('fault', () => b.faults.length > 0);
    assert.match(b.faults[0] ?? '', /disk/);
    assert.equal(await b.history.flush(50), false);
    assert.equal(b.history.status().state, 'retrying');
    assert.deepEqual((await b.history.search({})).rows, []); // what is written can still be read
    b.history.configure({ floorOctets: 0 });
    assert.equal(await b.history.flush(GUARD_MS), true);
    assert.equal(b.history.status().written, 1);
    assert.equal(b.faults.at(-1), undefined);
  });

  it('sets a file aside that is no database, and begins anew', async () => {
    await using first = await bench();
    await first.history[Symbol.asyncDispose]();
    writeFileSync(first.file, 'This is not a database. '.repeat(400));
    await using b = await bench({ file: first.file });
    b.history.record(received(queueId()), NOON);
    assert.equal((await b.history.search({})).rows.length, 1);
    assert.match(b.faults[0] ?? '', /damaged.*set aside/);
    assert.match(b.history.status().fault ?? '', /set aside/);
    assert.equal(b.history.status().state, 'up');
    assert.ok(readdirSync(path.dirname(b.file)).some((name) => /^history\.sqlite\.damaged-2\d{3}-/.test(name)));
  });

  it('sets a file aside whose pages are torn, while it is running', async () => {
    await using first = await bench();
    for (let i = 0; i < 2_000; i += 1) first.history.record(received(queueId()), NOON + i);
    await first.history[Symbol.asyncDispose]();
    // Whole pages of nonsense behind the schema
    const { open } = await import('node:fs/promises');
    const handle = await open(first.file, 'r+');
    const { size } = await handle.stat();
    for (let at = 40_960; at + 4_096 < size; at += 8_192) await handle.write(Buffer.alloc(4_096, 0xa5), 0, 4_096, at);
    await handle.close();
    await using b = await bench({ file: first.file });
    for (let i = 0; i < 50; i += 1) b.history.record(received(queueId()), NOON + 5_000 + i);
    const { rows } = await b.history.search({ text: 'minutes', limit: 500 });
    assert.equal(rows.length, 50);
    assert.match(b.faults.find((fault) => fault !== undefined) ?? '', /damaged/);
  });

  it('goes on with a file of a newer release that only added to it: an update may be taken back', async () => {
    await using first = await bench();
    first.history.record(received(queueId()), NOON);
    await first.history[Symbol.asyncDispose]();
    const newer = new DatabaseSync(first.file);
    for (const table of ['messages', 'recipients', 'events', 'keys', 'meta'])
      newer.exec(`ALTER TABLE ${table} ADD COLUMN later TEXT`);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    await using b = await bench({ file: first.file });
    b.history.record(received(queueId()), NOON + 1);
    assert.equal((await b.history.search({})).rows.length, 2);
  });

  it('does not touch a file of a newer release that it cannot read', async () => {
    await using first = await bench();
    first.history.record(received(queueId()), NOON);
    await first.history[Symbol.asyncDispose]();
    const newer = new DatabaseSync(first.file);
    newer.exec('PRAGMA user_version = 99; UPDATE compatibility SET readable_from = 98');
    newer.close();
    await using b = await bench({ file: first.file });
    b.history.record(received(queueId()), NOON);
    assert.equal((await b.history.search({})).rows.length, 1);
    const aside = readdirSync(path.dirname(b.file)).find((name) => name.includes('.damaged-')) ?? '';
    const kept = new DatabaseSync(path.join(path.dirname(b.file), aside));
    assert.equal(kept.prepare('SELECT count(*) AS n FROM messages').get()?.['n'], 1);
    kept.close();
  });

  it('takes mail though its folder cannot be made, and says why', async () => {
    await using blocked = await temporaryFolder();
    writeFileSync(path.join(blocked.folder, 'file'), '');
    await using b = await bench({ file: path.join(blocked.folder, 'file', 'history.sqlite') });
    b.history.record(received(queueId()), NOON);
    await eventually('fault', () => b.faults.length > 0);
    assert.match(b.faults[0] ?? '', /ENOTDIR|EEXIST/);
    assert.equal(await b.history.flush(20), false);
  });

  it('leaves a row out that cannot be written, and keeps its neighbours', async () => {
    await using b = await bench();
    const bad = { ...received(queueId()), size: 1.5 };
    b.history.record(received(queueId()), NOON);
    b.history.record(bad, NOON + 1);
    b.history.record(received(queueId()), NOON + 2);
    assert.equal((await b.history.search({})).rows.length, 2);
    assert.equal(b.history.status().dropped, 1);
    assert.match(b.history.status().fault ?? '', /1 rows/);
  });
});
