/** Counts over a day, a week or a month, with the period before; a table beside each chart; CSV and print. */
import { type Answer, call, hrefOf } from '../api/client.ts';
import { useLoad } from '../api/use.ts';
import { query, setQuery } from '../app/router.ts';
import { Card, Empty, Notice, PageHead, Skeleton, Trouble } from '../components/basics.tsx';
import { Chart } from '../components/chart.tsx';
import { MailText } from '../components/mail-text.tsx';
import { formatPercent, formatSpan, formatTime, now } from '../i18n/format.ts';
import { formatNumber, t, word } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { HISTORY_STATE_NAMES, REASON_NAMES } from '../i18n/words-mail.ts';
import { OVERVIEW } from '../i18n/words-overview.ts';
import { REPORTS } from '../i18n/words-records.ts';
import { Figure } from './overview.tsx';

type Report = Answer<'reports.show'>;
const PERIODS = ['day', 'week', 'month'] as const;
const FIGURES = ['received', 'delivered', 'spam', 'virus', 'rejected', 'quarantined'] as const;
const TABLES = ['results', 'reasons', 'senders', 'senderDomains', 'recipients', 'viruses'] as const;
const DAY_MS = 86_400_000;

export function Reports() {
  const period = PERIODS.find((one) => one === query.value['period']) ?? 'day';
  const at = query.value['at'];
  const wanted = { period, ...(at === undefined ? {} : { at }) };
  const report = useLoad(`report ${period} ${at ?? ''}`, (signal) => call('reports.show', { query: wanted }, signal));
  const { value } = report;
  return (
    <>
      <PageHead title={t(PAGES.reports)} intro={t(REPORTS.intro)} chapter="reports">
        <button type="button" onClick={() => print()}>
          {t(COMMON.print)}
        </button>
        <a class="button no-print" href={hrefOf('reports.csv', { query: { ...wanted, table: 'series' } })} download="">
          {t(COMMON.csv)}
        </a>
      </PageHead>
      <div class="tabs no-print">
        {PERIODS.map((one) => (
          <a key={one} href={`/reports?period=${one}`} aria-current={one === period ? 'page' : undefined}>
            {t(REPORTS[one])}
          </a>
        ))}
      </div>
      {report.error === undefined ? null : <Trouble error={report.error} again={report.again} />}
      {value === undefined ? (
        report.error === undefined ? (
          <Skeleton lines={16} />
        ) : null
      ) : (
        <Shown report={value} period={period} wanted={wanted} />
      )}
    </>
  );
}

interface ShownProperties {
  report: Report;
  period: (typeof PERIODS)[number];
  wanted: { period: (typeof PERIODS)[number]; at?: string };
}

function Shown({ report, period, wanted }: ShownProperties) {
  const { totals, before, series, delays } = report;
  const step = (to: number): void => setQuery({ at: new Date(to).toISOString() });
  const future = Date.parse(report.to) > now();
  return (
    <>
      <div class="row">
        <button type="button" class="tiny" onClick={() => step(Date.parse(report.from) - DAY_MS / 2)}>
          {t(REPORTS.before)}
        </button>
        <strong>
          {formatTime(report.from, 'day')}
          {period === 'day' ? '' : ` – ${formatTime(Date.parse(report.to) - 1, 'day')}`}
        </strong>
        <button type="button" class="tiny" disabled={future} onClick={() => step(Date.parse(report.to) + DAY_MS / 2)}>
          {t(REPORTS.after)}
        </button>
      </div>
      <br />
      {report.partial ? <Notice tone="idle">{t(REPORTS.partial)}</Notice> : null}
      <Card title={t(REPORTS.course)}>
        <dl class="figures">
          {FIGURES.map((name) => (
            <Figure key={name} name={t(OVERVIEW[name])}>
              {formatNumber(totals[name])}
              <span class="soft small nowrap" style={{ display: 'block', fontWeight: 400, fontSize: '0.85rem' }}>
                {t(REPORTS.previous, { n: before[name] })}
              </span>
            </Figure>
          ))}
        </dl>
        <br />
        {totals.received === 0 && totals.rejected === 0 ? (
          <Empty title={t(REPORTS.empty)}>{t(REPORTS.emptyText)}</Empty>
        ) : (
          <Chart
            title={t(REPORTS.course)}
            unit={period === 'day' ? 'hour' : 'day'}
            at={series.map((one) => one.at)}
            series={[
              { label: t(OVERVIEW.delivered), tone: 'accent', values: series.map((one) => one.delivered) },
              { label: t(OVERVIEW.spam), tone: 'warn', values: series.map((one) => one.spam) },
              { label: t(OVERVIEW.virus), tone: 'bad', values: series.map((one) => one.virus) },
              { label: t(OVERVIEW.rejected), tone: 'ink', values: series.map((one) => one.rejected) },
            ]}
          />
        )}
      </Card>
      <div class="cards">
        {delays === undefined ? null : (
          <Card title={t(REPORTS.delays)}>
            <p class="soft">{t(REPORTS.delaysText)}</p>
            <dl class="figures">
              {(['p50Ms', 'p90Ms', 'p99Ms', 'maxMs'] as const).map((name) => (
                <Figure key={name} name={t(REPORTS[name])}>
                  {formatSpan(delays[name])}
                </Figure>
              ))}
            </dl>
          </Card>
        )}
        {TABLES.map((name) => (
          <Named key={name} name={name} rows={report[name]} wanted={wanted} />
        ))}
      </div>
    </>
  );
}

function Named(props: { name: (typeof TABLES)[number]; rows: Report['senders']; wanted: ShownProperties['wanted'] }) {
  const { name, rows, wanted } = props;
  const most = Math.max(1, ...rows.map((row) => row.messages));
  const total = rows.reduce((sum, row) => sum + row.messages, 0);
  const title = t(REPORTS[name]);
  const nameOf = (text: string): string =>
    name === 'results' ? word(HISTORY_STATE_NAMES, text) : name === 'reasons' ? word(REASON_NAMES, text) : text;
  return (
    <Card
      title={title}
      side={
        <a class="small no-print" href={hrefOf('reports.csv', { query: { ...wanted, table: name } })} download="">
          CSV<span class="sr">: {title}</span>
        </a>
      }
    >
      {rows.length === 0 ? (
        <p class="soft">{t(REPORTS.nothing)}</p>
      ) : (
        <table>
          <caption class="sr">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{t(REPORTS.name)}</th>
              <th scope="col" class="num">
                {t(REPORTS.messages)}
              </th>
              <th scope="col">{t(REPORTS.share)}</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, 10).map((row) => (
              <tr key={row.name}>
                <th scope="row" style={{ fontWeight: 400 }}>
                  <MailText text={nameOf(row.name)} />
                </th>
                <td class="num">{formatNumber(row.messages)}</td>
                <td style={{ width: '30%' }}>
                  <svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                    <rect width={(100 * row.messages) / most} height="8" rx="1" fill="var(--accent)" />
                  </svg>
                  <span class="soft small">{formatPercent(total === 0 ? 0 : row.messages / total)}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}
