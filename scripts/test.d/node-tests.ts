/**
 * Runs node:test files in a process of their own and counts what they say. Failures are told in full, with file and line.
 * No file at all is one failure; so is a file that proves nothing, and a run that does not end.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runCommand } from './command.ts';
import type { Tally } from './parts.ts';
import type { Told } from './tell.ts';

/** What takes that long is told, so that whoever looks for time knows where it went. */
const LONG_MS = 20_000;

export interface NodeTestOptions {
  root: string;
  guardMs: number;
  concurrency: number;
  /** Where the words go: stdout. */
  say?: (text: string) => void;
}

export async function runNodeTests(files: readonly string[], options: NodeTestOptions): Promise<Tally> {
  const say = options.say ?? ((text: string): void => void process.stdout.write(text));
  if (files.length === 0) {
    say('no tests\n');
    return { passed: 0, failed: 1 };
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sekisho-test-run-'));
  const pids = path.join(folder, 'pids');
  const tally: Tally = { passed: 0, failed: 0 };
  const fail = (what: string): void => {
    tally.failed += 1;
    say(`FAILED  ${what.trimEnd()}\n`);
  };
  const onLine = (text: string): void => {
    const told = parseTold(text);
    if (told === undefined) return say(`        | ${text}\n`);
    const file = path.relative(options.root, told.file);
    if (told.ms >= LONG_MS) say(`        | ${(told.ms / 1_000).toFixed(0)} s: ${told.name}\n`);
    if (told.result === 'passed') tally.passed += 1;
    else fail(`${file}:${told.line}\n        ${told.name}\n${indent(told.detail)}`);
  };
  const args = [path.join(import.meta.dirname, 'tell.ts'), '--concurrency', String(options.concurrency), ...files];
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    SEKISHO_TEST_PIDS: pids,
    UV_THREADPOOL_SIZE: '16',
    NODE_ENV: 'test',
  };
  delete env['NODE_TEST_CONTEXT']; // set in our own tests of this runner: node:test would then refuse to run
  const run = await runCommand(process.execPath, args, { cwd: options.root, ms: options.guardMs, env, onLine });
  for (const left of endLeftovers(pids)) say(`        | ended what a test left running: ${left}\n`);
  rmSync(folder, { recursive: true, force: true });
  if (run.timedOut) fail(`the part did not end within ${Math.round(options.guardMs / 1_000)} s and was ended`);
  else if (run.code !== 0) fail(`the test process ended with ${run.code}\n${indent(run.output.slice(-4_000))}`);
  return tally;
}

function parseTold(text: string): Told | undefined {
  if (!text.startsWith('{"told":')) return undefined;
  return (JSON.parse(text) as { told: Told }).told; // written by tell.ts, same version
}

/** Daemons of tests that were killed before they could clean up: only process groups noted there and still the same. */
function endLeftovers(pids: string): string[] {
  const ended: string[] = [];
  for (const row of readOr(pids, '').split('\n')) {
    const [pid, born] = row.split(' ').map(Number);
    if (pid === undefined || !(pid > 1)) continue;
    const stat = readOr(`/proc/${pid}/stat`, '');
    const startTime = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    if (startTime !== born) continue;
    ended.push(`${readOr(`/proc/${pid}/comm`, '').trim()} (${pid})`);
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // gone in the meantime
    }
  }
  return ended;
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '        ');
}
