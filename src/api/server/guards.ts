/**
 * What every request must pass before anybody looks at it. Host: only names of ours and bare addresses, so that a name of
 * somebody else's that points at us (DNS rebinding) is told nothing. Origin and Sec-Fetch-Site: changes only from our own
 * pages, or from programs, which carry a token and no cookie.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { neighbourhoodOf, normaliseAddress } from '../../base/network.ts';
import type { Client } from './call.ts';
import { ApiProblem } from './problems.ts';

/** `names`: lower-case host names the pages answer to, besides any bare IP address and localhost. */
export function checkHost(request: IncomingMessage, names: ReadonlySet<string>): void {
  const name = hostOf(request.headers.host ?? '');
  // a rebound name keeps its name: a bare address can only be the address itself
  if (name !== undefined && (isIP(name) !== 0 || name === 'localhost' || names.has(name))) return;
  throw new ApiProblem(421, 'WRONG_HOST');
}

/** `[2001:db8::1]:8443` → `2001:db8::1`; undefined for what is no authority (RFC 9110 §7.2). */
export function hostOf(authority: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]{1,253}))(?::\d{1,5})?$/.exec(authority.toLowerCase());
  return match?.[1] ?? match?.[2]?.replace(/\.$/, '');
}

/** `cookie`: the request is somebody's because of a cookie, which a browser sends by itself. */
export function checkOrigin(request: IncomingMessage, options: { change: boolean; cookie: boolean }): void {
  const site = request.headers['sec-fetch-site'];
  const { origin } = request.headers;
  if (site !== undefined && site !== 'same-origin' && !(site === 'none' && !options.change))
    throw new ApiProblem(403, 'WRONG_ORIGIN');
  if (origin !== undefined && origin.toLowerCase() !== `https://${(request.headers.host ?? '').toLowerCase()}`)
    throw new ApiProblem(403, 'WRONG_ORIGIN');
  // every browser of the last years says one of the two with a change
  if (options.change && options.cookie && site === undefined && origin === undefined)
    throw new ApiProblem(403, 'WRONG_ORIGIN');
}

export function clientOf(request: IncomingMessage): Client {
  const address = normaliseAddress(request.socket.remoteAddress ?? '') ?? 'unknown';
  return {
    address,
    bucket: address.includes(':') ? neighbourhoodOf(address) : address,
    userAgent: request.headers['user-agent'] ?? '',
  };
}

/** RFC 6265 §4.2; the first of a name counts. */
export function cookiesOf(request: IncomingMessage): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    if (at > 0 && !cookies.has(name)) cookies.set(name, pair.slice(at + 1).trim());
  }
  return cookies;
}
