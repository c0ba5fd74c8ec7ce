/**
 * The client's name, confirmed both ways (FCrDNS): its PTR record names a host whose A or AAAA record names the client.
 * Runs in the background of a session, with a short deadline; it fills a header and informs inspectors, it never refuses
 * and nobody waits for it. Trouble and "no name" are the same here: undefined.
 */
import { withDeadline } from '../base/deadline.ts';
import { Limiter } from '../base/limiter.ts';
import { normaliseAddress } from '../base/network.ts';
import type { Resolver } from '../base/resolver.ts';
import { parseDomain } from '../mail/address.ts';

/** A client that owns its reverse zone may list thousands of names. */
const NAMES_TRIED = 3;
const WAITING_MAX = 500;

export type ClientNamer = (address: string) => Promise<string | undefined>;

export function createClientNamer(options: { resolver: Resolver; deadlineMs: number }): ClientNamer {
  const limiter = new Limiter(50);
  return async (address) => {
    if (limiter.waiting >= WAITING_MAX) return undefined;
    try {
      return await limiter.run(() =>
        withDeadline('Confirming the client name', { ms: options.deadlineMs }, () =>
          confirm(address, options.resolver),
        ),
      );
    } catch {
      return undefined; // no name is an ordinary answer; DNS health is watched by those who depend on it
    }
  };
}

async function confirm(address: string, resolver: Resolver): Promise<string | undefined> {
  const client = normaliseAddress(address);
  if (client === undefined) return undefined;
  const names = await resolver.ptr(client);
  for (const name of names.slice(0, NAMES_TRIED)) {
    // a PTR record may hold any octets: only a real host name goes further
    const domain = parseDomain(name);
    if (domain === undefined || domain.startsWith('[')) continue;
    const addresses = await (client.includes(':') ? resolver.aaaa(domain) : resolver.a(domain));
    if (addresses.some((candidate) => normaliseAddress(candidate) === client)) return domain;
  }
  return undefined;
}
