/**
 * Reads TypeScript well enough for house checks, since the compiler offers no API: comments, strings and regular
 * expressions are told from code, imports are listed. Never changes an offset or a line number. Throws on nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Violation {
  file: string;
  line: number;
  problem: string;
}

export interface SourceFile {
  /** Relative to the root, with `/`. */
  name: string;
  text: string;
  /** Same length: comments, and what is inside quotes and slashes, are blanks. */
  code: string;
  /** Same length: only comments are blanks. */
  uncommented: string;
  imports: ImportStatement[];
}

export interface ImportStatement {
  specifier: string;
  /** `import type …`, `export type … from`, or a type position. */
  typeOnly: boolean;
  line: number;
}

/** All `.ts` files below `folder`, sorted. A folder that is missing holds none. */
export function readSources(root: string, folder: string): SourceFile[] {
  const names = readdirSync(root, { withFileTypes: true }).some((entry) => entry.name === folder)
    ? readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    : [];
  return names
    .filter((name) => /\.(?:ts|tsx)$/.test(name) && !name.includes('node_modules'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .toSorted()
    .map((name) => parseSource(name, readFileSync(path.join(root, name), 'utf8')));
}

export function parseSource(name: string, text: string): SourceFile {
  const { code, uncommented } = blank(text);
  return { name, text, code, uncommented, imports: findImports(uncommented, code) };
}

export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

const spaces = (text: string): string => text.replaceAll(/[^\n]/g, ' ');
/** Behind one of these a slash begins a regular expression; behind anything else it divides. */
const BEFORE_REGEX = /(?:^|[=(,:;!&|?{}[+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|delete|await|yield|throw))\s*$/;
const STRING = /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;

function blank(text: string): { code: string; uncommented: string } {
  let code = '';
  let uncommented = '';
  /** Depth of braces at which each open template literal goes on. */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  /** From behind a backtick or a closing brace to the end of the template or its next `${`. */
  const template = (): void => {
    const start = at;
    while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) at += text[at] === '\\' ? 2 : 1;
    at = Math.min(at, text.length);
    code += spaces(text.slice(start, at));
    uncommented += text.slice(start, at);
    if (text.startsWith('${', at)) {
      templates.push(depth);
      depth += 1;
      code += '${';
      uncommented += '${';
      at += 2;
    } else if (at < text.length) {
      code += '`';
      uncommented += '`';
      at += 1;
    }
  };
  while (at < text.length) {
    const comment = take(COMMENT);
    const string = comment === undefined ? take(STRING) : undefined;
    const isRegex = comment === undefined && text[at] === '/' && BEFORE_REGEX.test(code.slice(-80));
    const regex = isRegex ? take(REGEX) : undefined;
    const character = text[at] ?? '';
    if (comment !== undefined) {
      code += spaces(comment);
      uncommented += spaces(comment);
      at += comment.length;
    } else if (string !== undefined || regex !== undefined) {
      const literal = string ?? regex ?? '';
      code += `${literal[0]}${spaces(literal.slice(1, -1))}${literal.at(-1)}`;
      uncommented += literal;
      at += literal.length;
    } else {
      at += 1;
      code += character;
      uncommented += character;
      if (character === '{') depth += 1;
      if (character === '}') {
        depth -= 1;
        if (templates.at(-1) === depth) {
          templates.pop();
          template();
        }
      }
      if (character === '`') template();
    }
  }
  return { code, uncommented };
}

const STATIC = /(?:^|[;\n])\s*(import|export)\b(\s+type\b)?([^;'"`()=]*?\bfrom)?\s*(['"])([^'"\n]+)\4/g;
const DYNAMIC = /\b(?:import|require)\s*\(\s*(?:(['"])([^'"\n]+)\1|[^)\s])/g;

function findImports(uncommented: string, code: string): ImportStatement[] {
  const found: ImportStatement[] = [];
  for (const match of uncommented.matchAll(STATIC)) {
    const keyword = uncommented.indexOf(match[1] ?? '', match.index);
    if (code.slice(keyword, keyword + 6) !== match[1]) continue; // inside a string
    if (match[1] === 'export' && match[3] === undefined) continue;
    const names = /\{([^}]*)\}\s*from$/.exec(match[3] ?? '')?.[1];
    const everyNameIsType =
      names !== undefined && names.trim() !== '' && names.split(',').every((one) => /^\s*(?:type\s|$)/.test(one));
    found.push({
      specifier: match[5] ?? '',
      typeOnly: match[2] !== undefined || everyNameIsType,
      line: lineOf(uncommented, keyword),
    });
  }
  for (const match of uncommented.matchAll(DYNAMIC)) {
    if (code[match.index] !== uncommented[match.index]) continue;
    const before = code.slice(Math.max(0, match.index - 12), match.index);
    if (/[.\w]$/.test(before) || /function\s+$/.test(before)) continue;
    found.push({ specifier: match[2] ?? '(computed)', typeOnly: false, line: lineOf(uncommented, match.index) });
  }
  return found;
}
