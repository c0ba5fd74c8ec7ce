/**
 * Which process is which, by pid and start time (proc(5), field 22): a pid that was given to another program since is never
 * taken for ours, let alone killed. Linux only.
 */
import { readFileSync, rmSync } from 'node:fs';
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

export function removePidFile(file: string): void {
  rmSync(file, { force: true });
}
