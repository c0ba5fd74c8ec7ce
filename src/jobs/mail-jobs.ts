/** The gateway's jobs: what each does is handed in. */
import { expireHistory } from './expire-history.ts';
import { expireQuarantine } from './expire-quarantine.ts';
import type { Job } from './scheduler.ts';
import { sendAlerts } from './send-alerts.ts';
import { sendDigest } from './send-digest.ts';

export function mailJobs(parts: {
  quarantine: { expire: () => Promise<{ expired: number; more: boolean }> };
  history: { expire: () => Promise<number> };
  runDigest: (signal: AbortSignal) => Promise<{ digests: number; messages: number } | undefined>;
  runAlerts: () => Promise<number>;
  tell: (message: string, facts: Record<string, unknown>) => void;
}): Job[] {
  const { quarantine, history, runDigest, runAlerts, tell } = parts;
  return [
    expireQuarantine({
      expire: () => quarantine.expire(),
      tell: (expired) => tell('Quarantined mail expired', { expired }),
    }),
    sendDigest({ run: runDigest, tell: (run) => tell('Digests were written', { ...run }) }),
    sendAlerts({ run: runAlerts, tell: (mails) => tell('The owner was told of trouble', { mails }) }),
    expireHistory({
      expire: () => history.expire(),
      tell: (messages) => tell('Old history was forgotten', { messages }),
    }),
  ];
}
