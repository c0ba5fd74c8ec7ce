/** Whose fault it was: the engine's, which lets mail wait, or the message's own, which ends in quarantine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineOutcome } from '../../src/inspect/engine.ts';
import { Patience } from '../../src/inspect/patience.ts';
import { newQueueId, type QueueId } from '../../src/mail/queue-id.ts';
import { FakeClock } from '../support/fake-clock.ts';

type How = 'done' | 'late' | 'late, and so was all other mail' | 'broken' | 'declined';

function outcomeOf(how: How): EngineOutcome<void> {
  if (how === 'done') return { ok: true, value: undefined, elapsed: 5 };
  const failed = { ok: false, detail: how, elapsed: 5 } as const;
  if (how === 'broken' || how === 'declined') return { ...failed, reason: 'error', broken: how === 'broken' };
  return { ...failed, reason: 'timeout', messageLate: Promise.resolve(how === 'late') };
}

class Engine {
  readonly clock = new FakeClock();
  readonly #patience = new Patience(this.clock);

  /** What became of the message: let through, tried again later, or the blame that was put on it. */
  async try(id: QueueId, how: How, { heavy = false } = {}): Promise<string> {
    const outcome = outcomeOf(how);
    const missing = outcome.ok ? [] : [{ inspector: 'antivirus', reason: outcome.reason, detail: how } as const];
    const ask = () => Promise.resolve({ answer: { findings: [], missing, elapsed: {} }, outcome });
    const { findings, missing: left } = await this.#patience.judge({ id, heavy }, ask);
    const [finding] = findings;
    if (finding?.kind === 'structure') return `${finding.problem}: ${finding.detail}`;
    if (finding !== undefined) return `${finding.kind}: ${'detail' in finding ? finding.detail : ''}`;
    return left.length > 0 ? 'again' : 'passed';
  }

  async tries(id: QueueId, how: How, options: { most: number; heavy?: boolean }): Promise<string[]> {
    const said: string[] = [];
    for (let i = 0; i < options.most && (i === 0 || said.at(-1) === 'again'); i += 1)
      said.push(await this.try(id, how, { heavy: options.heavy ?? false }));
    return said;
  }
}

const message = (): QueueId => newQueueId(1);

test('a message that is late three times while others pass is too complex', async () => {
  const said = await new Engine().tries(message(), 'late', { most: 20 });
  assert.deepEqual(said.slice(0, -1), ['again', 'again']);
  assert.match(said.at(-1) ?? '', /^too-complex: .*antivirus.* 3 tries/);
});

test('a message over which the connection breaks three times is poison', async () => {
  const said = await new Engine().tries(message(), 'broken', { most: 20 });
  assert.deepEqual(said.slice(0, -1), ['again', 'again']);
  assert.match(said.at(-1) ?? '', /^poison: .*antivirus.* 3 tries/);
});

for (const how of ['late, and so was all other mail', 'declined'] as const) {
  test(`a message is never blamed for "${how}"`, async () => {
    const said = await new Engine().tries(message(), how, { most: 50 });
    assert.deepEqual(new Set(said), new Set(['again']));
    assert.equal(said.length, 50);
  });
}

for (const how of ['late', 'broken'] as const) {
  test(`an engine that failed on a message (${how}) and did it later takes ten tries to blame another, for an hour`, async () => {
    const engine = new Engine();
    const witness = message();
    assert.equal(await engine.try(witness, how), 'again');
    assert.equal(await engine.try(witness, 'done'), 'passed');
    const said = await engine.tries(message(), how, { most: 50 });
    assert.equal(said.length, 10);
    assert.match(said.at(-1) ?? '', / 10 tries/);
    engine.clock.advance(3_600_000);
    assert.equal((await engine.tries(message(), how, { most: 50 })).length, 3);
  });
}

test('a heavy message that passes at its second try does not speak for the engine', async () => {
  const engine = new Engine();
  const heavy = message();
  assert.equal(await engine.try(heavy, 'late', { heavy: true }), 'again');
  assert.equal(await engine.try(heavy, 'done', { heavy: true }), 'passed');
  assert.equal((await engine.tries(message(), 'late', { most: 50 })).length, 3);
});

test('what passes at last begins anew, and each message has its own count', async () => {
  const engine = new Engine();
  const [one, other] = [message(), message()];
  for (const how of ['late', 'late', 'done', 'late', 'late'] as const) {
    assert.equal(await engine.try(one, how, { heavy: true }), how === 'done' ? 'passed' : 'again');
    assert.equal(await engine.try(other, 'done'), 'passed');
  }
  assert.match(await engine.try(one, 'late', { heavy: true }), /^too-complex/);
});

test('an engine that fails one try in eight at random costs no clean message of 10,000 its delivery', async () => {
  const engine = new Engine();
  let seed = 20_261_122;
  const fails = (): boolean => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31 < 1 / 8;
  };
  const tries = { most: 0, all: 0 };
  for (let turn = 0; turn < 10_000; turn += 1) {
    const id = message();
    let said = 'again';
    let count = 0;
    for (; said === 'again'; count += 1)
      said = await engine.try(id, fails() ? (turn % 2 === 0 ? 'late' : 'broken') : 'done');
    assert.equal(said, 'passed');
    tries.most = Math.max(tries.most, count);
    tries.all += count;
  }
  assert.ok(tries.most > 3, 'by three tries a clean message would have been blamed');
});

test('messages over which a connection broke are tried again one at a time, so that a killer is alone', async () => {
  const patience = new Patience(new FakeClock());
  const state = { now: 0, most: 0 };
  const ask = (how: How) => async () => {
    state.now += 1;
    state.most = Math.max(state.most, state.now);
    await new Promise((resolve) => setImmediate(resolve));
    state.now -= 1;
    const outcome = outcomeOf(how);
    const missing = outcome.ok ? [] : [{ inspector: 'spam', reason: outcome.reason, detail: how } as const];
    return { answer: { findings: [], missing, elapsed: {} }, outcome };
  };
  const ids = Array.from({ length: 8 }, message);
  const all = (how: How) => Promise.all(ids.map((id) => patience.judge({ id, heavy: false }, ask(how))));
  await all('broken');
  assert.equal(state.most, 8);
  state.most = 0;
  await all('done');
  assert.equal(state.most, 1);
  await all('done');
  assert.equal(state.most, 8);
});
