/**
 * The one-time setup code: whoever stands before the box, and nobody else, makes the first admin. 50 bits, an hour from its
 * making, ten tries, then 15 minutes of rest for everybody. Where the host process keeps the code (the console shows it),
 * admin asks it; elsewhere (a trial) admin makes one and keeps it in `setup-code` in its data folder, mode 0600, a new one
 * at each start until the box is claimed.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import type { HostClient } from '../../control/host-client.ts';
import type { AdminDatabase } from '../store/database.ts';
import { makeCode, readCode, sameText } from './secrets.ts';

export const CODE_WINDOW_MS = 3_600_000;
export const CODE_TRIES = 10;
export const CODE_REST_MS = 900_000;
const FILE = 'setup-code';

export interface SetupCodeState {
  state: 'open' | 'expired' | 'locked' | 'used';
  endsAt: number | undefined;
  triesLeft: number;
  retryAfterMs: number;
}

export type CodeVerdict = { ok: true } | { ok: false; why: 'wrong' | 'expired' | 'locked'; retryAfterMs: number };

export interface SetupCode {
  state(): SetupCodeState;
  /** `again`: the box is claimed, and its console asked for a reset of access. */
  check(typed: string, options?: { again: boolean }): Promise<CodeVerdict>;
  /** A new code and a new hour. Undefined where the host keeps it. */
  renew(): Promise<string | undefined>;
  /** The box is claimed: no code opens anything any more. */
  end(): Promise<void>;
}

export interface SetupCodeOptions {
  directory: string;
  store: AdminDatabase;
  claimed: () => boolean;
  now: () => number;
  host: HostClient | undefined;
}

interface Tries {
  count: number;
  restUntil: number;
}

export function createSetupCode(options: SetupCodeOptions): SetupCode {
  const { directory, store, claimed, now, host } = options;
  let code: { text: string; endsAt: number } | undefined;
  const tries = (): Tries => (store.fact('setup-tries') as Tries | undefined) ?? { count: 0, restUntil: 0 };
  const keep = (next: Tries): void => store.setFact('setup-tries', next);

  /** After the rest the count begins again. A rest longer than any we make was set by a clock that has gone back since. */
  function current(): Tries {
    const known = tries();
    const left = known.restUntil - now();
    return known.restUntil > 0 && (left <= 0 || left > CODE_REST_MS) ? { count: 0, restUntil: 0 } : known;
  }

  function state(): SetupCodeState {
    const { count, restUntil } = current();
    const endsAt = code?.endsAt;
    const rest = Math.max(0, restUntil - now());
    const word = claimed()
      ? 'used'
      : rest > 0
        ? 'locked'
        : host === undefined && (endsAt === undefined || endsAt <= now())
          ? 'expired'
          : 'open';
    return { state: word, endsAt, triesLeft: Math.max(0, CODE_TRIES - count), retryAfterMs: rest };
  }

  async function fits(typed: string): Promise<boolean | { waitMs: number }> {
    if (host === undefined) return code !== undefined && sameText(readCode(typed), readCode(code.text));
    const answer = await host.call('setup-code.check', { code: typed });
    return answer.ok || answer.waitMs === undefined || answer.waitMs === 0 ? answer.ok : { waitMs: answer.waitMs };
  }

  return {
    state,
    check: async (typed, { again } = { again: false }) => {
      const before = state();
      if (before.state === 'locked') return { ok: false, why: 'locked', retryAfterMs: before.retryAfterMs };
      if (before.state !== 'open' && !(again && host !== undefined && before.retryAfterMs === 0))
        return { ok: false, why: 'expired', retryAfterMs: 0 };
      // on record before the comparison: a crash in between must not give a try back
      const { count } = current();
      const last = count + 1 >= CODE_TRIES;
      keep({ count: count + 1, restUntil: last ? now() + CODE_REST_MS : 0 });
      const fit = await fits(typed);
      if (fit === true) {
        keep({ count: 0, restUntil: 0 });
        return { ok: true };
      }
      if (typeof fit === 'object') return { ok: false, why: 'locked', retryAfterMs: fit.waitMs };
      return last
        ? { ok: false, why: 'locked', retryAfterMs: CODE_REST_MS }
        : { ok: false, why: 'wrong', retryAfterMs: 0 };
    },
    renew: async () => {
      if (host !== undefined || claimed()) return undefined;
      code = { text: makeCode(10), endsAt: now() + CODE_WINDOW_MS };
      await writeFileAtomic(path.join(directory, FILE), `${code.text}\n`, { mode: 0o600 });
      return code.text;
    },
    end: async () => {
      code = undefined;
      await rm(path.join(directory, FILE), { force: true });
    },
  };
}
