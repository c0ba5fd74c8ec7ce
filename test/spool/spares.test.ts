/** The stock of files for the next drafts: what stands in it, what leaves it, what is never kept. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Spares } from '../../src/spool/spares.ts';

const KIB = 1024;

function stock(totalInodes = 0): { spares: Spares; calls: string[]; tick: () => Promise<void> } {
  const calls: string[] = [];
  const note = (call: string) => async (file: string) => void calls.push(`${call} ${file}`);
  const files = { unlink: note('unlink'), empty: note('empty') };
  const spares = new Spares(files, { totalInodes: () => totalInodes, trimMs: 60_000 });
  return { spares, calls, tick: () => spares.trim() };
}

function give(spares: Spares, file: string, octets: number): void {
  assert.ok(spares.wants(octets));
  spares.add(file, octets);
}

it('the newest file of a like size is taken first', () => {
  const { spares } = stock();
  give(spares, 'old', 10 * KIB);
  give(spares, 'new', 10 * KIB);
  give(spares, 'large', 1024 * KIB);
  assert.equal(spares.take(12 * KIB), 'new');
  assert.equal(spares.take(900 * KIB), 'large');
  assert.equal(spares.take(900 * KIB), undefined);
  assert.equal(spares.take(12 * KIB), 'old');
});

it('what nobody needed between two looks is emptied, stays in stock, and fits any message', async () => {
  const { spares, calls, tick } = stock();
  give(spares, 'mail', 10 * KIB);
  await tick();
  assert.deepEqual(calls, [], 'it came since the last look');
  await tick();
  assert.deepEqual(calls, ['empty mail']);
  assert.equal(spares.take(1024 * KIB), 'mail');
  assert.equal(spares.take(10 * KIB), undefined);
});

it('the stock is bounded in files, in octets, and by the inodes of the file system', () => {
  const { spares } = stock();
  for (let at = 0; at < 32; at += 1) assert.ok(spares.wants(1024 * KIB));
  assert.ok(!spares.wants(1), '32 MiB stand in it');
  spares.lost(1024 * KIB);
  assert.ok(spares.wants(KIB));
  const few = stock(200).spares;
  assert.ok(few.wants(KIB));
  assert.ok(few.wants(KIB));
  assert.ok(!few.wants(KIB), 'two of 200 inodes');
});

it('nothing is left when it closes, and nothing comes any more', async () => {
  const { spares, calls, tick } = stock();
  give(spares, 'one', KIB);
  await tick();
  await tick();
  give(spares, 'two', KIB);
  await spares.close();
  assert.deepEqual(calls, ['empty one', 'unlink two', 'unlink one']);
  assert.ok(!spares.wants(KIB));
});
