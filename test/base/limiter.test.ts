import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Limiter } from '../../src/base/limiter.ts';

/** Pieces of work that end when they are told to. */
function pieces(limiter: Limiter): { begin(): void; end(): Promise<void>; started: number[] } {
  const ends: Array<() => void> = [];
  const started: number[] = [];
  let count = 0;
  return {
    started,
    begin: () => {
      count += 1;
      const number = count;
      void limiter.run(async () => {
        started.push(number);
        await new Promise<void>((resolve) => ends.push(resolve));
      });
    },
    end: async () => {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('at most so many run at once, the rest in the order they came', async () => {
  const limiter = new Limiter(2);
  const work = pieces(limiter);
  for (let at = 0; at < 5; at += 1) work.begin();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([work.started, limiter.running, limiter.waiting], [[1, 2], 2, 3]);
  await work.end();
  assert.deepEqual(work.started, [1, 2, 3]);
  await work.end();
  await work.end();
  assert.deepEqual([work.started, limiter.running, limiter.waiting], [[1, 2, 3, 4, 5], 2, 0]);
});

test('a setting that changes holds at once: a higher limit lets who waits in, a lower one admits nobody until it is met', async () => {
  let limit = 1;
  const limiter = new Limiter(() => limit);
  const work = pieces(limiter);
  for (let at = 0; at < 4; at += 1) work.begin();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(work.started, [1]);
  limit = 3;
  work.begin();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(work.started, [1, 2, 3], 'those who waited go before the one that came now');
  limit = 1;
  await work.end();
  await work.end();
  assert.deepEqual([work.started, limiter.running], [[1, 2, 3], 1]);
  await work.end();
  assert.deepEqual([work.started, limiter.running], [[1, 2, 3, 4], 1]);
});

test('who has precedence goes before all who wait without it, and keeps the order among its like', async () => {
  const limiter = new Limiter(1);
  const started: string[] = [];
  const ends: Array<() => void> = [];
  const begin = (name: string, precedence: boolean): void =>
    void limiter.run(
      () => {
        started.push(name);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
      { precedence },
    );
  begin('running', false);
  begin('stranger 1', false);
  begin('known 1', true);
  begin('stranger 2', false);
  begin('known 2', true);
  assert.equal(limiter.waiting, 4);
  for (let at = 0; at < 5; at += 1) {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(started, ['running', 'known 1', 'known 2', 'stranger 1', 'stranger 2']);
});

test('work that throws gives its place back', async () => {
  const limiter = new Limiter(1);
  await assert.rejects(
    limiter.run(async () => {
      throw new Error('no');
    }),
  );
  assert.equal(await limiter.run(async () => 'yes'), 'yes');
});
