/**
 * The PROXY protocol, versions 1 and 2 (the HAProxy specification), from load balancers we were told about. Such a peer must
 * send the header, and before anything else: what is no header, too long or too late ends the connection (§2: "the
 * receiver must abort"). Nobody else is ever asked for one; a stranger who sends it has talked before the greeting.
 * `readProxyHeader` takes exactly the header off the socket and leaves every octet behind it for the session.
 */
import type { Socket } from 'node:net';
import type { Milliseconds } from '../base/brand.ts';
import { normaliseAddress } from '../base/network.ts';

/** `client` undefined: the balancer speaks for itself (LOCAL, UNKNOWN), as it does to see whether we live. */
export interface ProxyHeader {
  client: string | undefined;
  octets: number;
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** §2.1: the longest line of version 1, CRLF included. */
const V1_MAX = 107;
const V2_HEAD = 16;
/** §2.2 allows 64 KiB of extensions; the field sends a few hundred octets. */
const V2_MAX = V2_HEAD + 4_096;
const V1_LINE = /^PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}) (\d{1,5}) (\d{1,5})$/;

/** 'more': so far it could become one. */
export function parseProxyHeader(octets: Buffer): ProxyHeader | 'more' | 'invalid' {
  if (octets.length === 0) return 'more';
  const head = octets.subarray(0, SIGNATURE.length);
  if (head.equals(SIGNATURE.subarray(0, head.length))) return parseBinary(octets);
  if ('PROXY '.startsWith(octets.toString('latin1', 0, Math.min(6, octets.length)))) return parseText(octets);
  return 'invalid';
}

/** §2.1 */
function parseText(octets: Buffer): ProxyHeader | 'more' | 'invalid' {
  const end = octets.subarray(0, V1_MAX).indexOf('\r\n');
  if (end < 0) return octets.length < V1_MAX ? 'more' : 'invalid';
  const line = octets.toString('latin1', 0, end);
  const length = end + 2;
  // "the receiver must ignore anything presented before the CRLF"
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { client: undefined, octets: length };
  const [, family = '', source = '', destination = '', ...ports] = V1_LINE.exec(line) ?? [];
  if (ports.length !== 2 || ports.some((port) => Number(port) > 65_535 || /^0\d/.test(port))) return 'invalid';
  const six = family === 'TCP6';
  if ([source, destination].some((address) => address.includes(':') !== six)) return 'invalid';
  const client = normaliseAddress(source);
  return client === undefined || normaliseAddress(destination) === undefined ? 'invalid' : { client, octets: length };
}

/** §2.2 */
function parseBinary(octets: Buffer): ProxyHeader | 'more' | 'invalid' {
  if (octets.length < V2_HEAD) return 'more';
  const command = octets.readUInt8(12);
  const kind = octets.readUInt8(13);
  const length = V2_HEAD + octets.readUInt16BE(14);
  if ((command !== 0x20 && command !== 0x21) || length > V2_MAX) return 'invalid';
  if (octets.length < length) return 'more';
  // LOCAL: whatever addresses follow are to be skipped
  if (command === 0x20) return { client: undefined, octets: length };
  switch (kind) {
    case 0x11: // TCP over IPv4
      return length < V2_HEAD + 12 ? 'invalid' : { client: address(octets.subarray(16, 20)), octets: length };
    case 0x21: // TCP over IPv6
      return length < V2_HEAD + 36 ? 'invalid' : { client: address(octets.subarray(16, 32)), octets: length };
    case 0x00: // unspecified, and a Unix stream: no address we could use, the peer's own stands
    case 0x31:
      return { client: undefined, octets: length };
    default:
      return 'invalid';
  }
}

function address(octets: Buffer): string | undefined {
  if (octets.length === 4) return normaliseAddress([...octets].join('.'));
  const groups = Array.from({ length: 8 }, (_none, index) => octets.readUInt16BE(index * 2).toString(16));
  return normaliseAddress(groups.join(':'));
}

/** Resolves with the header, or with the reason why there is none; the socket is then not ours to speak on. Never rejects. */
export function readProxyHeader(
  socket: Socket,
  options: { deadlineMs: Milliseconds },
): Promise<ProxyHeader | 'invalid' | 'late' | 'gone'> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    const settle = (result: ProxyHeader | 'invalid' | 'late' | 'gone'): void => {
      clearTimeout(timer);
      socket.off('readable', read);
      socket.off('close', gone);
      socket.off('end', gone);
      socket.off('error', gone);
      resolve(result);
    };
    const gone = (): void => settle('gone');
    const read = (): void => {
      const chunk: unknown = socket.read();
      if (!Buffer.isBuffer(chunk)) return;
      seen = Buffer.concat([seen, chunk]);
      const header = parseProxyHeader(seen);
      if (header === 'more') return;
      // back in line for the session: a command sent behind the header is not ours
      if (header !== 'invalid' && seen.length > header.octets) socket.unshift(seen.subarray(header.octets));
      settle(header);
    };
    const timer = setTimeout(() => settle('late'), options.deadlineMs);
    socket.on('readable', read);
    socket.on('close', gone);
    socket.on('end', gone);
    socket.on('error', gone);
  });
}
