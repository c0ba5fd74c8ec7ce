/**
 * Where an inspect worker comes from: a child of ours (everywhere but on the box), or a unit of its own that systemd starts
 * for each connection to its socket (on the box: own user, own network namespace without a network, own memory cap). A child
 * is ended by its pid; a unit ends when its socket does, and its own watch ends it when it cannot even see that.
 */
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { describeError } from '../base/errors.ts';
import { MAIL_PROCESS_ENV, MAIL_PROCESS_FLAGS } from '../base/runtime-flags.ts';

const ERROR_TAIL = 4_096;

export interface LaunchOptions {
  entry: string;
  execPath: string;
  /** Exists, 0700, for this worker alone. */
  folder: string;
  memoryMiB: number;
  /** Its own copy of its compiled code. */
  compiled?: string | undefined;
  /** The socket of the worker's unit; without it the worker is a child. */
  unitSocket?: string | undefined;
}

export interface Launched {
  socket: Duplex;
  pid: number | undefined;
  /** How it ended, told once; the second word may come earlier than `gone`. */
  onEnd(tell: (how: string) => void): void;
  /** Resolves when it is gone and its last words are in. */
  gone: Promise<void>;
  lastWords(): string;
  /** Ends it at once. */
  end(): void;
}

export function launchWorker(options: LaunchOptions): Launched {
  return options.unitSocket === undefined ? launchChild(options) : connectUnit(options.unitSocket);
}

function launchChild(options: LaunchOptions): Launched {
  const child = spawn(options.execPath, workerArguments(options), {
    cwd: options.folder,
    env: {
      TMPDIR: options.folder,
      UV_THREADPOOL_SIZE: '4',
      ...MAIL_PROCESS_ENV,
      ...(options.compiled === undefined ? {} : { NODE_COMPILE_CACHE: options.compiled }),
    },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  let tail = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('utf8')).slice(-ERROR_TAIL);
  });
  child.once('error', () => resolve());
  // 'close' comes when the last words on stderr are in
  child.once('close', () => resolve());
  return {
    socket: child.stdio[3] as Duplex,
    pid: child.pid,
    onEnd: (tell) => {
      child.once('error', (error) => tell(`could not be started: ${describeError(error)}`));
      child.once('exit', (code, signal) =>
        tell(signal === null ? `ended with code ${String(code)}` : `was ended by ${signal}`),
      );
    },
    gone,
    lastWords: () => tail,
    end: () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    },
  };
}

/** What the unit writes to stderr is in the journal; here only its socket tells of it. */
function connectUnit(file: string): Launched {
  const socket = connect(file);
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  socket.once('close', () => resolve());
  return {
    socket,
    pid: undefined,
    onEnd: (tell) => {
      socket.once('error', (error) => tell(`could not be reached: ${describeError(error)}`));
      socket.once('close', () => tell('ended'));
    },
    gone,
    lastWords: () => '',
    end: () => socket.destroy(),
  };
}

function workerArguments(options: LaunchOptions): string[] {
  const { entry, folder, memoryMiB } = options;
  return [
    '--permission', // no network, no child process, no worker thread, no native addon
    ...programPaths(entry).map((readable) => `--allow-fs-read=${readable}`),
    `--allow-fs-read=${folder}`,
    `--allow-fs-write=${folder}`,
    `--max-old-space-size=${memoryMiB}`,
    ...MAIL_PROCESS_FLAGS,
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
    entry,
  ];
}

/**
 * What the program is made of, and not one file more: the data folder may stand beside it. The root of the program is the
 * nearest folder upwards with a package.json.
 */
function programPaths(entry: string): string[] {
  const own = path.dirname(realpathSync(entry));
  let root = own;
  while (!existsSync(path.join(root, 'package.json'))) {
    const parent = path.dirname(root);
    if (parent === root) return [own];
    root = parent;
  }
  return [own, ...['src', 'node_modules', 'package.json'].map((name) => path.join(root, name))];
}
