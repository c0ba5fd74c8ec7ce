/**
 * A private rspamd, configured by the very template that ships (scripts/engines/rspamd.conf). It runs as `nobody`; names
 * it asks for go to the DNS server given, or to a port where nobody answers.
 */
import { request } from 'node:http';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fill } from './clamd.ts';
import { type Engine, startEngine } from './engine.ts';
import { startChild } from './process.ts';

const NOBODY = 65_534;
const TEMPLATE = path.resolve(import.meta.dirname, '../../scripts/engines/rspamd.conf');
/** GTUBE, put together here so that no filter minds this source. */
export const GTUBE = ['XJS*C4JDBQADN1.NSBN3*2IDNEN*', 'GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'].join('');

export interface Rspamd extends Engine {
  /** The path of its Unix socket, as `engines.rspamd.url` of the configuration takes it. */
  readonly socket: string;
}

export async function startRspamd(options: { dir: string; dns?: { port: number } }): Promise<Rspamd> {
  const folder = path.join(options.dir, 'rspamd');
  const state = path.join(folder, 'state');
  for (const name of [folder, state]) {
    await mkdir(name, { recursive: true, mode: 0o755 });
    await chown(name, NOBODY, NOBODY);
  }
  const values = {
    '@RUN@': folder,
    '@STATE@': state,
    '@DNS_PORT@': String(options.dns?.port ?? 9),
    '@WORKERS@': '1',
  };
  const file = path.join(folder, 'rspamd.conf');
  await writeFile(file, fill(await readFile(TEMPLATE, 'utf8'), values), { mode: 0o644 });
  const socket = path.join(folder, 'rspamd.sock');
  const variables = { DBDIR: state, RUNDIR: folder, LOGDIR: state, LOCAL_CONFDIR: folder };
  const args = ['-f', '-i', '-c', file, ...Object.entries(variables).map(([name, value]) => `--var=${name}=${value}`)];
  return await startEngine('rspamd', {
    start: () => startChild('/usr/bin/rspamd', args, { cwd: folder, uid: NOBODY, gid: NOBODY }),
    ready: () => ping(socket),
    extra: { socket },
  });
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/ping', timeout: 2_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asked.once('error', () => resolve(false));
    asked.once('timeout', () => asked.destroy());
    asked.end();
  });
}
