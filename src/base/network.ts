/**
 * Addresses and networks as numbers, not as text. `::ffff:192.0.2.1` and `192.0.2.1` are one client; a zone index is
 * dropped. Nothing here throws: what is no address is in no network.
 */
import ipaddr from 'ipaddr.js';

type Numeric = ipaddr.IPv4 | ipaddr.IPv6;

export interface Network {
  address: Numeric;
  bits: number;
}

/** The same few addresses and networks are read for every session, twelve times for a message. */
const KEPT = 1_024;
const addresses = new Map<string, Numeric | undefined>();
const networksRead = new Map<string, Network | undefined>();

/** Read once; the oldest goes when there are too many. */
function remembered<T>(kept: Map<string, T>, text: string, read: (text: string) => T): T {
  const known = kept.get(text);
  if (known !== undefined || kept.has(text)) return known as T;
  const value = read(text);
  if (text.length > 64) return value; // no address, and nothing to fill the memory with
  if (kept.size >= KEPT) kept.delete(kept.keys().next().value as string);
  kept.set(text, value);
  return value;
}

function parse(text: string): Numeric | undefined {
  return remembered(addresses, text, readAddress);
}

function readAddress(text: string): Numeric | undefined {
  const bare = text.split('%', 1)[0] ?? '';
  // strict dotted quads only: `010.1` and `2130706433` are addresses to inet_aton, and tricks to everyone else
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare);
  if (!ipaddr.IPv6.isValid(bare)) return undefined;
  const six = ipaddr.IPv6.parse(bare);
  return six.isIPv4MappedAddress() ? six.toIPv4Address() : six;
}

/** The one spelling of an address (RFC 5952; IPv4 never mapped), or undefined. */
export function normaliseAddress(text: string): string | undefined {
  return parse(text)?.toString();
}

/** `192.0.2.0/24`, `2001:db8::/32`, or one address; undefined when it is neither. */
export function parseNetwork(text: string): Network | undefined {
  return remembered(networksRead, text, readNetwork);
}

function readNetwork(text: string): Network | undefined {
  const [head = '', tail, ...rest] = text.split('/');
  if (rest.length > 0) return undefined;
  const address = parse(head);
  if (address === undefined) return undefined;
  const width = address.kind() === 'ipv4' ? 32 : 128;
  if (tail === undefined) return { address, bits: width };
  if (!/^\d{1,3}$/.test(tail)) return undefined;
  // ::ffff:192.0.2.0/120 is 192.0.2.0/24
  const bits = width === 32 && head.includes(':') ? Number(tail) - 96 : Number(tail);
  return bits >= 0 && bits <= width ? { address, bits } : undefined;
}

export function inNetworks(address: string, networks: readonly string[]): boolean {
  const client = parse(address);
  if (client === undefined) return false;
  return networks.some((text) => {
    const network = parseNetwork(text);
    if (network === undefined || network.address.kind() !== client.kind()) return false;
    return matches(client, network);
  });
}

/** The neighbourhood one owner commonly holds: /24 of IPv4, /64 of IPv6. */
export function neighbourhoodOf(address: string): string {
  const client = parse(address);
  if (client === undefined) return address;
  const octets = client.toByteArray();
  const keep = octets.length === 4 ? 3 : 8;
  const masked = octets.map((octet, index) => (index < keep ? octet : 0));
  return `${ipaddr.fromByteArray(masked).toString()}/${keep * 8}`;
}

/** Ranges whose addresses mean somebody else in each network. */
const INSIDE = new Set(
  'loopback private linkLocal uniqueLocal carrierGradeNat unspecified multicast broadcast'.split(' '),
);

/**
 * The labels by which DNS lists an address (RFC 5782 §2.1, §2.4): octets of IPv4, nibbles of IPv6, in reverse. Undefined for
 * what is no address of the Internet: nobody outside could say anything about it.
 */
export function reverseLabels(address: string): string | undefined {
  const client = parse(address);
  if (client === undefined || INSIDE.has(client.range())) return undefined;
  const octets = client.toByteArray();
  if (octets.length === 4) return octets.toReversed().join('.');
  return octets
    .flatMap((octet) => [octet >> 4, octet & 15])
    .toReversed()
    .map((nibble) => nibble.toString(16))
    .join('.');
}

export function isLoopback(address: string): boolean {
  return parse(address)?.range() === 'loopback';
}

function matches(client: Numeric, network: Network): boolean {
  const ours = client.toByteArray();
  const theirs = network.address.toByteArray();
  for (let index = 0, left = network.bits; left > 0; index += 1, left -= 8) {
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if (((ours[index] ?? 0) & mask) !== ((theirs[index] ?? 0) & mask)) return false;
  }
  return true;
}
