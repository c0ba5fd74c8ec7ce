/**
 * Reads a configuration file's JSON (RFC 8259) and says where and why it is not JSON: line, column, and in words what a
 * person did: a comment, a comma too many, single quotes. A key given twice is an error too: JSON.parse would silently take
 * the last one. A byte order mark is skipped. Nesting ends at 64, so that no file can exhaust the stack. Pure.
 */
import type { Text } from '../base/i18n.ts';

export interface JsonProblem {
  line: number;
  column: number;
  message: Text;
  remedy: Text;
}

export type JsonResult = { ok: true; value: unknown } | { ok: false; problem: JsonProblem };

const MAX_DEPTH = 64;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\r\n]*/y;
const WORD = /[A-Za-z_$][\w$]*/y;

export function parseJson(source: string): JsonResult {
  const text = source.startsWith('\ufeff') ? source.slice(1) : source;
  const scanner = new Scanner(text);
  try {
    scanner.document();
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    if (error instanceof Misplaced) return { ok: false, problem: { ...place(text, error.at), ...error.words } };
    throw error;
  }
}

/** Line and column, both from 1, of an offset. */
function place(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: at - lineStart + 1 };
}

class Misplaced extends Error {
  readonly at: number;
  readonly words: { message: Text; remedy: Text };

  constructor(at: number, words: { message: Text; remedy: Text }) {
    super(words.message.en);
    this.at = at;
    this.words = words;
  }
}

/** Walks the text by the grammar; throws Misplaced at the first octet that does not fit. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#space();
    if (this.#at >= this.#text.length) throw this.#wrong(EMPTY);
    this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) throw this.#unexpected('end');
  }

  #value(depth: number): void {
    if (depth > MAX_DEPTH) throw this.#wrong(TOO_DEEP);
    const next = this.#text[this.#at];
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"') return void this.#string();
    if (this.#match(NUMBER) !== undefined) return;
    const start = this.#at;
    const word = this.#match(WORD);
    if (word === 'true' || word === 'false' || word === 'null') return;
    this.#at = start;
    throw this.#unexpected('value');
  }

  #object(depth: number): void {
    const seen = new Set<string>();
    this.#at += 1;
    this.#space();
    if (this.#take('}')) return;
    for (;;) {
      const start = this.#at;
      if (this.#text[this.#at] !== '"') throw this.#unexpected('key');
      const key = this.#string();
      if (seen.has(key)) throw new Misplaced(start, duplicate(key));
      seen.add(key);
      this.#space();
      if (!this.#take(':')) throw this.#unexpected('colon');
      this.#space();
      this.#value(depth + 1);
      if (!this.#more('}')) return;
    }
  }

  #array(depth: number): void {
    this.#at += 1;
    this.#space();
    if (this.#take(']')) return;
    for (;;) {
      this.#value(depth + 1);
      if (!this.#more(']')) return;
    }
  }

  /** After an element: true for a comma and one more element, false for the closing bracket. */
  #more(close: '}' | ']'): boolean {
    this.#space();
    if (this.#take(close)) return false;
    const comma = this.#at;
    if (!this.#take(',')) throw this.#unexpected('comma');
    this.#space();
    if (this.#text[this.#at] === close) throw new Misplaced(comma, TRAILING_COMMA);
    return true;
  }

  #string(): string {
    const start = this.#at;
    const raw = this.#match(STRING);
    if (raw === undefined) throw new Misplaced(start, BAD_STRING);
    return JSON.parse(raw) as string;
  }

  #space(): void {
    this.#match(SPACE);
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #wrong(words: { message: Text; remedy: Text }): Misplaced {
    return new Misplaced(this.#at, words);
  }

  #unexpected(expected: 'value' | 'key' | 'colon' | 'comma' | 'end'): Misplaced {
    if (this.#at >= this.#text.length) return this.#wrong(CUT_SHORT);
    const rest = this.#text.slice(this.#at, this.#at + 2);
    if (rest === '//' || rest === '/*' || rest.startsWith('#')) return this.#wrong(COMMENT);
    if (rest.startsWith("'")) return this.#wrong(SINGLE_QUOTES);
    if (/^[“”「‘’]/.test(rest)) return this.#wrong(CURLY_QUOTES);
    const found = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    const want = EXPECTED[expected];
    return this.#wrong({
      message: { en: `Found "${found}" where ${want.en} is due`, ja: `${want.ja}があるべき所に「${found}」があります` },
      remedy: HINTS[expected],
    });
  }
}

const EXPECTED = {
  value: { en: 'a value', ja: '値' },
  key: { en: 'a key in double quotes', ja: '二重引用符で囲んだキー' },
  colon: { en: 'a colon', ja: 'コロン「:」' },
  comma: { en: 'a comma or a closing bracket', ja: 'カンマ「,」か閉じ括弧' },
  end: { en: 'the end of the file', ja: 'ファイルの終わり' },
} as const;

const HINTS = {
  value: { en: 'Write text in double quotes: "text"', ja: '文字列は "text" のように二重引用符で囲んでください' },
  key: { en: 'Write keys in double quotes: "hostname"', ja: 'キーは "hostname" のように二重引用符で囲んでください' },
  colon: { en: 'Put a colon between key and value', ja: 'キーと値の間にコロンを置いてください' },
  comma: { en: 'Put a comma between entries', ja: '項目の間にカンマを置いてください' },
  end: {
    en: 'Remove what follows the last closing bracket',
    ja: '最後の閉じ括弧より後ろを取り除いてください',
  },
} as const;

const EMPTY = {
  message: { en: 'The file is empty', ja: 'ファイルが空です' },
  remedy: { en: 'Write at least {"version": 1}', ja: '少なくとも {"version": 1} と書いてください' },
};
const TOO_DEEP = {
  message: { en: `The brackets nest deeper than ${MAX_DEPTH}`, ja: `括弧の入れ子が ${MAX_DEPTH} 段を超えています` },
  remedy: { en: 'Look for a bracket that is not closed', ja: '閉じ忘れた括弧を探してください' },
};
const CUT_SHORT = {
  message: { en: 'The file ends in the middle', ja: 'ファイルが途中で終わっています' },
  remedy: { en: 'Look for a bracket that is not closed', ja: '閉じ忘れた括弧を探してください' },
};
const COMMENT = {
  message: { en: 'JSON has no comments', ja: 'JSON にコメントは書けません' },
  remedy: { en: 'Remove the comment', ja: 'コメントを取り除いてください' },
};
const SINGLE_QUOTES = {
  message: { en: 'Text stands in single quotes', ja: '文字列が一重引用符で囲まれています' },
  remedy: { en: 'Use double quotes', ja: '二重引用符「"」を使ってください' },
};
const CURLY_QUOTES = {
  message: { en: 'Text stands in typographic quotes', ja: '文字列が半角の二重引用符で囲まれていません' },
  remedy: { en: 'Use plain double quotes (")', ja: '半角の二重引用符「"」を使ってください' },
};
const TRAILING_COMMA = {
  message: { en: 'A comma stands before the closing bracket', ja: '閉じ括弧の前に余分なカンマがあります' },
  remedy: { en: 'Remove this comma', ja: 'このカンマを取り除いてください' },
};
const BAD_STRING = {
  message: {
    en: 'This text is not closed on its line, or has a wrong backslash sequence',
    ja: '文字列が同じ行で閉じていないか、バックスラッシュの使い方が違います',
  },
  remedy: {
    en: 'Close the text with a double quote; write a backslash as \\\\',
    ja: '二重引用符で閉じてください。バックスラッシュは \\\\ と書きます',
  },
};

function duplicate(key: string): { message: Text; remedy: Text } {
  return {
    message: { en: `The key "${key}" stands here a second time`, ja: `キー「${key}」が重複しています` },
    remedy: { en: 'Keep one of the two', ja: 'どちらか一方だけを残してください' },
  };
}
