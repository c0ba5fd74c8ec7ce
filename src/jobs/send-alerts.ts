/** Alerts to the owner: looked at every minute, written when there is something to tell. */
import type { Job } from './scheduler.ts';

export function sendAlerts(parts: { run: () => Promise<number>; tell: (mails: number) => void }): Job {
  return {
    name: 'send-alerts',
    schedule: '* * * * *',
    mostMs: 15 * 60_000,
    run: async () => {
      const mails = await parts.run();
      if (mails > 0) parts.tell(mails);
    },
  };
}
