/**
 * Keeps a child process running: its output goes to a log file of bounded size, its unexpected end is told and followed by
 * a restart with growing pauses, its stop is SIGTERM, a bounded wait, then SIGKILL by pid. A child has its own session, so
 * that a terminal's Ctrl-C reaches only us and everything stops in order; it dies with us even when we are killed (PDEATHSIG).
 * Workers that a dead main process leaves behind die with it: they would hold its sockets, and our pipes for ever.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pause } from '../../src/base/deadline.ts';

const LOG_LIMIT = 10 * 1024 * 1024;
const RESTART_PAUSES_MS = [1_000, 2_000, 5_000, 10_000, 30_000];
/** After this long alive the next death counts as the first. */
const STEADY_MS = 60_000;
/** A dead child's last words are in its pipes already; whoever else holds them open is not waited for. */
const LAST_WORDS_MS = 500;

export interface ChildSpec {
  name: string;
  command: string;
  args: string[];
  logFile: string;
  stopMs: number;
  env?: NodeJS.ProcessEnv;
  /** Each line of its output, as it comes. */
  onLine?: (line: string) => void;
}

/** How a child ended, in words. */
export interface Death {
  name: string;
  status: string;
  restartInMs: number;
  lastLines: string[];
}

export class SupervisedChild {
  readonly spec: ChildSpec;
  readonly #onDeath: (death: Death) => void;
  readonly #log: CappedLog;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  /** Resolves when the newest child, its workers and its pipes are gone. */
  #gone: Promise<void> = Promise.resolve();
  #deaths = 0;
  #lastLines: string[] = [];

  constructor(spec: ChildSpec, options: { onDeath: (death: Death) => void }) {
    this.spec = spec;
    this.#onDeath = options.onDeath;
    this.#log = new CappedLog(spec.logFile);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get deaths(): number {
    return this.#deaths;
  }

  /** The newest lines of its output, for a message about its death. */
  get lastLines(): string[] {
    return this.#lastLines;
  }

  start(): void {
    const began = Date.now();
    const { command, args, env } = this.spec;
    // setpriv execs the program in place: the pid is the program's own.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: '/',
      ...(env === undefined ? {} : { env }),
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => this.#take(line));
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    let ended = false;
    const end = (status: string): void => {
      if (ended) return;
      ended = true;
      this.#child = undefined;
      resolve();
      if (!this.#stopping.signal.aborted) void this.#restart(status, Date.now() - began);
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signal) => {
      // In the stop path too: a main process that obeyed SIGTERM may still have left a worker that did not.
      if (child.pid !== undefined) killOrphans(child.pid);
      void releasePipes(child).then(() => end(signal === null ? `exit status ${code}` : `signal ${signal}`));
    });
  }

  /** SIGHUP, for those that reload. */
  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async stop(): Promise<'stopped' | 'killed'> {
    this.#stopping.abort();
    const child = this.#child;
    if (child === undefined) return 'stopped';
    const gone = this.#gone;
    child.kill('SIGTERM'); // one that is dead by now is not signalled: Node knows
    const inTime = await withinMs(gone, this.spec.stopMs);
    if (inTime) return 'stopped';
    // Its whole session: workers of an engine that hangs must not outlive it.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) killGroup(child.pid);
    await withinMs(gone, 2_000);
    return 'killed';
  }

  async #restart(status: string, livedMs: number): Promise<void> {
    this.#deaths = livedMs > STEADY_MS ? 1 : this.#deaths + 1;
    const restartInMs = RESTART_PAUSES_MS[Math.min(this.#deaths, RESTART_PAUSES_MS.length) - 1] ?? 30_000;
    this.#onDeath({ name: this.spec.name, status, restartInMs, lastLines: this.#lastLines.slice(-5) });
    await pause(restartInMs, this.#stopping.signal);
    if (!this.#stopping.signal.aborted) this.start();
  }

  #take(line: string): void {
    this.#log.write(line);
    this.#lastLines.push(line);
    if (this.#lastLines.length > 20) this.#lastLines.shift();
    this.spec.onLine?.(line);
  }
}

/** Did it happen in time? No timer is left behind: one would keep our own process waiting. */
function withinMs(event: Promise<void>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    void event.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

function killGroup(pid: number): void {
  killOrphans(pid);
  kill(pid);
}

/** The group that the child led (it was started detached): its number is not given anew while a member lives. */
function killOrphans(pid: number): void {
  kill(-pid);
}

function kill(target: number): void {
  try {
    process.kill(target, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

/** Reads what the dead child still said, then lets go of its pipes: a process that fled its group may hold the other ends. */
async function releasePipes(child: ChildProcess): Promise<void> {
  await withinMs(new Promise((resolve) => child.once('close', () => resolve())), LAST_WORDS_MS);
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** Appends lines; at 10 MiB the file becomes `.1` and a new one begins. A log that cannot be written stops nothing. */
export class CappedLog {
  readonly #file: string;
  readonly #limit: number;
  #handle: number | undefined;
  #size = 0;

  constructor(file: string, limit = LOG_LIMIT) {
    this.#file = file;
    this.#limit = limit;
  }

  write(line: string): void {
    try {
      this.#handle ??= this.#open();
      this.#size += writeSync(this.#handle, `${line}\n`);
      if (this.#size <= this.#limit) return;
      this.close();
      renameSync(this.#file, `${this.#file}.1`);
    } catch {
      this.close(); // the next line tries again
    }
  }

  close(): void {
    if (this.#handle === undefined) return;
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      closeSync(handle);
    } catch {
      // A full disk may tell only now.
    }
  }

  #open(): number {
    const handle = openSync(this.#file, 'a', 0o600);
    this.#size = fstatSync(handle).size;
    return handle;
  }
}
