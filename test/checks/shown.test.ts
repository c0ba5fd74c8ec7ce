import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { BEHAVIOUR, checkShown } from '../../scripts/checks/shown.ts';
import { plantTree } from './tree.ts';

const HEAD = '| what it does | shown by |\n| --- | --- |\n';
const KEPT = {
  'test/dialogues/a-thing.dialogue': 'S: 220 *\n',
  'test/accept/tls.test.ts': "test('twice is 503', () => {});\n",
  'test/corpus/auth/spf/message.eml': '',
};
const ROW = '| One thing | `dialogues/a-thing`, `accept/tls` "twice is 503" |\n';

function problemsOf(rows: string, more: Readonly<Record<string, string>> = {}): string[] {
  using tree = plantTree({ ...KEPT, ...more, [BEHAVIOUR]: HEAD + rows });
  return checkShown(tree.root).map((one) => `${one.line}: ${one.problem}`);
}

test('checkShown() is content where every name leads to a file and every dialogue is named', () => {
  assert.deepEqual(problemsOf(`${ROW}| Another | \`corpus/auth/spf\` |\n`), []);
});

for (const [what, rows, more, problem] of [
  ['a test that is not there', `${ROW}| x | \`accept/gone\` |\n`, {}, /4: There is no test "accept\/gone"/],
  ['a name that leads out', `${ROW}| x | \`../docs/behaviour.md\` |\n`, {}, /4: There is no test/],
  ['a test name that nobody has', '| x | `dialogues/a-thing`, `accept/tls` "thrice" |\n', {}, /3: "thrice" does not/],
  ['a row that shows nothing', `${ROW}| x | later |\n`, {}, /4: Nothing shows this/],
  ['a dialogue left out', ROW, { 'test/dialogues/b.dialogue': '' }, /1: Does not name test\/dialogues\/b\.dialogue/],
] as const)
  test(`checkShown() finds ${what}`, () => {
    const problems = problemsOf(rows, more);
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', problem);
  });

test('checkShown() finds the whole document missing', () => {
  using tree = plantTree(KEPT);
  assert.equal(checkShown(tree.root)[0]?.problem, 'Is missing');
});

test('what docs/behaviour.md names is there', () => {
  assert.deepEqual(checkShown(path.resolve(import.meta.dirname, '../..')), []);
});
