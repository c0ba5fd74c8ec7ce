/**
 * Short form of the fuzzing; the long one is `./scripts/fuzz`. Each target first finds a bug of its kind, planted into a
 * scratch copy of the sources; then it runs on the sources as they are; then what was found once is tried again. The seed is
 * printed; SEKISHO_FUZZ_SEED gives another one.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fuzzInProcess } from './process.ts';
import { loadTarget, TARGETS } from './targets.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SEED = Number(process.env['SEKISHO_FUZZ_SEED'] ?? 20_261_122);
/** What the unplanted run makes; the planted bug must be found within as many again. */
const CASES = 1_500;
const LIMIT_MS = 120_000;

function scratchCopy(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'sekisho-planted-'));
  for (const folder of [
    'src',
    'test/fuzz',
    'test/accept',
    'test/control',
    'test/support',
    'test/corpus',
    'package.json',
    'scripts/lib',
  ])
    cpSync(path.join(ROOT, folder), path.join(copy, folder), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
  return copy;
}

for (const name of TARGETS) {
  describe(`fuzzing: ${name}`, { concurrency: false }, () => {
    it('finds the bug that is planted for it', { timeout: LIMIT_MS + 30_000 }, async () => {
      const { planted } = await loadTarget(name);
      const copy = scratchCopy();
      try {
        const file = path.join(copy, planted.file);
        const source = readFileSync(file, 'utf8');
        assert.equal(source.split(planted.find).length, 2, `"${planted.find}" stands once in ${planted.file}`);
        writeFileSync(
          file,
          source.replace(planted.find, () => planted.replace),
        );
        const told = await fuzzInProcess(name, {
          root: copy,
          seed: SEED,
          cases: CASES * 4,
          seconds: 0,
          limitMs: LIMIT_MS,
        });
        assert.ok(told.finding, `${told.cases} cases did not find the planted bug`);
        assert.ok(told.finding.index >= 0, `Found by its check, not by an accident: ${told.finding.message}`);
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    });

    it(`finds nothing in the sources as they are (seed ${SEED})`, { timeout: LIMIT_MS + 30_000 }, async (context) => {
      const told = await fuzzInProcess(name, { root: ROOT, seed: SEED, cases: CASES, seconds: 0, limitMs: LIMIT_MS });
      context.diagnostic(`${told.cases} cases, seed ${told.seed}`);
      assert.equal(told.finding?.message, undefined, `case ${told.finding?.index}, input ${told.finding?.input}`);
      assert.equal(told.cases, CASES);
    });

    const folder = path.join(import.meta.dirname, 'corpus', name);
    for (const file of readdirSync(path.join(import.meta.dirname, 'corpus')).includes(name)
      ? readdirSync(folder)
      : []) {
      it(`what was found once is not found again: ${file}`, { timeout: LIMIT_MS + 30_000 }, async () => {
        const replay = path.join(folder, file);
        const told = await fuzzInProcess(name, {
          root: ROOT,
          seed: 0,
          cases: 1,
          seconds: 0,
          limitMs: LIMIT_MS,
          replay,
        });
        assert.equal(told.finding?.message, undefined);
      });
    }
  });
}
