/**
 * A private clamd, configured by the very template that ships (scripts/engines/clamd.conf), with a database of test
 * signatures only: EICAR, and a word of our own. It runs as `nobody` under a folder of the test, shares nothing with the
 * system's and starts in seconds, where the full database takes minutes.
 */
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Engine, startEngine } from './engine.ts';
import { canConnect } from './net.ts';
import { startChild } from './process.ts';

const NOBODY = 65_534;
const TEMPLATE = path.resolve(import.meta.dirname, '../../scripts/engines/clamd.conf');
/** The EICAR test file, put together here so that no scanner minds this source. */
export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('');
/** Found by our own second signature. */
export const TEST_WORD = 'sekisho-test-signature-4f1c9a';

export interface Clamd extends Engine {
  readonly socket: string;
}

export async function startClamd(options: { dir: string }): Promise<Clamd> {
  const folder = path.join(options.dir, 'clamd');
  const database = path.join(folder, 'db');
  const state = path.join(folder, 'tmp');
  for (const name of [folder, database, state]) {
    await mkdir(name, { recursive: true, mode: 0o755 });
    await chown(name, NOBODY, NOBODY);
  }
  const hex = (text: string): string => Buffer.from(text).toString('hex');
  const signatures = [`Eicar-Test-Signature:0:*:${hex(EICAR)}`, `Sekisho.Test-Word:0:*:${hex(TEST_WORD)}`];
  await writeFile(path.join(database, 'test.ndb'), `${signatures.join('\n')}\n`, { mode: 0o644 });
  const template = await readFile(TEMPLATE, 'utf8');
  const values = { '@DATABASE@': database, '@STATE@': state, '@RUN@': folder };
  const file = path.join(folder, 'clamd.conf');
  await writeFile(file, fill(template, values), { mode: 0o644 });
  const socket = path.join(folder, 'clamd.sock');
  return await startEngine('clamd', {
    start: () => startChild('/usr/sbin/clamd', ['--config-file', file], { cwd: folder, uid: NOBODY, gid: NOBODY }),
    ready: () => canConnect({ path: socket }),
    extra: { socket },
  });
}

/** Puts values in a template's marks; a mark without a value is an error, not a surprise. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/@[A-Z_]+@/g, (mark) => {
    const value = values[mark];
    if (value === undefined) throw new Error(`The template has a mark "${mark}" that the tests do not know`);
    return value;
  });
}
