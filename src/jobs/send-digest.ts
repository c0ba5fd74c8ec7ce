/** The digest: looked at every minute, sent at the owner's hours, so that a change of the hours counts at once. */
import type { Job } from './scheduler.ts';

export function sendDigest(parts: {
  /** Undefined: not due. */
  run: (signal: AbortSignal) => Promise<{ digests: number; messages: number } | undefined>;
  tell: (run: { digests: number; messages: number }) => void;
}): Job {
  return {
    name: 'send-digest',
    schedule: '* * * * *',
    mostMs: 3_600_000,
    run: async (signal) => {
      const run = await parts.run(signal);
      if (run !== undefined && run.digests > 0) parts.tell(run);
    },
  };
}
