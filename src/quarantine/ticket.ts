/**
 * The signed, expiring link by which a recipient sees what is kept back for him: `v1.<recipient and end, base64url>.<HMAC>`.
 * Nothing is stored for it; the key is the gateway's own. A new key ends every link. Whoever has the link is taken for the
 * recipient: it was mailed to him.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Milliseconds } from '../base/brand.ts';
import { type ForwardPath, parseForwardPath } from '../mail/address.ts';

const VERSION = 'v1';
const MOST = 1_000;

export interface Ticket {
  recipient: ForwardPath;
  /** Wall clock, ms. */
  expires: Milliseconds;
}

export function signTicket(ticket: Ticket, key: Uint8Array): string {
  const claims = Buffer.from(JSON.stringify([ticket.recipient, ticket.expires])).toString('base64url');
  return `${VERSION}.${claims}.${seal(claims, key)}`;
}

/** Undefined when it was not signed by us; whether it is over is for the caller to see. Constant time in the signature. */
export function readTicket(text: string, key: Uint8Array): Ticket | undefined {
  const [version, claims, signature, ...rest] = text.length <= MOST ? text.split('.') : [];
  if (version !== VERSION || claims === undefined || signature === undefined || rest.length > 0) return undefined;
  const expected = Buffer.from(seal(claims, key));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  // Signed by us, so it is what we wrote.
  const [address, expires] = JSON.parse(Buffer.from(claims, 'base64url').toString()) as [string, number];
  const recipient = parseForwardPath(address);
  return recipient === undefined ? undefined : { recipient, expires };
}

function seal(claims: string, key: Uint8Array): string {
  return createHmac('sha256', key).update(`sekisho-portal\n${VERSION}.${claims}`).digest('base64url');
}
