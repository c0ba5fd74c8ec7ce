/**
 * Text as the search sees it. Spellings that a person takes for one are one: width, case, hiragana and katakana, voiced
 * marks typed apart, name variants such as 髙 and 高; what cannot be seen (zero width, bidi) is gone. Indexed are overlapping
 * pairs of characters, so that 年会 is found inside 忘年会 and `voi` inside `invoice`; no dictionary, no word boundaries. Pure.
 */

/** Code points that show nothing, or only steer: an attacker puts them between letters. Variation selectors included. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
// Hyphens and dashes; the long-vowel mark ー is a letter and stays
const DASHES = /[\u2010-\u2015\u2212]/g;
const KATAKANA = /[\u30a1-\u30f6\u30fd\u30fe]/g;
/** Kanji that names are written with either way, and that NFKC keeps apart. */
const VARIANTS: Readonly<Record<string, string>> = {
  髙: '高',
  﨑: '崎',
  碕: '崎',
  嵜: '崎',
  𠮷: '吉',
  濵: '浜',
  濱: '浜',
  邊: '辺',
  邉: '辺',
  齋: '斎',
  齊: '斉',
  澤: '沢',
  德: '徳',
  嶋: '島',
  嶌: '島',
  廣: '広',
  國: '国',
};
const VARIANT = new RegExp(`[${Object.keys(VARIANTS).join('')}]`, 'gu');

/** Folding twice changes nothing more. At most `limit` code units of the text are looked at. */
export function foldText(text: string, limit = 4_000): string {
  const clipped = text.slice(0, limit);
  // Most addresses and many subjects: nothing to compose, nothing hidden
  if (/^[ -~]*$/.test(clipped)) return clipped.toLowerCase().replaceAll(/ +/g, ' ').trim();
  const visible = clipped
    .toWellFormed()
    .replaceAll(INVISIBLE, '')
    // Spacing voiced marks (U+309B, U+309C) compose with nothing; the combining ones do
    .replaceAll('\u309b', '\u3099')
    .replaceAll('\u309c', '\u309a');
  // Lower case may decompose and NFKC may bring capitals (℡ → TEL): both orders are needed for a fixed point
  const lower = visible.normalize('NFKC').toLowerCase().normalize('NFKC').toLowerCase();
  return lower
    .replaceAll('ς', 'σ')
    .replaceAll(KATAKANA, (kana) => String.fromCharCode(kana.charCodeAt(0) - 0x60))
    .replaceAll(VARIANT, (kanji) => VARIANTS[kanji] ?? kanji)
    .replaceAll('〜', '~')
    .replaceAll(DASHES, '-')
    .normalize('NFC')
    .replaceAll(INVISIBLE, '')
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

/**
 * The tokens of a folded text for the index: each pair of neighbours, and the last character alone, so that every character
 * begins a token. A token is two fixed-width numbers in base 36: the engine's own tokenizer sees letters and digits only.
 */
export function pairTokens(folded: string): string {
  let tokens = '';
  let previous = '';
  for (const character of folded) {
    const code = encode(character);
    if (previous !== '') tokens += tokens === '' ? previous + code : ` ${previous}${code}`;
    previous = code;
  }
  if (previous !== '') tokens += tokens === '' ? previous : ` ${previous}`;
  return tokens;
}

/**
 * A match expression of the index for what a person typed: every word must be found, each as a run of characters. Undefined
 * when nothing is left to look for. `column` limits it to one column.
 */
export function matchExpression(typed: string, column?: string): string | undefined {
  const words = foldText(typed, 500)
    .split(' ')
    .filter((word) => word !== '');
  if (words.length === 0) return undefined;
  const phrases = words.map((word) => {
    const characters = Array.from(word);
    if (characters.length === 1) return `"${encode(word)}" *`;
    const pairs = characters.slice(1).map((character, at) => encode(characters[at] ?? '') + encode(character));
    return `"${pairs.join(' ')}"`;
  });
  const all = phrases.join(' AND ');
  return column === undefined ? all : `${column} : (${all})`;
}

const WIDTH = 4; // 36⁴ > 0x10ffff
const codes = new Map<string, string>();

function encode(character: string): string {
  const known = codes.get(character);
  if (known !== undefined) return known;
  const code = (character.codePointAt(0) ?? 0).toString(36).padStart(WIDTH, '0');
  if (codes.size < 10_000) codes.set(character, code);
  return code;
}
