/**
 * The owner's lists for the spam filter: each hour at a minute of its own. What is fetched, checked, proven and taken back is
 * the host's own story (host/spam-maps.ts); without a source nothing is asked.
 */
import type { Job } from './scheduler.ts';

export function updateMaps(parts: {
  run: (signal: AbortSignal) => Promise<void>;
  /** 0 to below 1. */
  random: () => number;
}): Job {
  return { name: 'update-maps', schedule: `${Math.floor(parts.random() * 60)} * * * *`, run: parts.run };
}
