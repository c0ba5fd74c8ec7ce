import assert from 'node:assert/strict';
import { it } from 'node:test';
import { expireHistory } from '../../src/jobs/expire-history.ts';
import { expireQuarantine } from '../../src/jobs/expire-quarantine.ts';
import { type Job, startJobs } from '../../src/jobs/scheduler.ts';

const QUIET = { timeZone: 'Asia/Tokyo', catchUpMs: 3_600_000, onTrouble: () => undefined };

it('a job runs by its schedule', { timeout: 10_000 }, async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const jobs = startJobs([{ name: 'tick', schedule: '* * * * * *', run: async () => resolve() }], QUIET);
  await promise;
  await jobs.stop();
});

it('what was missed is caught up soon after the start', { timeout: 10_000 }, async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const job: Job = { name: 'late', schedule: '0 0 29 2 *', run: async () => resolve() };
  const jobs = startJobs([job], { ...QUIET, catchUpMs: 1 });
  await promise;
  await jobs.stop();
});

it('a job never overlaps itself', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let runs = 0;
  const job: Job = {
    name: 'slow',
    schedule: '0 0 29 2 *',
    run: () => {
      runs += 1;
      return promise;
    },
  };
  const jobs = startJobs([job], QUIET);
  const both = [jobs.runNow('slow'), jobs.runNow('slow')];
  resolve();
  await Promise.all(both);
  assert.equal(runs, 1);
  await jobs.stop();
});

it('trouble in a job is told, and the next run comes all the same', async () => {
  const told: string[] = [];
  const job: Job = { name: 'broken', schedule: '0 0 29 2 *', run: () => Promise.reject(new Error('No disk')) };
  const jobs = startJobs([job], { ...QUIET, onTrouble: (name, detail) => told.push(`${name}: ${detail}`) });
  await jobs.runNow('broken');
  await jobs.runNow('broken');
  assert.deepEqual(told, ['broken: No disk', 'broken: No disk']);
  await jobs.stop();
});

it('after a stop nothing runs any more, and the run in progress was waited for', async () => {
  let ended = false;
  const job: Job = {
    name: 'last',
    schedule: '0 0 29 2 *',
    run: async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      ended = true;
    },
  };
  const jobs = startJobs([job], QUIET);
  const run = jobs.runNow('last');
  await jobs.stop();
  assert.ok(ended);
  await run;
  ended = false;
  await jobs.runNow('last');
  assert.ok(!ended);
});

it('expire-quarantine goes on while there is more, and tells how many went', async () => {
  const batches = [
    { expired: 500, more: true },
    { expired: 20, more: false },
  ];
  const told: number[] = [];
  const job = expireQuarantine({
    expire: async () => batches.shift() ?? assert.fail('Asked once too often'),
    tell: (expired) => told.push(expired),
  });
  await job.run(new AbortController().signal);
  assert.deepEqual(told, [520]);
});

it('expire-history says nothing when nothing was forgotten', async () => {
  const job = expireHistory({ expire: async () => 0, tell: () => assert.fail('Nothing to tell') });
  await job.run(new AbortController().signal);
});
