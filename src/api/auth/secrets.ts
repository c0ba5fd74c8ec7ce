/**
 * Passwords, codes and tokens: how they are made, kept and compared. Passwords by argon2id (RFC 9106; 19 MiB, two passes,
 * one lane), two at a time, so that nobody fills the memory by logging in; what we make ourselves has 50 bits or more
 * and is kept as SHA-256. Comparisons take the same time whatever differs.
 */
import { argon2, createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Limiter } from '../../base/limiter.ts';

const derive = promisify(argon2);
const COST = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
const turns = new Limiter(2);

/** `argon2id$m$t$p$salt$hash` */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const tag = await tagOf(password, salt, COST);
  return ['argon2id', COST.memory, COST.passes, COST.parallelism, salt.toString('base64'), tag.toString('base64')].join(
    '$',
  );
}

/** False for what is no hash of ours, after the same work. */
export async function passwordFits(password: string, stored: string | undefined): Promise<boolean> {
  const [kind, memory, passes, parallelism, salt = '', hash = ''] = (stored ?? '').split('$');
  const expected = Buffer.from(hash, 'base64');
  const known = kind === 'argon2id' && expected.length === COST.tagLength;
  // a name nobody has must take as long as one that exists
  const cost = known
    ? { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism), tagLength: COST.tagLength }
    : COST;
  const tag = await tagOf(password, known ? Buffer.from(salt, 'base64') : Buffer.alloc(16), cost);
  return known && timingSafeEqual(tag, expected);
}

function tagOf(
  password: string,
  nonce: Buffer,
  cost: { memory: number; passes: number; parallelism: number; tagLength: number },
): Promise<Buffer> {
  // one person's keyboard writes か as one character, another's as two (RFC 8265 §4.2.2)
  return turns.run(() => derive('argon2id', { message: password.normalize('NFC'), nonce, ...cost }));
}

/** Crockford's base 32: no I, L, O, U; read aloud and typed without mistakes. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** `length` characters of 5 bits each, in groups of five: `7Q2AB-CDEFG` is 50 bits. */
export function makeCode(length: number): string {
  const characters = Array.from({ length }, () => ALPHABET[randomInt(32)] ?? '0').join('');
  return characters.replaceAll(/.{5}(?=.)/g, '$&-');
}

/** As typed: either case, O for 0, I and L for 1, whatever stands between. */
export function readCode(typed: string): string {
  return typed
    .normalize('NFKC')
    .toUpperCase()
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1')
    .replaceAll(/[^0-9A-Z]/g, '');
}

/** 256 bits, for cookies and tokens. */
export function makeSecret(): string {
  return randomBytes(32).toString('base64url');
}

export function makeId(): string {
  return randomBytes(8).toString('hex');
}

export function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(digest(a)), Buffer.from(digest(b))];
  return timingSafeEqual(left, right);
}
