/**
 * `./scripts/stop`: SIGTERM to every start that lives on this data folder, by its pid file or by its command line (a pid file
 * may be gone while the start is not), then waits until it is gone. Never kills it. Exit: 0 stopped, or was not running · 1 did
 * not stop · 2 wrong use.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { errorCode } from '../../src/base/errors.ts';
import { dataWasNamed, runCommand } from './command.ts';
import { layoutOf } from './layout.ts';
import { livingPid, livingStarts, startTicks } from './process-identity.ts';
import { languageOfLocale, Progress } from './progress.ts';
import { WORDS } from './start-words.ts';

/** Longer than the sum of what a start allows its parts. */
const WAIT_MS = 70_000;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { data: { type: 'string' } } });
  const layout = layoutOf(path.resolve(values.data ?? 'data'));
  const progress = new Progress(languageOfLocale(process.env));
  const written = livingPid(layout.pidFile);
  const pids = new Set([...(written === undefined ? [] : [written]), ...livingStarts(layout.data)]);
  const living = new Map([...pids].map((pid) => [pid, startTicks(pid)]));
  if (living.size === 0) {
    const named = values.data !== undefined && dataWasNamed(process.env);
    progress.line(named ? WORDS.notRunning : WORDS.notRunningDefault, { data: layout.data });
    return 0;
  }
  for (const pid of living.keys()) terminate(pid);
  const end = Date.now() + WAIT_MS;
  const gone = await progress.during(WORDS.stopping, async () => {
    while (Date.now() < end) {
      // Gone, or the pid is another's by now.
      for (const [pid, ticks] of living) if (startTicks(pid) !== ticks) living.delete(pid);
      if (living.size === 0) return true;
      await sleep(100);
    }
    return false;
  });
  const pid = [...living.keys()].join(', ');
  progress.line(gone ? WORDS.stopped : WORDS.stopFailed, { seconds: WAIT_MS / 1_000, pid });
  return gone ? 0 : 1;
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error; // it went by itself
  }
}

await runCommand(main, { whenReaderLeaves: 'go-on' });
