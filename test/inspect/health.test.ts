import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Health, type HealthEvent, nextHealth, startingHealth } from '../../src/inspect/health.ts';

const miss: HealthEvent = { type: 'miss', error: 'timeout' };
const late: HealthEvent = { type: 'message-late', error: 'too much for it' };
const success: HealthEvent = { type: 'success' };
const passed: HealthEvent = { type: 'probe-passed' };
const failed: HealthEvent = { type: 'probe-failed', error: 'refused' };

function run(events: HealthEvent[], options: { now?: number; from?: Health } = {}): Health {
  const limits = { now: options.now ?? 1_000, startingMs: 5_000 };
  return events.reduce((health, event) => nextHealth(health, event, limits), options.from ?? startingHealth(0));
}

const table: Array<[sentence: string, events: HealthEvent[], state: Health['state'], misses: number]> = [
  ['an engine starts in "starting"', [], 'starting', 0],
  ['a passed probe ends the start', [passed], 'up', 0],
  ['a success ends the start', [success], 'up', 0],
  ['a failed probe while starting is patience', [failed, failed, failed, failed], 'starting', 0],
  ['misses while starting are patience too', [miss, miss, miss, miss], 'starting', 4],
  ['one miss makes it slow', [passed, miss], 'slow', 1],
  ['two misses leave it slow', [passed, miss, miss], 'slow', 2],
  ['three misses in a row bring it down', [passed, miss, miss, miss], 'down', 3],
  ['a success in between begins the count anew', [passed, miss, miss, success, miss, miss], 'slow', 2],
  ['a passed probe does not excuse misses on real mail', [passed, miss, miss, passed, miss], 'down', 3],
  ['a message that is late though the engine works makes it slow, and is no miss', [passed, late], 'slow', 0],
  ['any number of late messages never brings it down', [passed, late, late, late, late, late], 'slow', 0],
  ['late messages in between neither count nor excuse misses', [passed, miss, late, miss, late, miss], 'down', 3],
  ['a success after a late message makes it up', [passed, late, success], 'up', 0],
  ['a late message does not bring up what is down', [passed, failed, late], 'down', 0],
  ['a failed probe brings it down at once', [passed, failed], 'down', 0],
  ['a failed probe brings a slow one down', [passed, miss, failed], 'down', 1],
  ['a passed probe brings it up again', [passed, failed, passed], 'up', 0],
  ['a miss while down leaves it down', [passed, failed, miss], 'down', 1],
];

for (const [sentence, events, state, misses] of table) {
  test(`nextHealth(): ${sentence}`, () => {
    const health = run(events);
    assert.deepEqual([health.state, health.misses], [state, misses]);
  });
}

test('nextHealth(): an engine that never came up is down when its time to start is over', () => {
  assert.equal(run([failed], { now: 4_999 }).state, 'starting');
  assert.equal(run([failed], { now: 5_000 }).state, 'down');
  assert.equal(run([miss], { now: 5_000 }).state, 'down');
});

test('nextHealth(): the last error is kept while there is trouble and forgotten with the first success', () => {
  assert.equal(run([passed, miss]).lastError, 'timeout');
  assert.equal(run([passed, miss, success]).lastError, undefined);
});

test('nextHealth(): "since" is the moment the state was entered', () => {
  const down = run([passed, failed], { now: 7 });
  assert.equal(down.since, 7);
  assert.equal(run([failed], { now: 99, from: down }).since, 7);
});
