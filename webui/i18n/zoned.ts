/** A day typed by the reader is a day in the box's zone, not in the browser's. */
import { zone } from './format.ts';

const DAY_MS = 86_400_000;

/** ISO 8601 of the first or the last moment of `day` (`2026-11-22`); undefined when it is no day. */
export function zonedDay(day: string, edge: 'start' | 'end'): string | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return undefined;
  const utc = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(utc)) return undefined;
  const start = utc - offsetAt(utc - offsetAt(utc));
  return new Date(edge === 'start' ? start : start + DAY_MS - 1).toISOString();
}

/** How far the box's clocks are ahead of UTC at that moment, ms. */
function offsetAt(at: number): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone.value,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value ?? 0);
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - at + (at % 1_000);
}
