/**
 * What the linter cannot know of this house: every file opens with its page, stays short, takes the clock and the
 * environment from whom it should, and uses the module shapes agreed on. One rule, one line of the table.
 */
import { ENTRIES } from './imports.ts';
import { lineOf, readSources, type SourceFile, type Violation } from './source.ts';

export const MAX_LINES = 400;
/** Tests are tables and stories; they may be longer. */
export const MAX_TEST_LINES = 650;

interface Rule {
  problem: string;
  /** Searched in the code: comments and the inside of strings are blanks there. */
  pattern: RegExp;
  /** Files it applies to. */
  where: RegExp;
  except?: (name: string) => boolean;
}

const ALL = /./;
const SRC = /^src\//;
const isEntry = (name: string): boolean => ENTRIES.some((entry) => name === `src/${entry}.ts`);

const OWN_CLOCK = ['src/base/clock.ts', 'src/observe/log.ts', 'src/observe/metrics.ts'];

const RULES: readonly Rule[] = [
  {
    problem: 'Has a default export',
    pattern: /^\s*export\s+default\b|^\s*export\s*\{[^}]*\bas\s+default\b/gm,
    where: ALL,
  },
  { problem: 'Declares an enum', pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/gm, where: ALL },
  { problem: 'Declares a namespace', pattern: /^\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w/gm, where: ALL },
  { problem: 'Uses a decorator', pattern: /^\s*@[a-zA-Z]\w*(?:\(|\s*$)/gm, where: ALL },
  {
    problem: 'Has a parameter property',
    pattern: /\bconstructor\s*\((?:[^)]*,)?\s*(?:private|public|protected|readonly)\s+\w/g,
    where: ALL,
  },
  { problem: 'Says "any"', pattern: /(?::|<|\bas|\|)\s*any\b/g, where: ALL },
  {
    problem: 'Calls process.exit; only entries do',
    pattern: /\bprocess\s*\.\s*exit\b(?!Code)/g,
    where: SRC,
    except: isEntry,
  },
  { problem: 'Reads process.env; only entries do', pattern: /\bprocess\s*\.\s*env\b/g, where: SRC, except: isEntry },
  { problem: 'Reads process.argv; only entries do', pattern: /\bprocess\s*\.\s*argv\b/g, where: SRC, except: isEntry },
  { problem: 'Uses .pipe(, which loses errors; take stream.pipeline', pattern: /\.pipe\((?!\s*z\b)/g, where: ALL },
  {
    problem: 'Asks Date for the time; the clock is handed in',
    pattern: /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)/g,
    where: SRC,
    // entries hand the clock in; when this process began, and when log lines were lost, is for people and decides nothing
    except: (name) => isEntry(name) || OWN_CLOCK.includes(name),
  },
  {
    problem: 'Calls Math.random; randomness is handed in',
    pattern: /\bMath\s*\.\s*random\s*\(/g,
    where: SRC,
    except: isEntry,
  },
  {
    problem: 'Waits by setTimeout in a test for luck; wait for a fact',
    pattern: /\bsleep\(\s*\d{4,}/g,
    where: /^test\//,
  },
];

export function checkStyle(root: string): Violation[] {
  const sources = ['src', 'scripts', 'test', 'webui'].flatMap((folder) => readSources(root, folder));
  return sources.flatMap((source) => [
    ...RULES.flatMap((rule) => applyRule(rule, source)),
    ...checkPage(source),
    ...checkLength(source),
  ]);
}

function applyRule(rule: Rule, source: SourceFile): Violation[] {
  if (!rule.where.test(source.name) || rule.except?.(source.name) === true) return [];
  return [...source.code.matchAll(rule.pattern)].map((match) => ({
    file: source.name,
    line: lineOf(source.code, match.index + match[0].length - match[0].trimStart().length),
    problem: rule.problem,
  }));
}

/** The manual page: a comment before the first statement, behind `#!` at most. */
function checkPage(source: SourceFile): Violation[] {
  if (!/^(?:src|webui)\//.test(source.name)) return [];
  const first = source.text.replace(/^#![^\n]*\n/, '').trimStart();
  const page = /^\/\*\*[\s\S]*?\*\//.exec(first)?.[0] ?? '';
  if (page.length >= 40) return [];
  return [
    { file: source.name, line: 1, problem: 'Does not open with its page (/** what, contract, on error, durable */)' },
  ];
}

function checkLength(source: SourceFile): Violation[] {
  const lines = source.text.split('\n').length - 1;
  const limit = source.name.startsWith('test/') ? MAX_TEST_LINES : MAX_LINES;
  if (lines < limit) return [];
  return [{ file: source.name, line: lines, problem: `Has ${lines} lines; a file ends before ${limit}` }];
}

/** A test's name is a sentence: at least three words; the same name stands once in a file. */
export function checkTestNames(root: string): Violation[] {
  return readSources(root, 'test')
    .filter((source) => source.name.endsWith('.test.ts'))
    .flatMap((source) => {
      const seen = new Set<string>();
      const violations: Violation[] = [];
      for (const match of source.uncommented.matchAll(
        /^\s*(?:await\s+)?(?:t\.)?(?:test|it)\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/gm,
      )) {
        const name = match[2] ?? '';
        const line = lineOf(source.uncommented, match.index + match[0].length);
        // a table's `${sentence}` is judged where it stands
        if (
          name
            .replaceAll(/\$\{[^}]*\}/g, 'a whole sentence')
            .trim()
            .split(/[\s_]+/).length < 3
        )
          violations.push({ file: source.name, line, problem: `"${name}" is no sentence` });
        if (seen.has(name) && !name.includes('${'))
          violations.push({ file: source.name, line, problem: `Two tests are named "${name}"` });
        seen.add(name);
      }
      return violations;
    });
}
