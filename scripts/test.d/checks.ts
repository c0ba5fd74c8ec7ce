/** The part `checks`: each of them counts once, and tells in full what it minds. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { checkImports } from '../checks/imports.ts';
import { checkLicences } from '../checks/licences.ts';
import { checkShown } from '../checks/shown.ts';
import type { Violation } from '../checks/source.ts';
import { checkStyle, checkTestNames } from '../checks/style.ts';
import { cacheFolder, peerEnvironment, peersPrefix } from '../../test/support/peers.ts';
import { runCommand } from './command.ts';
import type { Tally } from './parts.ts';

/** What is wrong, in full; empty = passed. */
type Check = (root: string, ms: number) => Promise<string>;

const CHECKS: ReadonlyArray<[name: string, check: Check]> = [
  ['types (tsc)', tool('tsc', ['--noEmit'])],
  ['types of the pages (tsc)', tool('tsc', ['--noEmit', '-p', 'webui'])],
  ['lint (oxlint)', tool('oxlint', ['--type-aware'])],
  ['format (biome)', tool('biome', ['format', '.'])],
  ['import rules', house(checkImports)],
  ['style', house(checkStyle)],
  ['test names', house(checkTestNames)],
  ['licences', house(checkLicences)],
  ['behaviour and its tests', house(checkShown)],
  ['shell scripts', checkShell],
];

export async function runChecks(root: string, options: { guardMs: number }): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0 };
  const end = performance.now() + options.guardMs;
  for (const [name, check] of CHECKS) {
    const started = performance.now();
    const problem = await check(root, Math.max(1_000, end - performance.now())).catch((error: unknown) =>
      String(error),
    );
    const ms = Math.round(performance.now() - started);
    if (problem === '') tally.passed += 1;
    else tally.failed += 1;
    process.stdout.write(`${problem === '' ? 'ok' : 'FAILED'}  ${name} (${ms} ms)\n`);
    if (problem !== '') process.stdout.write(`${problem.trimEnd()}\n`);
  }
  return tally;
}

function tool(name: string, args: readonly string[]): Check {
  return async (root, ms) => {
    const result = await runCommand(path.join(root, 'node_modules/.bin', name), args, { cwd: root, ms });
    if (result.timedOut) return `${name} did not end within ${ms} ms`;
    return result.code === 0 ? '' : result.output || `${name} ended with ${result.code}`;
  };
}

function house(check: (root: string) => Violation[]): Check {
  return async (root) =>
    check(root)
      .map((one) => `  ${one.file}:${one.line} ${one.problem}\n`)
      .join('');
}

/** By shellcheck from the peers; every script is read by bash as well. */
async function checkShell(root: string, ms: number): Promise<string> {
  const scripts = shellScripts(root);
  if (scripts.length === 0) return 'No shell script was found, not even this test command\n';
  const shellcheck = path.join(peersPrefix(), 'usr/bin/shellcheck');
  if (!existsSync(shellcheck))
    return `There is no shellcheck below ${cacheFolder()}; scripts/test.d/install unpacks it\n`;
  let unreadable = '';
  for (const file of scripts) {
    const read = await runCommand('bash', ['-n', file], { cwd: root, ms });
    if (read.code !== 0) unreadable += read.output;
  }
  const found = await runCommand(
    shellcheck,
    ['--severity=warning', '--shell=bash', '--external-sources', '--source-path=SCRIPTDIR', ...scripts],
    {
      cwd: root,
      ms,
      env: peerEnvironment(),
    },
  );
  return unreadable + (found.code === 0 ? '' : found.output || `shellcheck: ${found.code}\n`);
}

function shellScripts(root: string): string[] {
  const folders = ['scripts', '.ci', 'rootfs'].filter((folder) => existsSync(path.join(root, folder)));
  const files = folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)),
  );
  return [...files, 'build-image.sh'].filter((file) => {
    const full = path.join(root, file);
    if (!existsSync(full) || !statSync(full).isFile()) return false;
    return file.endsWith('.sh') || /^#!.*\b(?:ba|da)?sh\b/.test(readFileSync(full, 'utf8').split('\n', 1)[0] ?? '');
  });
}
