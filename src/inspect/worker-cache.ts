/**
 * Compiled code for inspect workers that are children of ours: without it each takes the types off its sources at every start,
 * which stays with it as 22 MB and costs half a second (measured). Node's permission model reads such a cache only where the process may
 * write as well, and what a worker has written must never be what the next one runs: so each gets a copy in its private
 * folder, and the original comes from a run of the program to its usage line, which never sees a mail. Whatever fails here
 * costs memory, not mail. Two processes that make it at once make the same.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { getCompileCacheDir } from 'node:module';
import path from 'node:path';
import { MAIL_PROCESS_FLAGS } from '../base/runtime-flags.ts';

const PREFIX = 'inspect-';
const COMPILE_MS = 30_000;

export interface Program {
  entry: string;
  execPath: string;
}

/** Where this process keeps its own; undefined when it has none. */
export function ownCompileCache(): string | undefined {
  const folder = getCompileCacheDir();
  return folder === undefined ? undefined : path.dirname(folder);
}

/** The original for the program as it is now, made if it is missing. */
export async function compiledProgram(base: string, program: Program): Promise<string | undefined> {
  try {
    const folder = path.join(base, PREFIX + (await stateOf(program)));
    const known: string[] = await readdir(base).catch(() => []);
    if (known.includes(path.basename(folder))) return folder;
    const draft = `${folder}.${process.pid}`;
    await mkdir(draft, { recursive: true, mode: 0o700 });
    await compile(program, draft).catch(async (error: unknown) => {
      await rm(draft, { recursive: true, force: true });
      throw error;
    });
    await rename(draft, folder);
    for (const name of known)
      if (name.startsWith(PREFIX)) await rm(path.join(base, name), { recursive: true, force: true });
    return folder;
  } catch {
    return undefined;
  }
}

/** For one worker; undefined when it has to do without. */
export async function copyFor(folder: string, compiled: string | undefined): Promise<string | undefined> {
  if (compiled === undefined) return undefined;
  const own = path.join(folder, 'compiled');
  try {
    await cp(compiled, own, { recursive: true });
    return own;
  } catch {
    return undefined;
  }
}

/** Another when a source, a package or the runtime has changed. */
async function stateOf({ entry, execPath }: Program): Promise<string> {
  const sources = path.dirname(entry);
  const names = (await readdir(sources, { recursive: true })).filter((name) => /\.[jt]s$/.test(name)).toSorted();
  const files = [execPath, path.join(sources, '../package.json'), ...names.map((name) => path.join(sources, name))];
  const sum = createHash('sha256');
  for (const file of files) {
    const { size, mtimeMs } = await stat(file);
    sum.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return sum.digest('hex').slice(0, 16);
}

/** Its usage line ends with 64: that is how it is meant to end. */
function compile({ entry, execPath }: Program, folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env: { NODE_COMPILE_CACHE: folder }, timeout: COMPILE_MS };
    execFile(execPath, [...MAIL_PROCESS_FLAGS, entry, '--usage'], options, (error) => {
      if (error?.code === 64) resolve();
      else reject(error ?? new Error('It did not end with its usage line'));
    });
  });
}
