/**
 * Children of tests: started with their output kept, waited for with a deadline, ended by the process group that was
 * started here and no other. A child that outlives its test is ended when the test process exits. Nothing is durable.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Everything it wrote to stdout and stderr so far (the last 1 MiB). */
  output(): string;
  /** Its lines on stdout, complete ones only, as they come. */
  onLine(listener: (line: string) => void): void;
  /** Resolves when it has ended and what it wrote has been read; what it left behind may hold its pipes for ever. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  running(): boolean;
  /** Signals the child alone. */
  signal(name: NodeJS.Signals): void;
  /** Signals the child and all it started. */
  signalGroup(name: NodeJS.Signals): void;
  /** SIGTERM to its group, SIGKILL after `ms` (5 s). Resolves when it is gone. */
  stop(ms?: number): Promise<void>;
  /** SIGKILL to its group, at once. */
  kill(): Promise<void>;
}

const KEPT_OUTPUT = 1_048_576;
const LAST_WORDS_MS = 5_000;
const living = new Set<number>();

process.on('exit', () => {
  for (const pid of living) signalGroup(pid, 'SIGKILL');
});
process.once('SIGTERM', () => process.exit(143));

/** Starts a program in a process group of its own. Throws when it cannot be started at all. */
export async function startChild(
  command: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> = {},
): Promise<Child> {
  const child = spawn(command, [...args], { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const listeners: Array<(line: string) => void> = [];
  let output = '';
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-KEPT_OUTPUT);
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) for (const listener of listeners) listener(line);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-KEPT_OUTPUT);
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  // "exit" may come before the last words are read
  const closed = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const ended = exited.then(async (how) => {
    const over = new AbortController();
    await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { signal: over.signal }).catch(() => undefined)]);
    over.abort();
    return how;
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid ?? 0;
  living.add(pid);
  noteForRunner(pid);
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const kill = async (): Promise<void> => {
    signalGroup(pid, 'SIGKILL');
    await exited;
    living.delete(pid);
  };
  return {
    pid,
    process: child,
    output: () => output,
    onLine: (listener) => listeners.push(listener),
    ended,
    running,
    signal: (name) => {
      if (running()) child.kill(name);
    },
    signalGroup: (name) => {
      if (running()) signalGroup(pid, name);
    },
    stop: async (ms = 5_000) => {
      if (running()) child.kill('SIGTERM');
      const late = setTimeout(() => signalGroup(pid, 'SIGKILL'), ms);
      await exited;
      clearTimeout(late);
      signalGroup(pid, 'SIGKILL'); // what it left behind
      living.delete(pid);
    },
    kill,
  };
}

/** For `scripts/test`, which ends what a killed test process left behind: the pid and when it was born (proc(5)). */
function noteForRunner(pid: number): void {
  const file = process.env['SEKISHO_TEST_PIDS'];
  if (file === undefined) return;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    appendFileSync(file, `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}\n`);
  } catch {
    // it has ended already
  }
}

/** The group was made by `startChild`, so nobody else's process is in it. */
function signalGroup(pid: number, name: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(-pid, name);
  } catch {
    // gone already
  }
}

/** A busy machine may need so many times what a quiet one does; beyond the most of it a hang is told all the same. */
const SLACK = 5;
const SLACK_MOST_MS = 120_000;

/**
 * Asks again and again until `ask` gives a value; throws with the words of `what` when it hangs. `ms` is what a machine that is
 * not busy may take, never a time in which something must not happen.
 */
export async function until<T>(
  what: string,
  options: { ms: number; every?: number },
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const ms = Math.max(options.ms, Math.min(SLACK * options.ms, SLACK_MOST_MS));
  const end = performance.now() + ms;
  for (;;) {
    const value = await ask();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`Waited ${ms} ms in vain for ${what}`);
    await sleep(options.every ?? 50);
  }
}
