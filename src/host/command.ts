/**
 * Runs one program of the machine: no shell, arguments as a list, a closed environment, an end in time, and never more output
 * than asked for. How it ended is a value: a refusal of `systemctl` is normal. A program that is not installed has `missing`.
 */
import { spawn } from 'node:child_process';
import type { Milliseconds } from '../base/brand.ts';
import { errorCode } from '../base/errors.ts';

export interface CommandResult {
  /** 0: success; null: ended by a signal, by us at the deadline, or never begun. */
  code: number | null;
  stdout: string;
  stderr: string;
  missing: boolean;
  late: boolean;
}

export interface CommandOptions {
  deadlineMs?: Milliseconds;
  input?: string;
  /** Of stdout; beyond it the program is ended. */
  maxOctets?: number;
  env?: Readonly<Record<string, string>>;
  /** Numeric user and group to run as. */
  as?: { uid: number; gid: number };
  signal?: AbortSignal;
  onOutput?: (text: string) => void;
}

export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<CommandResult>;

const DEADLINE_MS = 15_000;
const MAX_OCTETS = 4 * 1024 * 1024;
const MAX_STDERR = 16_384;

export function createCommandRunner(path: string): RunCommand {
  return (program, args, options = {}) =>
    new Promise((resolve) => {
      const { maxOctets = MAX_OCTETS, as } = options;
      let late = false;
      const child = spawn(program, [...args], {
        env: { PATH: path, LC_ALL: 'C.UTF-8', ...options.env },
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(as === undefined ? {} : as),
      });
      const out: Buffer[] = [];
      let size = 0;
      let stderr = '';
      const end = (code: number | null, missing: boolean): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', stop);
        resolve({ code, stdout: Buffer.concat(out).toString('utf8'), stderr, missing, late });
      };
      const stop = (): void => {
        late = true;
        child.kill('SIGKILL');
        // what it started may live on and hold them: the end of this one is what counts
        child.stdout.destroy();
        child.stderr.destroy();
      };
      const timer = setTimeout(stop, options.deadlineMs ?? DEADLINE_MS);
      options.signal?.addEventListener('abort', stop, { once: true });
      child.stdout.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxOctets) out.push(chunk);
        else child.kill('SIGKILL');
        options.onOutput?.(chunk.toString('utf8'));
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr = (stderr + text).slice(-MAX_STDERR);
        options.onOutput?.(text);
      });
      child.stdin.on('error', () => undefined); // it may end without reading
      child.stdin.end(options.input);
      child.once('error', (error) => {
        stderr = error.message;
        end(null, errorCode(error) === 'ENOENT');
      });
      child.once('close', (code) => end(code, false));
    });
}

/** One line for people: what it said, or how it ended. */
export function describeResult(result: CommandResult): string {
  if (result.missing) return 'The program is not installed';
  if (result.late) return 'The program did not end in time';
  const said = (result.stderr.trim() || result.stdout.trim()).replaceAll(/\s+/g, ' ').slice(0, 500);
  return said === '' ? `It ended with ${result.code ?? 'a signal'}` : said;
}
