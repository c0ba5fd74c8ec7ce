/**
 * Local time for jobs, where a day has 23 or 25 hours. What runs every hour or oftener goes by UTC: it must neither pause nor
 * double when the clock is put back. What runs at a time of day goes by the owner's zone; a time that does not exist on the day
 * the clock is put forward comes at the moment of the change, so that no day is left out (as Vixie's cron does).
 */
import type { Milliseconds } from '../base/brand.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
/** Beyond it the machine was asleep or off: what was missed then is caught up anyway. */
const LONGEST_LOOK_MS = 3_600_000;
/** What comes daily comes within two days, the missing time of day counted. */
const LONGEST_WAIT_MS = 50 * 3_600_000;

/** The zone a schedule is kept by. */
export function zoneFor(schedule: string, zone: string): string {
  const [hour, ...days] = schedule.split(' ').slice(-4);
  return hour === '*' && days.every((field) => field === '*') ? 'UTC' : zone;
}

/** Between two looks the clock was put forward over a time of day of this schedule (`30 2 * * *`, `7 3,15 * * *`). */
export function jumpedOver(schedule: string, zone: string, look: { from: Milliseconds; to: Milliseconds }): boolean {
  // longer, and the machine was off
  return look.to - look.from <= LONGEST_LOOK_MS && changeOver(schedule, zone, look) !== undefined;
}

/** When a daily job comes next: the cron's own answer, or the change before that which takes the place of a time that does not exist. */
export function comesNext(
  schedule: string,
  zone: string,
  { now, regular }: { now: Milliseconds; regular: Milliseconds },
): Milliseconds {
  return regular - now > LONGEST_WAIT_MS
    ? regular
    : (changeOver(schedule, zone, { from: now, to: regular }) ?? regular);
}

/** The moment at which the clock is put forward over a time of day of this schedule. */
function changeOver(
  schedule: string,
  zone: string,
  { from, to }: { from: Milliseconds; to: Milliseconds },
): Milliseconds | undefined {
  const daily = /^(\d{1,2}) (\d{1,2}(?:,\d{1,2})*) \* \* \*$/.exec(schedule);
  // set back, a clock jumps over nothing
  if (daily === null || to <= from) return undefined;
  const offset = offsetMinutes(zone, from);
  const jump = offsetMinutes(zone, to) - offset;
  if (jump <= 0) return undefined;
  // changes come at whole minutes: the first one with the new offset
  let [before, change] = [Math.floor(from / MINUTE_MS), Math.ceil(to / MINUTE_MS)];
  while (change - before > 1) {
    const middle = Math.floor((before + change) / 2);
    if (offsetMinutes(zone, middle * MINUTE_MS) === offset) before = middle;
    else change = middle;
  }
  const times = (daily[2] ?? '').split(',').map((hour) => Number(hour) * 60 + Number(daily[1]));
  const skipped = Array.from({ length: jump }, (_, minute) => (change + offset + minute) % DAY_MINUTES);
  return skipped.some((minute) => times.includes(minute)) ? change * MINUTE_MS : undefined;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** East of Greenwich is above 0. */
function offsetMinutes(zone: string, at: Milliseconds): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    formats.set(zone, format);
  }
  const name = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign, hours = '0', minutes = '0'] = /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(name) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
