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

/** The zone a schedule is kept by. */
export function zoneFor(schedule: string, zone: string): string {
  const [hour, ...days] = schedule.split(' ').slice(-4);
  return hour === '*' && days.every((field) => field === '*') ? 'UTC' : zone;
}

/** Between two looks the clock was put forward over a time of day of this schedule (`30 2 * * *`, `7 3,15 * * *`). */
export function jumpedOver(schedule: string, zone: string, look: { from: Milliseconds; to: Milliseconds }): boolean {
  const daily = /^(\d{1,2}) (\d{1,2}(?:,\d{1,2})*) \* \* \*$/.exec(schedule);
  const looked = look.to - look.from;
  // set back, a clock jumps over nothing
  if (daily === null || looked <= 0 || looked > LONGEST_LOOK_MS) return false;
  const jump = offsetMinutes(zone, look.to) - offsetMinutes(zone, look.from);
  if (jump <= 0) return false;
  // changes come at whole minutes: the first one with the new offset
  let change = Math.floor(look.from / MINUTE_MS) * MINUTE_MS;
  while (offsetMinutes(zone, change) === offsetMinutes(zone, look.from)) change += MINUTE_MS;
  const skippedFrom = Math.floor(change / MINUTE_MS) + offsetMinutes(zone, look.from);
  const times = (daily[2] ?? '').split(',').map((hour) => Number(hour) * 60 + Number(daily[1]));
  return Array.from({ length: jump }, (_, minute) => (skippedFrom + minute) % DAY_MINUTES).some((minute) =>
    times.includes(minute),
  );
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
