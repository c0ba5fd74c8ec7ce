/** Days, weeks and months as people in the box's zone count them. Pure. */
const DAY_MS = 86_400_000;

export type Period = 'day' | 'week' | 'month';

export interface Span {
  from: number;
  to: number;
  step: number;
}

/** The period that holds `at`, and the one before it. A week begins on Monday; steps are hours of a day, else days. */
export function spanOf(period: Period, at: number, zone: string): { span: Span; before: Span } {
  const day = dayIn(at, zone);
  const step = period === 'day' ? DAY_MS / 24 : DAY_MS;
  const begins = (back: number): [number, number, number] => {
    if (period === 'month') return [day.year, day.month - back, 1];
    if (period === 'week') return [day.year, day.month, day.date - ((day.weekday + 6) % 7) - back * 7];
    return [day.year, day.month, day.date - back];
  };
  const from = midnight(begins(0), zone);
  const to = midnight(begins(-1), zone);
  const earlier = midnight(begins(1), zone);
  return { span: { from, to, step }, before: { from: earlier, to: from, step } };
}

/** Months count from 1; a date outside its month runs over, as in Date. */
function midnight([year, month, date]: [number, number, number], zone: string): number {
  const wanted = Date.UTC(year, month - 1, date);
  // the offset at the guess, and once more at the better guess: right also on the day the clocks change
  const guess = wanted - offsetAt(wanted, zone);
  return wanted - offsetAt(guess, zone);
}

function offsetAt(at: number, zone: string): number {
  const { year, month, date, hour, minute, second } = dayIn(at, zone);
  return Date.UTC(year, month - 1, date, hour, minute, second) - Math.floor(at / 1_000) * 1_000;
}

function dayIn(
  at: number,
  zone: string,
): { year: number; month: number; date: number; weekday: number; hour: number; minute: number; second: number } {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at);
  const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value ?? 0);
  const [year, month, date] = [part('year'), part('month'), part('day')];
  const weekday = new Date(Date.UTC(year, month - 1, date)).getUTCDay();
  return { year, month, date, weekday, hour: part('hour'), minute: part('minute'), second: part('second') };
}
