/**
 * File syncs a message, counted by strace(1) in a run of its own that is not timed: `--seccomp-bpf` stops the programs at
 * these calls only. Without strace the column stays empty. The count of a run without mail is small and is left in.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openFleet } from './fleet.ts';
import { oneRound } from './measure.ts';
import { type SystemName, SYSTEMS } from './systems.ts';
import type { Workload } from './workloads.ts';

const CALLS = 'fsync,fdatasync,sync_file_range,syncfs,sync,msync';

export async function countSyncs(
  workload: Workload,
  options: { dir: string; source: string; tell: (text: string) => unknown },
): Promise<{ gateway: number; postfix: number } | undefined> {
  if (!hasStrace()) {
    options.tell('strace is not installed: file syncs are not counted');
    return undefined;
  }
  const counts = { gateway: 0, postfix: 0 };
  const messages = Math.ceil(workload.messages / 4);
  for (const name of SYSTEMS) {
    const dir = path.join(options.dir, `s-${workload.name}-${name}`);
    const output = `${dir}.strace`;
    {
      await using fleet = await openFleet({
        dir,
        filters: workload.filters,
        source: options.source,
        only: name,
        wrapper: () => [
          'strace',
          '-f',
          '--seccomp-bpf',
          '-qq',
          '-e',
          `trace=${CALLS}`,
          '-e',
          'signal=none',
          '-o',
          output,
        ],
      });
      const before = countCalls(readFileSync(output, 'utf8'));
      await oneRound(workload, { fleet, dir, name, messages });
      counts[name] = (countCalls(readFileSync(output, 'utf8')) - before) / messages;
    }
    options.tell(`${workload.name} ${name satisfies SystemName}: ${counts[name].toFixed(2)} file syncs a message`);
  }
  return counts;
}

/** Calls begun in an strace log: `PID fsync(12 <unfinished ...>` counts, its `resumed` half does not. */
export function countCalls(log: string): number {
  return [...log.matchAll(/^(?:\d+ +)?(?:fsync|fdatasync|sync_file_range|syncfs|sync|msync)\(/gm)].length;
}

function hasStrace(): boolean {
  try {
    execFileSync('strace', ['--version'], { stdio: 'ignore', timeout: 5_000 });
    return true;
  } catch {
    return false;
  }
}
