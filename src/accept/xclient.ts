/**
 * XCLIENT as Postfix defines it (XCLIENT_README): a listed filter or balancer tells us who its client is. Read here, applied
 * by the connection; offered to listed peers only, to anybody else the command does not exist. Strict: an unknown attribute,
 * a value that is no address, name or port, or a control octet hidden in xtext refuses the whole command, so that nothing
 * is half applied. Pure.
 */
import { normaliseAddress } from '../base/network.ts';
import { parseDomain } from '../mail/address.ts';
import { type Reply, reply } from '../mail/reply.ts';

/** What EHLO offers. */
export const XCLIENT_OFFER = 'XCLIENT NAME ADDR PORT PROTO HELO';

/** `false`: the peer says that it is not known. Absent: the peer says nothing. */
export interface ForwardedClient {
  name?: string | false;
  address?: string | false;
  protocol?: 'SMTP' | 'ESMTP';
  helo?: string | false;
}

const SYNTAX = reply(501, '5.5.4', 'Bad XCLIENT attribute');
const UNAVAILABLE = /^\[(?:UNAVAILABLE|TEMPUNAVAIL)\]$/i;

export function parseXclient(line: Buffer): ForwardedClient | Reply {
  const words = line.toString('latin1').trim().split(/ +/).slice(1);
  if (words.length === 0) return reply(501, '5.5.4', 'Syntax: XCLIENT attribute=value ...');
  const client: ForwardedClient = {};
  const seen = new Set<string>();
  for (const word of words) {
    const [, keyword = '', raw] = /^([A-Za-z]+)=([!-<>-~]+)$/.exec(word) ?? [];
    const attribute = keyword.toUpperCase();
    const value = raw === undefined ? undefined : decode(raw);
    if (value === undefined || seen.has(attribute)) return SYNTAX;
    seen.add(attribute);
    if (!apply(client, attribute, value)) return SYNTAX;
  }
  return client;
}

function apply(client: ForwardedClient, attribute: string, value: string): boolean {
  const unknown = UNAVAILABLE.test(value);
  switch (attribute) {
    case 'NAME': {
      const name = parseDomain(value);
      if (!unknown && (name === undefined || name.startsWith('['))) return false;
      client.name = unknown || name === undefined ? false : name;
      return true;
    }
    case 'ADDR': {
      const address = normaliseAddress(value.replace(/^IPv6:/i, ''));
      if (!unknown && (address === undefined || value.includes('%'))) return false;
      client.address = unknown || address === undefined ? false : address;
      return true;
    }
    case 'PORT': // nobody here asks for it, but what is no port is no XCLIENT
      return unknown || (/^\d{1,5}$/.test(value) && Number(value) <= 65_535);
    case 'PROTO':
      if (value !== 'SMTP' && value !== 'ESMTP') return false;
      client.protocol = value;
      return true;
    case 'HELO':
      if (value.length > 300) return false;
      client.helo = unknown ? false : value.toLowerCase();
      return true;
    default:
      return false;
  }
}

/** xtext (RFC 3461 §4); undefined when it is malformed or hides something unprintable. */
function decode(raw: string): string | undefined {
  if (/\+(?![0-9A-Fa-f]{2})/.test(raw)) return undefined;
  const text = raw.replaceAll(/\+([0-9A-Fa-f]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return /^[!-~]+$/.test(text) ? text : undefined;
}
