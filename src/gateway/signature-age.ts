/**
 * How old are the virus signatures? ClamAV makes new ones once a day, so on a box that is well they are up to a day old, and
 * somewhat more until the mirrors have the next: the alarm is for what should have been there a day ago. Without any (only the
 * starter signatures of ours) a day from the start is allowed for the first download. The day is the database's own, as clamd
 * tells it; newer ones end the alarm. A clock that is not known to be right judges nothing.
 */
import type { Clock } from '../base/clock.ts';
import type { Observe } from '../observe/events.ts';
import type { EngineHealth } from '../inspect/api.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** A day old is the rule, a day late is trouble. */
export const STALE_MS = 2 * DAY_MS;
const EVERY_MS = 600_000;

/** `ClamAV 1.4.6/27500/Sat Nov 21 10:00:00 2026` → that moment; undefined when no database with a day is loaded. */
export function signaturesMadeAt(version: string): number | undefined {
  const day = /^ClamAV [^/]+\/\d+\/(.+)$/.exec(version)?.[1];
  const at = day === undefined ? Number.NaN : Date.parse(day);
  return Number.isNaN(at) ? undefined : at;
}

export interface SignatureWatch {
  look(): void;
  stop(): void;
}

export function watchSignatures(options: {
  health: () => readonly EngineHealth[];
  observe: Pick<Observe, 'raise' | 'clear'>;
  clock: Clock;
}): SignatureWatch {
  const { observe, clock } = options;
  const startedAt = clock.monotonic();

  /** What is wrong with them; undefined when nothing is, or nothing can be known yet. */
  function trouble(version: string): string | undefined {
    const madeAt = signaturesMadeAt(version);
    if (madeAt !== undefined) {
      const age = clock.wall() - madeAt;
      return age > STALE_MS ? `They are ${Math.floor(age / HOUR_MS)} hours old: ${version}` : undefined;
    }
    return clock.monotonic() - startedAt > DAY_MS ? `None were downloaded within a day: ${version}` : undefined;
  }

  function look(): void {
    if (!clock.synchronised()) return;
    const engine = options.health().find(({ inspector }) => inspector === 'antivirus');
    const told = engine === undefined || engine.version === '' ? undefined : trouble(engine.version);
    if (told === undefined) observe.clear('signatures-old', 'antivirus');
    else observe.raise('signatures-old', 'antivirus', told);
  }

  const timer = setInterval(look, EVERY_MS);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}
