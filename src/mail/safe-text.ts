/**
 * Text of strangers, made fit to be shown: control characters, bidi overrides, zero-width and tag characters and lone
 * surrogates are written out as `\u{202e}`, so that a file name or subject cannot turn a sentence round, hide an ending or
 * drive a terminal. Pure; safe on any string. What comes out is still text: a page must set it as a text node.
 */

// Cc: C0, DEL, C1 · Cf: bidi marks and overrides, zero-width, soft hyphen, tags · Cs: lone surrogates · Zl, Zp: line and
// paragraph separator · and the Hangul fillers, letters that show as nothing
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;

/** One line. Longer than `max` characters it is cut and ends in `…`. */
export function safeText(text: string, max = 200): string {
  return cut(text.replaceAll(HIDDEN, escapeCharacter), max);
}

/** Several lines: line ends and tabs stay, everything else as in `safeText`. */
export function safeLines(text: string, max: number): string {
  const lines = text.replaceAll(/\r\n?/g, '\n');
  return cut(
    lines.replaceAll(HIDDEN, (character) =>
      character === '\n' || character === '\t' ? character : escapeCharacter(character),
    ),
    max,
  );
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** Never between the halves of a surrogate pair; the result has at most `max` characters, the `…` included. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, Math.max(0, max - 1)).replace(/[\ud800-\udbff]$/, '')}…`;
}
