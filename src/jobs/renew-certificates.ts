/**
 * Certificates that the box can renew by itself (its own, those of its own authority, ACME) are made anew when two thirds of
 * their life are over, or when they are no longer made out to the right names: looked at twice a day, at a minute of its own,
 * so that not every box asks an issuer at once.
 */
import type { Job } from './scheduler.ts';

export function renewCertificates(parts: {
  run: (signal: AbortSignal) => Promise<void>;
  /** 0 to below 1. */
  random: () => number;
}): Job {
  const minute = Math.floor(parts.random() * 60);
  const hour = Math.floor(parts.random() * 12);
  return { name: 'certificates', schedule: `${minute} ${hour},${hour + 12} * * *`, run: parts.run };
}
