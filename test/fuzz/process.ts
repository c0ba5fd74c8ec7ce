/** Runs a target in a process of its own and ends it when it hangs: a loop without end is a finding like any other. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startChild } from '../support/process.ts';

export interface Told {
  target: string;
  seed: number;
  cases: number;
  ms: number;
  finding?: { index: number; message: string; input: string };
}

export async function fuzzInProcess(
  name: string,
  options: { root: string; seed: number; cases: number; seconds: number; limitMs: number; replay?: string },
): Promise<Told> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sekisho-fuzz-'));
  const progress = path.join(folder, 'progress');
  const args = ['--seed', options.seed, '--cases', options.cases, '--seconds', options.seconds, '--progress', progress];
  if (options.replay !== undefined) args.push('--replay', options.replay);
  const child = await startChild(process.execPath, [
    path.join(options.root, 'test/fuzz/run.ts'),
    name,
    ...args.map(String),
  ]);
  const timer = setTimeout(() => void child.kill(), options.limitMs);
  try {
    const { signal, code } = await child.ended;
    const last = child.output().trimEnd().split('\n').at(-1) ?? '';
    if (last.startsWith('{')) return JSON.parse(last) as Told;
    const at = existsSync(progress) ? readFileSync(progress, 'utf8') : 'the first ones';
    const why = signal === 'SIGKILL' ? `Hangs: ended after ${options.limitMs} ms` : `Ended with ${code ?? signal}`;
    const message = `${why}, at or up to 50 cases after ${at}\n${child.output().slice(-2_000)}`;
    return {
      target: name,
      seed: options.seed,
      cases: 0,
      ms: options.limitMs,
      finding: { index: -1, message, input: '' },
    };
  } finally {
    clearTimeout(timer);
    await child.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
