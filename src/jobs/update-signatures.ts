/**
 * Virus signatures: each hour at a minute of its own (the mirrors ask that not everybody comes at once), and two minutes after
 * the start, because a new box has none. What is fetched, proven and taken back is the host's own story (host/signatures.ts).
 */
import type { Job } from './scheduler.ts';

export function updateSignatures(parts: {
  run: (signal: AbortSignal) => Promise<void>;
  /** 0 to below 1. */
  random: () => number;
}): Job {
  return {
    name: 'update-signatures',
    schedule: `${Math.floor(parts.random() * 60)} * * * *`,
    catchUpMs: 120_000,
    run: parts.run,
  };
}
