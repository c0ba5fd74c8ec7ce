/**
 * ARC (RFC 8617) as a finding: mailauth's verdict on the chain, and, when the chain passes and covers the whole message, who
 * sealed each hop and what that hop said it had seen. Whom to believe is policy and decided elsewhere (decide/trust.ts):
 * anybody can seal anything.
 */
import type { AuthenticateResult } from 'mailauth';
import { type Domain, parseDomain } from '../mail/address.ts';
import { parseAuthenticationResults } from '../mail/authentication-results-parser.ts';
import { ARC_RESULTS, type ArcSet, type ArcStatement, type Finding } from '../mail/finding.ts';
import type { RecordingResolver } from './worker-dns.ts';

/** Results of one hop; one that says more is taken to say nothing: a part of it could mean the opposite of the whole. */
const MAX_STATEMENTS = 10;
/** `temperror` has nine letters. */
const MAX_WORD = 20;
/** The newest hops are kept; findings are stored with the message, and a chain may have fifty. */
const MAX_SETS = 10;

/** As far as mailauth's parsed header fields are read here. */
interface ChainEntry {
  'arc-seal'?: { parsed?: { d?: { value?: unknown } } };
  'arc-authentication-results'?: { original?: unknown };
  /** Of the newest set only: the one that is verified. */
  messageSignature?: { canonBodyLengthLimited?: boolean };
}

export function arcFinding(result: AuthenticateResult, resolver: RecordingResolver): Finding {
  const arc = result.arc;
  const found = result.dkim.arc?.chain as unknown;
  const chain = Array.isArray(found) ? (found as ChainEntry[]) : [];
  const sealer = sealerOf(chain.at(-1));
  const said = arc === false || arc === undefined ? 'none' : arc.status.result;
  let word = ARC_RESULTS.find((known) => known === said) ?? 'permerror';
  // mailauth calls every trouble a fail; a key that could not be fetched proves nothing
  if (word === 'fail' && [...resolver.failed].some((name) => name.includes('._domainkey.'))) word = 'temperror';
  const finding = { kind: 'arc', result: word, chain: chain.length } as const;
  // RFC 6376 §8.2: behind l= a stranger may have written the rest of the body; no hop saw that, so none is heard
  const whole = chain.at(-1)?.messageSignature?.canonBodyLengthLimited === false;
  return {
    ...finding,
    ...(sealer === undefined ? {} : { sealer }),
    ...(word === 'pass' && whole ? { sets: chain.slice(-MAX_SETS).map((entry) => setOf(entry)) } : {}),
  };
}

function sealerOf(entry: ChainEntry | undefined): Domain | undefined {
  const domain = entry?.['arc-seal']?.parsed?.d?.value;
  return typeof domain === 'string' ? parseDomain(domain) : undefined;
}

function setOf(entry: ChainEntry): ArcSet {
  return { sealer: sealerOf(entry) ?? '', said: statementsOf(entry['arc-authentication-results']?.original) };
}

/** RFC 8617 §4.1.1: `i=1; authserv-id; results`. What cannot be read says nothing. */
function statementsOf(original: unknown): ArcStatement[] {
  const field = Buffer.isBuffer(original) ? original.toString('latin1') : typeof original === 'string' ? original : '';
  const value = field.slice(field.indexOf(':') + 1);
  const instance = /^[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*\d{1,2}[ \t\r\n]*;/.exec(value)?.[0];
  const results = instance === undefined ? undefined : parseAuthenticationResults(value.slice(instance.length));
  const statements = (results?.results ?? []).flatMap(({ method, result, properties }): ArcStatement[] => {
    switch (method) {
      case 'spf':
        return [{ method, result, domain: domainIn(properties['smtp.mailfrom'] ?? properties['smtp.helo']) }];
      case 'dkim':
        return [{ method, result, domain: domainIn(properties['header.d'] ?? properties['header.i']) }];
      case 'dmarc':
        return [{ method, result, domain: domainIn(properties['header.from']) }];
      default:
        return [];
    }
  });
  const hostile = statements.length > MAX_STATEMENTS || statements.some(({ result }) => result.length > MAX_WORD);
  return hostile ? [] : statements;
}

/** Of `user@domain`, `@domain` or `domain`. */
function domainIn(identity: string | undefined): string {
  if (identity === undefined) return '';
  return parseDomain(identity.slice(identity.lastIndexOf('@') + 1)) ?? '';
}
