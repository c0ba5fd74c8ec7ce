/**
 * Every call of the scripted life (fault-run.ts) fails once, in turn: on memory layers that also lose what was not synced
 * when the power goes afterwards, and, in the long form, on the real disk with the real LevelDB.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SekishoError } from '../../src/base/errors.ts';
import { type Database, openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { MemoryDatabase } from '../support/memory-database.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { FAULT_CALLS, FAULT_KINDS, type FaultCall } from './fault-files.ts';
import { type Ground, runWithFault, sumOf } from './fault-run.ts';

export interface FaultReport {
  points: number;
  runs: number;
  perCall: Record<FaultCall, number>;
  counts: string;
  /** Runs in which the fault ended the process. */
  deaths: number;
  /** Runs that ended before their call came: on a real disk the clock decides what shares a batch. */
  unmet: number;
  problems: string[];
}

const MOST_TOLD = 20;

function followers(wanted: 'nothing' | 'both' | 'in turn', at: number): ReadonlyArray<'nothing' | 'power cut'> {
  if (wanted === 'both') return ['nothing', 'power cut'];
  return wanted === 'nothing' || at % 2 === 0 ? ['nothing'] : ['power cut'];
}

export async function faultLayer(options: {
  ground: () => Promise<Ground>;
  /** What follows each fault: nothing, the power, or now this and now that (half the runs). */
  afterwards: 'nothing' | 'both' | 'in turn';
  /** Every n-th point only. */
  step?: number;
  until?: number;
}): Promise<FaultReport> {
  const whole = await runWithFault(await options.ground(), {
    at: Number.POSITIVE_INFINITY,
    kind: 'EIO',
    after: 'power cut',
  });
  const report: FaultReport = {
    points: whole.calls,
    runs: 0,
    perCall: { ...whole.counts },
    counts: sumOf(whole.counts),
    deaths: 0,
    unmet: 0,
    problems: [],
  };
  for (let at = 1; at <= whole.calls; at += options.step ?? 1) {
    for (const kind of FAULT_KINDS) {
      for (const after of followers(options.afterwards, at)) {
        if (performance.now() > (options.until ?? Number.POSITIVE_INFINITY)) return report;
        report.runs += 1;
        try {
          const outcome = await runWithFault(await options.ground(), { at, kind, after });
          if (kind === 'short write' && outcome.hit?.call !== 'write') break; // was EIO, and was done
          if (outcome.hit === undefined) report.unmet += 1;
          // one death is the script's own (its database is damaged), one its end
          if (outcome.deaths > whole.deaths) report.deaths += 1;
        } catch (error) {
          report.problems.push(String((error as Error).message));
          if (report.problems.length >= MOST_TOLD) return report;
        }
      }
    }
  }
  return report;
}

export async function memoryGround(): Promise<Ground> {
  const root = '/spool';
  const files = new MemoryFiles(root);
  const database = new MemoryDatabase();
  let damaged = false;
  return {
    root,
    files,
    openDatabase: async (directory) => {
      await files.makeDirectory(directory);
      if (damaged) {
        damaged = false;
        database.wipe();
        throw new SekishoError('DATABASE_DAMAGED', 'The database is damaged');
      }
      return database.open();
    },
    damageFile: async (file) =>
      files.damage(file, (content) => {
        content[Math.floor(content.length / 2)] = (content[Math.floor(content.length / 2)] ?? 0) ^ 1;
        return content;
      }),
    damageDatabase: async () => {
      damaged = true;
    },
    release: async () => undefined,
    cut: () => {
      files.cut();
      database.cut();
    },
    dispose: async () => undefined,
  };
}

export async function diskGround(): Promise<Ground> {
  const root = await mkdtemp(path.join(tmpdir(), 'sekisho-fault-'));
  let current: Database | undefined;
  const flip = async (file: string, at: (size: number) => number): Promise<void> => {
    const handle = await open(file, 'r+');
    try {
      const position = at((await handle.stat()).size);
      const octet = Buffer.alloc(1);
      await handle.read(octet, 0, 1, position);
      octet[0] = (octet[0] ?? 0) ^ 1;
      await handle.write(octet, 0, 1, position);
    } finally {
      await handle.close();
    }
  };
  return {
    root,
    files: diskFiles(),
    openDatabase: async (directory) => {
      current = await openLevelDatabase(directory);
      return current;
    },
    damageFile: (file) => flip(file, (size) => Math.floor(size / 2)),
    damageDatabase: () => rm(path.join(root, 'level/CURRENT')),
    release: async () => {
      await current?.close().catch(() => undefined);
      current = undefined;
    },
    dispose: () => rm(root, { recursive: true, force: true }),
  };
}

export function faultLines(report: FaultReport): string[] {
  return [
    `${report.points} fault points (${report.counts}); ${report.runs} runs: each point with ${FAULT_KINDS.join(', ')}`,
    `${report.deaths} runs ended the process, which was started anew; ${report.unmet} had fewer calls than their point; broken ${report.problems.length}`,
  ];
}

/** Each kind of call was there to fail. */
export function untouched(report: FaultReport): FaultCall[] {
  return FAULT_CALLS.filter((call) => report.perCall[call] === 0);
}
