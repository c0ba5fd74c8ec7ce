/**
 * Words of a header as a person reads them: encoded words (RFC 2047), parameters (RFC 2231), and the raw 8-bit and
 * ISO-2022-JP octets that real mail carries beside them. Charsets are read by TextDecoder (full ICU: ①, half-width kana); the
 * few it does not know by libmime. Pure; never throws; linear. Input is latin1, one character an octet, as `HeaderField.raw`.
 */
import libmime from 'libmime';

/** Names of the field that the Encoding Standard does not list. Windows' superset is what senders mean by Shift_JIS. */
const CHARSET_ALIASES: Readonly<Record<string, string>> = {
  'iso-2022-jp-1': 'iso-2022-jp',
  'iso-2022-jp-2': 'iso-2022-jp',
  'iso-2022-jp-3': 'iso-2022-jp',
  'iso-2022-jp-ms': 'iso-2022-jp',
  cp50220: 'iso-2022-jp',
  cp50221: 'iso-2022-jp',
  jis: 'iso-2022-jp',
  cp932: 'shift_jis',
  'windows-932': 'shift_jis',
  shiftjis: 'shift_jis',
  'shift-jis': 'shift_jis',
  eucjp: 'euc-jp',
  'euc-jp-ms': 'euc-jp',
  cp51932: 'euc-jp',
  '8bit': 'utf-8',
  utf8mb4: 'utf-8',
};

// RFC 2047 §2, lenient in the text (spaces do occur), with an RFC 2231 §5 language tag
const ENCODED_WORD = /=\?([\w.:-]{1,60})(?:\*[\w-]{0,30})?\?([bBqQ])\?([^?\r\n]*)\?=/g;

/** Decodes octets of a named charset; an unknown or lying name is answered by looking at the octets. */
export function decodeCharset(octets: Buffer, charset: string): string {
  const label = charset.toLowerCase();
  try {
    return new TextDecoder(CHARSET_ALIASES[label] ?? label, { fatal: true }).decode(octets);
  } catch (error) {
    // A RangeError is a name TextDecoder does not know; libmime knows more (UTF-7, macintosh kinds).
    if (error instanceof RangeError && /^[\w.:-]+$/.test(charset)) {
      const text = libmime.decodeWord(charset, 'B', octets.toString('base64'));
      // A name libmime does not know either is read as UTF-8, whatever it was: lossy, or with escapes left standing.
      if (!text.includes('\ufffd') && !octets.includes(0x1b)) return text;
    }
    return guessCharset(octets);
  }
}

/** Octets without a name: UTF-8 if they are, else ISO-2022-JP by its escapes, else Shift_JIS or EUC-JP, else latin1. */
export function guessCharset(octets: Buffer, order: readonly string[] = ['utf-8', 'euc-jp', 'shift_jis']): string {
  const candidates = octets.includes('\x1b$') || octets.includes('\x1b(') ? ['iso-2022-jp'] : [];
  for (const charset of [...candidates, ...order]) {
    try {
      const text = new TextDecoder(charset, { fatal: true }).decode(octets);
      if (charset !== 'euc-jp' || /[\u3040-\u30ff\u4e00-\u9fff]/.test(text)) return text;
    } catch {
      // not this one
    }
  }
  return candidates.length > 0 ? new TextDecoder('iso-2022-jp').decode(octets) : octets.toString('latin1');
}

/** An unstructured value: folds undone, encoded words decoded, raw octets read. */
export function decodeWords(raw: string): string {
  const value = raw.replaceAll(/\r\n(?=[ \t])/g, '');
  const pieces: string[] = [];
  let run: { charset: string; octets: Buffer[] } | undefined;
  let at = 0;
  const flush = (): void => {
    // Adjacent words of one charset are joined before decoding: senders split characters between words.
    if (run !== undefined) pieces.push(decodeCharset(Buffer.concat(run.octets), run.charset));
    run = undefined;
  };
  for (const match of value.matchAll(ENCODED_WORD)) {
    const [whole, charset = '', encoding = '', text = ''] = match;
    const between = value.slice(at, match.index);
    const adjacent = run !== undefined && /^[ \t]*$/.test(between);
    if (!adjacent || run?.charset !== charset.toLowerCase()) flush();
    if (!adjacent) pieces.push(readOctets(between)); // RFC 2047 §6.2: white space between encoded words is not shown
    run ??= { charset: charset.toLowerCase(), octets: [] };
    run.octets.push(encoding.toUpperCase() === 'B' ? Buffer.from(text, 'base64') : decodeQ(text));
    at = match.index + whole.length;
  }
  flush();
  pieces.push(readOctets(value.slice(at)));
  return pieces.join('');
}

function readOctets(text: string): string {
  if (!/[\u001b\u0080-\u00ff]/.test(text)) return text;
  return guessCharset(Buffer.from(text, 'latin1'));
}

function decodeQ(text: string): Buffer {
  const bytes = text
    .replaceAll('_', ' ')
    .replaceAll(/=([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1');
}

export interface StructuredValue {
  /** Lower case, without parameters: `text/plain`, `attachment`. */
  value: string;
  /** Names in lower case; decoded. */
  parameters: Map<string, string>;
}

interface Segment {
  index: number;
  extended: boolean;
  text: string;
}

const MAX_PARAMETERS = 200;

/** `value; name="text"; name*0*=utf-8''%e4…` (RFC 2045 §5.1, RFC 2231 §3, §4), as written by those who read no RFC too. */
export function parseStructured(raw: string): StructuredValue {
  const line = raw.replaceAll(/\r\n(?=[ \t])/g, '').replaceAll(/[\r\n\0]/g, ' ');
  const parts = splitParameters(line);
  const plain = new Map<string, string>();
  const segments = new Map<string, Segment[]>();
  for (const part of parts.slice(1, MAX_PARAMETERS)) {
    const equals = part.indexOf('=');
    if (equals < 1) continue;
    const name = part.slice(0, equals).trim().toLowerCase();
    const text = unquote(part.slice(equals + 1).trim());
    const match = /^([^*]+)(?:\*(\d{1,3}))?(\*?)$/.exec(name);
    if (match === null) continue;
    const [, base = '', index, star] = match;
    if (index === undefined && star === '') {
      if (!plain.has(base)) plain.set(base, text);
      continue;
    }
    const list = segments.get(base) ?? [];
    list.push({ index: Number(index ?? 0), extended: star === '*', text });
    segments.set(base, list);
  }
  const parameters = new Map<string, string>();
  for (const [name, text] of plain) parameters.set(name, decodeWords(text));
  for (const [name, list] of segments) parameters.set(name, joinSegments(list)); // RFC 2231 wins over the plain form
  return {
    value: stripComments(parts[0] ?? '')
      .trim()
      .toLowerCase(),
    parameters,
  };
}

function joinSegments(segments: Segment[]): string {
  segments.sort((a, b) => a.index - b.index);
  let charset = '';
  const octets: Buffer[] = [];
  for (const [position, segment] of segments.entries()) {
    let { text } = segment;
    if (segment.extended && position === 0) {
      const match = /^([^']*)'[^']*'(.*)$/s.exec(text);
      if (match !== null) [, charset = '', text = ''] = match;
    }
    octets.push(segment.extended ? decodePercent(text) : Buffer.from(text, 'latin1'));
  }
  const whole = Buffer.concat(octets);
  if (charset !== '') return decodeCharset(whole, charset);
  return decodeWords(whole.toString('latin1'));
}

function decodePercent(text: string): Buffer {
  const bytes = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1');
}

/** At `;` outside quotes. Raw ISO-2022-JP and Shift_JIS may carry `;`, `"` and `\` as second octets: those count as text. */
function splitParameters(line: string): string[] {
  const parts: string[] = [];
  let current = '';
  let quoted = false;
  let japanese = false; // inside an ISO-2022-JP double-byte run
  let afterEquals = false; // only there does a quote open
  for (let i = 0; i < line.length; i += 1) {
    const character = line[i] as string;
    if (character === '\u001b') {
      japanese = line[i + 1] === '$';
      current += line.slice(i, i + 3);
      i += 2;
    } else if (japanese) {
      current += character;
    } else if (quoted && character === '\\' && i + 1 < line.length && !isShiftJisLead(line, i - 1)) {
      current += character + line[i + 1];
      i += 1;
    } else if (character === '"' && (quoted || afterEquals)) {
      quoted = !quoted;
      current += character;
    } else if (character === ';' && !quoted) {
      parts.push(current);
      current = '';
    } else current += character;
    if (character !== ' ' && character !== '\t') afterEquals = character === '=' && !quoted;
  }
  parts.push(current);
  return parts;
}

/** Is the octet at `at` the first half of a Shift_JIS character whose second half may be `\` (0x5c)? 表, ソ, 能 … */
function isShiftJisLead(line: string, at: number): boolean {
  const code = line.charCodeAt(at);
  return (code >= 0x81 && code <= 0x9f) || (code >= 0xe0 && code <= 0xfc);
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  const end = text.length > 1 && text.endsWith('"') ? -1 : undefined;
  const inner = text.slice(1, end);
  let out = '';
  let japanese = false;
  for (let i = 0; i < inner.length; i += 1) {
    if (inner[i] === '\u001b') japanese = inner[i + 1] === '$';
    const escapes = inner[i] === '\\' && !japanese && !isShiftJisLead(inner, i - 1) && /["\\]/.test(inner[i + 1] ?? '');
    if (escapes) i += 1;
    out += inner[i];
  }
  return out;
}

/** RFC 5322 §3.2.2 comments, nested; linear. */
export function stripComments(text: string): string {
  if (!text.includes('(')) return text;
  let out = '';
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i] as string;
    if (character === '\\') {
      if (depth === 0) out += text.slice(i, i + 2);
      i += 1;
    } else if (character === '"' && depth === 0) {
      quoted = !quoted;
      out += character;
    } else if (character === '(' && !quoted) depth += 1;
    else if (character === ')' && depth > 0) depth -= 1;
    else if (depth === 0) out += character;
  }
  return out;
}

// C0 and C1 controls, and what changes the direction of text or is not seen
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** For history, quarantine and pages: one line, no controls, no bidi overrides, at most `max` characters. */
export function displayText(text: string, max = 1_000): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\t\r\n]+/g, ' ')
    .replaceAll(INVISIBLE, '')
    .trim();
  return line.length <= max ? line : `${line.slice(0, max - 1).toWellFormed()}…`;
}
