/**
 * docs/behaviour.md says of each behaviour which dialogue, golden case or test shows it. Here each of these names is looked
 * up: the file is there, a quoted test name stands in it, no row is without one, and no dialogue is left out. Changes nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Violation } from './source.ts';

export const BEHAVIOUR = 'docs/behaviour.md';
const DIALOGUES = 'test/dialogues';

/** A file or folder below test/, and what is quoted behind it. */
const REFERENCE = /`([^`]+)`((?:,? "[^"]+")*)/g;

export function checkShown(root: string): Violation[] {
  const file = path.join(root, BEHAVIOUR);
  if (!existsSync(file)) return [{ file: BEHAVIOUR, line: 1, problem: 'Is missing' }];
  const violations: Violation[] = [];
  const named = new Set<string>();
  for (const [index, text] of readFileSync(file, 'utf8').split('\n').entries()) {
    const complain = (problem: string): void => void violations.push({ file: BEHAVIOUR, line: index + 1, problem });
    const cells = /^\| (.*) \| (.*) \|$/.exec(text);
    if (cells === null || /^-+ \| -+$|^what it does/.test(text.slice(2, -2).trim())) continue;
    const references = [...(cells[2] ?? '').matchAll(REFERENCE)];
    if (references.length === 0) complain('Nothing shows this');
    for (const [, name = '', quoted = ''] of references) {
      const found = locate(root, name);
      if (found === undefined) complain(`There is no test "${name}"`);
      else {
        named.add(found);
        for (const words of missing(path.join(root, found), quoted)) complain(`"${words}" does not stand in ${found}`);
      }
    }
  }
  for (const dialogue of dialoguesOf(root))
    if (!named.has(dialogue)) violations.push({ file: BEHAVIOUR, line: 1, problem: `Does not name ${dialogue}` });
  return violations;
}

/** `dialogues/x`, `accept/tls`, `corpus/auth/x`: the path below the root. */
function locate(root: string, name: string): string | undefined {
  const forms = [`test/${name}.dialogue`, `test/${name}.test.ts`, `test/${name}`];
  return forms.find((form) => !form.includes('..') && existsSync(path.join(root, form)));
}

function missing(file: string, quoted: string): string[] {
  const wanted = [...quoted.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  if (wanted.length === 0) return [];
  const text = readFileSync(file, 'utf8');
  return wanted.filter((words) => !text.includes(words));
}

function dialoguesOf(root: string): string[] {
  const folder = path.join(root, DIALOGUES);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.dialogue'))
    .map((name) => `${DIALOGUES}/${name}`);
}
