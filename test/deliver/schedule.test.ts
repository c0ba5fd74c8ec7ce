import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Clock, stampOf } from '../../src/base/clock.ts';
import { Heap, remainingWait, retryPause } from '../../src/deliver/schedule.ts';

test('a heap gives its items in order, whatever was pushed and taken out', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 2, max: 5 }), (numbers, divisor) => {
      const heap = new Heap<number>((one, other) => one < other);
      for (const number of numbers) heap.push(number);
      const taken = heap.take((number) => number % divisor === 0);
      const out: number[] = [];
      for (let next = heap.pop(); next !== undefined; next = heap.pop()) out.push(next);
      const kept = numbers.filter((number) => number % divisor !== 0);
      assert.deepEqual(
        out,
        kept.toSorted((one, other) => one - other),
      );
      assert.equal(taken.length + kept.length, numbers.length);
      assert.equal(heap.size, 0);
    }),
    { numRuns: 200 },
  );
});

test('retry pauses follow the list, the last one repeats, and differ by at most ten per cent', () => {
  const retryMs = [60_000, 120_000, 300_000];
  const at = (attempts: number, random: number): number => retryPause(attempts, { retryMs, random: () => random });
  assert.deepEqual(
    [0, 1, 2, 3, 4, 99].map((attempts) => at(attempts, 0.5)),
    [60_000, 60_000, 120_000, 300_000, 300_000, 300_000],
  );
  assert.equal(at(1, 0), 54_000);
  assert.equal(at(1, 0.999_999), 66_000);
});

test('after a restart what is left of a pause is between nothing and the pause, whatever the clocks say', () => {
  const clock = (mono: number, boot = 'one', wall = 1_000_000, synchronised = true): Clock => ({
    monotonic: () => mono,
    wall: () => wall,
    bootId: boot,
    synchronised: () => synchronised,
  });
  const lastAttempt = stampOf(clock(50_000));
  const left = (now: Clock): number => remainingWait({ wait: 10_000, lastAttempt }, now);
  assert.equal(left(clock(53_000)), 7_000);
  assert.equal(left(clock(70_000)), 0);
  assert.equal(left(clock(40_000)), 10_000); // a stamp from the future
  assert.equal(left(clock(5, 'two', 1_004_000)), 6_000); // another boot: by the wall clock
  assert.equal(left(clock(5, 'two', 900_000)), 10_000); // the wall clock went back
  assert.equal(left(clock(5, 'two', 9_999_999, false)), 10_000); // unknown: the whole pause, never more
  assert.equal(remainingWait({ wait: 10_000 }, clock(0)), 0);
});
