/**
 * The setup code: 50 random bits on the screen of a box nobody owns yet, so that only who stands before it can claim it. It
 * is valid for an hour from boot or renewal, ten wrong tries lock it for 15 minutes, and it never goes over the network.
 * Who sets up many boxes lays a code of their own on the boot partition (a file `sekisho/setup-code`), which is taken once, or brings
 * it on a USB stick (setup-stick.ts).
 * A reset of access, asked for at the console, makes a new one with the same rules; the reset is on record until admin did it.
 */
import { readFile, rm } from 'node:fs/promises';
import { createHash, randomInt, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { RecordFile } from './record.ts';

/** As in queue ids: nothing that is read two ways (no I, L, O, U). */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 10;
const VALID_MS = 3_600_000;
/** Of one that was laid there by hand. */
const MOST = 40;
const TRIES = 10;
const LOCK_MS = 900_000;

export interface Claim {
  claimed(): boolean;
  show(): { claimed: boolean; code?: string; madeAt?: string };
  renew(): Promise<{ code: string }>;
  /** The text of a file that somebody brought; false when it is no code, or the box has an owner. */
  lay(text: string): Promise<boolean>;
  check(code: string): { ok: boolean; waitMs?: number; expired?: boolean };
  done(): Promise<void>;
  resetAccess(): Promise<{ id: string; code: string }>;
  resetDone(id: string): Promise<void>;
}

/** `laid`: the file a code may stand in. */
export async function createClaim(options: { record: RecordFile; clock: Clock; laid: string }): Promise<Claim> {
  const { record, clock } = options;
  let wrong = 0;
  let lockedUntil = 0;
  /** Of this run: a code made in another boot is valid for an hour from this one. */
  let validFrom = clock.monotonic();

  async function make(): Promise<string> {
    const code = Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
    await keep(code);
    return code;
  }

  async function keep(code: string): Promise<void> {
    await record.change((state) => ({ ...state, setupCode: { code, madeAt: clock.wall() } }));
    validFrom = clock.monotonic();
    wrong = 0;
    lockedUntil = 0;
  }

  async function lay(text: string): Promise<boolean> {
    const code = readCode(text);
    if (code === undefined || record.claimed()) return false;
    // a stick that stays in does not prolong its hour
    if (record.current().setupCode?.code === code) return true;
    await keep(code);
    return true;
  }

  const wanted = (): boolean => !record.claimed() || record.current().accessReset !== undefined;
  if (!record.claimed()) {
    const laid = await readFile(options.laid, 'utf8').catch(() => undefined);
    if (laid !== undefined) await lay(laid);
    // only after the record has it; one that is too short goes, too. A partition that cannot be written keeps it: no harm
    await rm(options.laid, { force: true }).catch(() => undefined);
  }
  if (wanted() && record.current().setupCode === undefined) await make();

  return {
    claimed: () => record.claimed(),
    show: () => {
      const { setupCode } = record.current();
      const claimed = record.claimed();
      if (setupCode === undefined || !wanted()) return { claimed };
      return { claimed, code: setupCode.code, madeAt: new Date(setupCode.madeAt).toISOString() };
    },
    renew: async () => {
      if (!wanted())
        throw new SekishoError('WRONG_STATE', 'The box is claimed: there is no setup code to renew', {
          remedy: 'To get in again, reset the access at the console',
        });
      return { code: await make() };
    },
    lay,
    check: (given) => {
      const now = clock.monotonic();
      if (now < lockedUntil) return { ok: false, waitMs: lockedUntil - now };
      const { setupCode } = record.current();
      if (setupCode === undefined || !wanted()) return { ok: false };
      if (now - validFrom > VALID_MS) return { ok: false, expired: true };
      if (same(normalise(given), setupCode.code)) {
        wrong = 0;
        return { ok: true };
      }
      wrong += 1;
      if (wrong < TRIES) return { ok: false };
      wrong = 0;
      lockedUntil = now + LOCK_MS;
      return { ok: false, waitMs: LOCK_MS };
    },
    done: async () => {
      await record.setClaimed();
      await record.change(({ setupCode: _ended, ...state }) => state);
    },
    resetAccess: async () => {
      const id = randomUUID();
      await record.change((state) => ({ ...state, accessReset: { id, at: clock.wall() } }));
      return { id, code: await make() };
    },
    resetDone: async (id) => {
      if (record.current().accessReset?.id !== id)
        throw new SekishoError('NOT_FOUND', 'No reset of access with this id is waiting');
      await record.change(({ accessReset: _carriedOut, setupCode: _ended, ...state }) => state);
    },
  };
}

/** Typed by hand: groups, spaces and small letters are welcome, and what is often mistaken (Crockford's base 32). */
function normalise(text: string): string {
  return text.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
}

/** Undefined: it is none, or not as hard to guess as ours. */
function readCode(text: string): string | undefined {
  const code = normalise(text.slice(0, 200));
  const known = code.split('').every((sign) => ALPHABET.includes(sign));
  return known && code.length >= LENGTH && code.length <= MOST ? code : undefined;
}

function same(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
