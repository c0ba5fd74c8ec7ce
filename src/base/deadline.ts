/**
 * Every wait on the outside world has an end. `withDeadline` rejects with code `DEADLINE` when time is up, whether or not the
 * work listens to the signal it is given; work that takes no signal has none made for it (they cost more than the timer).
 */
import type { Milliseconds } from './brand.ts';
import { SekishoError } from './errors.ts';

export function withDeadline<T>(
  what: string,
  options: { ms: Milliseconds; signal?: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { ms, signal } = options;
  return new Promise<T>((resolve, reject) => {
    const controller = work.length > 0 ? new AbortController() : undefined;
    const onAbort = (): void => end(new SekishoError('ABORTED', `${what} was stopped`, { retryable: true }));
    const timer = setTimeout(
      () => end(new SekishoError('DEADLINE', `${what} took longer than ${ms} ms`, { retryable: true })),
      ms,
    );
    function settle(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
    function end(error: Error): void {
      settle();
      reject(error);
      controller?.abort(error);
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    // what loses the race is heard here, so it never becomes an unhandled rejection
    begin(work, controller?.signal ?? NEVER).then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error as Error);
      },
    );
  });
}

/** For work that looks at no signal. */
const NEVER = new AbortController().signal;

async function begin<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  return work(signal);
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: Milliseconds, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
