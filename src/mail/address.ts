/**
 * Addresses of the envelope (RFC 5321 §4.1.2), parsed at the border, trusted inside. Lenient where the world is: dots at
 * the edge of a localpart or doubled (old docomo and au addresses) are legal here. A domain is kept as a lower-case
 * A-label; the localpart keeps its case and bytes. Control characters, spaces outside quotes and 8-bit domains that do not
 * map to an A-label are refused (undefined).
 */
import { domainToASCII, domainToUnicode } from 'node:url';
import type { Brand } from '../base/brand.ts';

/** Lower-case A-label form, no trailing dot, ≤ 253 octets; or an address literal `[192.0.2.1]`, `[IPv6:…]`. */
export type Domain = Brand<string, 'Domain'>;
/** `localpart@domain`, the domain an A-label; or the bare `postmaster`. */
export type ForwardPath = Brand<string, 'ForwardPath'>;
/** `localpart@domain`, or the empty string: the null reverse-path `<>`. */
export type ReversePath = Brand<string, 'ReversePath'>;

export const NULL_REVERSE_PATH = '' as ReversePath;

export interface AddressParts {
  /** As written, quotes included. */
  localpart: string;
  domain: Domain;
}

const LITERAL = /^\[(?:IPv6:[0-9a-f:.]+|\d{1,3}(?:\.\d{1,3}){3})\]$/i;
const LABELS = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;
// RFC 5321 §4.1.2 atext, dots anywhere, UTF-8 (RFC 6531)
const DOT_STRING = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\u{10ffff}]+$/u;
// RFC 5321 §4.1.2 quoted-string
const QUOTED = /^"(?:[ !#-[\]-~\u0080-\u{10ffff}]|\\[ -~])*"$/u;

/** A domain of any spelling to our form; undefined when it is none. */
export function parseDomain(text: string): Domain | undefined {
  if (LITERAL.test(text)) return text.toLowerCase() as Domain;
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  if (bare === '' || /[\s\u0000-\u0020%/\\:?#@[\]]/.test(bare)) return undefined;
  const ascii = /^[\u0000-\u007f]*$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare);
  if (ascii.length > 253 || !LABELS.test(ascii)) return undefined;
  return ascii as Domain;
}

/** The domain as a person reads it. */
export function displayDomain(domain: Domain): string {
  return domainToUnicode(domain) || domain;
}

/** Splits at the last `@` that stands outside quotes. */
export function parseAddress(text: string): AddressParts | undefined {
  const at = text.lastIndexOf('@');
  if (at < 1) return undefined;
  const localpart = text.slice(0, at);
  const domain = parseDomain(text.slice(at + 1));
  if (domain === undefined || !isLocalpart(localpart)) return undefined;
  return { localpart, domain };
}

function isLocalpart(localpart: string): boolean {
  // 64 octets by RFC 5321 §4.5.3.1.1; the field sees longer ones (VERP), 256 is where ours ends
  if (Buffer.byteLength(localpart) > 256) return false;
  return DOT_STRING.test(localpart) || QUOTED.test(localpart);
}

/** RFC 5321 §4.5.1: `postmaster` needs no domain. */
export function parseForwardPath(text: string): ForwardPath | undefined {
  if (/^postmaster$/i.test(text)) return 'postmaster' as ForwardPath;
  const parts = parseAddress(text);
  return parts === undefined ? undefined : (`${parts.localpart}@${parts.domain}` as ForwardPath);
}

export function parseReversePath(text: string): ReversePath | undefined {
  if (text === '') return NULL_REVERSE_PATH;
  const parts = parseAddress(text);
  return parts === undefined ? undefined : (`${parts.localpart}@${parts.domain}` as ReversePath);
}

/** The domain of a parsed path; undefined for `<>` and bare `postmaster`. */
export function domainOf(path: ForwardPath | ReversePath): Domain | undefined {
  const at = path.lastIndexOf('@');
  return at < 0 ? undefined : (path.slice(at + 1) as Domain);
}

export function localpartOf(path: ForwardPath | ReversePath): string {
  const at = path.lastIndexOf('@');
  return at < 0 ? path : path.slice(0, at);
}

/** The key under which two spellings of one mailbox meet in our lists (localpart case folded: no office means two by it). */
export function addressKey(path: ForwardPath | ReversePath): string {
  return path.toLowerCase();
}

/** Must this address travel with SMTPUTF8 (RFC 6531)? Domains are A-labels, so only the localpart can say so. */
export function needsSmtpUtf8(path: ForwardPath | ReversePath): boolean {
  return /[^\u0000-\u007f]/.test(path);
}

/** Finds the address in a text, in either case, and not as the end or the beginning of a longer one. */
export function addressPattern(address: string): RegExp {
  return new RegExp(`(?<![\\w.!#$%&'*+/=?^\`{|}~-])${RegExp.escape(address)}(?![\\w-]|\\.\\w)`, 'gi');
}
