/**
 * Which machines take mail for a domain (RFC 5321 §5.1), by the resolver handed in: MX by preference, equal ones shuffled;
 * without MX the domain's own address; null MX and a name that does not exist are permanent; DNS trouble is temporary.
 * At most `MAX_ADDRESSES` addresses are tried (Postfix: smtp_mx_address_limit). Never throws.
 */
import { isIP, isIPv4 } from 'node:net';
import { describeError } from '../base/errors.ts';
import type { MxRecord, Resolver } from '../base/resolver.ts';
import { type Classified, ownWord } from './classify.ts';

export const MAX_ADDRESSES = 5;

export interface HostAddress {
  /** For SNI, the certificate, Remote-MTA. */
  host: string;
  /** Numeric. */
  address: string;
}

export type Resolved = { addresses: HostAddress[] } | { failure: Classified };

export interface ResolveOptions {
  resolver: Resolver;
  random: () => number;
  /** Our own host name: an MX that is ourselves would be a loop. */
  hostname: string;
  /** An address that is this machine, by whatever name: a loop as well. */
  isOwn?: (address: string) => boolean;
}

/** The addresses of a domain's MX hosts, best first. */
export async function resolveDomain(domain: string, options: ResolveOptions): Promise<Resolved> {
  const literal = literalAddress(domain);
  if (literal !== undefined) {
    return options.isOwn?.(literal) === true ? loop(domain) : { addresses: [{ host: literal, address: literal }] };
  }
  // RFC 5321 §4.1.3: only in brackets; nobody is to be reached by leaving them out.
  if (/(?:^|\.)\d+$/.test(domain))
    return { failure: ownWord('bounced', '5.1.2', `"${domain}" is no domain; an address literal stands in brackets`) };
  let answer: { exists: boolean; records: MxRecord[] };
  try {
    answer = await options.resolver.mx(domain);
  } catch (error) {
    return { failure: ownWord('deferred', '4.4.3', `DNS lookup of "${domain}" failed: ${describeError(error)}`) };
  }
  if (!answer.exists) return { failure: ownWord('bounced', '5.1.2', `Domain "${domain}" does not exist`) };
  if (answer.records.length === 0) return resolveImplicit(domain, options);
  // RFC 7505 §3: a single MX of "." says the domain takes no mail.
  const real = answer.records.filter((record) => record.exchange !== '' && record.exchange !== '.');
  if (real.length === 0) return { failure: ownWord('bounced', '5.1.10', `Domain "${domain}" takes no mail (null MX)`) };
  return resolveExchanges(domain, real, options);
}

async function resolveExchanges(domain: string, records: MxRecord[], options: ResolveOptions): Promise<Resolved> {
  const ordered = byPreference(records, options.random);
  const usable = withoutOurselves(ordered, options.hostname);
  if (usable.length === 0) return loop(domain);
  let addresses: Array<HostAddress & { priority: number }> = [];
  let trouble: string | undefined;
  for (const record of usable) {
    if (addresses.length >= MAX_ADDRESSES) break;
    const found = await resolveHost(record.exchange, options);
    if ('failure' in found) {
      trouble ??= found.failure;
      continue;
    }
    const { priority } = record;
    if (found.addresses.some((each) => options.isOwn?.(each.address) === true)) {
      // RFC 5321 §5.1: that is us under another name; ourselves and everything not better than us is dropped.
      addresses = addresses.filter((each) => each.priority < priority);
      if (addresses.length === 0 && trouble === undefined) return loop(domain);
      break;
    }
    addresses.push(...found.addresses.map((each) => ({ ...each, priority })));
  }
  if (addresses.length > 0) {
    return { addresses: addresses.slice(0, MAX_ADDRESSES).map(({ host, address }) => ({ host, address })) };
  }
  if (trouble !== undefined) return { failure: ownWord('deferred', '4.4.3', trouble) };
  // RFC 5321 §5.1: MX records without a usable address are an error to report; somebody may be mending them just now.
  return { failure: ownWord('deferred', '4.4.4', `No mail server of "${domain}" has an address`) };
}

async function resolveImplicit(domain: string, options: ResolveOptions): Promise<Resolved> {
  if (sameName(domain, options.hostname)) return loop(domain);
  const found = await resolveHost(domain, options);
  if ('failure' in found) return { failure: ownWord('deferred', '4.4.3', found.failure) };
  if (found.addresses.length === 0) {
    return { failure: ownWord('bounced', '5.1.2', `Domain "${domain}" has neither a mail server nor an address`) };
  }
  if (found.addresses.some((each) => options.isOwn?.(each.address) === true)) return loop(domain);
  return { addresses: found.addresses.slice(0, MAX_ADDRESSES) };
}

function loop(domain: string): Resolved {
  return { failure: ownWord('bounced', '5.4.6', `Mail for "${domain}" loops back to this gateway`) };
}

/** A host's addresses; both families in turn, so that one broken family does not fill the list. */
export async function resolveHost(
  name: string,
  options: Pick<ResolveOptions, 'resolver' | 'random'>,
): Promise<{ addresses: HostAddress[] } | { failure: string }> {
  const host = name.endsWith('.') ? name.slice(0, -1) : name;
  // RFC 5321 §5.1 wants a name in an MX record; an address there is a mistake with a clear meaning.
  if (isIP(host) !== 0) return { addresses: [{ host, address: host }] };
  // No name at all (an empty or over-long label): nothing to ask DNS for, and so no address.
  if (host.length > 253 || host.split('.').some((label) => label === '' || label.length > 63)) return { addresses: [] };
  // RFC 6761 §6.3: the name never leaves the machine.
  if (host.toLowerCase() === 'localhost') return { addresses: [{ host, address: '127.0.0.1' }] };
  const [four, six] = await Promise.allSettled([options.resolver.a(host), options.resolver.aaaa(host)]);
  const v4 = four.status === 'fulfilled' ? shuffle(four.value, options.random) : [];
  const v6 = six.status === 'fulfilled' ? shuffle(six.value, options.random) : [];
  const addresses: HostAddress[] = [];
  for (let at = 0; at < Math.max(v4.length, v6.length); at += 1) {
    for (const address of [v4[at], v6[at]]) if (address !== undefined) addresses.push({ host, address });
  }
  if (addresses.length > 0) return { addresses };
  const failed = four.status === 'rejected' ? four : six.status === 'rejected' ? six : undefined;
  if (failed === undefined) return { addresses: [] };
  return { failure: `DNS lookup of "${host}" failed: ${describeError(failed.reason)}` };
}

/** RFC 5321 §5.1: lowest first, equal ones in random order. */
export function byPreference(records: readonly MxRecord[], random: () => number): MxRecord[] {
  return shuffle(records, random).toSorted((one, other) => one.priority - other.priority);
}

/** RFC 5321 §5.1: if we are on the list, drop ourselves and everything not better than us, or mail would go in circles. */
function withoutOurselves(ordered: readonly MxRecord[], hostname: string): MxRecord[] {
  const own = ordered.find((record) => sameName(record.exchange, hostname));
  return own === undefined ? [...ordered] : ordered.filter((record) => record.priority < own.priority);
}

function sameName(one: string, other: string): boolean {
  return one.replace(/\.$/, '').toLowerCase() === other.replace(/\.$/, '').toLowerCase();
}

/** RFC 5321 §4.1.3 */
function literalAddress(domain: string): string | undefined {
  if (!domain.startsWith('[') || !domain.endsWith(']')) return undefined;
  const inside = domain.slice(1, -1);
  const address = /^ipv6:/i.test(inside) ? inside.slice(5) : inside;
  return isIP(address) !== 0 && (isIPv4(address) || /^ipv6:/i.test(inside)) ? address : undefined;
}

export function shuffle<T>(list: readonly T[], random: () => number): T[] {
  const result = [...list];
  for (let at = result.length - 1; at > 0; at -= 1) {
    const other = Math.min(at, Math.floor(random() * (at + 1)));
    const kept = result[at] as T;
    result[at] = result[other] as T;
    result[other] = kept;
  }
  return result;
}
