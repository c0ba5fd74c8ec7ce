/**
 * Checks a candidate for the configuration: version, schema, then what keys say together. Pure; every problem at once, so
 * that nobody mends a file one error at a time. What is accepted has all defaults filled in and domains as A-labels.
 */
import { describeError } from '../base/errors.ts';
import { crossCheck, type CrossCheckOptions } from './cross-check.ts';
import { parseJson } from './json.ts';
import { migrate } from './migrate/migrate.ts';
import { type ConfigProblem, problemsOfIssue } from './problems.ts';
import { type Config, type ConfigInput, configSchema } from './schema.ts';

export type CheckResult = { ok: true; config: Config; problems: [] } | { ok: false; problems: ConfigProblem[] };

/** `candidate`: a parsed JSON value, defaults not filled in. */
export function checkConfig(candidate: unknown, options: CrossCheckOptions = {}): CheckResult {
  const migrated = migrate(candidate);
  if (!migrated.ok) return { ok: false, problems: [migrated.problem] };
  const parsed = configSchema.safeParse(migrated.value);
  if (parsed.success) {
    const problems = crossCheck(parsed.data, options);
    return problems.length === 0 ? { ok: true, config: parsed.data, problems: [] } : { ok: false, problems };
  }
  const problems = parsed.error.issues.flatMap((issue) => problemsOfIssue(issue, migrated.value));
  // The rest is checked without what is already known to be wrong.
  const rest = parseRest(migrated.value, parsed.error.issues);
  const known = problems.map((problem) => problem.path);
  const more = rest.success ? crossCheck(rest.data, options) : [];
  return { ok: false, problems: [...problems, ...more.filter(({ path }) => !known.some((one) => related(one, path)))] };
}

/** The text of a file: JSON first, then as above. */
export function checkConfigText(text: string, options: CrossCheckOptions = {}): CheckResult & { value?: unknown } {
  const json = parseJson(text);
  if (!json.ok) return { ok: false, problems: [syntaxProblem(json.problem)] };
  return { ...checkConfig(json.value, options), value: json.value };
}

function syntaxProblem(problem: Extract<ReturnType<typeof parseJson>, { ok: false }>['problem']): ConfigProblem {
  const { line, column, message, remedy } = problem;
  return {
    path: '',
    message: {
      en: `The file is not JSON: line ${line}, column ${column}: ${message.en}`,
      ja: `JSON として読めません（${line} 行 ${column} 文字目）: ${message.ja}`,
    },
    remedy,
  };
}

/** A problem for a file that could not be read at all. */
export function unreadable(file: string, error: unknown): ConfigProblem {
  const cause = describeError(error);
  return {
    path: '',
    message: {
      en: `The configuration file "${file}" cannot be read: ${cause}`,
      ja: `設定ファイル「${file}」を読めません: ${cause}`,
    },
    remedy: {
      en: 'Check that the file exists and that the gateway may read it',
      ja: 'ファイルが存在し、ゲートウェイに読み取り権限があることを確かめてください',
    },
  };
}

interface Issue {
  code?: string | undefined;
  path: PropertyKey[];
  keys?: string[];
}

/** What is right in the candidate: first without the wrong places, else without the domains and sections they stand in. */
function parseRest(candidate: unknown, issues: readonly Issue[]): ReturnType<typeof configSchema.safeParse> {
  const pruned = prune(candidate, issues);
  const rest = configSchema.safeParse(pruned);
  if (rest.success) return rest;
  const copy = structuredClone(pruned);
  for (const issue of rest.error.issues) {
    const [section, index] = issue.path;
    const domains = section === 'domains' ? (copy as { domains: unknown }).domains : undefined;
    // A stand-in, so that the indexes by which later problems are told do not move.
    if (Array.isArray(domains) && typeof index === 'number') domains[index] = standIn(index);
    else remove(copy, issue.path.slice(0, 1));
  }
  return configSchema.safeParse(copy);
}

function standIn(index: number): NonNullable<ConfigInput['domains']>[number] {
  return { name: `wrong-${index}.invalid`, servers: [{ host: 'wrong.invalid' }] };
}

/** A copy without the places the issues point at. */
function prune(candidate: unknown, issues: readonly Issue[]): unknown {
  const copy = structuredClone(candidate);
  for (const issue of issues) {
    const places =
      issue.code === 'unrecognized_keys' ? (issue.keys ?? []).map((key) => [...issue.path, key]) : [issue.path];
    for (const place of places) remove(copy, place);
  }
  return copy;
}

function remove(root: unknown, path: readonly PropertyKey[]): void {
  const parents: unknown[] = [];
  let node = root;
  for (const key of path) {
    if (typeof node !== 'object' || node === null) return;
    parents.push(node);
    node = (node as Record<PropertyKey, unknown>)[key];
  }
  const parent = parents.at(-1);
  const last = path.at(-1);
  if (typeof parent !== 'object' || parent === null || last === undefined) return;
  // Indexes must not move: later problems are told by them. An empty hole would be a new problem; a required key too.
  if (Array.isArray(parent)) return;
  delete (parent as Record<PropertyKey, unknown>)[last];
}

function related(left: string, right: string): boolean {
  return left === right || right.startsWith(`${left}.`) || left.startsWith(`${right}.`) || left === '';
}
