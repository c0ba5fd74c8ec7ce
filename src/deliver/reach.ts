/**
 * Finds a willing server for a hop: targets in order, the first that greets us wins (RFC 5321 §5.1: all of them are tried,
 * and a 5xx greeting counts as "try the next"). The failure of all of them is one deferred word, never a bounce; only DNS
 * itself can say "never". Bounded: each address has its own deadlines; the caller's signal ends it at once.
 */
import { type Classified, classifyReply, ownWord } from './classify.ts';
import { type Opened, openSession, type Session } from './connect.ts';
import { findTargets, type RouteKey, type TargetOptions } from './route.ts';

export type Reached =
  | { session: Session }
  /** `dns`: no address was tried. `servers`: none of them was willing. `login`: ours is refused. `remoteMta`: who said `word`. */
  | { failed: 'dns' | 'servers' | 'login'; word: Classified; remoteMta?: string };

export async function reachHop(key: RouteKey, options: TargetOptions & { signal?: AbortSignal }): Promise<Reached> {
  const found = await findTargets(key, options);
  if ('failure' in found) return { failed: 'dns', word: found.failure };
  let last: Reached = { failed: 'servers', word: ownWord('deferred', '4.4.1', 'No server was tried') };
  for (const target of found.targets) {
    if (options.signal?.aborted === true) break;
    const opened = await openSession(target, options);
    if ('session' in opened) return opened;
    const failed = opened.trouble === 'login' ? 'login' : 'servers';
    last = { failed, ...wordFor(opened), ...('reply' in opened ? { remoteMta: target.host } : {}) };
    // its other addresses know the same accounts, and each try counts towards locking ours
    if (failed === 'login') break;
  }
  return last;
}

function wordFor(opened: Exclude<Opened, { session: Session }>): { word: Classified } {
  if (opened.reply !== undefined) return { word: classifyReply('connect', opened.reply) };
  // RFC 3463 §3.5, §3.8: no answer from host · bad connection · cryptographic failure · security features not supported
  const status = { connect: '4.4.1', greeting: '4.4.2', tls: '4.7.5', login: '4.7.4' }[opened.trouble];
  return { word: ownWord('deferred', status, opened.detail) };
}
