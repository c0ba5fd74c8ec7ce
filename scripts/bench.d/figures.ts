/**
 * From rounds to judgement and table: medians, ratios of medians, what is missed. Pure: the same figures always give the
 * same words. A ratio is ours by Postfix's.
 */
import type { Round } from './load.ts';
import { type Demand, MEMORY_MB, type Workload } from './workloads.ts';

export interface Measured {
  workload: Workload;
  gateway: readonly Round[];
  postfix: readonly Round[];
  /** File syncs a message; absent where strace is. */
  syncs?: { gateway: number; postfix: number } | undefined;
}

export interface Memory {
  /** Octets. */
  idle: number;
  peak: number;
}

export interface Row {
  name: string;
  what: string;
  gateway: number;
  postfix: number;
  ratio: number;
  demand: Demand;
  cpu?: { gateway: number; postfix: number; ratio: number; met: boolean };
  written?: { gateway: number; postfix: number };
  syncs?: { gateway: number; postfix: number } | undefined;
  met: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A row; W5 gives two, the CPU stands in the first, for both halves. */
export function rowsOf(measured: Measured): Row[] {
  const { workload } = measured;
  const medianOf = (system: 'gateway' | 'postfix', pick: (round: Round) => number): number =>
    median(measured[system].map(pick));
  const cpu = pair(medianOf, (round) => round.cpuPerThousand);
  const cpuRatio = cpu.gateway / cpu.postfix;
  const { limit, inclusive } = workload.cpu;
  const first: Row = {
    ...rateRow(workload.down ? `${workload.name} accept` : workload.name, workload, {
      rates: pair(medianOf, (round) => round.rate),
      demand: workload.rate,
    }),
    cpu: { ...cpu, ratio: cpuRatio, met: inclusive ? cpuRatio <= limit : cpuRatio < limit },
    written: pair(medianOf, (round) => round.writtenPerOctet),
    syncs: measured.syncs,
  };
  if (workload.drain === undefined) return [first];
  const rates = pair(medianOf, (round) => round.drain ?? Number.NaN);
  return [first, rateRow(`${workload.name} drain`, workload, { rates, demand: workload.drain })];
}

function pair(
  medianOf: (system: 'gateway' | 'postfix', pick: (round: Round) => number) => number,
  pick: (round: Round) => number,
): { gateway: number; postfix: number } {
  return { gateway: medianOf('gateway', pick), postfix: medianOf('postfix', pick) };
}

function rateRow(
  name: string,
  workload: Workload,
  { rates, demand }: { rates: { gateway: number; postfix: number }; demand: Demand },
): Row {
  const ratio = rates.gateway / rates.postfix;
  return { name, what: workload.what, ...rates, ratio, demand, met: ratio >= demand.floor };
}

/** What is missed, a sentence each; empty: all floors are reached. What could not be measured is missed. */
export function missedOf(rows: readonly Row[], memory: Memory): string[] {
  const missed: string[] = [];
  for (const row of rows) {
    if (!row.met) missed.push(`${row.name}: ${row.ratio.toFixed(2)}× of Postfix, the floor is ${row.demand.floor}×`);
    if (row.cpu?.met === false)
      missed.push(`${row.name}: ${row.cpu.ratio.toFixed(2)}× the CPU of Postfix, it must not be more`);
  }
  for (const key of ['idle', 'peak'] as const) {
    const megabytes = memory[key] / 1e6;
    if (!(megabytes > 0 && megabytes <= MEMORY_MB[key]))
      missed.push(`Memory, ${key}: ${megabytes.toFixed(0)} MB PSS, at most ${MEMORY_MB[key]} MB`);
  }
  return missed;
}

const COLUMNS = ['', 'msg/s', 'Postfix', 'ratio', 'floor', 'aim', 'CPU s/1,000', 'Postfix', 'ratio'];
const DISK_COLUMNS = ['syncs/msg', 'Postfix', 'written/octet', 'Postfix'];

/** Columns padded for a terminal, and a Markdown table at the same time. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    number(row.gateway),
    number(row.postfix),
    `${row.ratio.toFixed(2)}×${row.met ? '' : ' !'}`,
    `${row.demand.floor}×`,
    `${row.demand.aim}×`,
    row.cpu === undefined ? '' : row.cpu.gateway.toFixed(2),
    row.cpu === undefined ? '' : row.cpu.postfix.toFixed(2),
    row.cpu === undefined ? '' : `${row.cpu.ratio.toFixed(2)}×${row.cpu.met ? '' : ' !'}`,
    ...diskCells(row),
  ]);
  return aligned([[...COLUMNS, ...DISK_COLUMNS], ...cells]);
}

function diskCells(row: Row): string[] {
  const show = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2));
  return [show(row.syncs?.gateway), show(row.syncs?.postfix), show(row.written?.gateway), show(row.written?.postfix)];
}

export function memoryLines(memory: Record<'gateway' | 'postfix', Memory>): string {
  const show = (octets: number): string => (octets / 1e6).toFixed(0);
  return aligned([
    ['PSS in MB', 'gateway', 'Postfix', 'at most'],
    ...(['idle', 'peak'] as const).map((key) => [
      key,
      show(memory.gateway[key]),
      show(memory.postfix[key]),
      String(MEMORY_MB[key]),
    ]),
  ]);
}

function aligned(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, at) => Math.max(...table.map((row) => (row[at] ?? '').length), 3));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  const [head = [], ...rest] = table;
  return [line(head), rule, ...rest.map(line)].join('\n');
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
