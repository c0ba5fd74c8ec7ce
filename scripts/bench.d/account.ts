/**
 * What a process tree used, from proc(5). A process that has ended lives on in its parent's sums (cutime, cstime; io of
 * reaped children is added to the parent's), so short-lived children of Postfix's master are counted. Processes that end
 * while they are read count as nothing. Pure but for reading /proc.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: 100 on every Linux of the last twenty years, whatever the kernel ticks at. */
const TICKS_PER_SECOND = 100;

export interface Usage {
  cpuSeconds: number;
  writtenBytes: number;
}

export interface ProcessStat {
  pid: number;
  parent: number;
  /** utime + stime + cutime + cstime */
  ticks: number;
}

/** One line of /proc/PID/stat; the name in parentheses may hold anything, also `) `. */
export function parseStat(text: string): ProcessStat | undefined {
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const parent = Number(fields[1]);
  const ticks = [11, 12, 13, 14].map((at) => Number(fields[at])).reduce((sum, one) => sum + one, 0);
  const pid = Number.parseInt(text, 10);
  if (end < 0 || !Number.isInteger(parent) || !Number.isInteger(pid) || !Number.isFinite(ticks)) return undefined;
  return { pid, parent, ticks };
}

/** The roots and all that descends from them. */
export function treeOf(roots: readonly number[], all: readonly ProcessStat[]): ProcessStat[] {
  const members = new Set(roots);
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid);
  }
  return all.filter(({ pid }) => members.has(pid));
}

export function usageOf(roots: readonly number[]): Usage {
  const tree = treeOf(roots, readStats());
  return {
    cpuSeconds: tree.reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND,
    writtenBytes: tree.reduce((sum, { pid }) => sum + numberIn(`/proc/${pid}/io`, /^write_bytes: (\d+)/m), 0),
  };
}

/** Proportional set size of the whole tree, in octets: shared pages are counted once. */
export function pssOf(roots: readonly number[]): number {
  const tree = treeOf(roots, readStats());
  return tree.reduce((sum, { pid }) => sum + numberIn(`/proc/${pid}/smaps_rollup`, /^Pss: +(\d+) kB/m) * 1_024, 0);
}

/** CPU seconds of every living thread below the roots, the busiest first: which of them does the work. */
export function threadsOf(roots: readonly number[]): Array<{ pid: number; name: string; cpuSeconds: number }> {
  const threads: Array<{ pid: number; name: string; cpuSeconds: number }> = [];
  for (const { pid } of treeOf(roots, readStats())) {
    for (const tid of readFolder(`/proc/${pid}/task`)) {
      const text = readText(`/proc/${pid}/task/${tid}/stat`);
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
      threads.push({ pid, name, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND });
    }
  }
  return threads.toSorted((a, b) => b.cpuSeconds - a.cpuSeconds);
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it has ended
  }
}

function readStats(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => parseStat(readText(`/proc/${name}/stat`)))
    .filter((stat) => stat !== undefined);
}

function numberIn(file: string, pattern: RegExp): number {
  return Number(pattern.exec(readText(file))?.[1] ?? 0);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // it has ended
  }
}
