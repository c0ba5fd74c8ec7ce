import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskLayer, diskLines } from './disk-layer.ts';

const ROUNDS = 4;

test('a disk that is full of octets or of inodes costs 4xx and nothing else', async (t) => {
  const report = await diskLayer({ rounds: ROUNDS, seed: 20_261_122 });
  for (const line of diskLines(report)) t.diagnostic(line);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.rounds, { space: ROUNDS / 2, inodes: ROUNDS / 2 });
});
