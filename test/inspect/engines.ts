/**
 * Real engines for tests, started privately in a temporary folder under the user "nobody" (or the caller's own, when not
 * root): a clamd whose only database is a signature of EICAR, and an rspamd with GTUBE and no outside query. Each is ended by
 * its process id. Undefined when the program is not installed: the tests that want it are skipped, and say so.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const CLAMD = '/usr/sbin/clamd';
const RSPAMD = '/usr/bin/rspamd';

export const haveClamd = existsSync(CLAMD);
export const haveRspamd = existsSync(RSPAMD);

export interface TestEngine {
  /** Path of its Unix socket. */
  socket: string;
  child: ChildProcess;
  stop(): Promise<void>;
}

/** EICAR as ClamAV's own databases have it, in hexadecimal: this file must not be found by a scanner. */
const EICAR_HEX = Buffer.from(
  ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE', '!$H+H*'].join(''),
  'latin1',
).toString('hex');

export async function startClamd(options: { streamMaxLength?: string } = {}): Promise<TestEngine> {
  const folder = engineFolder('clamd');
  const socket = path.join(folder, 'clamd.sock');
  mkdirSync(path.join(folder, 'db'));
  writeFileSync(path.join(folder, 'db', 'test.ndb'), `Eicar-Test:0:*:${EICAR_HEX}\n`);
  const lines = [
    `DatabaseDirectory ${path.join(folder, 'db')}`,
    `LocalSocket ${socket}`,
    'LocalSocketMode 666',
    `TemporaryDirectory ${folder}`,
    'Foreground yes',
    'MaxThreads 4',
    `StreamMaxLength ${options.streamMaxLength ?? '60M'}`,
    'SelfCheck 0',
    `LogFile ${path.join(folder, 'clamd.log')}`,
  ];
  writeFileSync(path.join(folder, 'clamd.conf'), `${lines.join('\n')}\n`);
  return await startEngine(CLAMD, ['--config-file', path.join(folder, 'clamd.conf')], { folder, socket });
}

export async function startRspamd(): Promise<TestEngine> {
  const folder = engineFolder('rspamd');
  const socket = path.join(folder, 'rspamd.sock');
  const config = `
options { tempdir = "${folder}"; pidfile = "${folder}/rspamd.pid"; filters = []; dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }
  control_socket = "${folder}/control.sock"; history_file = "${folder}/history"; cache_file = "${folder}/map.cache"; gtube_patterns = "reject"; disable_hyperscan = true; url_tld = "${folder}/tld"; }
logging { type = "file"; filename = "${folder}/rspamd.log"; level = "error"; }
worker "normal" { bind_socket = "${socket} mode=0666"; count = 1; task_timeout = 5s; }
actions { reject = 15; add_header = 6; greylist = 4; }
metric "default" { }
`;
  // rspamd compiles its list of 9,600 public suffixes at each start, which takes 8 s here
  writeFileSync(path.join(folder, 'tld'), 'com\njp\nexample\n');
  writeFileSync(path.join(folder, 'rspamd.conf'), config);
  const variables = ['DBDIR', 'RUNDIR', 'LOGDIR'].flatMap((name) => ['--var', `${name}=${folder}`]);
  return await startEngine(RSPAMD, ['-f', '-i', '-c', path.join(folder, 'rspamd.conf'), ...variables], {
    folder,
    socket,
  });
}

function engineFolder(name: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `sekisho-test-${name}-`));
  return folder;
}

async function startEngine(
  program: string,
  args: string[],
  place: { folder: string; socket: string },
): Promise<TestEngine> {
  const { folder, socket } = place;
  const identity = unprivileged();
  if (identity !== undefined) giveAway(folder, identity);
  const child = spawn(program, args, { stdio: 'ignore', cwd: folder, ...identity });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await Promise.race([gone, sleep(3_000)]);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await gone;
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 900; tries += 1) {
    if (child.exitCode !== null) break;
    if (await answers(socket)) return { socket, child, stop };
    await sleep(100);
  }
  await stop();
  throw new Error(`${program} did not come up`);
}

function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function giveAway(folder: string, identity: { uid: number; gid: number }): void {
  for (const file of execFileSync('find', [folder], { encoding: 'utf8' }).trim().split('\n')) {
    chownSync(file, identity.uid, identity.gid);
  }
}

async function answers(socket: string): Promise<boolean> {
  const probe = connect({ path: socket });
  try {
    await once(probe, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    probe.destroy();
  }
}
