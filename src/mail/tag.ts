/**
 * Marks a message without touching its body: the Subject field is cut out and written anew with a tag, and short result
 * fields are added. What comes out is a `prefix` of complete header fields and the octet ranges (`cuts`) to leave out.
 *
 * Contract: `prefix` is a string of latin1 *octets* (the spool writes it with 'latin1'), because a subject in raw 8-bit
 * (Shift_JIS, UTF-8) is carried byte for byte. Encoded words stay as they are; the tag stands before them. Pure, linear,
 * safe on any input; what cannot be done safely (a header that goes on behind these bytes) is left undone. A changed
 * Subject breaks DKIM signatures for whoever checks behind us: a tag is for mail that stays in the office.
 */
import type { Decision } from './decision.ts';
import type { Finding } from './finding.ts';
import { findHeaderEnd, type HeaderField, type HeaderSection, parseHeader } from './header.ts';
import { decodeWords } from './words.ts';

export interface HeaderEdit {
  /** Complete fields, CRLF ends, latin1 octets; may be empty. */
  prefix: string;
  /** Octet ranges of the message left out, ascending, not overlapping. */
  cuts: Array<[start: number, end: number]>;
}

/** RFC 2047 §2: an encoded word has at most 75 characters, a line with one at most 76. */
const MOST_LINE = 76;
/** 45 octets make 60 characters of base64; with `=?UTF-8?B?…?=` 72. */
const MOST_WORD_OCTETS = 45;

/**
 * `head`: the first octets of the message. `whole`: they are all of it, so that a field at their end is complete even
 * without the empty line. A message with several Subject fields gets the tag in each: programs differ in which they show.
 */
export function tagSubject(
  head: Buffer,
  tag: string,
  options: { header?: HeaderSection; whole?: boolean } = {},
): HeaderEdit {
  const word = encodeTag(tag);
  if (word === '') return { prefix: '', cuts: [] };
  const header = options.header ?? parseHeader(head);
  const complete = options.whole === true || findHeaderEnd(head) >= 0;
  const subjects = header.fields.filter((field) => field.key === 'subject' && (complete || field.end < head.length));
  // The Subject may stand behind what we see; a second one would hide it.
  if (subjects.length === 0) return { prefix: complete ? `Subject: ${word}\r\n` : '', cuts: [] };
  const edit: HeaderEdit = { prefix: '', cuts: [] };
  for (const field of subjects) {
    if (isTagged(field, tag)) continue;
    edit.prefix += taggedField(field, word);
    edit.cuts.push([field.start, field.end]);
  }
  return edit;
}

function taggedField(field: HeaderField, word: string): string {
  // Not trim(): an octet of 8-bit text can look like a no-break space.
  const value = isBlank(field.raw) ? '' : field.raw;
  const separated = value === '' || /^[ \t\r]/.test(value) ? value : ` ${value}`;
  const [firstLine = ''] = separated.split('\r\n', 1);
  const lastLine = `${field.name}: ${word}`.split('\r\n').at(-1) ?? '';
  // RFC 5322 §2.2.3: a fold goes before white space, and a folded line must hold more than white space.
  const fold = !isBlank(firstLine) && lastLine.length + firstLine.length > MOST_LINE ? '\r\n' : '';
  return `${field.name}: ${word}${fold}${separated}\r\n`;
}

function isBlank(octets: string): boolean {
  return /^[ \t\r\n]*$/.test(octets);
}

function isTagged(field: HeaderField, tag: string): boolean {
  // Only as much as a tag can fill: a subject of a megabyte is not decoded to read its first words.
  return decodeWords(field.raw.slice(0, 1_000)).trimStart().startsWith(clean(tag));
}

function clean(tag: string): string {
  return tag
    .toWellFormed()
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .trim();
}

/** ASCII as it is; anything else, or what would be read as an encoded word, as RFC 2047 words of UTF-8. */
function encodeTag(tag: string): string {
  const text = clean(tag);
  if (/^[ -~]*$/.test(text) && !text.includes('=?')) return text;
  const words: string[] = [];
  let chunk = '';
  // RFC 2047 §5: a character is never divided between words.
  for (const character of text) {
    if (Buffer.byteLength(chunk + character) > MOST_WORD_OCTETS) {
      words.push(chunk);
      chunk = '';
    }
    chunk += character;
  }
  words.push(chunk);
  return words.map((part) => `=?UTF-8?B?${Buffer.from(part).toString('base64')}?=`).join('\r\n ');
}

/** Fields that only we may have written: forged ones go out of every message (`ownFieldCuts`). */
const OWN_FIELDS = new Set(['x-sekisho-result', 'x-sekisho-symbols', 'x-spam-flag', 'x-spam-score']);

/**
 * What we found, for rules in the mail server or the mail program. `X-Spam-Flag: YES` stands on tagged and quarantined
 * spam only. Everything a stranger wrote is reduced to harmless ASCII and cut.
 */
export function spamHeaders(findings: readonly Finding[], decision: Decision): string {
  const score = findings.reduce<number | undefined>(
    (most, finding) => (finding.kind === 'spam' ? Math.max(most ?? finding.score, finding.score) : most),
    undefined,
  );
  const result = [`action=${decision.action}`, `reason=${decision.reason}`];
  if (decision.because?.kind === 'virus') result.push(`virus=${atom(decision.because.name)}`);
  let fields = '';
  if (decision.reason.startsWith('spam-')) fields += 'X-Spam-Flag: YES\r\n';
  if (score !== undefined && Number.isFinite(score)) fields += `X-Spam-Score: ${score.toFixed(2)}\r\n`;
  fields += `X-Sekisho-Result: ${result.join('; ')}\r\n`;
  const symbols = findings
    .flatMap((finding) => (finding.kind === 'spam' ? finding.symbols : []))
    .filter((symbol) => symbol.score > 0)
    .toSorted((one, other) => other.score - one.score)
    .slice(0, 8)
    .map((symbol) => `${atom(symbol.name)}(${symbol.score.toFixed(1)})`);
  // RFC 5322 §2.1.1: folded, so that no line comes near 998 octets
  if (symbols.length > 0) fields += `X-Sekisho-Symbols: ${symbols.join(',\r\n ')}\r\n`;
  return fields;
}

/** Where fields stand that look like ours but came with the message: a sender does not get to say "not spam". */
export function ownFieldCuts(header: HeaderSection): Array<[start: number, end: number]> {
  return header.fields.filter((field) => OWN_FIELDS.has(field.key)).map((field) => [field.start, field.end]);
}

/** Ranges of several edits as one list: ascending, overlapping and touching ones joined. */
export function mergeCuts(...lists: ReadonlyArray<ReadonlyArray<[start: number, end: number]>>): HeaderEdit['cuts'] {
  const merged: HeaderEdit['cuts'] = [];
  for (const [start, end] of lists.flat().toSorted((one, other) => one[0] - other[0])) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else if (end > start) merged.push([start, end]);
  }
  return merged;
}

function atom(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._:/+-]/g, '_').slice(0, 60);
}
