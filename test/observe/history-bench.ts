/** A history on a temporary file, its worker threads at hand, its faults written down. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { History } from '../../src/observe/history-api.ts';
import { createHistory, type HistoryOptions } from '../../src/observe/history.ts';
import { temporaryFolder, testClock } from './support.ts';

export interface Bench {
  history: History;
  file: string;
  folder: string;
  clock: ReturnType<typeof testClock>;
  faults: Array<string | undefined>;
  workers: Worker[];
  [Symbol.asyncDispose](): Promise<void>;
}

export async function bench(changes: Partial<HistoryOptions> = {}): Promise<Bench> {
  const temporary = await temporaryFolder();
  const file = changes.file ?? path.join(temporary.folder, 'history', 'history.sqlite');
  const clock = testClock();
  const faults: Array<string | undefined> = [];
  const workers: Worker[] = [];
  const history = createHistory({
    file,
    days: 400,
    subjects: true,
    clock,
    onFault: (detail) => void faults.push(detail),
    floorOctets: 0,
    batchMs: 5,
    retryMs: 20,
    askMs: 60_000,
    startWorker: (start) => {
      const worker = new Worker(new URL('../../src/observe/history-worker.ts', import.meta.url), { workerData: start });
      workers.push(worker);
      return worker;
    },
    ...changes,
  });
  return {
    history,
    file,
    folder: temporary.folder,
    clock,
    faults,
    workers,
    [Symbol.asyncDispose]: async () => {
      await history[Symbol.asyncDispose]();
      await temporary[Symbol.asyncDispose]();
    },
  };
}
