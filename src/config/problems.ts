/**
 * A problem of a configuration, told so that its owner can mend it: which key, what was found there, what is allowed, and
 * what to do; in both languages. Pure. What the schema library reports is turned into these words here, and nowhere else.
 */
import { z } from 'zod';
import type { Text } from '../base/i18n.ts';
import { HIDDEN, isSecret, redact } from './redact.ts';
import { configSchema } from './schema.ts';

export interface ConfigProblem {
  /** `domains.0.servers.0.port`; empty for the whole file. */
  path: string;
  /** The value as it stands, as JSON, cut at 80 characters; absent when nothing is there. */
  found?: string;
  message: Text;
  allowed?: Text;
  remedy: Text;
}

export type Place = ReadonlyArray<string | number>;

export function placeOf(path: Place): string {
  return path.join('.');
}

/** One line of any problem, for log, CLI and alarm. */
export function problemLine(problem: ConfigProblem, language: 'ja' | 'en'): string {
  const where = problem.path === '' ? '' : `${problem.path}: `;
  const allowed = problem.allowed === undefined ? '' : `; ${LABEL.allowed[language]}: ${problem.allowed[language]}`;
  const found = problem.found === undefined ? '' : ` (${LABEL.found[language]}: ${problem.found})`;
  return `${where}${problem.message[language]}${found}${allowed}. ${problem.remedy[language]}`;
}

const LABEL = { allowed: { en: 'allowed', ja: '指定できる値' }, found: { en: 'found', ja: '現在の値' } } as const;

/** The value as a person sees it in a message: short, and never a secret. */
export function showValue(value: unknown, path: Place): string | undefined {
  if (value === undefined) return undefined;
  if (isSecret(path)) return HIDDEN;
  const text = JSON.stringify(redact(value, path)) ?? typeof value; // what JSON cannot say can only come from a program
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

export function valueAt(root: unknown, path: Place): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

export function problemsOfIssue(issue: z.core.$ZodIssue, candidate: unknown): ConfigProblem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(path, key, valueAt(candidate, [...path, key])));
  const value = valueAt(candidate, path);
  const problem: ConfigProblem = {
    path: placeOf(path),
    message: value === undefined ? WORDS.missing : WORDS.notAllowed,
    allowed: allowedAt(path),
    remedy: value === undefined ? WORDS.addKey : remedyFor(value, path),
  };
  const found = showValue(value, path);
  if (found !== undefined) problem.found = found;
  return [problem];
}

function unknownKey(path: Place, key: string, value: unknown): ConfigProblem {
  const known = keysAt(path);
  const near = nearest(key, known);
  const elsewhere = near === undefined ? placesOfKey(key) : [];
  const problem: ConfigProblem = {
    path: placeOf([...path, key]),
    message: { en: `The key "${key}" is unknown`, ja: `キー「${key}」は存在しません` },
    allowed: { en: known.join(', '), ja: known.join(', ') },
    remedy:
      near !== undefined
        ? { en: `Did you mean "${near}"?`, ja: `「${near}」ではありませんか` }
        : elsewhere.length > 0
          ? {
              en: `This key belongs to ${elsewhere.join(' or ')}`,
              ja: `このキーは ${elsewhere.join(' または ')} に書きます`,
            }
          : { en: 'Remove it', ja: '取り除いてください' },
  };
  const found = showValue(value, [...path, key]);
  if (found !== undefined) problem.found = found;
  return problem;
}

const WORDS = {
  missing: { en: 'A required value is missing', ja: '必須の値がありません' },
  notAllowed: { en: 'This value is not allowed', ja: 'この値は指定できません' },
  addKey: { en: 'Add it', ja: '追加してください' },
  change: { en: 'Change the value to an allowed one', ja: '指定できる値に変更してください' },
  unquote: { en: 'Remove the quotes around the number', ja: '数値を囲む引用符を取り除いてください' },
  unquoteBoolean: { en: 'Remove the quotes around true or false', ja: 'true / false を囲む引用符を取り除いてください' },
  quote: { en: 'Put it in double quotes', ja: '二重引用符で囲んでください' },
  bracket: { en: 'Put it in brackets: […]', ja: '角括弧 […] で囲んでください' },
} as const satisfies Record<string, Text>;

function remedyFor(value: unknown, path: Place): Text {
  const type = leafAt(path)?.def.type;
  if (type === 'number' && typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value)) return WORDS.unquote;
  if (type === 'boolean' && (value === 'true' || value === 'false')) return WORDS.unquoteBoolean;
  if (type === 'string' && typeof value === 'number') return WORDS.quote;
  if (type === 'array' && !Array.isArray(value)) return WORDS.bracket;
  return WORDS.change;
}

/** What may stand at this place, read from the schema itself, so that the words cannot differ from the check. */
export function allowedAt(path: Place): Text {
  const schema = leafAt(path);
  const advice = adviceOf(schema);
  if (advice !== undefined) return advice;
  if (schema instanceof z.ZodEnum || schema instanceof z.ZodLiteral) {
    const values = schema instanceof z.ZodEnum ? schema.options : [...schema.values];
    const list = values.map((value) => JSON.stringify(value)).join(', ');
    return { en: list, ja: list };
  }
  if (schema instanceof z.ZodNumber) return numberWords(schema, String(path.at(-1)));
  if (schema instanceof z.ZodBoolean) return { en: 'true or false', ja: 'true または false' };
  if (schema instanceof z.ZodString)
    return schema.maxLength === null
      ? { en: 'text in double quotes', ja: '二重引用符で囲んだ文字列' }
      : { en: `text of at most ${schema.maxLength} characters`, ja: `${schema.maxLength} 文字までの文字列` };
  if (schema instanceof z.ZodArray) {
    const inner = allowedAt([...path, 0]);
    return { en: `a list [ … ] of: ${inner.en}`, ja: `次の値の並び [ … ]: ${inner.ja}` };
  }
  const keys = keysAt(path).join(', ');
  return { en: `an object { … } with ${keys}`, ja: `次のキーを持つオブジェクト { … }: ${keys}` };
}

function numberWords(schema: z.ZodNumber, key: string): Text {
  const unit = unitOf(key);
  const bounded = schema.maxValue !== null && Number.isFinite(schema.maxValue) && schema.maxValue < 2 ** 53 - 1;
  const floor = schema.minValue !== null && Number.isFinite(schema.minValue) && schema.minValue > -(2 ** 53) + 1;
  const kind = schema.isInt ? { en: 'a whole number', ja: '整数' } : { en: 'a number', ja: '数値' };
  const en = floor
    ? bounded
      ? ` from ${schema.minValue} to ${schema.maxValue}`
      : ` of ${schema.minValue} or more`
    : bounded
      ? ` up to ${schema.maxValue}`
      : '';
  const ja = `${floor ? `${schema.minValue} 以上` : ''}${bounded ? `${schema.maxValue} 以下` : ''}`;
  return {
    en: `${kind.en}${en}${unit.en === '' ? '' : ` (${unit.en})`}`,
    ja: `${ja}${ja === '' ? '' : 'の'}${kind.ja}${unit.ja === '' ? '' : `（${unit.ja}）`}`,
  };
}

function unitOf(key: string): Text {
  if (key.endsWith('Ms')) return { en: 'milliseconds', ja: 'ミリ秒' };
  if (key.endsWith('Octets')) return { en: 'octets', ja: 'オクテット' };
  if (key.endsWith('Percent')) return { en: 'percent', ja: 'パーセント' };
  if (key.endsWith('MiB')) return { en: 'MiB', ja: 'MiB' };
  if (key === 'days') return { en: 'days', ja: '日' };
  return { en: '', ja: '' };
}

function adviceOf(schema: z.ZodType | undefined): Text | undefined {
  const advice = schema?.meta()?.['advice'];
  return typeof advice === 'object' && advice !== null && 'ja' in advice && 'en' in advice
    ? (advice as Text)
    : undefined;
}

function keysAt(path: Place): string[] {
  const schema = leafAt(path);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** The schema at a place, without the wrappers that only supply defaults. */
export function leafAt(path: Place): z.ZodType | undefined {
  let schema: z.ZodType | undefined = unwrap(configSchema);
  for (const key of path) {
    if (schema instanceof z.ZodObject)
      schema = Object.hasOwn(schema.shape, key) ? unwrap(schema.shape[key]) : undefined;
    else if (schema instanceof z.ZodArray) schema = unwrap(schema.element as z.ZodType);
    else return undefined;
  }
  return schema;
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (adviceOf(schema) !== undefined) return schema;
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return unwrap(schema.unwrap() as z.ZodType);
  return schema;
}

/** Where in the schema a key of this name exists, at most three. */
function placesOfKey(key: string): string[] {
  const found: string[] = [];
  const walk = (schema: z.ZodType, at: string): void => {
    const inner = unwrap(schema);
    if (inner instanceof z.ZodArray) return walk(inner.element as z.ZodType, `${at}[…]`);
    if (!(inner instanceof z.ZodObject)) return;
    for (const [name, child] of Object.entries(inner.shape as Record<string, z.ZodType>)) {
      const place = at === '' ? name : `${at}.${name}`;
      if (name === key) found.push(place);
      walk(child, place);
    }
  };
  walk(configSchema, '');
  return found.slice(0, 3);
}

/** The known key that was probably meant: same letters but for case, `-` and `_`, or one typing slip in about four. */
export function nearest(key: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_\s]/g, '');
  const scored = known
    .map((name) => ({ name, distance: editDistance(plain(key), plain(name)) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(Math.min(name.length, key.length) / 3)))
    .toSorted((a, b) => a.distance - b.distance);
  return scored[0]?.name;
}

/** Insertions, deletions, replacements and swapped neighbours (optimal string alignment). */
function editDistance(left: string, right: string): number {
  const a = left.slice(0, 64);
  const b = right.slice(0, 64);
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1);
      rows[i]?.push(best);
    }
  }
  return at(a.length, b.length);
}
