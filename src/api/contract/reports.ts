/** Reports out of the history: counts over time, who and what, results, how long delivery took. */
import { z } from 'zod';
import { operation } from './operation.ts';
import { counters } from './overview.ts';
import { count, instant, time } from './shapes.ts';

const period = z.strictObject({
  /** In the box's zone. */
  period: z.enum(['day', 'week', 'month']).default('day'),
  /** Any moment within it; without: now. */
  at: instant.exactOptional(),
});

const named = z.array(z.object({ name: z.string(), messages: count, octets: count.optional() }));

export const report = z.object({
  from: time,
  to: time,
  zone: z.string(),
  totals: counters,
  before: counters,
  /** By hour for a day, else by day; the oldest first; gaps are zeroes. */
  series: z.array(counters.extend({ at: time })),
  senders: named,
  senderDomains: named,
  recipients: named,
  viruses: named,
  /** Why mail was stopped or marked. */
  reasons: named,
  results: named,
  /** From our 250 to the next server's, of delivered mail. Absent when there was none. */
  delays: z.object({ p50Ms: count, p90Ms: count, p99Ms: count, maxMs: count }).optional(),
  /** Older than what the history keeps, or cut at this many rows. */
  partial: z.boolean(),
});

export const REPORT_OPERATIONS = {
  'reports.show': operation('GET', '/reports', {
    summary: { ja: 'レポート', en: 'A report' },
    access: 'report.read',
    query: period,
    deadlineMs: 60_000,
    response: report,
  }),
  'reports.csv': operation('GET', '/reports/csv', {
    summary: { ja: 'レポートの表 (CSV)', en: 'A table of a report as CSV' },
    access: 'report.read',
    query: period.extend({
      table: z
        .enum(['series', 'senders', 'senderDomains', 'recipients', 'viruses', 'reasons', 'results'])
        .default('series'),
    }),
    deadlineMs: 60_000,
    media: 'text/csv',
    response: z.string(),
  }),
} as const;
