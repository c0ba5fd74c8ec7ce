/**
 * What a next hop's reply means for a recipient: delivered, deferred or bounced. Pure. RFC 2034 §4 wants code and enhanced
 * code of one class; where they disagree:
 *
 *   code  enhanced   we take it as
 *   2xx   4.x  5.x   delivered: the peer has taken the message, the rest is its own affair (status 2.x)
 *   4xx   2.x  5.x   deferred: the code decides (status 4.x)
 *   5xx   4.x        deferred: "550 4.7.1 Greylisted" means later; trying once more harms nobody, a bounce does
 *   5xx   2.x        bounced (status 5.x)
 *
 * What we cannot read, a lost connection, and every trouble of our own side is deferred: only a clear "no" bounces.
 */
import type { Milliseconds } from '../base/brand.ts';
import { retryHint } from './retry-hint.ts';

export interface HopReply {
  /** 200…599, or 0 when the line was no reply. */
  code: number;
  /** `5.1.1`, when the peer gave one. */
  enhanced?: string;
  /** The whole reply on one line, printable, ≤ 1,000 characters. */
  text: string;
}

/** Where in the dialogue a reply stood. `dot`: after the end of the data. */
export type Stage = 'connect' | 'mail' | 'rcpt' | 'data' | 'dot';

export type Verdict = 'delivered' | 'deferred' | 'bounced';

export interface Classified {
  verdict: Verdict;
  /** RFC 3463 code in the class of the verdict. */
  status: string;
  /** The peer's words, or ours. */
  reply: string;
  /** The peer took others of this transaction and only wants fewer at once: the rest may go straight away. */
  fewer?: boolean;
  /** Deferred: the peer said not to come back sooner (greylisting). Unbounded, as it was said. */
  retryAfter?: Milliseconds;
}

const MAX_TEXT = 1_000;
/** Most replies: one line of single words, in which there is nothing to mend. */
const PLAIN_LINE = /^[2-5]\d\d(?: [\u0021-\u007e]+)+$/;
const REPLY_LINE = /^(\d{3})(?:[ -](.*))?$/s;
const ENHANCED = /^([245]\.\d{1,3}\.\d{1,3})(?:\s|$)/;

/** A reply of one or more lines (RFC 5321 §4.2.1), made safe to log and to quote. */
export function parseHopReply(raw: string): HopReply {
  if (raw.length <= MAX_TEXT && PLAIN_LINE.test(raw)) {
    const enhanced = ENHANCED.exec(raw.slice(4))?.[1];
    return { code: Number(raw.slice(0, 3)), ...(enhanced === undefined ? {} : { enhanced }), text: raw };
  }
  const lines = raw.split(/\r?\n/);
  const first = REPLY_LINE.exec(lines[0] ?? '');
  const texts = lines.map((line) => REPLY_LINE.exec(line)?.[2] ?? (REPLY_LINE.test(line) ? '' : line));
  const enhanced = texts.map((text) => ENHANCED.exec(text)?.[1]).find((code) => code !== undefined);
  // Each line repeats the enhanced code (RFC 2034 §4); a person reads it once.
  const words = texts.map((text, at) => (at > 0 && enhanced !== undefined ? text.replace(`${enhanced} `, '') : text));
  const code = Number(first?.[1] ?? 0);
  const text = printable(code === 0 ? raw : [String(code), ...words].join(' '));
  return { code: code >= 200 && code <= 599 ? code : 0, ...(enhanced === undefined ? {} : { enhanced }), text };
}

function printable(text: string): string {
  return text
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim()
    .slice(0, MAX_TEXT);
}

export function classifyReply(
  stage: Stage,
  reply: HopReply,
  options: { acceptedBefore?: number; ownServer?: boolean } = {},
): Classified {
  const { code } = reply;
  // A bare code says nothing of why: the class with 0.0 (RFC 3463 §3.1).
  const status = (kind: 2 | 4 | 5): string =>
    reply.enhanced === undefined ? `${kind}.0.0` : `${kind}${reply.enhanced.slice(1)}`;
  const hint = code === 0 ? undefined : retryHint(reply.text);
  const later = hint === undefined ? {} : { retryAfter: hint };
  const deferred = (): Classified => ({ verdict: 'deferred', status: status(4), reply: reply.text, ...later });
  if (code >= 200 && code < 300 && stage !== 'connect') {
    return { verdict: 'delivered', status: status(2), reply: reply.text };
  }
  if (code < 500) {
    // RFC 5321 §4.5.3.1.10: 452 says "too many recipients", the ones before it stand
    const fewer = stage === 'rcpt' && code === 452 && (options.acceptedBefore ?? 0) > 0 && !isMailboxTrouble(reply);
    return { ...deferred(), ...(fewer ? { fewer: true } : {}) };
  }
  // RFC 5321 §5.1 wants the other servers tried; a 554 greeting speaks about us, today, not about the recipient.
  if (stage === 'connect') return deferred();
  // RFC 5321 §4.5.3.1.10: old servers say 552 for "too many recipients"; treat as 452.
  if (stage === 'rcpt' && code === 552 && (options.acceptedBefore ?? 0) > 0 && !isMailboxTrouble(reply)) {
    return { ...deferred(), fewer: true };
  }
  if (reply.enhanced?.startsWith('4.') === true) return deferred();
  // 503 is about the order of commands: our dialogue went wrong, not this address.
  if (code === 503) return deferred();
  // The office's own server wants TLS or a password first: a setting to mend, no reason to throw mail away (promise 3).
  if (options.ownServer === true && [530, 534, 535, 538].includes(code)) return deferred();
  return { verdict: 'bounced', status: status(5), reply: reply.text };
}

/** RFC 3463 §3.3 X.2.x: the mailbox is full or too small; that is about the recipient. */
function isMailboxTrouble(reply: HopReply): boolean {
  return reply.enhanced !== undefined && /^[45]\.2\./.test(reply.enhanced);
}

/** RFC 3463 X.4.2 (bad connection): with the final dot on its way too, since a duplicate is the lesser evil (RFC 1047). */
export function connectionLost(detail: string): Classified {
  return { verdict: 'deferred', status: '4.4.2', reply: printable(`4.4.2 ${detail}`) };
}

/** Our own word on an attempt that never reached a reply. */
export function ownWord(verdict: 'deferred' | 'bounced', status: string, text: string): Classified {
  return { verdict, status, reply: printable(`${status} ${text}`) };
}

/** The call-ahead's reading of a reply to RCPT (RFC 5321 §3.3): `no` only when the peer says the mailbox is not there. */
export function readRecipientReply(reply: HopReply): 'yes' | 'no' | 'unknown' {
  if (reply.code >= 250 && reply.code <= 252) return 'yes';
  if ([550, 551, 553].includes(reply.code) && reply.enhanced === undefined) return 'no';
  if (reply.code >= 550 && reply.code <= 553 && reply.enhanced !== undefined && reply.enhanced.startsWith('5.1.'))
    return 'no';
  return 'unknown';
}
