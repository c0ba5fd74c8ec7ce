/**
 * The test command behind `scripts/test`: runs the parts in order, tells failures in full and successes in numbers, ends
 * what hangs. Each check and each test counts once; a skipped test counts as failed, since it proves nothing. The last
 * line is `N passed, M failed`; the exit code is 1 when M > 0.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runChecks } from './checks.ts';
import { runNodeTests } from './node-tests.ts';
import { PARTS, type Part, type Tally, testFiles } from './parts.ts';

const root = path.resolve(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    fast: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    'installed-in': { type: 'string', default: '0' },
  },
});

if (values.list) listParts();
else process.exitCode = await runParts(chooseParts());

function listParts(): void {
  const install = 'Debian packages, peers beside the system, npm packages and the pinned runtime';
  process.stdout.write(`install   8 min  ${install}\n`);
  for (const part of PARTS) {
    const files = part.folders.length === 0 ? '' : ` (${testFiles(part, root).length} files)`;
    process.stdout.write(`${part.name.padEnd(8)} ${`${part.minutes} min`.padStart(6)}  ${part.proves}${files}\n`);
  }
}

function chooseParts(): Part[] {
  for (const name of values.only) {
    if (name === 'install' || PARTS.some((part) => part.name === name)) continue;
    process.stdout.write(`There is no part "${name}"; ./scripts/test --list names them\n0 passed, 1 failed\n`);
    process.exit(1);
  }
  if (values.only.length > 0) return PARTS.filter((part) => values.only.includes(part.name));
  return PARTS.filter((part) => !values.fast || !part.slow);
}

async function runParts(parts: readonly Part[]): Promise<number> {
  const installMs = Number(values['installed-in']);
  const report = [line('install', { passed: 1, failed: 0 }, { ms: installMs, minutes: 8 })];
  process.stdout.write(`${report[0]}\n`);
  const total: Tally = { passed: 1, failed: 0 };
  for (const part of parts) {
    const started = performance.now();
    const result = await runPart(part);
    total.passed += result.passed;
    total.failed += result.failed;
    const done = line(part.name, result, { ms: performance.now() - started, minutes: part.minutes });
    report.push(done);
    process.stdout.write(`${done}\n`);
  }
  process.stdout.write(`\n${report.join('\n')}\n${total.passed} passed, ${total.failed} failed\n`);
  return total.failed > 0 ? 1 : 0;
}

function runPart(part: Part): Promise<Tally> {
  process.stdout.write(`\n== ${part.name}: ${part.proves}\n`);
  const guardMs = part.minutes * 60_000 * 1.5;
  if (part.folders.length === 0) return runChecks(root, { guardMs });
  return runNodeTests(testFiles(part, root), { root, guardMs, concurrency: part.concurrency });
}

function line(name: string, tally: Tally, time: { ms: number; minutes: number }): string {
  const used = `${(time.ms / 1_000).toFixed(1)} s of ${time.minutes} min`;
  const over = time.ms > time.minutes * 60_000 ? '  OVER ITS TIME' : '';
  return `${name.padEnd(8)} ${String(tally.passed).padStart(5)} passed ${String(tally.failed).padStart(4)} failed  ${used}${over}`;
}
