/**
 * Every wait on the outside world has an end. `withDeadline` gives the work a signal and rejects with code `DEADLINE`
 * when time is up, whether or not the work listens to the signal.
 */
import type { Milliseconds } from './brand.ts';
import { SekishoError } from './errors.ts';

export async function withDeadline<T>(
  what: string,
  options: { ms: Milliseconds; signal?: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const end = (error: Error): void => {
    reject(error);
    controller.abort(error);
  };
  const timer = setTimeout(
    () => end(new SekishoError('DEADLINE', `${what} took longer than ${options.ms} ms`, { retryable: true })),
    options.ms,
  );
  const onAbort = (): void => end(new SekishoError('ABORTED', `${what} was stopped`, { retryable: true }));
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted === true) onAbort();
  try {
    const working = work(controller.signal);
    working.catch(() => undefined); // what loses the race must not become an unhandled rejection
    return await Promise.race([working, expired]);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
    expired.catch(() => undefined);
  }
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
