import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultLayer, faultLines, memoryGround, untouched } from './fault-layer.ts';

const LEAST_POINTS = 300;

test('one failing call, whichever it is, loses nothing, doubles nothing and is got over', async (t) => {
  const report = await faultLayer({ ground: memoryGround, afterwards: 'in turn' });
  for (const line of faultLines(report)) t.diagnostic(line);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(untouched(report), []);
  assert.ok(report.points >= LEAST_POINTS, `${report.points} fault points`);
});
