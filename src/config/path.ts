/**
 * Names one place in a configuration: `policy.spam.tag`, `domains.0.servers.0.port`, or by name
 * `domains[office.example].servers[mail.office.example].port`; `domains.+` is a new last element. Reads, writes and removes
 * there without touching the original; compares two configurations place by place. Pure; throws CONFIG_PATH.
 */
import { isDeepStrictEqual } from 'node:util';
import { SekishoError } from '../base/errors.ts';
import { parseDomain } from '../mail/address.ts';

export type Step = { key: string } | { index: number } | { name: string } | { append: true };

const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const REMEDY = 'Write a path like "policy.spam.tag", "domains.0.name" or "domains[office.example].recipients.check"';
/** The keys by which people name an element of a list. */
const NAMES = ['name', 'host'] as const;

export function parsePath(text: string): Step[] {
  const steps: Step[] = [];
  const pattern = /(?:^|\.)([A-Za-z_][\w-]*|\d{1,6}|\+)|\[(?:"([^"\]]+)"|([^\]"]+))\]/y;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null || (at === 0 && text.startsWith('.'))) throw wrongPath(text);
    const word = match[1];
    const bracket = match[2] ?? match[3];
    if (word === '+') steps.push({ append: true });
    else if (word !== undefined) steps.push(/^\d/.test(word) ? { index: Number(word) } : { key: word });
    else if (bracket !== undefined)
      steps.push(/^\d{1,6}$/.test(bracket) && match[2] === undefined ? { index: Number(bracket) } : { name: bracket });
    if (word !== undefined && FORBIDDEN.has(word)) throw wrongPath(text);
  }
  if (steps.length === 0) throw wrongPath(text);
  return steps;
}

/** The value there, or undefined. Only own properties are seen. */
export function getAt(root: unknown, path: string): unknown {
  let value = root;
  for (const step of parsePath(path)) {
    const key = locate(value, step);
    value = key === undefined ? undefined : read(value, key);
  }
  return value;
}

/** A copy with the value set; objects on the way are made, lists grow only at their end. */
export function setAt(root: unknown, path: string, value: unknown): unknown {
  const copy: unknown = structuredClone(root ?? {});
  const steps = parsePath(path);
  const last = steps.pop();
  if (last === undefined) throw wrongPath(path);
  let node: unknown = copy;
  for (const [index, step] of steps.entries()) {
    const key = locate(node, step) ?? freshKey(node, step, path);
    const next = steps[index + 1] ?? last;
    if (read(node, key) === undefined) write(node, key, 'key' in next ? {} : []);
    node = read(node, key);
  }
  write(node, locate(node, last) ?? freshKey(node, last, path), structuredClone(value));
  return copy;
}

/** A copy without it; throws CONFIG_PATH when nothing stands there. */
export function unsetAt(root: unknown, path: string): unknown {
  const copy = structuredClone(root ?? {});
  const steps = parsePath(path);
  const last = steps.pop();
  let node: unknown = copy;
  for (const step of steps) {
    const key = locate(node, step);
    node = key === undefined ? undefined : read(node, key);
  }
  const key = last === undefined ? undefined : locate(node, last);
  if (key === undefined || read(node, key) === undefined)
    throw new SekishoError('CONFIG_PATH', `Nothing is set at "${path}"`, {
      remedy: 'See "sekisho config show": what is not in the file has its default already',
    });
  if (Array.isArray(node)) node.splice(Number(key), 1);
  else delete (node as Record<string, unknown>)[key];
  return copy;
}

export interface Difference {
  path: string;
  /** Absent when the place exists on one side only. */
  before?: unknown;
  after?: unknown;
}

/** Every place where the two differ, deepest first place that tells them apart; lists of named things are matched by name. */
export function differences(before: unknown, after: unknown, at = ''): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  const left = children(before);
  const right = children(after);
  if (left === undefined || right === undefined || left.kind !== right.kind) {
    const difference: Difference = { path: at };
    if (before !== undefined) difference.before = before;
    if (after !== undefined) difference.after = after;
    return [difference];
  }
  const keys = new Set([...left.items.keys(), ...right.items.keys()]);
  const found = [...keys].flatMap((key) =>
    differences(
      left.items.get(key),
      right.items.get(key),
      at + (at === '' && key.startsWith('.') ? key.slice(1) : key),
    ),
  );
  // the same named elements in another order: the order itself is the difference
  return found.length > 0 ? found : [{ path: at, before, after }];
}

function children(value: unknown): { kind: string; items: Map<string, unknown> } | undefined {
  if (Array.isArray(value)) {
    const names = value.map(nameOf);
    const named = value.length > 0 && names.every((name) => name !== undefined) && new Set(names).size === names.length;
    const items = value.map((item, index): [string, unknown] => [named ? `[${names[index]}]` : `.${index}`, item]);
    return { kind: named || value.length === 0 ? 'named' : 'list', items: new Map(items) };
  }
  if (typeof value === 'object' && value !== null)
    return { kind: 'object', items: new Map(Object.entries(value).map(([key, item]) => [`.${key}`, item])) };
  return undefined;
}

function nameOf(value: unknown): string | undefined {
  for (const key of NAMES) {
    const name = read(value, key);
    if (typeof name === 'string') return name;
  }
  return undefined;
}

function locate(node: unknown, step: Step): string | undefined {
  if (Array.isArray(node)) {
    if ('index' in step) return step.index < node.length ? String(step.index) : undefined;
    if ('name' in step) {
      const index = node.findIndex((item) => sameName(nameOf(item), step.name));
      return index < 0 ? undefined : String(index);
    }
    return undefined;
  }
  if ('key' in step && isObject(node) && Object.hasOwn(node, step.key)) return step.key;
  return undefined;
}

/** Where a missing step may be made: a key of an object, the end of a list. */
function freshKey(node: unknown, step: Step, path: string): string {
  if (Array.isArray(node)) {
    if ('append' in step) return String(node.length);
    if ('index' in step && step.index === node.length) return String(node.length);
    if ('index' in step)
      throw new SekishoError('CONFIG_PATH', `The list in "${path}" has only ${node.length} elements`, {
        remedy: `Use an index up to ${node.length}, or "+" for a new last element`,
      });
    if ('name' in step)
      throw new SekishoError('CONFIG_PATH', `No element is named "${step.name}" in "${path}"`, {
        remedy:
          'Add one with "+", for example: sekisho config set domains.+ \'{"name": "…", "servers": [{"host": "…"}]}\'',
      });
    throw wrongPath(path);
  }
  if ('key' in step && isObject(node)) return step.key;
  throw wrongPath(path);
}

function sameName(left: string | undefined, right: string): boolean {
  if (left === undefined) return false;
  return left === right || (parseDomain(left) ?? left) === (parseDomain(right) ?? right);
}

function read(node: unknown, key: string): unknown {
  if (Array.isArray(node)) return node[Number(key)];
  return isObject(node) && Object.hasOwn(node, key) ? node[key] : undefined;
}

function write(node: unknown, key: string, value: unknown): void {
  if (Array.isArray(node)) node[Number(key)] = value;
  else if (isObject(node)) node[key] = value;
}

function isObject(node: unknown): node is Record<string, unknown> {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}

function wrongPath(path: string): SekishoError {
  return new SekishoError('CONFIG_PATH', `"${path}" is not a path into the configuration`, { remedy: REMEDY });
}
