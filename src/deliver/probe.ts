/**
 * Asks a mail server that is down whether it is back: connect, greeting, EHLO (and STARTTLS as its setting demands), QUIT;
 * no mail is risked on it. Every `probeMs`, doubling up to a minute while it stays away, so that a server that comes back
 * is noticed within that minute at the latest.
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Config } from '../config/schema.ts';
import { LOGIN_PAUSE_MS } from './login.ts';
import type { Reached } from './reach.ts';
import { isOwnServer, type RouteKey } from './route.ts';
import { retryPause } from './schedule.ts';

export const MAX_PROBE_MS = 60_000;

/** The pause before probe number `failures` (1…). */
export function probePause(failures: number, probeMs: Milliseconds): Milliseconds {
  const doubled = probeMs * 2 ** Math.min(Math.max(failures - 1, 0), 16);
  return Math.min(doubled, Math.max(MAX_PROBE_MS, probeMs));
}

export async function probeHop(
  reach: () => Promise<Reached>,
): Promise<{ back: true } | { back: false; detail: string }> {
  const reached = await reach();
  if (!('session' in reached)) return { back: false, detail: reached.word.reply };
  await reached.session.quit();
  return { back: true };
}

/** Until a hop that is away is tried again: a server of ours is probed, another destination follows the retry schedule. */
export function hopPause(
  { key, failures }: { key: RouteKey; failures: number },
  { delivery, random, refused }: { delivery: Config['delivery']; random: () => number; refused: boolean },
): Milliseconds {
  if (!isOwnServer(key)) return retryPause(failures, { retryMs: delivery.retryMs, random });
  const pause = probePause(failures, delivery.probeMs);
  return refused ? Math.max(pause, LOGIN_PAUSE_MS) : pause;
}
