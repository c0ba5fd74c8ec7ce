/**
 * Text for a terminal that somebody else wrote: mail is hostile, and an escape sequence in a subject must not move the
 * cursor, rename the window or turn the line round. What could act is shown as `\x1b` or `\u{202e}`; the rest stays as it is.
 * Widths are in columns (UAX #11: wide and fullwidth characters take two), so that tables with Japanese in them line up.
 */

// C0, DEL, C1 (ECMA-48); line and paragraph separators; bidi controls (UAX #9: "Trojan source"); zero-width and invisible
// ones that hide text; tag characters; halves of a surrogate pair.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]|\p{Cs}/gu;

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
// variation selectors are marks too; the joiners stand apart because a class of them confuses readers and linters
const NO_WIDTH = /^(?:\p{Mn}|\p{Me}|\u200c|\u200d)$/u;

/** One line that only shows: line ends and tabs are escaped too. */
export function escapeForTerminal(text: string): string {
  return text.replaceAll(UNSAFE, (character) => escapeCharacter(character));
}

/** Several lines that only show: LF stays, CRLF counts as LF, a tab becomes spaces. */
export function escapeBlockForTerminal(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll('\t', '    ').split('\n').map(escapeForTerminal).join('\n');
}

/** JSON for a terminal: the same value, with every character that could act written as `\uXXXX`. */
export function jsonForTerminal(value: unknown): string {
  const text = JSON.stringify(value, null, 2) ?? 'null';
  return text.replaceAll(UNSAFE, (character) =>
    character === '\n' ? character : [...Array(character.length).keys()].map((i) => unit(character, i)).join(''),
  );
}

/** Columns the text takes, once escaped. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** Fills with spaces up to `width` columns; a longer text stays as it is. */
export function padColumns(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const gap = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return side === 'left' ? text + gap : gap + text;
}

/** At most `width` columns, `…` where something was cut. */
export function cutColumns(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = '';
  let used = 0;
  for (const character of text) {
    const columns = displayWidth(character);
    if (used + columns > width - 1) break;
    cut += character;
    used += columns;
  }
  return `${cut}…`;
}

/** A text in lines of at most `width` columns: between words where there are any, anywhere else (Japanese has none). */
export function wrapColumns(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const character of text) {
    const columns = displayWidth(character);
    if (used + columns > width) {
      const space = line.lastIndexOf(' ') + 1;
      lines.push((space === 0 ? line : line.slice(0, space)).trimEnd());
      line = space === 0 ? '' : line.slice(space);
      used = displayWidth(line);
    }
    line += character;
    used += columns;
  }
  return [...lines, line];
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

function unit(character: string, index: number): string {
  return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
}
