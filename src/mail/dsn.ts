/**
 * The message that tells a sender what could not be delivered, is late, or left the world of DSNs: multipart/report (RFC 6522) with words for a person, a
 * message/delivery-status for programs (RFC 3464; global forms of RFC 6533 when an address needs UTF-8) and the header of
 * the original, or all of it when its sender asked for that (RET=FULL, RFC 3461 §6.2). Pure: time, identity and boundary are
 * handed in. Seven-bit unless an address or what is returned whole is not.
 */
import { type Language, say } from '../base/i18n.ts';
import { type ForwardPath, needsSmtpUtf8, type ReversePath } from './address.ts';
import { encodeWords, mailDate, wrapped } from './compose.ts';
import { CLOSING, CLOSING_WHOLE, OUTCOME, type NoticeKind, WORDS } from './dsn-words.ts';
import type { QueueId } from './queue-id.ts';

export interface DsnRecipient {
  address: ForwardPath;
  /** `rfc822;address` as the client gave it (RFC 3461 §4.2). */
  orcpt?: string;
  /** All recipients of one notice are of one kind: failed (bounced, expired), delayed, or relayed. */
  outcome: 'bounced' | 'expired' | 'delayed' | 'relayed';
  /** RFC 3463; of class 5 when failed, 4 when delayed, 2 when relayed. */
  status: string;
  /** The next hop's host name or address, when it spoke. */
  remoteMta?: string;
  /** Its reply on one line; without `remoteMta` our own words. */
  diagnostic: string;
  lastAttempt?: Date;
  /** Delayed: when we would give up (RFC 3464 §2.3.9). */
  retryUntil?: Date;
}

export interface DsnOptions {
  language: Language;
  hostname: string;
  /** The message this is about. */
  queueId: QueueId;
  reversePath: ReversePath;
  envid?: string;
  arrival: Date;
  now: Date;
  recipients: readonly DsnRecipient[];
  /** The original's header section, octets as they were; cut by the caller if large. */
  originalHeader: Buffer;
  /** The original whole, as octets; only what `canReturn` allows. */
  original?: Buffer;
  /** The left side of the Message-ID and the boundary; `[A-Za-z0-9.-]+`, unguessable and unique. */
  token: string;
}

/** RFC 3464 §2.3.3 */
const ACTIONS = { bounced: 'failed', expired: 'failed', delayed: 'delayed', relayed: 'relayed' } as const;

function kindOf(options: DsnOptions): NoticeKind {
  return ACTIONS[options.recipients[0]?.outcome ?? 'bounced'];
}

export function composeDsn(options: DsnOptions): Buffer {
  const global = options.recipients.some((each) => needsSmtpUtf8(each.address)) || needsSmtpUtf8(options.reversePath);
  const boundary = `=_${options.token}`; // "=_" can stand in no quoted-printable or base64 text (RFC 2045 §6.7)
  const before = [
    humanPart(options),
    entity(global ? 'message/global-delivery-status' : 'message/delivery-status', deliveryStatus(options, global)),
  ];
  if (options.original === undefined)
    before.push(entity(global ? 'message/global-headers' : 'text/rfc822-headers', options.originalHeader));
  const body = before.map((part) => `--${boundary}\r\n${part}\r\n`).join('');
  const whole =
    options.original === undefined ? [] : [Buffer.from(`--${boundary}\r\n`), ...wholePart(options.original)];
  const head = Buffer.from(`${headerOf(options, boundary)}\r\n${body}`);
  return Buffer.concat([head, ...whole, Buffer.from(`--${boundary}--\r\n`)]);
}

const HIGH = /[\u0080-\u00ff]/;

/** May it stand in a notice as it is? No NUL, no lone CR or LF, no line over 998 octets (RFC 2045 §2.8). */
export function canReturn(original: Buffer): boolean {
  const text = original.toString('latin1');
  if (text.includes('\0') || /\r(?!\n)|(?<!\r)\n/.test(text)) return false;
  return text.split('\r\n').every((line) => line.length <= 998);
}

/** RFC 2046 §5.2.1: what is inside is not encoded anew; RFC 6532 §3.7 where its header needs UTF-8. */
function wholePart(original: Buffer): Buffer[] {
  const header = original.subarray(0, Math.max(0, original.indexOf('\r\n\r\n')));
  const type = HIGH.test(header.toString('latin1')) ? 'message/global' : 'message/rfc822';
  const encoding = HIGH.test(original.toString('latin1')) ? '8bit' : '7bit';
  const fields = `Content-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\nContent-Description: The message\r\n\r\n`;
  return [Buffer.from(fields), original, Buffer.from('\r\n')];
}

function headerOf(options: DsnOptions, boundary: string): string {
  return [
    `From: Mail Delivery System <MAILER-DAEMON@${options.hostname}>`,
    `To: <${options.reversePath}>`,
    `Subject: ${encodeWords(WORDS[kindOf(options)].subject[options.language])}`,
    `Date: ${mailDate(options.now)}`,
    `Message-ID: <${options.token}@${options.hostname}>`,
    'Auto-Submitted: auto-replied', // RFC 3834 §5
    'MIME-Version: 1.0',
    // RFC 2045 §6.4: what is inside in eight bits is so for the whole
    ...(HIGH.test(options.original?.toString('latin1') ?? '') ? ['Content-Transfer-Encoding: 8bit'] : []),
    `Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="${boundary}"`,
    '',
  ].join('\r\n');
}

/** Both languages when the office reads Japanese: the reader of a bounce is often elsewhere. */
function humanPart(options: DsnOptions): string {
  const languages: Language[] = options.language === 'ja' ? ['ja', 'en'] : ['en'];
  const text = languages.map((language) => humanText(options, language)).join(`\n${'-'.repeat(64)}\n\n`);
  const octets = Buffer.from(text.replaceAll('\n', '\r\n'));
  return [
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    'Content-Description: Notification',
    '',
    wrapped(octets.toString('base64')),
  ].join('\r\n');
}

function humanText(options: DsnOptions, language: Language): string {
  const values = { hostname: options.hostname, queueId: options.queueId };
  const lines = [say(WORDS[kindOf(options)].introduction, language, values), ''];
  for (const recipient of options.recipients) {
    lines.push(`<${recipient.address}>`);
    lines.push(say(OUTCOME[recipient.outcome], language));
    lines.push(`    ${speaker(recipient)}${clip(recipient.diagnostic, 500)}`, '');
  }
  lines.push(say(options.original === undefined ? CLOSING : CLOSING_WHOLE, language, values), '');
  return lines.join('\n');
}

function speaker(recipient: DsnRecipient): string {
  return recipient.remoteMta === undefined ? '' : `${recipient.remoteMta}: `;
}

/** RFC 3464 §2: one group about the message, one for each recipient, an empty line before each. */
function deliveryStatus(options: DsnOptions, global: boolean): Buffer {
  const lines = [`Reporting-MTA: dns; ${options.hostname}`, `X-Sekisho-Queue-ID: ${options.queueId}`];
  // RFC 3464 §2.2.1: only if the client gave one.
  if (options.envid !== undefined) lines.push(`Original-Envelope-Id: ${safe(options.envid, global)}`);
  lines.push(`Arrival-Date: ${mailDate(options.arrival)}`);
  for (const recipient of options.recipients) lines.push('', ...recipientGroup(recipient, global));
  return Buffer.from(`${lines.join('\r\n')}\r\n`);
}

function recipientGroup(recipient: DsnRecipient, global: boolean): string[] {
  const lines: string[] = [];
  if (recipient.orcpt !== undefined) lines.push(`Original-Recipient: ${originalRecipient(recipient.orcpt, global)}`);
  const type = needsSmtpUtf8(recipient.address) ? 'utf-8' : 'rfc822'; // RFC 6533 §3
  lines.push(`Final-Recipient: ${type}; ${safe(recipient.address, global)}`);
  lines.push(`Action: ${ACTIONS[recipient.outcome]}`, `Status: ${recipient.status}`);
  if (recipient.remoteMta !== undefined) lines.push(`Remote-MTA: dns; ${safe(recipient.remoteMta, false)}`);
  // RFC 3464 §2.3.6: type "smtp" only for what an SMTP peer said.
  const said = recipient.remoteMta === undefined ? 'x-sekisho' : 'smtp';
  lines.push(folded(`Diagnostic-Code: ${said}; ${clip(safe(recipient.diagnostic, false), 900)}`));
  if (recipient.lastAttempt !== undefined) lines.push(`Last-Attempt-Date: ${mailDate(recipient.lastAttempt)}`);
  if (recipient.retryUntil !== undefined) lines.push(`Will-Retry-Until: ${mailDate(recipient.retryUntil)}`);
  return lines;
}

function originalRecipient(orcpt: string, global: boolean): string {
  const at = orcpt.indexOf(';');
  const type = at < 0 ? 'rfc822' : orcpt.slice(0, at);
  return `${safe(type, false)}; ${safe(at < 0 ? orcpt : orcpt.slice(at + 1), global)}`;
}

/** A part in seven bits: as it stands when it can, else quoted-printable (RFC 6522 §4, RFC 6533 §4). */
function entity(type: string, content: Buffer): string {
  const plain = isSevenBit(content);
  const encoding = plain ? '7bit' : 'quoted-printable';
  const text = plain ? content.toString('latin1') : quotedPrintable(content);
  const description = type.endsWith('delivery-status') ? 'Delivery report' : 'Header of the message';
  return `Content-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\nContent-Description: ${description}\r\n\r\n${text}`;
}

/** RFC 2045 §2.7: no octet above 127, no NUL, no lone CR or LF, no line over 998 octets. */
function isSevenBit(content: Buffer): boolean {
  const text = content.toString('latin1');
  if (/[\u0000\u0080-\u00ff]/.test(text) || /\r(?!\n)|(?<!\r)\n/.test(text)) return false;
  // A line that begins like a boundary of ours would end the part.
  return text.split('\r\n').every((line) => line.length <= 998 && !line.startsWith('--'));
}

/** RFC 2045 §6.7. Line ends of the source stay line ends; a leading `-` is encoded so that no line can be a boundary. */
export function quotedPrintable(content: Buffer): string {
  const lines = content.toString('latin1').split('\r\n');
  return lines.map(quotedLine).join('\r\n');
}

function quotedLine(line: string): string {
  let out = '';
  let width = 0;
  for (let at = 0; at < line.length; at += 1) {
    const code = line.charCodeAt(at);
    const atEnd = at === line.length - 1;
    const literal = (code >= 33 && code <= 126 && code !== 61) || ((code === 32 || code === 9) && !atEnd);
    const piece = literal && !(code === 45 && width === 0) ? line.charAt(at) : `=${hex(code)}`;
    if (width + piece.length > 75) {
      out += '=\r\n';
      width = 0;
    }
    out += piece;
    width += piece.length;
  }
  return out;
}

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(2, '0');
}

/** No control character may start a field of its own (a peer's reply is a stranger's text). */
function safe(text: string, utf8: boolean): string {
  const line = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
  return utf8 ? line : line.replaceAll(/[^\u0020-\u007e]/gu, '?');
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}

/** RFC 5322 §2.2.3: at spaces, to lines of about 78; a word longer than that stays whole. */
function folded(line: string): string {
  const words = line.split(' ');
  const lines: string[] = [];
  let current = words.shift() ?? '';
  for (const word of words) {
    // An empty word is a doubled space; folding there would leave a line of white space only.
    if (current.length + 1 + word.length > 78 && word !== '' && current.trim() !== '') {
      lines.push(current);
      current = `    ${word}`;
    } else current += ` ${word}`;
  }
  return [...lines, current].join('\r\n');
}
