/** What the gateway does by the hour: quarantined mail expires. Bounded batches, one run at a time, trouble is logged. */
import { describeError } from '../base/errors.ts';
import type { Observe } from '../observe/events.ts';
import type { Quarantine } from '../quarantine/api.ts';

const HOUR_MS = 3_600_000;
const FIRST_MS = 60_000;

export function createChores(options: { quarantine: Quarantine; observe: Observe }): { stop(): Promise<void> } {
  let working: Promise<void> = Promise.resolve();
  let stopped = false;
  const run = (): void => {
    working = working.then(expire).catch((error: unknown) => {
      options.observe.log('error', 'Expiring the quarantine failed', { error: describeError(error) });
    });
  };
  async function expire(): Promise<void> {
    let expired = 0;
    while (!stopped) {
      const result = await options.quarantine.expire();
      expired += result.expired;
      if (!result.more) break;
    }
    if (expired > 0) options.observe.log('info', 'Quarantined mail expired', { expired });
  }
  const first = setTimeout(run, FIRST_MS).unref();
  const hourly = setInterval(run, HOUR_MS).unref();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(first);
      clearInterval(hourly);
      await working;
    },
  };
}
