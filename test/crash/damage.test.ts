import assert from 'node:assert/strict';
import { test } from 'node:test';
import { damageLayer, damageLines } from './damage-layer.ts';

const DAMAGES = 100;

test('damaged messages and databases cost what was damaged, and nothing altered goes out', async (t) => {
  const report = await damageLayer({ count: DAMAGES, seed: 20_261_122 });
  for (const line of damageLines(report)) t.diagnostic(line);
  assert.deepEqual(report.problems, []);
  assert.ok(report.cases > DAMAGES);
  assert.ok(report.setAside > 20 && report.rebuilt > 10, 'the damage was real');
});
