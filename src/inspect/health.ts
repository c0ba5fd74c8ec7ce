/**
 * The health of one engine as a pure machine: events in, a new state out; no clock, no I/O.
 *
 * starting → up at the first success; → down when `startingMs` have passed without one.
 * up → slow at a miss → down at the third miss in a row, or at once when a probe fails. slow → up at a success of real work: a
 * probe that passes does not undo misses on real mail. down → up when a probe passes.
 * A deadline missed by one message is no miss when the engine did its work for a probe right then (`message-late`): the message
 * was too much for it, and one sender's heavy mail must not turn away everybody's. It is slow until real work succeeds.
 */
import { assertNever, type Milliseconds } from '../base/brand.ts';
import type { EngineState } from './api.ts';

/** Misses in a row after which an engine is down. */
export const MISSES_TO_DOWN = 3;

export interface Health {
  state: Exclude<EngineState, 'off'>;
  /** In a row. */
  misses: number;
  /** Monotonic. */
  since: Milliseconds;
  lastError?: string;
}

export type HealthEvent =
  | { type: 'success' }
  | { type: 'miss'; error: string }
  | { type: 'message-late'; error: string }
  | { type: 'probe-passed' }
  | { type: 'probe-failed'; error: string };

export function startingHealth(now: Milliseconds): Health {
  return { state: 'starting', misses: 0, since: now };
}

export function nextHealth(
  health: Health,
  event: HealthEvent,
  options: { now: Milliseconds; startingMs: Milliseconds },
): Health {
  const { now, startingMs } = options;
  const enter = (state: Health['state'], misses: number, error: string | undefined): Health => ({
    state,
    misses,
    since: state === health.state ? health.since : now,
    ...(error === undefined ? {} : { lastError: error }),
  });
  switch (event.type) {
    case 'success':
      return enter('up', 0, undefined);
    case 'probe-passed':
      if (health.state === 'slow') return health;
      return enter('up', 0, undefined);
    case 'miss': {
      const misses = health.misses + 1;
      if (health.state === 'starting') return enter(starting(health, now, startingMs), misses, event.error);
      if (health.state === 'down' || misses >= MISSES_TO_DOWN) return enter('down', misses, event.error);
      return enter('slow', misses, event.error);
    }
    case 'message-late':
      if (health.state === 'starting' || health.state === 'down') return health;
      return enter('slow', health.misses, event.error);
    case 'probe-failed':
      if (health.state === 'starting') return enter(starting(health, now, startingMs), health.misses, event.error);
      return enter('down', health.misses, event.error);
    default:
      return assertNever(event);
  }
}

function starting(health: Health, now: Milliseconds, startingMs: Milliseconds): 'starting' | 'down' {
  return now - health.since >= startingMs ? 'down' : 'starting';
}
