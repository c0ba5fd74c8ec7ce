import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { runNodeTests } from '../../scripts/test.d/node-tests.ts';
import { PARTS, testFiles } from '../../scripts/test.d/parts.ts';
import { until } from '../support/process.ts';
import { plantTree } from './tree.ts';

const HEAD = "import { test, describe } from 'node:test';\nimport assert from 'node:assert';\n";
const SUPPORT = path.resolve(import.meta.dirname, '../support/process.ts');

async function runPlanted(
  files: Record<string, string>,
  guardMs = 120_000,
): Promise<{ passed: number; failed: number; said: string }> {
  using tree = plantTree(files);
  let said = '';
  const say = (text: string): void => {
    said += text;
  };
  const tally = await runNodeTests(Object.keys(files), { root: tree.root, guardMs, concurrency: 1, say });
  return { ...tally, said };
}

test('the runner counts tests, also those inside suites, and tells failures with file, line and cause', async () => {
  const result = await runPlanted({
    'test/a/x.test.ts': `${HEAD}test('one', () => {});\ndescribe('suite', () => {\n  test('two', () => {});\n  test('three', () => assert.equal(1, 2));\n});\n`,
    'test/a/y.test.ts': `${HEAD}test('four', () => {});\n`,
  });
  assert.deepEqual([result.passed, result.failed], [3, 1], result.said);
  assert.match(result.said, /FAILED {2}test\/a\/x\.test\.ts:6\n\s+three\n[^]*1 == 2/);
});

test('the runner counts a skipped test, and one that is still to be written, as failed', async () => {
  const result = await runPlanted({
    'test/a/x.test.ts': `${HEAD}test('skipped', { skip: 'no engine here' }, () => {});\ntest.todo('later');\ntest('fine', () => {});\n`,
  });
  assert.deepEqual([result.passed, result.failed], [1, 2], result.said);
  assert.match(result.said, /skipped, so nothing is proved: no engine here/);
});

test('the runner counts a file that breaks before its first test, and one that holds none, as failed', async () => {
  const broken = await runPlanted({ 'test/a/x.test.ts': "import { nothing } from './nowhere.ts';\nnothing();\n" });
  assert.deepEqual([broken.passed, broken.failed], [0, 1], broken.said);
  assert.match(broken.said, /nowhere\.ts/);
  const empty = await runPlanted({ 'test/a/x.test.ts': 'export const nothing = 1;\n' });
  assert.deepEqual([empty.passed, empty.failed], [0, 1], empty.said);
  assert.match(empty.said, /holds no test/);
});

test('the runner counts a part without files as failed', async () => {
  assert.deepEqual(await runPlanted({}), { passed: 0, failed: 1, said: 'no tests\n' });
});

test('the runner ends a test that hangs, and the daemon it started', async () => {
  const daemon = `const child = await startChild('/bin/sleep', ['1000']);\nwriteFileSync('pid', String(child.pid));\n`;
  const imports = `import { writeFileSync, rmSync } from 'node:fs';\nimport { startChild } from '${SUPPORT}';\n`;
  const hang = `test('hangs for ever', async () => {\n${daemon}setInterval(() => {}, 1000);\nawait new Promise(() => {});\n});\n`;
  using note = plantTree({});
  const pidFile = path.join(note.root, 'pid');
  const file = (HEAD + imports + hang).replace("'pid'", `'${pidFile}'`);
  // long enough for the daemon to be there
  let seconds = 3;
  let result = await runPlanted({ 'test/a/x.test.ts': file }, seconds * 1_000);
  while (!existsSync(pidFile) && seconds < 90) {
    seconds *= 3;
    result = await runPlanted({ 'test/a/x.test.ts': file }, seconds * 1_000);
  }
  assert.ok(result.failed >= 1);
  assert.ok(result.said.includes(`did not end within ${seconds} s`), result.said);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  const state = (): string => {
    try {
      return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
    } catch {
      return 'gone';
    }
  };
  // a zombie is dead too, only not yet collected by whoever adopted it
  await until('the daemon to be gone', { ms: 5_000 }, () => (['gone', 'Z'].includes(state()) ? true : undefined));
});

test('every test file of this repository belongs to exactly one part', () => {
  using tree = plantTree({
    'test/mail/a.test.ts': '',
    'test/e2e/b.test.ts': '',
    'test/brand-new/c.test.ts': '',
    'test/crash/d.test.ts': '',
  });
  const homes = PARTS.flatMap((part) => testFiles(part, tree.root).map((file) => [part.name, file]));
  assert.deepEqual(homes, [
    ['unit', 'test/brand-new/c.test.ts'],
    ['unit', 'test/mail/a.test.ts'],
    ['engines', 'test/e2e/b.test.ts'],
    ['crash', 'test/crash/d.test.ts'],
  ]);
});
