/**
 * Entries of the owner's allow and block list: one address (`info@shop.example`), a domain with all below it
 * (`@shop.example`), or the network of a client. Any spelling goes in, one comes out, so that no entry is there twice and
 * comparing is `===`. Pure.
 */
import { inNetworks, parseNetwork } from '../base/network.ts';
import { addressKey, parseDomain, parseForwardPath } from './address.ts';

export type ListKind = 'address' | 'domain' | 'network';

/** The one spelling, or undefined when it is none of the three. A whole address family would be everybody: no entry. */
export function parseListMatch(text: string): string | undefined {
  const bare = text.trim();
  const network = parseNetwork(bare);
  if (network !== undefined) return network.bits > 0 ? bare.toLowerCase() : undefined;
  const at = bare.lastIndexOf('@');
  if (at > 0) {
    const address = parseForwardPath(bare);
    return address === undefined ? undefined : addressKey(address);
  }
  const domain = parseDomain(at === 0 ? bare.slice(1) : bare);
  // `999.1.1.1` is a slip of the pen, and one label would be a whole top-level domain
  if (domain === undefined || domain.startsWith('[') || !domain.includes('.') || /\.\d+$/.test(domain))
    return undefined;
  return `@${domain}`;
}

/** Of an entry as `parseListMatch` spells it. */
export function listKind(match: string): ListKind {
  if (match.startsWith('@')) return 'domain';
  return match.includes('@') ? 'address' : 'network';
}

export function matchesAddress(match: string, address: string): boolean {
  const key = address.toLowerCase();
  switch (listKind(match)) {
    case 'address':
      return key === match;
    case 'domain':
      return key.endsWith(match) || key.slice(key.lastIndexOf('@') + 1).endsWith(`.${match.slice(1)}`);
    case 'network':
      return false;
  }
}

/** The first entry that names the client's network or one of these addresses. */
export function entryFor(
  list: ReadonlyArray<{ match: string }>,
  { clientAddress, addresses }: { clientAddress: string; addresses: readonly string[] },
): string | undefined {
  return list.find(({ match }) =>
    listKind(match) === 'network'
      ? inNetworks(clientAddress, [match])
      : addresses.some((address) => matchesAddress(match, address)),
  )?.match;
}
