/**
 * The rig proves itself: bugs that cost mail, each put into a scratch copy of the source by a patch, must turn the layer
 * red that is there to find them. A patch that no longer applies is a failure too: it then proves nothing.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const ROOT = path.resolve(import.meta.dirname, '../..');

const PLANTS: ReadonlyArray<{ bug: string; patch: string; layer: string; says: RegExp }> = [
  {
    bug: 'a 250 before fdatasync',
    patch: '250-before-fdatasync',
    layer: 'power-cut.test.ts',
    says: /nothing is corrupt|an acknowledged message is there|can be read/,
  },
  {
    bug: 'a 250 without the fsync of the directory',
    patch: 'no-directory-fsync',
    layer: 'power-cut.test.ts',
    says: /an acknowledged message is there/,
  },
  {
    bug: 'a settlement that is not synced',
    patch: 'settling-not-synced',
    layer: 'power-cut.test.ts',
    says: /is not served again|is owed once/,
  },
  {
    bug: 'a body whose hash nobody checks',
    patch: 'body-hash-not-checked',
    layer: 'damage.test.ts',
    says: /an altered body of \S+ came out/,
  },
];

for (const { bug, patch, layer, says } of PLANTS) {
  test(`${layer} finds ${bug}`, { timeout: 300_000 }, async () => {
    const scratch = await mkdtemp(path.join(tmpdir(), 'sekisho-plant-'));
    try {
      for (const name of ['src', 'test', 'package.json']) {
        await cp(path.join(ROOT, name), path.join(scratch, name), { recursive: true });
      }
      await symlink(path.join(ROOT, 'node_modules'), path.join(scratch, 'node_modules'));
      const applied = await run(
        'patch',
        ['-p1', '-i', path.join(import.meta.dirname, 'plants', `${patch}.patch`)],
        scratch,
      );
      assert.equal(applied.code, 0, `The planted bug no longer applies, write it anew: ${applied.output}`);
      const { code, output } = await run(process.execPath, ['--test', `test/crash/${layer}`], scratch);
      assert.notEqual(code, 0, `${layer} is green with ${bug}`);
      assert.match(output, says, `${layer} is red, but for another reason`);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  });
}

function run(command: string, args: readonly string[], cwd: string): Promise<{ code: number; output: string }> {
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env; // or it would report to our own runner
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { cwd, env, timeout: 240_000, maxBuffer: 64 * 1_048_576 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, output: stdout + stderr });
      else reject(error ?? new Error(`${command} did not end by itself`));
    });
  });
}
