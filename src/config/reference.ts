/**
 * Every key of the schema as a reader needs it: path, type, default, what is allowed, unit, and what it
 * is for. Walks the JSON Schema zod makes of `configSchema`, so that nothing is told twice and nothing can be left
 * out. Pure. Throws TypeError on a schema it does not understand: a new kind of key must not go undescribed.
 */
import { z } from 'zod';
import type { Language, Text } from '../base/i18n.ts';
import { KEY_WORDS } from './key-words.ts';
import { getAt } from './path.ts';
import { configSchema, defaultConfig } from './schema.ts';

export type KeyKind = 'section' | 'sections' | 'text' | 'integer' | 'number' | 'boolean' | 'choice' | 'list';
export type Unit = 'ms' | 'octets' | 'MiB' | 'percent' | 'days' | 'perMinute';

export interface ConfigKey {
  /** `listeners.mx.port`; `[]` stands for any element of a list: `domains[].servers[].port`. */
  path: string;
  kind: KeyKind;
  /** Must stand in the section it belongs to. */
  required: boolean;
  /** What counts when the key is left out; undefined: there is none, or it is a section. */
  default: unknown;
  /** The words of a `choice`. */
  choices: readonly unknown[];
  /** Of a number, or of each number of a list. */
  range: { least?: number; above?: number; most?: number };
  /** How many elements a list may have. */
  count: { least?: number; most?: number };
  /** Of a text: the most characters, where nothing better is said. */
  maxLength: number | undefined;
  /** What is allowed, in words. */
  advice: Text | undefined;
  unit: Unit | undefined;
  /** What it is for; undefined is a fault that the tests find. */
  words: Text | undefined;
}

const adviceShape = z.object({ en: z.string(), ja: z.string() });
/** As much of a JSON Schema as ours uses; anything that would change the meaning is a TypeError below. */
const nodeShape = z.object({
  type: z.enum(['object', 'array', 'string', 'integer', 'number', 'boolean']).optional(),
  default: z.unknown().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  maxLength: z.number().optional(),
  advice: adviceShape.optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
});
type Node = z.output<typeof nodeShape>;

/** In the order of the schema, each section before its keys. */
export function configKeys(): ConfigKey[] {
  const root = nodeShape.parse(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any', reused: 'inline' }));
  return keysWithin(root, '');
}

function keysWithin(node: Node, prefix: string): ConfigKey[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, value]) => {
    const child = nodeShape.parse(value);
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const key = keyOf(child, { path, required: node.required?.includes(name) === true });
    if (key.kind === 'section') return [key, ...keysWithin(child, path)];
    if (key.kind === 'sections') return [key, ...keysWithin(nodeShape.parse(child.items), `${path}[]`)];
    return [key];
  });
}

function keyOf(node: Node, { path, required }: { path: string; required: boolean }): ConfigKey {
  const kind = kindOf(node, path);
  const item = kind === 'list' ? nodeShape.parse(node.items) : node;
  const choices = item.enum ?? (item.const === undefined ? [] : [item.const]);
  return {
    path,
    kind,
    required,
    default: kind === 'section' ? undefined : defaultAt(node, path),
    choices,
    range: rangeOf(item),
    count: { ...some('least', node.minItems), ...some('most', node.maxItems) },
    maxLength: item.maxLength,
    advice: item.advice ?? node.advice,
    unit: unitOf(path),
    words: KEY_WORDS[path],
  };
}

function kindOf(node: Node, path: string): KeyKind {
  if (node.enum !== undefined || node.const !== undefined) return 'choice';
  switch (node.type) {
    case 'object':
      return 'section';
    case 'array':
      return nodeShape.parse(node.items).type === 'object' ? 'sections' : 'list';
    case 'string':
      return 'text';
    case 'integer':
    case 'number':
    case 'boolean':
      return node.type;
    default:
      // a host name or an address: several forms of text
      if (node.anyOf?.every((each) => nodeShape.parse(each).type === 'string') === true) return 'text';
      throw new TypeError(`The kind of the key "${path}" is not known to the reference`);
  }
}

/** zod leaves the default out where values are transformed; all defaults together have it, except within lists. */
function defaultAt(node: Node, path: string): unknown {
  if (node.default !== undefined) return node.default;
  return path.includes('[]') ? undefined : getAt(defaultConfig(), path);
}

function rangeOf({ minimum, maximum, exclusiveMinimum }: Node): ConfigKey['range'] {
  // the ends of what a number can hold are no limit anybody chose
  const chosen = (limit: number | undefined): number | undefined =>
    limit === undefined || Math.abs(limit) >= Number.MAX_SAFE_INTEGER ? undefined : limit;
  return {
    ...some('least', chosen(minimum)),
    ...some('above', chosen(exclusiveMinimum)),
    ...some('most', chosen(maximum)),
  };
}

function some<Name extends string>(name: Name, value: number | undefined): { [key in Name]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { [key in Name]: number });
}

function unitOf(path: string): Unit | undefined {
  const name = path.split('.').at(-1) ?? '';
  if (name.endsWith('Ms')) return 'ms';
  if (/octets$/i.test(name)) return 'octets';
  if (name.endsWith('MiB')) return 'MiB';
  if (name.endsWith('Percent')) return 'percent';
  if (name === 'days') return 'days';
  if (name.startsWith('perMinute')) return 'perMinute';
  return undefined;
}

const MS_UNITS: ReadonlyArray<[ms: number, words: Text, one: string]> = [
  [86_400_000, { en: 'days', ja: '日' }, 'day'],
  [3_600_000, { en: 'hours', ja: '時間' }, 'hour'],
  [60_000, { en: 'minutes', ja: '分' }, 'minute'],
  [1_000, { en: 'seconds', ja: '秒' }, 'second'],
];
const OCTET_UNITS: ReadonlyArray<[octets: number, name: string]> = [
  [1_073_741_824, 'GiB'],
  [1_048_576, 'MiB'],
  [1_024, 'KiB'],
];

/** A number of milliseconds or octets as people say it (`5 minutes`, `50 MiB`); undefined when that says nothing more. */
export function inPeopleUnits(value: number, unit: Unit | undefined, language: Language): string | undefined {
  if (unit === 'ms') {
    const [ms, words, one] = MS_UNITS.find(([each]) => value >= each && value % each === 0) ?? [];
    if (ms === undefined || words === undefined) return undefined;
    const count = value / ms;
    return language === 'ja' ? `${count} ${words.ja}` : `${count} ${count === 1 ? one : words.en}`;
  }
  if (unit === 'octets') {
    const [octets, name] = OCTET_UNITS.find(([each]) => value >= each && value % each === 0) ?? [];
    return octets === undefined ? undefined : `${value / octets} ${name}`;
  }
  return undefined;
}
