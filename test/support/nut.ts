/**
 * NUT's own dummy-ups driver and upsd, from Debian's packages unpacked by `scripts/test`, in a folder of the test: a UPS whose
 * values the test sets. Nothing listens off loopback.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { freePort, untilListening } from './net.ts';
import { peerEnvironment, peersPrefix } from './peers.ts';
import { startChild, until } from './process.ts';

/** What it says at first. */
const FIRST = {
  'ups.status': 'OL CHRG',
  'battery.charge': '100',
  'battery.runtime': '3600',
  'ups.mfr': 'Test',
  'ups.model': 'Dummy 1000',
};

export interface DummyUps extends AsyncDisposable {
  readonly port: number;
  /** As upsd tells it from now on. */
  set(variable: string, value: string): Promise<void>;
}

const programs = (): { driver: string; server: string; client: string; setter: string } => ({
  driver: path.join(peersPrefix(), 'lib/nut/dummy-ups'),
  server: path.join(peersPrefix(), 'lib/nut/upsd'),
  client: path.join(peersPrefix(), 'bin/upsc'),
  setter: path.join(peersPrefix(), 'bin/upsrw'),
});

export function hasNut(): boolean {
  const { driver, server } = programs();
  return existsSync(driver) && existsSync(server);
}

export async function startDummyUps(): Promise<DummyUps> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-nut-'));
  const port = await freePort();
  const state = path.join(dir, 'state');
  await mkdir(state);
  const files = {
    'ups.conf': '[dummy]\ndriver = dummy-ups\nport = ups.dev\ndesc = "test"\npollinterval = 1\n',
    'ups.dev': Object.entries(FIRST)
      .map(([variable, value]) => `${variable}: ${value}\n`)
      .join(''),
    'upsd.users': '[test]\npassword = test\nactions = SET\n',
    'upsd.conf': `LISTEN 127.0.0.1 ${port}\n`,
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(dir, name), text);
    await chmod(path.join(dir, name), 0o600);
  }
  const env = { ...libraries(), NUT_CONFPATH: dir, NUT_STATEPATH: state, NUT_ALTPIDPATH: state };
  const { driver, server, client, setter } = programs();
  const user = userInfo().username;
  const drive = await startChild(driver, ['-a', 'dummy', '-u', user, '-F'], { env, cwd: dir });
  await until('the driver', { ms: 10_000 }, () => existsSync(path.join(state, 'dummy-ups-dummy')) || undefined);
  const serve = await startChild(server, ['-u', user, '-F'], { env, cwd: dir });
  await untilListening('upsd', { port });
  const at = `dummy@127.0.0.1:${port}`;
  const ask = (variable: string): string => spawnSync(client, [at, variable], { env, encoding: 'utf8' }).stdout.trim();
  // the values come one by one
  const known = (): boolean => Object.entries(FIRST).every(([variable, value]) => ask(variable) === value);
  await until('upsd to know its UPS', { ms: 15_000 }, () => known() || undefined);
  return {
    port,
    set: async (variable, value) => {
      spawnSync(setter, ['-s', `${variable}=${value}`, '-u', 'test', '-p', 'test', at], { env });
      await until(
        `${variable} to be "${value}"`,
        { ms: 15_000, every: 200 },
        () => ask(variable) === value || undefined,
      );
    },
    [Symbol.asyncDispose]: async () => {
      await serve.stop();
      await drive.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** NUT's own libraries lie in /lib/<architecture> of its packages. */
function libraries(): NodeJS.ProcessEnv {
  const base = peerEnvironment();
  const lib = path.join(peersPrefix(), 'lib');
  const folders = readdirSync(lib).filter((name) => name.endsWith('-linux-gnu'));
  const list = [base['LD_LIBRARY_PATH'] ?? '', ...folders.map((name) => path.join(lib, name))];
  return { ...base, LD_LIBRARY_PATH: list.join(':') };
}
