/**
 * What a person may see of a message before deciding about it: its header fields, decoded, and the beginning of its text.
 * No MIME library, no rendering: the first text/plain part (else the words of the first text/html part), decoded, escaped
 * and cut. The result is text for a terminal or a text node, never markup. Pure; linear in the octets given; safe on any
 * input: what cannot be decoded is shown as well as it can be, and a part that lies behind the octets given is not found.
 */
import { type HeaderSection, parseHeader } from './header.ts';
import { safeLines, safeText } from './safe-text.ts';
import { decodeCharset, decodeWords, guessCharset, parseStructured } from './words.ts';

export interface Preview {
  /** In the order of the message; values decoded, on one line, escaped. */
  fields: Array<{ name: string; value: string }>;
  /** May be empty. */
  text: string;
  /** Where the text comes from. */
  source: 'text/plain' | 'text/html' | 'none';
  /** The text goes on behind what is shown. */
  truncated: boolean;
}

interface Part {
  type: string;
  charset: string;
  encoding: string;
  body: Buffer;
}

const MOST_FIELDS = 100;
const MOST_FIELD = 500;
/** Octets of a field that are decoded: more would not be shown. */
const MOST_RAW_FIELD = 4_000;
const MOST_PARTS = 100;
const MOST_DEPTH = 10;
/** Enough for 4,000 characters of three octets in quoted-printable. */
const MOST_PART_OCTETS = 49_152;

/** `head`: the first octets of the message, `maxCharacters`: of the text (default 4,000). */
export function previewMessage(head: Buffer, options: { maxCharacters?: number } = {}): Preview {
  const most = options.maxCharacters ?? 4_000;
  const header = parseHeader(head);
  const fields = header.fields.slice(0, MOST_FIELDS).map((field) => ({
    name: safeText(field.name, 80),
    value: safeText(decodeWords(field.raw.slice(0, MOST_RAW_FIELD)).trim(), MOST_FIELD),
  }));
  const budget = { parts: MOST_PARTS };
  const found: Part[] = [];
  collect(head, { header, depth: 0, budget, found });
  const part = found.find(({ type }) => type === 'text/plain') ?? found.find(({ type }) => type === 'text/html');
  if (part === undefined) return { fields, text: '', source: 'none', truncated: false };
  const decoded = decodePart(part);
  const plain = part.type === 'text/html' ? htmlToText(decoded) : decoded;
  const text = plain.replaceAll(/\n{4,}/g, '\n\n\n').trim();
  return {
    fields,
    text: safeLines(text, most),
    source: part.type === 'text/html' ? 'text/html' : 'text/plain',
    truncated: text.length > most || part.body.length > MOST_PART_OCTETS,
  };
}

function collect(
  bytes: Buffer,
  place: { header: HeaderSection; depth: number; budget: { parts: number }; found: Part[] },
): void {
  const { header, depth, budget, found } = place;
  const declared = declaredType(header);
  const body = bytes.subarray(header.bodyStart);
  if (!declared.type.startsWith('multipart/')) {
    if (declared.type.startsWith('text/') && !declared.attached) found.push({ ...declared, body });
    return;
  }
  if (declared.boundary === '' || depth >= MOST_DEPTH) return;
  for (const part of splitParts(body, { boundary: declared.boundary, budget })) {
    collect(part, { header: parseHeader(part), depth: depth + 1, budget, found });
    if (found.some(({ type }) => type === 'text/plain')) return;
  }
}

function declaredType(header: HeaderSection): Omit<Part, 'body'> & { boundary: string; attached: boolean } {
  const raw = (key: string): string =>
    (header.fields.find((field) => field.key === key)?.raw ?? '').slice(0, MOST_RAW_FIELD);
  const { value, parameters } = parseStructured(raw('content-type'));
  return {
    // RFC 2045 §5.2: without a type, or with one that is none, it is plain text
    type: /^[\w.+-]+\/[\w.+-]+$/.test(value) ? value : 'text/plain',
    charset: (parameters.get('charset') ?? '').toLowerCase(),
    boundary: parameters.get('boundary') ?? '',
    encoding: parseStructured(raw('content-transfer-encoding')).value,
    attached: parseStructured(raw('content-disposition')).value === 'attachment',
  };
}

/** RFC 2046 §5.1.1: a delimiter stands at the beginning of a line; the last one ends in `--`, or is missing. */
function* splitParts(body: Buffer, options: { boundary: string; budget: { parts: number } }): Generator<Buffer> {
  const delimiter = Buffer.from(`\r\n--${options.boundary}`, 'latin1');
  const opensAtOnce = body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2));
  let at = opensAtOnce ? -2 : body.indexOf(delimiter);
  while (at !== -1) {
    const start = at + delimiter.length;
    if (body[start] === 45 && body[start + 1] === 45) return;
    if (options.budget.parts <= 0) return;
    options.budget.parts -= 1;
    const lineEnd = body.indexOf('\r\n', start);
    if (lineEnd < 0) return;
    // From the line end itself, so that an empty part's next delimiter is seen.
    const next = body.indexOf(delimiter, lineEnd);
    const end = next < 0 ? body.length : next;
    yield body.subarray(Math.min(lineEnd + 2, end), end);
    at = next;
  }
}

function decodePart(part: Part): string {
  const octets = decodeTransfer(part.body.subarray(0, MOST_PART_OCTETS), part.encoding);
  const whole = part.body.length <= MOST_PART_OCTETS ? octets : wholeCharacters(octets);
  return decodeText(whole, part.charset).replaceAll(/\r\n?/g, '\n');
}

/** RFC 2045 §6. Unknown encodings are shown as they are. */
function decodeTransfer(raw: Buffer, encoding: string): Buffer {
  if (encoding === 'base64') return Buffer.from(raw.toString('latin1').replaceAll(/[^A-Za-z0-9+/=]/g, ''), 'base64');
  if (encoding !== 'quoted-printable') return raw;
  const text = raw
    .toString('latin1')
    .replaceAll(/=[ \t]{0,20}\r\n/g, '')
    .replaceAll(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(text, 'latin1');
}

/** Lenient where `decodeCharset` is strict: one bad octet in a page of text must not turn all of it into rubbish. */
function decodeText(octets: Buffer, charset: string): string {
  // RFC 2045 §5.2: the default is US-ASCII, which is also what people write who send something else
  if (charset === '' || charset === 'us-ascii') return guessCharset(octets);
  let text: string;
  try {
    text = new TextDecoder(charset).decode(octets);
  } catch {
    text = decodeCharset(octets, charset); // knows more names
  }
  const bad = text.length - text.replaceAll('\ufffd', '').length;
  return bad * 10 > text.length ? guessCharset(octets) : text;
}

/** Octets cut off somewhere, without the line or at least the UTF-8 character that is broken at their end. */
function wholeCharacters(octets: Buffer): Buffer {
  const lineEnd = octets.lastIndexOf(10);
  if (lineEnd >= 0) return octets.subarray(0, lineEnd + 1);
  for (let back = 1; back <= 3 && back <= octets.length; back += 1) {
    const octet = octets[octets.length - back] ?? 0;
    if (octet < 0x80) return octets;
    if (octet < 0xc0) continue; // RFC 3629 §3: a continuation; how long the character is says its first octet
    const needed = octet < 0xe0 ? 2 : octet < 0xf0 ? 3 : 4;
    return back < needed ? octets.subarray(0, octets.length - back) : octets;
  }
  return octets;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/** The words of a page: no tags, no scripts, no styles. One pass, each octet looked at a bounded number of times. */
function htmlToText(html: string): string {
  // Only ASCII: lower case must not move the offsets.
  const lower = html.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
  let text = '';
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    text += html.slice(at, open < 0 ? html.length : open).replaceAll(/\s+/g, ' ');
    if (open < 0) break;
    const name = /^<\/?([a-z][a-z0-9]{0,20})/.exec(lower.slice(open, open + 24))?.[1] ?? '';
    let close = lower.startsWith('<!--', open) ? lower.indexOf('-->', open) : html.indexOf('>', open);
    if ((name === 'script' || name === 'style' || name === 'title') && lower[open + 1] !== '/') {
      const end = lower.indexOf(`</${name}`, open);
      close = end < 0 ? -1 : html.indexOf('>', end);
    }
    if (close < 0) break;
    if (/^(?:br|p|div|tr|li|h[1-6]|table|ul|ol|blockquote|hr)$/.test(name)) text += '\n';
    at = html.indexOf('>', close) + 1;
  }
  return text
    .replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi, entity)
    .replaceAll(/[ \t]{2,}/g, ' ')
    .replaceAll(/ ?\n ?/g, '\n')
    .replaceAll(/\n{3,}/g, '\n\n');
}

function entity(mark: string, decimal?: string, hex?: string, name?: string): string {
  if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? mark;
  const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number.parseInt(decimal, 10);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
}
