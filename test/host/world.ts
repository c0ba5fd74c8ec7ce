/** The real host process in folders of the test, asked over its real sockets; the machine's programs are small fakes on PATH. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createHostClient, type HostClient } from '../../src/control/host-client.ts';
import { type Child, startChild, until } from '../support/process.ts';

/** Folders and files of the signatures: none is there, so that none is touched beside the test's own. */
const SIGNATURES = ['setup-code', 'maps', 'clamav', 'clamav-run', 'ham', 'starter', 'clamd-socket', 'proof-socket'];
const DISK = ['disk-run', 'disk-wish', 'disk-restarted', 'disk-owner', 'disk-program'];
const ROOT = path.resolve(import.meta.dirname, '../..');

export interface HostWorld {
  readonly dir: string;
  readonly data: string;
  readonly units: string;
  readonly networkd: string;
  readonly admin: HostClient;
  readonly console: HostClient;
  readonly gateway: HostClient;
  child(): Child;
  start(): Promise<void>;
  /** SIGTERM; the machine stays up. */
  stop(): Promise<void>;
  /** SIGKILL, as a power cut leaves it. */
  cut(): Promise<void>;
  /** Calls of a fake program, oldest first: its arguments in one line each. */
  calls(program: string): Promise<string[]>;
  /** A program of this name that writes its call down, then does `script` (sh). */
  fake(program: string, script?: string): Promise<void>;
  /** One end of the gateway, as the unit's shell writes it down. */
  gatewayEnded(result: string): void;
  /** Runs host with other flags, as ExecStopPost does. */
  once(flags: readonly string[], env?: Record<string, string>): Promise<number | null>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startHost(options: { mode?: 'appliance' | 'trial'; flags?: string[] } = {}): Promise<HostWorld> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-host-'));
  const at = (name: string): string => path.join(dir, name);
  await mkdir(at('bin'));
  await mkdir(at('sys'));
  const places = [
    'units',
    'networkd',
    'links',
    'unbound',
    'chrony',
    'sys',
    'inbox',
    'nut',
    ...SIGNATURES,
    ...DISK,
  ].flatMap((name) => [`--${name}`, at(name)]);
  const base = [
    '--mode',
    options.mode ?? 'appliance',
    '--data',
    at('data/sekisho-host'),
    '--run',
    at('run'),
    ...places,
    '--nut-rules',
    path.join(import.meta.dirname, 'nut-usbups.rules'),
  ];
  let child: Child | undefined;
  const env = { PATH: at('bin'), FAKES: dir };

  const fake = async (program: string, script = ''): Promise<void> => {
    const text = `#!/bin/sh\nPATH=/usr/bin:/bin\necho "$*" >>"${at(`${program}.calls`)}"\n${script}\n`;
    // in one step: the host may run it just now
    const made = at(`${program}.new`);
    await writeFile(made, text);
    await chmod(made, 0o755);
    await rename(made, at(`bin/${program}`));
  };
  const start = async (): Promise<void> => {
    const started = await startChild(
      process.execPath,
      [path.join(ROOT, 'src/host.ts'), ...base, ...(options.flags ?? [])],
      { env },
    );
    child = started;
    await until('the host to be ready', { ms: 30_000 }, () => {
      if (!started.running()) throw new Error(`The host has ended: ${started.output()}`);
      return started.output().includes('Host is ready') || undefined;
    });
  };
  for (const program of ['systemctl', 'networkctl', 'nft', 'hostnamectl', 'chronyc']) await fake(program);
  await start();
  const client = (name: string): HostClient => createHostClient({ socket: at(`run/${name}.sock`) });
  return {
    dir,
    data: at('data/sekisho-host'),
    units: at('units'),
    networkd: at('networkd'),
    admin: client('admin'),
    console: client('console'),
    gateway: client('gateway'),
    child: () => {
      if (child === undefined) throw new Error('The host was not started');
      return child;
    },
    start,
    stop: async () => child?.stop(10_000),
    cut: async () => child?.kill(),
    calls: async (program) => {
      const text = await readFile(at(`${program}.calls`), 'utf8').catch(() => '');
      return text.split('\n').filter((line) => line !== '');
    },
    fake,
    gatewayEnded: (result) => {
      const script = path.join(ROOT, 'rootfs/usr/libexec/sekisho/gateway-ended');
      const env = { PATH: '/usr/bin:/bin', SERVICE_RESULT: result, EXIT_STATUS: '70' };
      execFileSync('/bin/sh', [script, at('data/sekisho-host')], { env });
    },
    once: async (flags, extra = {}) => {
      const one = await startChild(process.execPath, [path.join(ROOT, 'src/host.ts'), ...base, ...flags], {
        env: { ...env, ...extra },
      });
      return (await one.ended).code;
    },
    [Symbol.asyncDispose]: async () => {
      await child?.stop(10_000);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
