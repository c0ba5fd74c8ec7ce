/** The history forgets what is older than its days: once a night. */
import type { Job } from './scheduler.ts';

export function expireHistory(parts: { expire: () => Promise<number>; tell: (forgotten: number) => void }): Job {
  return {
    name: 'expire-history',
    schedule: '37 3 * * *',
    run: async () => {
      const forgotten = await parts.expire();
      if (forgotten > 0) parts.tell(forgotten);
    },
  };
}
