import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killRig, killReport, problemsOf } from './kill-rig.ts';

const CUTS = 30;

test('thirty kills under load lose nothing, alter nothing, and double no more than was under way', async (t) => {
  const report = await killRig({ cuts: CUTS, seed: 20_261_122 });
  for (const line of killReport(report)) t.diagnostic(line);
  assert.equal(report.cuts, CUTS);
  assert.deepEqual(problemsOf(report), []);
});
