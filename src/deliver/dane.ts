/**
 * DANE for SMTP (RFC 7672): the certificate of a mail server is held against what its domain publishes under DNSSEC. Asks
 * only through a resolver whose word counts; insecure DNS means "no DANE", broken DNS means "not now", never "in clear".
 * `findDane` finds what is published for a host; `checkDane` is pure: why a chain does not pass, or nothing. Below a trust
 * anchor of the domain's own choice (usage 2) signatures, dates, CA flags and the name are checked; name constraints are not.
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { TlsaRecord } from '../base/dns-wire.ts';
import { describeError } from '../base/errors.ts';
import type { SecureAnswer, SecureResolver } from '../base/secure-dns.ts';

export interface DanePolicy {
  /** Usable ones. Empty: records exist and none is usable, so TLS is demanded, whoever answers (RFC 7672 §2.2). */
  records: TlsaRecord[];
  /** The TLSA base domain: what SNI says (RFC 7672 §8.1). */
  base: string;
  /** Names the certificate may have with usage 2 (RFC 7672 §3.2.2). */
  names: string[];
  /** When it was asked for, a moment before the handshake: what dates are held against. */
  at: Date;
}

export type DaneFound = { dane: DanePolicy | undefined } | { trouble: string };

export async function findDane(
  host: string,
  options: { secure: SecureResolver; port: number; domain: string; at: Date },
): Promise<DaneFound> {
  const { secure, port, domain, at } = options;
  // RFC 7672 §2.2.2: without secure addresses no TLSA question; it spares zones whose servers choke on it.
  const asked = await Promise.allSettled([secure.query(host, 'A'), secure.query(host, 'AAAA')]);
  const answers = asked.filter((each) => each.status === 'fulfilled').map((each) => each.value);
  const found = answers.filter((each) => each.count > 0);
  const failed = asked.find((each) => each.status === 'rejected');
  if (found.length === 0 && failed !== undefined) return { trouble: describeError(failed.reason) };
  if (found.some((each) => !each.secure)) return { dane: undefined };
  const canonical = found[0]?.canonical ?? host;
  // RFC 7672 §2.2.2: first where the aliases end, then the name itself.
  for (const base of canonical === host ? [host] : [canonical, host]) {
    let answer: SecureAnswer;
    try {
      answer = await secure.query(`_${port}._tcp.${base}`, 'TLSA');
    } catch (error) {
      return { trouble: describeError(error) };
    }
    if (!answer.secure || answer.tlsa.length === 0) continue;
    const names = [...new Set([base, host, domain])];
    return { dane: { records: answer.tlsa.filter(isUsable), base, names, at } };
  }
  return { dane: undefined };
}

const TRUST_ANCHOR = 2;
const END_ENTITY = 3;
const DIGESTS: Readonly<Record<number, 'sha256' | 'sha512'>> = { 1: 'sha256', 2: 'sha512' };

/** RFC 7672 §3.1.3: PKIX-TA and PKIX-EE are not for SMTP. */
function isUsable({ usage, selector, matching, data }: TlsaRecord): boolean {
  if (usage !== TRUST_ANCHOR && usage !== END_ENTITY) return false;
  if (selector > 1 || matching > 2) return false;
  return matching === 0 || data.length === (matching === 1 ? 32 : 64);
}

/** `chain`: what the server sent, its own first. Undefined: it passes. */
export function checkDane(
  chain: readonly X509Certificate[],
  policy: DanePolicy,
): 'no certificate' | 'its certificate matches no TLSA record' | undefined {
  if (policy.records.length === 0) return undefined;
  const [own] = chain;
  if (own === undefined) return 'no certificate';
  // RFC 7672 §3.1.1: with DANE-EE the record is all: no name, no date.
  const ends = policy.records.filter((record) => record.usage === END_ENTITY);
  if (ends.some((record) => matches(own, record))) return undefined;
  const anchors = policy.records.filter((record) => record.usage === TRUST_ANCHOR);
  const named = policy.names.some((name) => own.checkHost(name, { partialWildcards: false }) !== undefined);
  if (named && anchors.length > 0 && reachesAnchor(chain, anchors, policy.at)) return undefined;
  return 'its certificate matches no TLSA record';
}

const MAX_DEPTH = 10;

function reachesAnchor(chain: readonly X509Certificate[], anchors: readonly TlsaRecord[], now: Date): boolean {
  let current = chain[0];
  for (let depth = 0; current !== undefined && depth < MAX_DEPTH; depth += 1) {
    if (now < current.validFromDate || now > current.validToDate) return false;
    const below: X509Certificate = current;
    if (anchors.some((record) => isSignedByKept(below, record, now))) return true;
    const issuer = chain.find((each) => each !== below && isIssuer(each, below));
    if (issuer === undefined || now < issuer.validFromDate || now > issuer.validToDate) return false;
    if (anchors.some((record) => matches(issuer, record))) return true;
    current = issuer;
  }
  return false;
}

function isIssuer(issuer: X509Certificate, below: X509Certificate): boolean {
  return issuer.ca && below.checkIssued(issuer) && verifies(below, issuer.publicKey);
}

function verifies(below: X509Certificate, key: KeyObject): boolean {
  try {
    return below.verify(key);
  } catch {
    return false; // another kind of key
  }
}

/** RFC 7672 §3.1.2: an anchor that stands whole in DNS need not be sent. */
function isSignedByKept(below: X509Certificate, record: TlsaRecord, now: Date): boolean {
  if (record.matching !== 0) return false;
  try {
    if (record.selector === 1)
      return verifies(below, createPublicKey({ key: record.data, format: 'der', type: 'spki' }));
    const kept = new X509Certificate(record.data);
    return now >= kept.validFromDate && now <= kept.validToDate && isIssuer(kept, below);
  } catch {
    return false; // not what it says it is
  }
}

function matches(certificate: X509Certificate, { selector, matching, data }: TlsaRecord): boolean {
  const selected = selector === 0 ? certificate.raw : publicKeyInfo(certificate.raw);
  if (selected === undefined) return false;
  const digest = DIGESTS[matching];
  return data.equals(digest === undefined ? selected : createHash(digest).update(selected).digest());
}

/** SubjectPublicKeyInfo as it stands in the certificate (RFC 5280 §4.1): written anew it might differ by an octet. */
function publicKeyInfo(certificate: Buffer): Buffer | undefined {
  const outer = derElement(certificate, 0);
  const body = outer && derElement(certificate, outer.start);
  if (body === undefined) return undefined;
  let at = body.start;
  const version = derElement(certificate, at);
  if (version?.tag === 0xa0) at = version.end;
  // serialNumber, signature, issuer, validity, subject; then the one wanted
  for (let field = 0; field < 5; field += 1) at = derElement(certificate, at)?.end ?? certificate.length;
  const key = derElement(certificate, at);
  return key === undefined ? undefined : certificate.subarray(at, key.end);
}

function derElement(octets: Buffer, at: number): { tag: number; start: number; end: number } | undefined {
  const tag = octets[at];
  const first = octets[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (more > 4 || at + 2 + more > octets.length) return undefined;
  const length = more === 0 ? first : octets.readUIntBE(at + 2, more);
  const start = at + 2 + more;
  return start + length > octets.length ? undefined : { tag, start, end: start + length };
}
