/**
 * Is there a newer system? Once a day, at a minute of its own, so that not every box asks the source at once; what was missed
 * while the box was off is made up for soon after its start. A stop of the host does not wait for a download.
 */
import type { Job } from './scheduler.ts';

export function checkUpdate(parts: {
  /** Asks, and installs where the owner wants that. */
  run: () => Promise<void>;
  /** 0 to below 1. */
  random: () => number;
}): Job {
  const minute = Math.floor(parts.random() * 60);
  const hour = Math.floor(parts.random() * 24);
  return {
    name: 'check-update',
    schedule: `${minute} ${hour} * * *`,
    run: async (signal) => {
      const stopped = Promise.withResolvers<void>();
      const stop = (): void => stopped.resolve();
      signal.addEventListener('abort', stop, { once: true });
      try {
        await Promise.race([parts.run(), stopped.promise]);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
  };
}
