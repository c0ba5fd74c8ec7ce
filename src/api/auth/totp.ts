/**
 * The second factor: time-based codes (RFC 6238, SHA-1, six digits, 30 s: what every app knows). One step early or late is
 * taken, and no code twice, not even within its half minute (§5.2). A code that is none of these may be a recovery code.
 */
import { Secret, TOTP } from 'otpauth';
import { renderSVG } from 'uqr';
import type { User, Users } from './users.ts';

const STEP_MS = 30_000;

export function newTotp(user: string, hostname: string): { secret: string; url: string; qr: string } {
  const secret = new Secret({ size: 20 });
  const url = totpOf(secret.base32, user, hostname).toString();
  return { secret: secret.base32, url, qr: renderSVG(url, { border: 2 }) };
}

/** The counter of the code when it is right and newer than the last one taken. */
export function totpCounter(secret: string, code: string, at: { now: number; last: number }): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const delta = totpOf(secret, '', '').validate({ token: code, timestamp: at.now, window: 1 });
  if (delta === null) return undefined;
  const counter = Math.floor(at.now / STEP_MS) + delta;
  return counter > at.last ? counter : undefined;
}

/** True: the code was right, and is used up now. */
export function takeSecondFactor(users: Users, user: User, options: { code: string; now: number }): boolean {
  if (user.totpSecret === undefined) return true;
  const code = options.code.normalize('NFKC').trim();
  const digits = code.replaceAll(/\s/g, '');
  const counter = totpCounter(user.totpSecret, digits, { now: options.now, last: user.totpCounter });
  if (counter !== undefined) {
    users.setTotp(user.id, { counter });
    return true;
  }
  return !/^\d{6}$/.test(digits) && users.useRecoveryCode(user.id, code);
}

function totpOf(secret: string, label: string, issuer: string): TOTP {
  return new TOTP({
    secret: Secret.fromBase32(secret),
    issuer: `Sekisho ${issuer}`.trim(),
    label,
    period: 30,
    digits: 6,
  });
}
