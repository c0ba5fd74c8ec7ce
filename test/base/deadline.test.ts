/** `withDeadline`: the first of result, time and signal wins, and nothing of the others is left behind. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { withDeadline } from '../../src/base/deadline.ts';

const never = (): Promise<never> => new Promise<never>(() => undefined);

describe('a deadline', () => {
  it('gives what the work gives, and leaves no listener on the signal', async () => {
    const stop = new AbortController();
    const value = await withDeadline('Work', { ms: 60_000, signal: stop.signal }, () => Promise.resolve(7));
    assert.equal(value, 7);
    assert.deepEqual(getEventListeners(stop.signal, 'abort'), []);
  });

  it('gives the error of the work, also one that is thrown at once', async () => {
    const thrown = (): Promise<never> => {
      throw new RangeError('at once');
    };
    await assert.rejects(withDeadline('Work', { ms: 60_000 }, thrown), RangeError);
    await assert.rejects(
      withDeadline('Work', { ms: 60_000 }, () => Promise.reject(new TypeError('later'))),
      TypeError,
    );
  });

  it('ends with DEADLINE when time is up, and tells the work', async () => {
    let told: AbortSignal | undefined;
    const work = (signal: AbortSignal): Promise<never> => {
      told = signal;
      return never();
    };
    await assert.rejects(withDeadline('Work', { ms: 1 }, work), { code: 'DEADLINE' });
    assert.equal((told?.reason as { code?: string } | undefined)?.code, 'DEADLINE');
    await assert.rejects(withDeadline('Work', { ms: 1 }, never), { code: 'DEADLINE' });
  });

  it('ends with ABORTED when the signal does, and tells the work', async () => {
    const stop = new AbortController();
    let told: AbortSignal | undefined;
    const work = (signal: AbortSignal): Promise<never> => {
      told = signal;
      return never();
    };
    const waiting = withDeadline('Work', { ms: 60_000, signal: stop.signal }, work);
    stop.abort();
    await assert.rejects(waiting, { code: 'ABORTED' });
    assert.equal(told?.aborted, true);
    await assert.rejects(withDeadline('Work', { ms: 60_000, signal: stop.signal }, never), { code: 'ABORTED' });
  });

  it('keeps quiet about work that fails after its time', async () => {
    const late = Promise.withResolvers<never>();
    await assert.rejects(
      withDeadline('Work', { ms: 1 }, () => late.promise),
      { code: 'DEADLINE' },
    );
    late.reject(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
