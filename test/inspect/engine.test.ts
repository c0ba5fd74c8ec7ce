/** What a message's missed deadline says of its engine, when the answer to that comes late. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { Engine } from '../../src/inspect/engine.ts';
import { silentObserve } from '../../src/observe/events.ts';

const forever = (): Promise<never> => new Promise<never>(() => undefined);

/** Up, and from then on each probe ends when the test says so. */
async function engineUp(): Promise<{ engine: Engine; probes: Array<() => void> }> {
  const probes: Array<() => void> = [];
  let first = true;
  const engine = new Engine({
    name: 'clamd',
    probe: () => {
      if (!first) return new Promise<string>((resolve) => probes.push(() => resolve('1.0')));
      first = false;
      return Promise.resolve('1.0');
    },
    concurrency: () => 4,
    startingMs: () => 60_000,
    clock: systemClock(),
    observe: silentObserve,
  });
  assert.equal((await engine.run({ ms: 5_000 }, () => Promise.resolve('done'))).ok, true);
  return { engine, probes };
}

test('a message that was late makes its engine slow, until real work is done', async () => {
  const { engine, probes } = await engineUp();
  await using _engine = engine;
  const late = await engine.run({ ms: 20 }, forever);
  assert.equal(late.ok, false);
  probes.shift()?.();
  if (!late.ok) await late.messageLate;
  assert.equal(engine.state, 'slow');
  await engine.run({ ms: 5_000 }, () => Promise.resolve('done'));
  assert.equal(engine.state, 'up');
});

test('work that was done while a missed deadline was looked into counts: the engine is not called slow after it', async () => {
  const { engine, probes } = await engineUp();
  await using _engine = engine;
  const late = await engine.run({ ms: 20 }, forever);
  assert.equal((await engine.run({ ms: 5_000 }, () => Promise.resolve('done'))).ok, true);
  probes.shift()?.();
  if (!late.ok) await late.messageLate;
  assert.equal(engine.state, 'up');
});

test('while new signatures are proven nothing is asked, mail waits as while it starts, and an end of the wait is enough', async () => {
  const { engine } = await engineUp();
  await using _engine = engine;
  engine.hold(60_000);
  assert.equal(engine.state, 'starting');
  const outcome = await engine.run({ ms: 5_000 }, () => assert.fail('It was asked'));
  assert.ok(!outcome.ok && outcome.reason === 'starting');
  engine.hold(0);
  assert.equal(engine.state, 'up');
  assert.equal((await engine.run({ ms: 5_000 }, () => Promise.resolve('done'))).ok, true);
});
