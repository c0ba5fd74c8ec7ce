/**
 * Who a message says it is from: the header From as facts. Odd forms are told, never mended: a From that two programs read
 * differently is how a forger gets past the one and at the person behind the other. Pure; never throws; linear.
 */
import { type Domain, parseAddress } from '../mail/address.ts';
import type { Finding } from '../mail/finding.ts';
import type { HeaderField, HeaderSection } from '../mail/header.ts';
import { decodeWords, displayText } from '../mail/words.ts';

export type FromFinding = Extract<Finding, { kind: 'from' }>;

interface Mailboxes {
  addresses: string[];
  malformed: boolean;
}

const MAX_AUTHORS = 100;

export function analyseFrom(header: HeaderSection): FromFinding {
  const fields = header.fields.filter((field) => field.key === 'from');
  const domains = new Set<Domain>();
  let malformed = false;
  for (const field of fields) {
    const read = readField(field);
    malformed ||= read.malformed;
    for (const address of read.addresses.slice(0, MAX_AUTHORS)) {
      const parts = parseAddress(address);
      if (parts === undefined) malformed = true;
      else domains.add(parts.domain);
    }
    malformed ||= read.addresses.length > MAX_AUTHORS;
  }
  const text = displayText(fields.map((field) => decodeWords(field.raw)).join(', '));
  return { kind: 'from', count: fields.length, domains: [...domains], malformed, text };
}

function readField(field: HeaderField): Mailboxes {
  const raw = field.raw.replaceAll(/\r\n(?=[ \t])/g, '');
  // RFC 5322 §2.2: no control characters but the tab. ESC opens raw ISO-2022-JP and is borne in display names.
  const controls = /[\u0000-\u0008\u000a-\u001a\u001c-\u001f\u007f]/.test(raw) || /[\u0000\r\n]/.test(decodeWords(raw));
  const read = readMailboxes(Buffer.from(raw, 'latin1').toString('utf8'));
  return { addresses: read.addresses, malformed: controls || read.malformed || read.addresses.length === 0 };
}

/** RFC 5322 §3.4 mailbox-list with groups (RFC 6854), one pass. */
function readMailboxes(text: string): Mailboxes {
  const addresses: string[] = [];
  let malformed = false;
  let bare = ''; // outside quotes and angle brackets, of the current mailbox
  let angle: string | undefined;
  let closed = false; // an angle address was complete
  let quotedWord = '';
  const end = (): void => {
    const spec = closed ? (angle ?? '') : (quotedWord + bare.trim()).trim();
    // `a@x <b@y>`, unquoted; the very same address twice is common and fools nobody
    const other = bare.replaceAll(/=\?[^?]*\?[bq]\?[^?]*\?=/gi, '').trim();
    if (closed && other.includes('@') && other.toLowerCase() !== angle?.trim().toLowerCase()) malformed = true;
    if (spec !== '') {
      addresses.push(spec);
      malformed ||= spec.includes('=?') || /\s/.test(spec.replace(/^".*"@/s, '')); // an encoded word inside an address (RFC 2047 §5)
    } else if (closed || bare.trim() !== '') malformed = true;
    [bare, quotedWord, angle, closed] = ['', '', undefined, false];
  };
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i] as string;
    if (character === '"') {
      const stop = endOfQuoted(text, i);
      if (stop < 0) return { addresses, malformed: true };
      const quoted = text.slice(i, stop + 1);
      if (angle !== undefined && !closed) angle += quoted;
      else if (text[stop + 1] === '@') quotedWord = quoted;
      i = stop;
    } else if (character === '(') {
      const stop = endOfComment(text, i);
      if (stop < 0) return { addresses, malformed: true };
      i = stop;
    } else if (character === '<') {
      if (angle !== undefined)
        malformed = true; // two angle addresses in one mailbox
      else angle = '';
      closed = false;
    } else if (character === '>') {
      if (angle === undefined || closed) malformed = true;
      closed = true;
    } else if (angle !== undefined && !closed) {
      angle += character;
    } else if (character === ',') {
      end();
    } else if (character === ':' || character === ';') {
      // a group's name, or its end
      if (character === ';') end();
      [bare, quotedWord] = ['', ''];
    } else {
      if (closed && character.trim() !== '') malformed = true; // text behind `<address>`
      bare += character;
    }
  }
  if (angle !== undefined && !closed) malformed = true;
  if (bare.trim() !== '' || closed || quotedWord !== '') end();
  return { addresses: addresses.map((address) => address.trim()), malformed };
}

function endOfQuoted(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '"') return i;
  }
  return -1;
}

function endOfComment(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '(') depth += 1;
    else if (text[i] === ')') {
      depth -= 1;
      if (depth === 0) return i;
    }
  }
  return -1;
}
