/**
 * Which process is which, by pid and start time (proc(5), field 22): a pid that was given to another program since is never
 * taken for ours, let alone killed. Linux only.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../../src/base/atomic-file.ts';

/** Clock ticks since boot at which the process began, or undefined when there is none (or only its corpse). */
export function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export async function writePidFile(file: string): Promise<void> {
  await writeFileAtomic(file, `${process.pid} ${startTicks(process.pid) ?? ''}\n`, { mode: 0o644 });
}

/** The pid in the file, when that very process still lives. */
export function livingPid(file: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const [pidText = '', ticks = ''] = text.trim().split(' ');
  const pid = Number(pidText);
  return Number.isInteger(pid) && pid > 1 && ticks !== '' && startTicks(pid) === ticks ? pid : undefined;
}

/** Ours only: a start that came after us has written its own. */
export function removePidFile(file: string): void {
  if (livingPid(file) === process.pid) rmSync(file, { force: true });
}

/**
 * Every living `start.ts` of this user for the data folder, by its command line: one whose pid file was removed, or not
 * written yet, is found too.
 */
export function livingStarts(data: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && startTicks(pid) !== undefined && isStartFor(pid, data));
}

function isStartFor(pid: number, data: string): boolean {
  try {
    if (statSync(`/proc/${pid}`).uid !== process.getuid?.()) return false;
    const [, script = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!script.endsWith('/scripts/lib/start.ts')) return false;
    const named = args[args.indexOf('--data') + 1];
    return args.includes('--data') && named !== undefined && path.resolve('/', named) === data;
  } catch {
    return false; // gone meanwhile
  }
}
