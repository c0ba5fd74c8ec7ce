/**
 * The trace field we add (RFC 5321 §4.4), and the count of those that others added: a message that passed too many hosts
 * is going in circles. Everything a client said is reduced to harmless characters before it stands in a header: no CR, LF,
 * parenthesis or angle bracket of theirs can end a comment, a clause or a field.
 */
import { isIPv6 } from 'node:net';
import { type ForwardPath, parseDomain } from './address.ts';
import type { Origin, Transaction } from './envelope.ts';
import type { QueueId } from './queue-id.ts';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/**
 * One complete `Received:` field, folded, CRLF at the end. `recipient` only when the message has one: RFC 5321 §7.6, a list
 * of recipients in a header betrays Bcc. `now`: milliseconds since 1970.
 */
export function composeReceived(
  transaction: Pick<Transaction, 'origin'> & { envelope?: Pick<Transaction['envelope'], 'smtpUtf8'> },
  facts: { hostname: string; id: QueueId; recipient?: ForwardPath; now: number },
): string {
  const { origin } = transaction;
  const lines = [`Received: ${fromClause(origin)}`, `by ${harmless(facts.hostname)} with ${harmless(origin.protocol)}`];
  if (origin.tls !== undefined)
    lines.push(`(using ${harmless(origin.tls.protocol)} with cipher ${harmless(origin.tls.cipher)})`);
  const recipient = facts.recipient;
  // RFC 6532: an address that is not ASCII may stand in a header only of a message that is SMTPUTF8
  const shown = recipient !== undefined && isShowable(recipient, transaction.envelope?.smtpUtf8 === true);
  lines.push(`id ${harmless(facts.id)}${shown ? ` for <${recipient}>` : ''};`);
  return `${lines.join('\r\n\t')}\r\n\t${dateTime(facts.now)}\r\n`;
}

function fromClause(origin: Origin): string {
  if (origin.clientAddress === '') return 'from localhost (local)';
  const literal = addressLiteral(origin.clientAddress);
  const name = origin.clientName === undefined ? undefined : parseDomain(origin.clientName);
  // RFC 5321 §4.4: the name from EHLO, and the address the connection really came from
  const tcpInfo = name === undefined ? literal : `${name} ${literal}`;
  return `from ${heloName(origin.helo) ?? literal} (${tcpInfo})`;
}

/** What HELO said as a domain or address literal; other characters become `?`. Undefined when nothing is left to show. */
function heloName(helo: string): string | undefined {
  const cut = harmless(helo).slice(0, 255);
  return cut === '' ? undefined : cut;
}

function addressLiteral(address: string): string {
  return isIPv6(address) ? `[IPv6:${address}]` : `[${harmless(address)}]`;
}

function harmless(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._:[\]-]/g, '?');
}

function isShowable(recipient: ForwardPath, utf8: boolean): boolean {
  if (/[\u0000-\u001f\u007f-\u009f<>]/.test(recipient) || recipient.length > 500) return false;
  return utf8 || /^[\u0020-\u007e]*$/.test(recipient);
}

/** RFC 5322 §3.3, always in UTC: no reader has to know where the box stands. */
export function dateTime(now: number): string {
  const date = new Date(now);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${DAYS[date.getUTCDay()]}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** RFC 5321 §6.3: the `Received:` fields in a header section. */
export function countHops(header: Buffer): number {
  const counter = new HopCounter();
  counter.feed(header);
  return counter.hops;
}

const RECEIVED = Buffer.from('received');
const COLON = 58;

/** Counts hops in a header that streams past in chunks of any size; stops by itself at the empty line. */
export class HopCounter {
  #hops = 0;
  #done = false;
  /** How many octets of the current line matched `received`; −1: this line is something else. */
  #matched = 0;
  /** Octets in the current line, line end not counted. */
  #length = 0;

  get hops(): number {
    return this.#hops;
  }

  /** The empty line was seen: what follows is body. */
  get done(): boolean {
    return this.#done;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#done) {
      if (this.#matched < 0) {
        const end = chunk.indexOf(10, at);
        if (end < 0) return;
        this.#newLine();
        at = end + 1;
        continue;
      }
      this.#step(chunk[at] as number);
      at += 1;
    }
  }

  #step(octet: number): void {
    if (octet === 13) return;
    if (octet === 10) {
      if (this.#length === 0) this.#done = true;
      this.#newLine();
      return;
    }
    this.#length += 1;
    if (this.#matched === RECEIVED.length) {
      if (octet === COLON) this.#hops += 1;
      // RFC 5322 §4.5.3: the obsolete syntax has blanks before the colon
      if (octet !== 32 && octet !== 9) this.#matched = -1;
      return;
    }
    this.#matched = (octet | 32) === RECEIVED[this.#matched] ? this.#matched + 1 : -1;
  }

  #newLine(): void {
    this.#matched = 0;
    this.#length = 0;
  }
}
