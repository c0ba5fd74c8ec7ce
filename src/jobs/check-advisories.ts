/**
 * What is known against the parts this system carries? Once a day, at a minute of its own. Where the list comes from and how it
 * is believed is the host's own story (host/advisory-watch.ts).
 */
import type { Job } from './scheduler.ts';

export function checkAdvisories(parts: {
  run: (signal: AbortSignal) => Promise<void>;
  /** 0 to below 1. */
  random: () => number;
}): Job {
  const minute = Math.floor(parts.random() * 60);
  const hour = Math.floor(parts.random() * 24);
  return { name: 'check-advisories', schedule: `${minute} ${hour} * * *`, run: parts.run };
}
