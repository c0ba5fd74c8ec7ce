import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { pause } from '../../src/base/deadline.ts';
import { checkUpdate } from '../../src/jobs/check-update.ts';
import { expireHistory } from '../../src/jobs/expire-history.ts';
import { expireQuarantine } from '../../src/jobs/expire-quarantine.ts';
import { type Job, type JobScheduler, startJobs } from '../../src/jobs/scheduler.ts';
import { until } from '../support/process.ts';

const QUIET = { timeZone: () => 'Asia/Tokyo', catchUpMs: 3_600_000, onTrouble: () => undefined, now: () => 0 };

it('a job runs by its schedule', { timeout: 60_000 }, async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const jobs = startJobs([{ name: 'tick', schedule: '* * * * * *', run: async () => resolve() }], QUIET);
  await promise;
  await jobs.stop();
});

it('what was missed is caught up soon after the start', { timeout: 60_000 }, async () => {
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

it('a run that never ends is told and left behind after its time: the next one comes, and a stop does not wait for it', async () => {
  const told: string[] = [];
  const never = Promise.withResolvers<void>();
  const signals: AbortSignal[] = [];
  const job: Job = {
    name: 'stuck',
    schedule: '0 0 29 2 *',
    mostMs: 5,
    run: (signal) => {
      signals.push(signal);
      return signals.length === 1 ? never.promise : Promise.resolve();
    },
  };
  const jobs = startJobs([job], { ...QUIET, onTrouble: (name, detail) => told.push(`${name}: ${detail}`) });
  await jobs.runNow('stuck');
  assert.deepEqual(told, ['stuck: Job "stuck" took longer than 5 ms']);
  assert.deepEqual([signals[0]?.aborted, jobs.list()[0]?.running], [true, false]);
  await jobs.runNow('stuck');
  assert.deepEqual(
    jobs.list()[0]?.runs.map(({ ok }) => ok),
    [true, false],
  );
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

it('the last runs and the next one are told, and a restart remembers', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-jobs-'));
  try {
    const record = path.join(folder, 'jobs.json');
    let now = Date.UTC(2026, 10, 21, 9);
    const options = { ...QUIET, record, now: () => now };
    const list: Job[] = [
      { name: 'good', schedule: '0 2 * * *', run: () => Promise.resolve() },
      { name: 'bad', schedule: '0 3 * * *', run: () => Promise.reject(new Error('No disk')) },
    ];
    const first = startJobs(list, options);
    assert.deepEqual(
      first.list().map((job) => job.runs),
      [[], []],
    );
    await first.runNow('good');
    now += 60_000;
    await first.runNow('bad');
    await first.stop();
    const second = startJobs(list, options);
    const [good, bad] = second.list();
    assert.deepEqual(good?.runs, [
      { startedAt: '2026-11-21T09:00:00.000Z', endedAt: '2026-11-21T09:00:00.000Z', ok: true },
    ]);
    assert.equal(bad?.runs[0]?.detail, 'No disk');
    assert.match(good?.nextAt ?? '', /T17:00:00\.000Z$/, '02:00 in Tokyo');
    await second.stop();
    await writeFile(record, '{"good": 1');
    const third = startJobs(list, options);
    assert.deepEqual(third.list()[0]?.runs, [], 'a damaged record is no record');
    await third.stop();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('boxes look for updates at minutes of their own, once a day', async () => {
  let asked = 0;
  const run = (): Promise<void> => Promise.resolve(void (asked += 1));
  const job = checkUpdate({ run, random: () => 0.5 });
  assert.equal(job.schedule, '30 12 * * *');
  assert.equal(checkUpdate({ run, random: () => 0.999 }).schedule, '59 23 * * *');
  await job.run(new AbortController().signal);
  assert.equal(asked, 1);
});

it('a stop does not wait for the download of an update', async () => {
  const never = Promise.withResolvers<void>();
  const jobs = startJobs([checkUpdate({ run: () => never.promise, random: () => 0 })], QUIET);
  const run = jobs.runNow('check-update');
  await jobs.stop();
  await run;
  never.resolve();
});

it('a job of each minute writes its list down each ten minutes, at trouble and at the stop: each time wears the flash', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sekisho-jobs-'));
  let jobs: JobScheduler | undefined;
  try {
    const record = path.join(folder, 'jobs.json');
    const kept = async (): Promise<number | undefined> => {
      const text = await readFile(record, 'utf8').catch(() => undefined);
      return text === undefined ? undefined : (JSON.parse(text) as { minute: unknown[] }).minute.length;
    };
    const known = (runs: number): Promise<true> =>
      until(`${runs} runs in the file`, { ms: 10_000, every: 5 }, async () =>
        (await kept()) === runs ? true : undefined,
      );
    let now = 0;
    let broken = false;
    const run = (): Promise<void> => (broken ? Promise.reject(new Error('No disk')) : Promise.resolve());
    jobs = startJobs([{ name: 'minute', schedule: '0 0 29 2 *', run }], { ...QUIET, record, now: () => now });
    await jobs.runNow('minute');
    await known(1);
    for (now = 60_000; now < 600_000; now += 60_000) await jobs.runNow('minute');
    await pause(50);
    assert.equal(await kept(), 1);
    await jobs.runNow('minute'); // ten minutes after the first
    await known(11);
    now += 60_000;
    broken = true;
    await jobs.runNow('minute');
    await known(12);
    now += 60_000;
    broken = false;
    await jobs.runNow('minute');
    await known(13); // the end of the trouble, too
    now += 60_000;
    await jobs.runNow('minute');
    await jobs.stop();
    assert.equal(await kept(), 14);
  } finally {
    await jobs?.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
