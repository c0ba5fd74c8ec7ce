import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockLayer, clockLines, CLOCKS } from './clock-layer.ts';

test('a clock that is decades off expires nothing, stops nothing and loses nothing', async (t) => {
  const report = await clockLayer({ seed: 20_261_122 });
  for (const line of clockLines(report)) t.diagnostic(line);
  assert.deepEqual(report.problems, []);
  for (const { name } of CLOCKS) {
    assert.ok((report.flowed[name] ?? 0) > 0 && (report.flowed[`${name}, after a new start`] ?? 0) > 0, name);
  }
});
