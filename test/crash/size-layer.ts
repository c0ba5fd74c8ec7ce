/**
 * A spool with 100,000 messages in it: how long it takes to open after a clean stop, after a kill, and without its
 * database, which is then made anew from the message files. Times, so only `scripts/crash-test` asserts them. The messages
 * are written without syncs (nobody was promised anything), and lie in the page cache when the spool is opened.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpoolAt, plantMessages } from './planted-spool.ts';

export interface SizeReport {
  messages: number;
  fillMs: number;
  cleanMs: number;
  killedMs: number;
  rebuiltMs: number;
  problems: string[];
}

const OPEN_WITHIN_MS = 10_000;
const REBUILD_WITHIN_MS = 60_000;
/** On a disk by the FHS; /tmp may be memory. */
const WORK_PARENT = '/var/tmp';

export async function sizeLayer(options: { messages: number; tell: (text: string) => void }): Promise<SizeReport> {
  const root = await mkdtemp(path.join(WORK_PARENT, 'sekisho-size-'));
  const { messages, tell } = options;
  try {
    const fillMs = await timed(() => plantMessages(root, { messages, to: 'taro@office.example' }));
    tell(`${messages} messages were written in ${(fillMs / 1_000).toFixed(0)} s`);
    const report: SizeReport = { messages, fillMs, cleanMs: 0, killedMs: 0, rebuiltMs: 0, problems: [] };
    const opened = async (what: string, rebuilt: boolean): Promise<number> => {
      const begun = performance.now();
      const spool = await openSpoolAt(root, diskFiles());
      const ms = performance.now() - begun;
      const { recovery } = spool.status();
      if (spool.count('queue') !== messages)
        report.problems.push(`${what}: ${spool.count('queue')} of ${messages} messages`);
      if (recovery.databaseRebuilt !== rebuilt)
        report.problems.push(`${what}: the database was ${rebuilt ? 'not ' : ''}rebuilt`);
      await spool[Symbol.asyncDispose]();
      tell(`${what}: ${ms.toFixed(0)} ms`);
      return ms;
    };
    report.cleanMs = await opened('after a clean stop', false);
    await rm(path.join(root, 'clean-stop'));
    report.killedMs = await opened('after a kill', false);
    await rm(path.join(root, 'level'), { recursive: true });
    await rm(path.join(root, 'clean-stop'));
    report.rebuiltMs = await opened('without its database', true);
    const slowest = Math.max(report.cleanMs, report.killedMs);
    if (slowest > OPEN_WITHIN_MS) report.problems.push(`The spool opens in ${slowest.toFixed(0)} ms`);
    if (report.rebuiltMs > REBUILD_WITHIN_MS)
      report.problems.push(`It is rebuilt in ${report.rebuiltMs.toFixed(0)} ms`);
    return report;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

export function sizeLines(report: SizeReport): string[] {
  const { messages, cleanMs, killedMs, rebuiltMs } = report;
  return [
    `${messages} messages: opened in ${cleanMs.toFixed(0)} ms after a clean stop, ${killedMs.toFixed(0)} ms after a kill, ${rebuiltMs.toFixed(0)} ms without its database`,
  ];
}
