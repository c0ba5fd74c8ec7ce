import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALLOWED, checkImports } from '../../scripts/checks/imports.ts';
import { plantTree } from './tree.ts';

const clean: Record<string, string> = {
  'src/base/clock.ts': 'export const clock = 1;\n',
  'src/mail/header.ts': "import { clock } from '../base/clock.ts';\nexport const header = clock;\n",
  'src/config/schema.ts': "import { z } from 'zod';\nexport type Config = z.ZodType;\n",
  'src/spool/api.ts': "import type { header } from '../mail/header.ts';\nexport type Spool = typeof header;\n",
  'src/accept/server.ts': "import { SMTPServer } from 'smtp-server';\nexport const server = SMTPServer;\n",
  'src/pipeline.ts': "import { server } from './accept/server.ts';\nexport const pipeline = server;\n",
  'src/gateway.ts': "import { pipeline } from './pipeline.ts';\nvoid pipeline;\n",
};

function problemsOf(planted: Record<string, string>): string[] {
  using tree = plantTree({ ...clean, ...planted });
  return checkImports(tree.root).map((one) => `${one.file}: ${one.problem}`);
}

const forbidden: ReadonlyArray<[sentence: string, file: string, text: string, problem: RegExp]> = [
  [
    'a page that imports the contract by value',
    'webui/views/x.tsx',
    "import { OPERATIONS } from '../../src/api/contract/operations.ts';\nvoid OPERATIONS;\n",
    /by value; pages take types of the contract only/,
  ],
  [
    'a page that imports the server, even as a type',
    'webui/api/x.ts',
    "import type { header } from '../../src/mail/header.ts';\nexport type X = typeof header;\n",
    /pages may import from src\/api\/contract\/ only/,
  ],
  [
    'a stage that imports another stage',
    'src/deliver/send.ts',
    "import { server } from '../accept/server.ts';\nvoid server;\n",
    /deliver\/ may not import "src\/accept\/server.ts"/,
  ],
  [
    'mail that imports a stage, even as a type',
    'src/mail/x.ts',
    "import type { Spool } from '../spool/api.ts';\nexport type X = Spool;\n",
    /mail\/ may not import "src\/spool/,
  ],
  [
    'decide that imports the schema by value',
    'src/decide/x.ts',
    "import { configSchema } from '../config/schema.ts';\nvoid configSchema;\n",
    /decide\/ may not import "src\/config\/schema.ts" by value/,
  ],
  [
    'decide that imports another file of config',
    'src/decide/x.ts',
    "import type { Y } from '../config/store.ts';\nexport type X = Y;\n",
    /no file of src|may not import/,
  ],
  [
    'a package away from home',
    'src/spool/x.ts',
    "import { pino } from 'pino';\nvoid pino;\n",
    /lives in observe\/ only/,
  ],
  [
    'a deep import of a package away from home',
    'src/accept/x.ts',
    "import smtp from 'nodemailer/lib/smtp-connection';\nvoid smtp;\n",
    /lives in deliver\/ only/,
  ],
  ['a package that no table names', 'src/mail/x.ts', "import x from 'left-pad';\nvoid x;\n", /has no home/],
  [
    'a built-in away from home',
    'src/mail/x.ts',
    "import { DatabaseSync } from 'node:sqlite';\nvoid DatabaseSync;\n",
    /observe/,
  ],
  ['an import of an entry', 'src/gateway.ts', "import './cli.ts';\n", /Imports the entry|no file of src/],
  [
    'a dynamic import that is written out',
    'src/deliver/x.ts',
    "export const load = () => import('../accept/server.ts');\n",
    /deliver\/ may not import/,
  ],
  ['a dynamic import that is computed', 'src/mail/x.ts', 'export const load = (n: string) => import(n);\n', /computed/],
  ['a re-export', 'src/deliver/x.ts', "export { server } from '../accept/server.ts';\n", /deliver\/ may not import/],
  [
    'an import over several lines',
    'src/deliver/x.ts',
    "import {\n  server,\n} from '../accept/server.ts';\nvoid server;\n",
    /deliver\/ may not import/,
  ],
  ['a stage that imports the pipeline', 'src/accept/x.ts', "import '../pipeline.ts';\n", /Imports the pipeline/],
  ['a file in src/ that is no entry', 'src/helpers.ts', 'export const x = 1;\n', /neither an entry nor the pipeline/],
  ['a folder that no rule names', 'src/utils/x.ts', 'export const x = 1;\n', /No import rule names/],
  [
    'an import from the tests',
    'src/mail/x.ts',
    "import { t } from '../../test/support/x.ts';\nvoid t;\n",
    /no file of src/,
  ],
];

test('checkImports() minds nothing in a tree that keeps the rules', () => {
  assert.deepEqual(problemsOf({}), []);
});

for (const [sentence, file, text, problem] of forbidden) {
  test(`checkImports() finds ${sentence}`, () => {
    const problems = problemsOf({ [file]: text });
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', problem);
  });
}

test('checkImports() finds files that import each other in a circle', () => {
  const problems = problemsOf({
    'src/mail/a.ts': "import { b } from './b.ts';\nexport const a = b;\n",
    'src/mail/b.ts': "import { c } from './c.ts';\nexport const b = c;\n",
    'src/mail/c.ts': "import { a } from './a.ts';\nexport const c = a;\n",
  });
  assert.deepEqual(problems, [
    'src/mail/a.ts: Imports itself: src/mail/a.ts → src/mail/b.ts → src/mail/c.ts → src/mail/a.ts',
  ]);
});

test('checkImports() takes words in comments and strings for what they are', () => {
  const text = "// import '../accept/server.ts'\nexport const x = \"import { a } from 'left-pad'\";\n";
  assert.deepEqual(problemsOf({ 'src/mail/x.ts': text }), []);
});

test('the folders that the rules name have no circle among themselves', () => {
  const visit = (folder: string, trail: string[]): void => {
    assert.ok(!trail.includes(folder), `${[...trail, folder].join(' → ')}`);
    for (const rule of ALLOWED[folder] ?? []) visit(rule.split(/[/ ]/)[0] ?? '', [...trail, folder]);
  };
  for (const folder of Object.keys(ALLOWED)) visit(folder, []);
});

test('checkImports() lets only entries import the folder they are composed of', () => {
  const piece = {
    'src/gateway/doors.ts': "import { server } from '../accept/server.ts';\nexport const doors = server;\n",
  };
  assert.deepEqual(
    problemsOf({ ...piece, 'src/gateway.ts': "import { doors } from './gateway/doors.ts';\nvoid doors;\n" }),
    [],
  );
  const problems = problemsOf({
    ...piece,
    'src/deliver/x.ts': "import { doors } from '../gateway/doors.ts';\nvoid doors;\n",
  });
  assert.match(problems[0] ?? '', /which only entries do/);
});
