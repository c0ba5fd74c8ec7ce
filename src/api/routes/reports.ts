/** Reports: a day, a week or a month of the history, as figures and as CSV. */
import type { ControlClient } from '../../control/client.ts';
import type { Answer } from '../contract/client.ts';
import { countersOf, seriesOf, tally } from '../live/figures.ts';
import { type Period, spanOf } from '../live/zone.ts';
import { Content, type Some } from '../server/call.ts';
import { csvHead, csvLine } from './csv.ts';
import { iso, type RouteParts } from './parts.ts';

type Report = Answer<'reports.show'>;

export function reportHandlers(parts: RouteParts): Some<'reports.show' | 'reports.csv'> {
  return {
    'reports.show': ({ gateway, query }) => reportOf(parts, gateway, query),
    'reports.csv': async ({ gateway, query }) => {
      const report = await reportOf(parts, gateway, query);
      const day = report.from.slice(0, 10);
      return new Content('text/csv', tableOf(report, query.table), {
        name: `sekisho-${query.table}-${query.period}-${day}.csv`,
      });
    },
  };
}

async function reportOf(
  { now, zone }: RouteParts,
  gateway: ControlClient,
  asked: { period: Period; at?: string },
): Promise<Report> {
  const at = asked.at === undefined ? now() : Date.parse(asked.at);
  const { span, before } = spanOf(asked.period, at, zone());
  const [found, earlier] = await Promise.all([
    gateway.call('history.report', span),
    gateway.call('history.report', before),
  ]);
  const { groups, delays, senders, senderDomains, recipients, viruses, partial } = found;
  return {
    from: iso(span.from),
    to: iso(span.to),
    zone: zone(),
    totals: countersOf(groups),
    before: countersOf(earlier.groups),
    series: seriesOf(groups, span).map((step) => ({ ...step, at: iso(step.at) })),
    senders,
    senderDomains,
    recipients,
    viruses,
    reasons: tally(
      groups.filter(({ state, reason }) => state !== 'refused' && reason !== 'clean'),
      'reason',
    ),
    results: tally(groups, 'state'),
    ...(delays === undefined
      ? {}
      : { delays: { p50Ms: delays.p50, p90Ms: delays.p90, p99Ms: delays.p99, maxMs: delays.most } }),
    partial,
  };
}

function tableOf(
  report: Report,
  table: 'series' | 'senders' | 'senderDomains' | 'recipients' | 'viruses' | 'reasons' | 'results',
): string {
  if (table !== 'series') {
    const rows = report[table].map(({ name, messages, octets }) => csvLine([name, messages, octets ?? '']));
    return [csvHead(['name', 'messages', 'octets']), ...rows].join('');
  }
  const names = Object.keys(report.totals) as Array<keyof Report['totals']>;
  const rows = report.series.map((step) => csvLine([step.at, ...names.map((name) => step[name])]));
  return [csvHead(['at', ...names]), ...rows].join('');
}
