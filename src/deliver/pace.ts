/**
 * How many messages a minute one next hop may get (`delivery.perMinutePerHop`, a domain's `perMinute`; 0: no limit). Evenly
 * spaced, with ten seconds' worth as a burst (the "generic cell rate" rule: one number of state). Pure: the time is handed in.
 */
import type { Milliseconds } from '../base/brand.ts';

const MINUTE_MS = 60_000;
const BURST_MS = 10_000;

export class Pace {
  /** When the next message would be due if all were spaced evenly. */
  #next = Number.NEGATIVE_INFINITY;

  /** Milliseconds until one more may go; 0: now, and it is counted. */
  claim(now: Milliseconds, perMinute: number): Milliseconds {
    if (perMinute <= 0) return 0;
    const interval = MINUTE_MS / perMinute;
    const ahead = Math.max(0, BURST_MS - interval);
    // A setting that was raised counts at once: never longer than one interval beyond the burst.
    const next = Math.min(this.#next, now + ahead + interval);
    const wait = Math.max(0, Math.ceil(next - ahead - now));
    if (wait === 0) this.#next = Math.max(this.#next, now) + interval;
    return wait;
  }
}
