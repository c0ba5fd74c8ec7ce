/**
 * Jobs and local time, on a virtual clock: the days of 23 and 25 hours of four zones, a zone that is changed, a start after time off.
 * Each kind of schedule that the box uses is run minute by minute through the day of the change.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mock, test } from 'node:test';
import { followTimeZone } from '../../src/base/time-zone.ts';
import { comesNext, jumpedOver } from '../../src/jobs/local-time.ts';
import { startJobs } from '../../src/jobs/scheduler.ts';

const MINUTE = 60_000;
const OFF = 10 ** 9;

interface Ride {
  zone: string | (() => string);
  schedules: readonly string[];
  /** UTC. */
  from: string;
  hours: number;
  catchUpMs?: number;
  /** After so many minutes. */
  at?: ReadonlyMap<number, () => void>;
}

/** When each schedule ran, `31T02:30` in UTC. */
async function ride({ zone, schedules, from, hours, catchUpMs = OFF, at }: Ride): Promise<string[][]> {
  mock.timers.enable({ apis: ['Date', 'setTimeout', 'setInterval'], now: Date.parse(`${from}Z`) });
  try {
    const runs = schedules.map((): string[] => []);
    const work = schedules.map((schedule, index) => ({
      name: `job-${index}`,
      schedule,
      run: (): Promise<void> =>
        Promise.resolve(
          void runs[index]?.push(new Date(Math.floor(Date.now() / MINUTE) * MINUTE).toISOString().slice(8, 16)),
        ),
    }));
    const jobs = startJobs(work, {
      timeZone: typeof zone === 'string' ? () => zone : zone,
      catchUpMs,
      onTrouble: (job, detail) => assert.fail(`${job}: ${detail}`),
      now: () => Date.now(),
    });
    for (let minute = 0; minute < hours * 60; minute += 1) {
      at?.get(minute)?.();
      mock.timers.tick(MINUTE);
      await new Promise((resolve) => setImmediate(resolve)); // the run of this minute ends
    }
    await jobs.stop();
    return runs;
  } finally {
    mock.timers.reset();
  }
}

test('a time of day that does not exist comes once, at the moment of the change; one beside it as ever', async () => {
  const cases = [
    // 02:00 → 03:00 at 01:00 UTC
    ['Europe/Berlin', '2027-03-27T20:00', ['28T01:00', '29T00:30']],
    // 02:00 → 03:00 at 07:00 UTC
    ['America/New_York', '2027-03-13T20:00', ['14T07:00', '15T06:30']],
  ] as const;
  for (const [zone, from, wanted] of cases) {
    const [gone, early, twice] = await ride({
      zone,
      schedules: ['30 2 * * *', '30 4 * * *', '15 2,14 * * *'],
      from,
      hours: 40,
    });
    assert.deepEqual(gone, wanted, zone);
    assert.equal(early?.length, 2, zone);
    assert.deepEqual([twice?.length, twice?.[0]], [3, wanted[0]], `${zone}: ${String(twice)}`);
  }
  // 02:00 → 02:30 at 15:30 UTC: 02:10 is gone, 02:30 is not
  const lord = await ride({
    zone: 'Australia/Lord_Howe',
    schedules: ['10 2 * * *', '30 2 * * *'],
    from: '2027-10-02T12:00',
    hours: 30,
  });
  assert.deepEqual(lord, [
    ['02T15:30', '03T15:10'],
    ['02T15:30', '03T15:30'],
  ]);
});

test('a time of day that comes twice runs once', async () => {
  const cases = [
    ['Europe/Berlin', '2027-10-30T20:00', '30 2 * * *'],
    ['America/New_York', '2027-11-06T20:00', '30 1 * * *'],
    ['Australia/Lord_Howe', '2027-04-03T10:00', '45 1 * * *'],
  ] as const;
  for (const [zone, from, schedule] of cases) {
    const [runs] = await ride({ zone, schedules: [schedule], from, hours: 20 });
    assert.equal(runs?.length, 1, `${zone}: ${String(runs)}`);
  }
});

test('what runs every hour or every minute neither pauses nor doubles, whatever the clock does', async () => {
  const days = [
    ['Europe/Berlin', '2027-10-30T20:00'],
    ['Europe/Berlin', '2027-03-27T20:00'],
    ['America/New_York', '2027-11-07T00:00'],
    ['America/New_York', '2027-03-14T00:00'],
    ['Australia/Lord_Howe', '2027-04-03T10:00'],
    ['Australia/Lord_Howe', '2027-10-02T10:00'],
    ['Asia/Tokyo', '2027-03-27T20:00'],
  ] as const;
  for (const [zone, from] of days) {
    const [hourly, minutely] = await ride({ zone, schedules: ['17 * * * *', '* * * * *'], from, hours: 12 });
    assert.equal(hourly?.length, 12, `${zone}: ${String(hourly)}`);
    assert.equal(minutely?.length, 12 * 60, zone);
  }
});

test('Tokyo has no such days: every time of day once a day, all year', async () => {
  for (const from of ['2027-03-27T12:00', '2027-10-30T12:00'])
    assert.deepEqual((await ride({ zone: 'Asia/Tokyo', schedules: ['30 2 * * *'], from, hours: 48 }))[0]?.length, 2);
});

test('a zone that is changed counts from the next minute on, without a start anew', async () => {
  let zone = 'Asia/Tokyo';
  const change = (): void => {
    zone = 'Europe/Berlin';
  };
  const [runs] = await ride({
    zone: () => zone,
    schedules: ['30 2 * * *'],
    from: '2027-01-10T16:00',
    hours: 34,
    at: new Map([[5, change]]),
  });
  assert.deepEqual(runs, ['11T01:30', '12T01:30'], '17:30 UTC would have been Tokyo’s');
});

test('after time off over the change a job is caught up once, and goes on at its time', async () => {
  // switched on after the change: 02:30 did not exist this day and the box was off
  const [runs] = await ride({
    zone: 'Europe/Berlin',
    schedules: ['30 2 * * *'],
    from: '2027-03-28T06:00',
    hours: 30,
    catchUpMs: 5 * MINUTE,
  });
  assert.deepEqual(runs, ['28T06:05', '29T00:30']);
});

test('a daily job whose minute the machine was too busy for runs late, not tomorrow', async () => {
  mock.timers.enable({ apis: ['Date', 'setTimeout', 'setInterval'], now: Date.parse('2027-01-10T17:29:30Z') });
  try {
    let runs = 0;
    const job = { name: 'daily', schedule: '30 2 * * *', run: (): Promise<void> => Promise.resolve(void (runs += 1)) };
    const now = (): number => Date.now();
    const jobs = startJobs([job], { timeZone: () => 'Asia/Tokyo', catchUpMs: OFF, onTrouble: () => undefined, now });
    mock.timers.setTime(Date.parse('2027-01-10T17:31:10Z'));
    for (let second = 0; second < 5; second += 1) {
      mock.timers.tick(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(runs, 1);
    await jobs.stop();
  } finally {
    mock.timers.reset();
  }
});

test('the machine’s zone is followed by its link, over the link on the data partition', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-zone-'));
  try {
    const [link, owner] = [path.join(dir, 'localtime'), path.join(dir, 'chosen')];
    symlinkSync(owner, link);
    symlinkSync('/usr/share/zoneinfo/Asia/Tokyo', owner);
    const env: NodeJS.ProcessEnv = {};
    const zone = followTimeZone(env, link);
    assert.equal(zone(), 'Asia/Tokyo');
    assert.equal(env['TZ'], undefined, 'Node knows it from its start');
    rmSync(owner);
    symlinkSync('/usr/share/zoneinfo/America/New_York', owner);
    assert.equal(zone(), 'America/New_York');
    assert.equal(env['TZ'], 'America/New_York');
    rmSync(owner);
    assert.equal(zone(), 'America/New_York', 'a link that is gone for a moment changes nothing');
    assert.notEqual(
      followTimeZone({ TZ: 'Europe/Berlin' }, link)(),
      'America/New_York',
      'set from outside: left alone',
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a clock that is set back, even from summer into the winter before or the other way round, jumps over no job', () => {
  const at = (text: string): number => Date.parse(text);
  for (const [from, to] of [
    ['2036-12-01T00:00:00Z', '2026-07-01T00:00:00Z'],
    ['2026-07-01T00:00:00Z', '2026-01-01T00:00:00Z'],
  ] as const)
    assert.equal(jumpedOver('30 2 * * *', 'Europe/Berlin', { from: at(from), to: at(to) }), false);
  // and forward over the change it does
  const look = { from: at('2026-03-29T00:59:50Z'), to: at('2026-03-29T01:00:20Z') };
  assert.equal(jumpedOver('30 2 * * *', 'Europe/Berlin', look), true);
});

test('what is said to come next is what comes: on the day without 02:30 the moment of the change', () => {
  const at = (text: string): number => Date.parse(`${text}Z`);
  const next = (schedule: string, zone: string, times: { now: string; regular: string }): string =>
    new Date(comesNext(schedule, zone, { now: at(times.now), regular: at(times.regular) })).toISOString().slice(0, 16);
  const spring = { now: '2027-03-27T20:00', regular: '2027-03-29T00:30' };
  assert.equal(next('30 2 * * *', 'Europe/Berlin', spring), '2027-03-28T01:00');
  // the change is over, or none lies between, or the time exists
  assert.equal(next('30 2 * * *', 'Europe/Berlin', { ...spring, now: '2027-03-28T01:00' }), '2027-03-29T00:30');
  const early = { now: '2027-03-27T20:00', regular: '2027-03-28T02:30' };
  assert.equal(next('30 4 * * *', 'Europe/Berlin', early), early.regular);
  assert.equal(next('30 2 * * *', 'Asia/Tokyo', spring), spring.regular);
  assert.equal(next('30 2 * * 1', 'Europe/Berlin', spring), spring.regular);
  const autumn = { now: '2027-10-30T20:00', regular: '2027-10-31T01:30' };
  assert.equal(next('30 2 * * *', 'Europe/Berlin', autumn), autumn.regular);
});
