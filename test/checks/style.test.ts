import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStyle, checkTestNames, MAX_LINES } from '../../scripts/checks/style.ts';
import { PAGE, plantTree } from './tree.ts';

function problemsOf(file: string, text: string): string[] {
  using tree = plantTree({ [file]: text });
  return [...checkStyle(tree.root), ...checkTestNames(tree.root)].map((one) => `${one.line}: ${one.problem}`);
}

// words are put together here, so that this file does not break the rules it plants
const word = (...parts: string[]): string => parts.join('');

const planted: ReadonlyArray<[sentence: string, text: string, problem: RegExp]> = [
  ['a default export', word('export def', 'ault function x() {}\n'), /2: Has a default export/],
  ['a default export by renaming', word('const x = 1;\nexport { x as def', 'ault };\n'), /3: Has a default export/],
  ['an enum', word('export en', 'um Colour { Red }\n'), /2: Declares an enum/],
  ['a constant enum', word('export const en', 'um Colour { Red }\n'), /2: Declares an enum/],
  ['a namespace', word('name', 'space Mail {}\n'), /2: Declares a namespace/],
  ['a decorator', word('@', 'sealed\nclass X {}\n'), /2: Uses a decorator/],
  ['a parameter property', word('class X { constr', 'uctor(private a: string) {} }\n'), /2: Has a parameter property/],
  ['the type that switches types off', word('export function f(x: a', 'ny): void {}\n'), /2: Says "any"/],
  ['an end of the process', 'function f(): void {\n  process.exit(1);\n}\n', /3: Calls process.exit/],
  ['a reader of the environment', "const x = process.env['HOME'];\n", /2: Reads process.env/],
  ['a reader of the arguments', 'const x = process.argv[2];\n', /2: Reads process.argv/],
  ['a pipe that loses errors', word('a.pi', 'pe(b);\n'), /2: Uses .pipe\(/],
  ['a clock of its own', 'const x = Date.now();\n', /2: Asks Date/],
  ['a date of now', 'const x = new Date();\n', /2: Asks Date/],
  ['randomness of its own', 'const x = Math.random();\n', /2: Calls Math.random/],
  ['a file that is too long', 'const x = 1;\n'.repeat(MAX_LINES), /a file ends before/],
];

for (const [sentence, text, problem] of planted) {
  test(`checkStyle() finds ${sentence}`, () => {
    const problems = problemsOf('src/mail/x.ts', PAGE + text);
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', problem);
  });
}

test('checkStyle() finds a file without its page', () => {
  assert.match(problemsOf('src/mail/x.ts', '// short\nconst x = 1;\n')[0] ?? '', /does not open with its page/i);
});

test('checkStyle() lets entries read the environment and end the process', () => {
  const text = `#!/usr/bin/env node\n${PAGE}process.exit(process.argv.length + Object.keys(process.env).length);\n`;
  assert.deepEqual(problemsOf('src/gateway.ts', text), []);
});

test('checkStyle() takes words in comments, strings, templates and regular expressions for what they are', () => {
  const text = [
    PAGE.trim(),
    '// process.exit(1)',
    "const a = 'Date.now()';",
    'const b = `process.env ${String(1)} process.argv`;',
    'const c = /process\\.exit["\'`]/.test(a);',
    'const d = 4 / 2 / 1; // process.env',
    '',
  ].join('\n');
  assert.deepEqual(problemsOf('src/mail/x.ts', text), []);
});

test('checkStyle() sees code inside the braces of a template', () => {
  const text = `${PAGE}const b = \`now \${Date.now()} \${\`in \${process.exit(1)}\`}\`;\n`;
  assert.equal(problemsOf('src/mail/x.ts', text).length, 2);
});

test('checkTestNames() finds a name that is no sentence, and one that stands twice', () => {
  const text = "test('works', () => {});\ntest('a name of words', f);\ntest('a name of words', g);\n";
  const problems = problemsOf('test/mail/x.test.ts', text);
  assert.deepEqual(problems, ['1: "works" is no sentence', '3: Two tests are named "a name of words"']);
});
