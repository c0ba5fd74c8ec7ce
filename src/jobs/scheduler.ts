/**
 * Jobs by the clock (node-cron lives only here). A job never overlaps itself, its trouble is told and never thrown, a run that
 * does not end is told and left behind after its time, so that the next one comes. One whose moment passed while the gateway was
 * down runs soon after the start: jobs must bear running at any time. The last runs of each are kept in a small file (up to ten
 * minutes behind), so that a restart does not make "never ran" of "ran an hour ago". The time zone may change while it runs; days of 23 and 25 hours are local-time.ts's matter.
 */
import { readFileSync } from 'node:fs';
import cron, { type ScheduledTask } from 'node-cron';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import { comesNext, jumpedOver, zoneFor } from './local-time.ts';

export interface Job {
  /** `expire-quarantine` */
  name: string;
  /** Five fields, in the box's time zone. */
  schedule: string;
  /** Sooner or later after the start than the others. */
  catchUpMs?: number;
  /** Longer than a run can take that still does something; 6 h where nothing is said. */
  mostMs?: number;
  /** One bounded run; `signal` aborts when the gateway stops, and when its time is over. */
  run: (signal: AbortSignal) => Promise<void>;
}

const runSchema = z.object({
  startedAt: z.string(),
  endedAt: z.string().optional(),
  ok: z.boolean(),
  detail: z.string().optional(),
});
/** One run of a job; without `endedAt` it is under way, or was cut off by a stop. */
export type JobRun = z.output<typeof runSchema>;
const recordSchema = z.record(z.string(), z.array(runSchema));
const KEPT_RUNS = 20;
/** A job of each minute writes two files of a kilobyte a minute, for a list that nothing depends on: ten minutes of it may be lost. */
const BEHIND_MS = 600_000;
/** How often zone and clock are looked at. */
const LOOK_MS = 30_000;
/** node-cron drops a run that begins more than a second late; a starved machine is late for longer, and a day has only one. */
const LATE_MS = 600_000;
/** A system is fetched over a slow line within these. */
const MOST_MS = 6 * 3_600_000;
/** A stop does not wait longer for a run that does not heed it. */
const STOP_MS = 10_000;

export interface JobState {
  name: string;
  schedule: string;
  running: boolean;
  /** ISO 8601; absent when it never comes again. */
  nextAt?: string;
  /** Newest first. */
  runs: JobRun[];
}

export interface JobScheduler {
  /** Runs one now, or waits for the run in progress; for operators and tests. Throws RangeError for an unknown name. */
  runNow(name: string): Promise<void>;
  list(): JobState[];
  /** No new runs; those in progress end. */
  stop(): Promise<void>;
}

export function startJobs(
  jobs: readonly Job[],
  options: {
    /** IANA name, as it is when asked. */
    timeZone: () => string;
    /** After the start, each job runs once after this many milliseconds. */
    catchUpMs: number;
    onTrouble: (job: string, detail: string) => void;
    /** Wall clock, ms. */
    now: () => number;
    /** Where the last runs are kept; without it only until the stop. */
    record?: string;
  },
): JobScheduler {
  const stopping = new AbortController();
  const running = new Map<string, Promise<void>>();
  const { record, now } = options;
  const past = new Map(Object.entries(readRecord(record)));
  let writing: Promise<void> = Promise.resolve();
  let keptAt = Number.NEGATIVE_INFINITY;
  /** Something is not in the file yet. */
  let behind = false;

  /** `often`: as the run before, a short while ago; the file may be behind then, for each write of it wears the flash. */
  function keep({ often }: { often: boolean }): void {
    if (record === undefined) return;
    behind = often && Math.abs(now() - keptAt) < BEHIND_MS;
    if (behind) return;
    keptAt = now();
    const write = async (before: Promise<void>): Promise<void> => {
      await before;
      await writeFileAtomic(record, JSON.stringify(Object.fromEntries(past)));
    };
    // a view only: a full disk must not make a job fail that did its work
    writing = write(writing).catch(() => undefined);
  }

  async function once(job: Job): Promise<void> {
    const run: JobRun = { startedAt: new Date(now()).toISOString(), ok: true };
    const [before] = past.get(job.name) ?? [];
    const ends = new AbortController();
    const stop = (): void => ends.abort(stopping.signal.reason);
    stopping.signal.addEventListener('abort', stop, { once: true });
    past.set(job.name, [run, ...(past.get(job.name) ?? [])].slice(0, KEPT_RUNS));
    try {
      await withDeadline(`Job "${job.name}"`, { ms: job.mostMs ?? MOST_MS }, () => job.run(ends.signal));
    } catch (error) {
      ends.abort(error);
      run.ok = false;
      run.detail = describeError(error).slice(0, 500);
      options.onTrouble(job.name, describeError(error));
    }
    stopping.signal.removeEventListener('abort', stop);
    run.endedAt = new Date(now()).toISOString();
    running.delete(job.name);
    const pauseMs =
      before === undefined ? Infinity : Math.abs(Date.parse(run.startedAt) - Date.parse(before.startedAt));
    keep({ often: run.ok && before?.ok === true && pauseMs < BEHIND_MS });
  }

  function start(job: Job): Promise<void> {
    const before = running.get(job.name);
    if (before !== undefined) return before;
    if (stopping.signal.aborted) return Promise.resolve();
    const run = once(job);
    running.set(job.name, run);
    return run;
  }

  let zone = options.timeZone();
  let tasks = schedule();
  function schedule(): ScheduledTask[] {
    return jobs.map((job) => {
      const timezone = zoneFor(job.schedule, zone);
      return cron.schedule(job.schedule, () => start(job), {
        name: job.name,
        noOverlap: true,
        timezone,
        missedExecutionTolerance: LATE_MS,
      });
    });
  }

  let lookedAt = now();
  function look(): void {
    const [from, to] = [lookedAt, now()];
    lookedAt = to;
    for (const job of jobs) if (jumpedOver(job.schedule, zone, { from, to })) void start(job);
    const next = options.timeZone();
    if (next === zone) return;
    const before = tasks;
    zone = next;
    tasks = schedule();
    for (const task of before) void task.destroy();
  }
  const looks = setInterval(look, LOOK_MS).unref();
  const catchUps = jobs.map((job) => setTimeout(() => void start(job), job.catchUpMs ?? options.catchUpMs).unref());

  return {
    runNow: (name) => {
      const job = jobs.find((candidate) => candidate.name === name);
      if (job === undefined) throw new RangeError(`No job "${name}"`);
      return start(job);
    },
    list: () =>
      jobs.map((job, index) => {
        const next = tasks[index]?.getNextRun();
        return {
          name: job.name,
          schedule: job.schedule,
          running: running.has(job.name),
          ...(next === null || next === undefined
            ? {}
            : {
                nextAt: new Date(comesNext(job.schedule, zone, { now: now(), regular: next.getTime() })).toISOString(),
              }),
          runs: [...(past.get(job.name) ?? [])],
        };
      }),
    stop: async () => {
      stopping.abort();
      clearInterval(looks);
      for (const timer of catchUps) clearTimeout(timer);
      for (const task of tasks) await task.destroy();
      const ending = withDeadline('Ending the jobs', { ms: STOP_MS }, () => Promise.all(running.values()));
      await ending.catch(() => options.onTrouble([...running.keys()].join(', '), 'Does not end, is left behind'));
      if (behind) keep({ often: false });
      await writing;
    },
  };
}

/** A record that cannot be read is no record: nothing depends on it. */
function readRecord(file: string | undefined): Record<string, JobRun[]> {
  if (file === undefined) return {};
  try {
    const parsed = recordSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}
