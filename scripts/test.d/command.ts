/**
 * Runs one program to its end, with a deadline: past it the process group that was started here is killed. The result is
 * a value; only a program that cannot be started at all throws.
 */
import { spawn } from 'node:child_process';

export interface CommandResult {
  code: number | null;
  output: string;
  timedOut: boolean;
}

export function runCommand(
  command: string,
  args: readonly string[],
  options: { cwd: string; ms: number; env?: NodeJS.ProcessEnv; onLine?: (line: string) => void },
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let rest = '';
    let timedOut = false;
    const keep = (text: string): void => {
      output = (output + text).slice(-200_000);
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (options.onLine === undefined) return keep(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const one of lines) options.onLine(one);
    });
    child.stderr.setEncoding('utf8').on('data', keep);
    const end = (signal: NodeJS.Signals): void => {
      try {
        process.kill(-(child.pid ?? 0), signal);
      } catch {
        // it has just ended
      }
    };
    // SIGTERM first: test processes then end the daemons they started
    const guard = setTimeout(() => {
      timedOut = true;
      end('SIGTERM');
    }, options.ms);
    const last = setTimeout(() => end('SIGKILL'), options.ms + 10_000);
    const interrupted = (): void => {
      end('SIGTERM');
      setTimeout(() => process.exit(130), 3_000);
    };
    process.once('SIGINT', interrupted);
    process.once('SIGTERM', interrupted);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(guard);
      clearTimeout(last);
      process.removeListener('SIGINT', interrupted);
      process.removeListener('SIGTERM', interrupted);
      resolve({ code, output, timedOut });
    });
  });
}
