/**
 * Jobs by the clock (node-cron lives only here). A job never overlaps itself, its trouble is told and never thrown, and one
 * whose moment passed while the gateway was down runs soon after the start: jobs must bear running at any time.
 */
import cron from 'node-cron';
import { describeError } from '../base/errors.ts';

export interface Job {
  /** `expire-quarantine` */
  name: string;
  /** Five fields, in the box's time zone. */
  schedule: string;
  /** One bounded run; `signal` aborts when the gateway stops. */
  run: (signal: AbortSignal) => Promise<void>;
}

export interface JobScheduler {
  /** Runs one now, or waits for the run in progress; for operators and tests. Throws RangeError for an unknown name. */
  runNow(name: string): Promise<void>;
  /** No new runs; those in progress end. */
  stop(): Promise<void>;
}

export function startJobs(
  jobs: readonly Job[],
  options: {
    /** IANA name. */
    timeZone: string;
    /** After the start, each job runs once after this many milliseconds. */
    catchUpMs: number;
    onTrouble: (job: string, detail: string) => void;
  },
): JobScheduler {
  const stopping = new AbortController();
  const running = new Map<string, Promise<void>>();

  function start(job: Job): Promise<void> {
    const before = running.get(job.name);
    if (before !== undefined) return before;
    if (stopping.signal.aborted) return Promise.resolve();
    const run = job
      .run(stopping.signal)
      .catch((error: unknown) => options.onTrouble(job.name, describeError(error)))
      .finally(() => running.delete(job.name));
    running.set(job.name, run);
    return run;
  }

  const tasks = jobs.map((job) =>
    cron.schedule(job.schedule, () => start(job), { name: job.name, noOverlap: true, timezone: options.timeZone }),
  );
  const catchUp = setTimeout(() => {
    for (const job of jobs) void start(job);
  }, options.catchUpMs).unref();

  return {
    runNow: (name) => {
      const job = jobs.find((candidate) => candidate.name === name);
      if (job === undefined) throw new RangeError(`No job "${name}"`);
      return start(job);
    },
    stop: async () => {
      stopping.abort();
      clearTimeout(catchUp);
      for (const task of tasks) await task.destroy();
      await Promise.all(running.values());
    },
  };
}
