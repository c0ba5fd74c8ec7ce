/**
 * Asks a mail server that is down whether it is back: connect, greeting, EHLO (and STARTTLS as its setting demands), QUIT;
 * no mail is risked on it. Every `probeMs`, doubling up to a minute while it stays away, so that a server that comes back
 * is noticed within that minute at the latest.
 */
import type { Milliseconds } from '../base/brand.ts';
import { type Reached, reachHop } from './reach.ts';
import type { RouteKey, TargetOptions } from './route.ts';

export const MAX_PROBE_MS = 60_000;

/** The pause before probe number `failures` (1…). */
export function probePause(failures: number, probeMs: Milliseconds): Milliseconds {
  const doubled = probeMs * 2 ** Math.min(Math.max(failures - 1, 0), 16);
  return Math.min(doubled, Math.max(MAX_PROBE_MS, probeMs));
}

export async function probeHop(
  key: RouteKey,
  options: TargetOptions & { signal: AbortSignal },
): Promise<{ back: true } | { back: false; detail: string }> {
  const reached: Reached = await reachHop(key, options);
  if (!('session' in reached)) return { back: false, detail: reached.word.reply };
  await reached.session.quit();
  return { back: true };
}
