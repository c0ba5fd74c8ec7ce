/** Quarantined mail older than its days goes (with ten minutes of undo): hourly, in bounded batches. */
import type { Job } from './scheduler.ts';

export function expireQuarantine(parts: {
  /** One batch; `more`: call again. */
  expire: () => Promise<{ expired: number; more: boolean }>;
  tell: (expired: number) => void;
}): Job {
  return {
    name: 'expire-quarantine',
    schedule: '7 * * * *',
    run: async (signal) => {
      let expired = 0;
      while (!signal.aborted) {
        const batch = await parts.expire();
        expired += batch.expired;
        if (!batch.more) break;
      }
      if (expired > 0) parts.tell(expired);
    },
  };
}
