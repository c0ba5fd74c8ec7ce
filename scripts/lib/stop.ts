/** `./scripts/stop`: SIGTERM to the start that runs on this data folder, then waits until it is gone. Never kills it. */
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { layoutOf } from './layout.ts';
import { livingPid, startTicks } from './process-identity.ts';
import { languageOfLocale, Progress } from './progress.ts';
import { WORDS } from './start-words.ts';

/** Longer than the sum of what a start allows its parts. */
const WAIT_MS = 70_000;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { data: { type: 'string' } } });
  const layout = layoutOf(path.resolve(values.data ?? 'data'));
  const progress = new Progress(languageOfLocale(process.env));
  const pid = livingPid(layout.pidFile);
  if (pid === undefined) {
    progress.line(WORDS.notRunning);
    return 0;
  }
  const ticks = startTicks(pid);
  process.kill(pid, 'SIGTERM');
  const end = Date.now() + WAIT_MS;
  const gone = await progress.during(WORDS.stopping, async () => {
    while (Date.now() < end) {
      if (startTicks(pid) !== ticks) return true; // gone, or the pid is another's by now
      await sleep(100);
    }
    return false;
  });
  progress.line(gone ? WORDS.stopped : WORDS.stopFailed, { seconds: WAIT_MS / 1_000, pid });
  return gone ? 0 : 1;
}

process.exitCode = await main();
