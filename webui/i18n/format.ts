/**
 * Numbers, sizes and times as people read them: in the language of the page, times always in the box's own zone (never the
 * browser's), so that two people in two places speak of the same minute.
 */
import { signal } from '@preact/signals';
import { formatNumber, language, t } from './language.ts';

/** IANA name; known after the first answer of the box. */
export const zone = signal('UTC');
/** The box's clock minus this browser's, ms. */
export const skew = signal(0);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function now(): number {
  return Date.now() + skew.value;
}

export function formatTime(at: string | number, style: 'full' | 'short' | 'day' | 'clock' = 'short'): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const options: Record<typeof style, Intl.DateTimeFormatOptions> = {
    full: { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' },
    short: { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' },
    day: { year: 'numeric', month: '2-digit', day: '2-digit' },
    clock: { hour: '2-digit', minute: '2-digit', second: '2-digit' },
  };
  // day before month in neither language: one order for both, so that nobody misreads 03/04
  const locale = language.value === 'ja' ? 'ja-JP' : 'en-CA';
  return new Intl.DateTimeFormat(locale, { ...options[style], hourCycle: 'h23', timeZone: zone.value })
    .format(date)
    .replace(', ', ' ');
}

/** "3 min ago", "in 2 hours"; beyond a week the date. */
export function formatAgo(at: string | number): string {
  const difference = new Date(at).getTime() - now();
  const size = Math.abs(difference);
  if (size > 7 * DAY) return formatTime(at, 'day');
  const relative = new Intl.RelativeTimeFormat(language.value, { numeric: 'auto', style: 'short' });
  if (size < 45_000) return relative.format(0, 'second');
  if (size < HOUR) return relative.format(Math.round(difference / MINUTE), 'minute');
  if (size < DAY) return relative.format(Math.round(difference / HOUR), 'hour');
  return relative.format(Math.round(difference / DAY), 'day');
}

const SPAN = {
  seconds: { ja: '{n} 秒', en: '{n} s' },
  minutes: { ja: '{n} 分', en: '{n} min' },
  hours: { ja: '{n} 時間', en: '{n} h' },
  days: { ja: '{n} 日', en: '{n} d' },
} as const;

export function formatSpan(ms: number): string {
  if (ms < 10_000) return t(SPAN.seconds, { n: formatNumber(ms / 1_000, { maximumFractionDigits: 1 }) });
  if (ms < 2 * MINUTE) return t(SPAN.seconds, { n: Math.round(ms / 1_000) });
  if (ms < 2 * HOUR) return t(SPAN.minutes, { n: Math.round(ms / MINUTE) });
  if (ms < 2 * DAY) return t(SPAN.hours, { n: formatNumber(ms / HOUR, { maximumFractionDigits: 1 }) });
  return t(SPAN.days, { n: formatNumber(ms / DAY, { maximumFractionDigits: 1 }) });
}

export function formatSize(octets: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = octets;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${formatNumber(value, { maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 })} ${units[unit] ?? ''}`;
}

export function formatPercent(part: number): string {
  return formatNumber(part, { style: 'percent', maximumFractionDigits: 1 });
}
