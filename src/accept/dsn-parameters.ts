/**
 * What a client wants to hear about its message (RFC 3461): RET and ENVID of MAIL, NOTIFY and ORCPT of RCPT. Read strictly,
 * because these octets travel on into our own commands and into bounces: xtext is decoded here and encoded anew by whoever
 * sends it on, so no control octet, hidden as `+0D` or plain, ever gets through. Pure.
 */
import type { RecipientDsn } from '../mail/envelope.ts';
import { type Reply, reply } from '../mail/reply.ts';
import type { PathCommand } from './path-command.ts';

export interface MailDsn {
  ret?: 'FULL' | 'HDRS';
  envid?: string;
}

/** RFC 3461 §4.2 has 500 characters of ORCPT taken, §4.4 fewer of ENVID; as written, before decoding. */
const VALUE_MAX = 500;
/** RFC 3461 §4.1 */
const NOTIFY = ['SUCCESS', 'FAILURE', 'DELAY'];
// RFC 3461 §4: xchar is "!" to "~" without "+" and "="; hexchar is "+" and two upper-case digits, here of ASCII
const XTEXT = /^(?:[!-*,-<>-~]|\+[0-7][0-9A-F])+$/;
const PRINTABLE = /^[ -~]+$/;
// RFC 6533 §3: in a session with SMTPUTF8 an address of type utf-8 may hold more than ASCII
const UTF8_XTEXT = /^(?:[!-*,-<>-~\u00a0-\u{10ffff}]|\+[0-7][0-9A-F])+$/u;

export function readMailDsn(parameters: PathCommand['parameters']): MailDsn | Reply {
  const ret = parameters.get('RET');
  const envid = parameters.get('ENVID');
  const dsn: MailDsn = {};
  if (ret !== undefined) {
    // RFC 3461 §4.3
    const known = typeof ret === 'string' ? ret.toUpperCase() : '';
    if (known !== 'FULL' && known !== 'HDRS') return reply(501, '5.5.4', 'RET is FULL or HDRS');
    dsn.ret = known;
  }
  if (envid !== undefined) {
    // RFC 3461 §4.4
    const decoded = decode(envid, XTEXT);
    if (decoded === undefined || !PRINTABLE.test(decoded))
      return reply(501, '5.5.4', 'ENVID is printable text in xtext, at most 500 characters');
    dsn.envid = decoded;
  }
  return dsn;
}

/** Undefined when the client said nothing about it. */
export function readRecipientDsn(
  parameters: PathCommand['parameters'],
  options: { smtpUtf8: boolean },
): RecipientDsn | undefined | Reply {
  const notify = parameters.get('NOTIFY');
  const orcpt = parameters.get('ORCPT');
  if (notify === undefined && orcpt === undefined) return undefined;
  const dsn: RecipientDsn = {};
  if (notify !== undefined) {
    const words = readNotify(notify);
    if (words === undefined)
      return reply(501, '5.5.4', 'NOTIFY is NEVER alone, or any of SUCCESS, FAILURE, DELAY with commas');
    dsn.notify = words;
  }
  if (orcpt !== undefined) {
    const read = readOrcpt(orcpt, options.smtpUtf8);
    if (read === undefined) return reply(501, '5.5.4', 'ORCPT is type;address in xtext, at most 500 characters');
    dsn.orcpt = read;
  }
  return dsn;
}

/**
 * One mailbox said twice gets one copy; nobody who asked for a notice goes without, and nobody gets two. Silence means
 * FAILURE (and DELAY, RFC 3461 §4.1); the first original recipient stays.
 */
export function mergeRecipientDsn(
  one: RecipientDsn | undefined,
  other: RecipientDsn | undefined,
): RecipientDsn | undefined {
  const orcpt = one?.orcpt ?? other?.orcpt;
  const merged: RecipientDsn = orcpt === undefined ? {} : { orcpt };
  if (one?.notify !== undefined || other?.notify !== undefined) {
    const wanted = new Set([one, other].flatMap((dsn) => dsn?.notify ?? ['FAILURE', 'DELAY']));
    const words = NOTIFY.filter((word) => wanted.has(word));
    merged.notify = words.length === 0 ? ['NEVER'] : words;
  }
  return merged.notify === undefined && merged.orcpt === undefined ? undefined : merged;
}

function readNotify(value: string | true): string[] | undefined {
  if (typeof value !== 'string') return undefined;
  const words = value.toUpperCase().split(',');
  // RFC 3461 §4.1: NEVER must stand alone
  if (words.length === 1 && words[0] === 'NEVER') return ['NEVER'];
  if (!words.every((word) => NOTIFY.includes(word))) return undefined;
  return NOTIFY.filter((word) => words.includes(word));
}

function readOrcpt(value: string | true, smtpUtf8: boolean): string | undefined {
  if (typeof value !== 'string' || Buffer.byteLength(value) > VALUE_MAX) return undefined;
  const semicolon = value.indexOf(';');
  const type = value.slice(0, Math.max(0, semicolon));
  // RFC 3461 §4.2: the type is an atom of RFC 822
  if (!/^[A-Za-z0-9!#$%&'*/?^_`{|}~-]{1,60}$/.test(type)) return undefined;
  const international = type.toLowerCase() === 'utf-8' && smtpUtf8;
  const decoded = decode(value.slice(semicolon + 1), international ? UTF8_XTEXT : XTEXT);
  // RFC 6533 §3, utf-8-addr-xtext: the form that every next hop can be told
  const plain = decoded?.replaceAll(/[\u0080-\u{10ffff}]/gu, escapeUtf8);
  return plain !== undefined && PRINTABLE.test(plain) ? `${type};${plain}` : undefined;
}

function decode(value: string | true, allowed: RegExp): string | undefined {
  if (typeof value !== 'string' || Buffer.byteLength(value) > VALUE_MAX || !allowed.test(value)) return undefined;
  return value.replaceAll(/\+([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function escapeUtf8(character: string): string {
  return `\\x{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`;
}
