/** What waits, where to, since when and why; what an operator does about it: for a destination, for chosen ones, for all. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLive, useLoad } from '../api/use.ts';
import { useList } from '../api/use-list.ts';
import { go, query } from '../app/router.ts';
import { may } from '../app/session.ts';
import type { ViewProperties } from '../app/views.ts';
import { Card, Empty, PageHead, Skeleton, Time, Trouble } from '../components/basics.tsx';
import { Modal } from '../components/dialog.tsx';
import { ClearFilters, FilterSelect, FilterText } from '../components/filter.tsx';
import { FormFoot, submitted, TextField } from '../components/form.tsx';
import { ListFoot, useDeleted } from '../components/list-foot.tsx';
import { HopState, Reason, SpoolState } from '../components/mail-state.tsx';
import { Address, MailText, unicodeOf } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { formatSize, formatSpan } from '../i18n/format.ts';
import { formatNumber, t, word } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { FIELD, SPOOL_STATE_NAMES } from '../i18n/words-mail.ts';
import { MESSAGE, QUEUE } from '../i18n/words-messages.ts';
import { deleteMessages, holdMessages, needOk, retryMessages, unholdMessages } from './message-actions.ts';
import { MessageDetail } from './message-detail.tsx';

type Entry = Answer<'queue.list'>['entries'][number];
type Summary = Answer<'queue.summary'>;
const STATES = ['incoming', 'active', 'deferred', 'held', 'corrupt'] as const;

export function Queue({ rest }: ViewProperties) {
  if (rest !== '')
    return (
      <>
        <PageHead title={t(MESSAGE.title)} chapter="queue">
          <a class="button tiny" href="/queue">
            {t(MESSAGE.back)}
          </a>
        </PageHead>
        <MessageDetail id={rest} />
      </>
    );
  return <QueueList />;
}

function QueueList() {
  const state = STATES.find((one) => one === query.value['state']);
  const domain = query.value['domain'];
  const filter = { ...(state === undefined ? {} : { state }), ...(domain === undefined ? {} : { domain }) };
  const key = JSON.stringify(filter);
  const list = useList<Entry>(
    `queue ${key}`,
    (span, signal) => call('queue.list', { query: { ...filter, ...span } }, signal),
    ['counts', 'message'],
  );
  const deleted = useDeleted(list);
  const summary = useLoad('queue summary', (signal) => call('queue.summary', {}, signal));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const again = (): void => {
    list.again();
    summary.again();
  };
  useLive(['counts'], summary.again);
  const done = (): void => {
    setChosen(new Set());
    again();
  };
  return (
    <>
      <PageHead title={t(PAGES.queue)} intro={t(QUEUE.intro)} chapter="queue">
        {may('queue.operate') && (list.rows?.length ?? 0) > 0 ? <RetryAll done={done} /> : null}
      </PageHead>
      {summary.error === undefined ? null : <Trouble error={summary.error} again={summary.again} />}
      {summary.value === undefined || summary.value.total === 0 ? null : (
        <Destinations summary={summary.value} done={done} />
      )}
      <search class="filters">
        <FilterSelect
          name="state"
          label={t(FIELD.state)}
          options={STATES.map((one) => ({ value: one, label: word(SPOOL_STATE_NAMES, one) }))}
        />
        <FilterText name="domain" label={t(QUEUE.domain)} />
        <ClearFilters names={['state', 'domain']} />
      </search>
      {list.error === undefined ? null : <Trouble error={list.error} again={list.again} />}
      {list.rows === undefined ? (
        list.error === undefined ? (
          <Skeleton lines={10} />
        ) : null
      ) : deleted.rows?.length === 0 ? (
        <Empty title={t(key === '{}' ? QUEUE.empty : QUEUE.emptyFilter)}>
          {key === '{}' ? t(QUEUE.emptyText) : null}
        </Empty>
      ) : (
        <Rows rows={deleted.rows ?? []} chosen={chosen} choose={setChosen} done={done} />
      )}
      <ListFoot list={list} deleted={deleted} />
      <Bulk chosen={chosen} rows={list.rows ?? []} done={done} />
    </>
  );
}

function RetryAll({ done }: { done: () => void }) {
  const retry = async (): Promise<void> => {
    try {
      const { count } = await call('queue.retry', { body: { all: true } });
      toast(t(MESSAGE.retried, { n: count }));
      done();
    } catch (error) {
      toastProblem(error);
    }
  };
  return (
    <button type="button" onClick={() => void retry()}>
      {t(QUEUE.retryAll)}
    </button>
  );
}

function Destinations({ summary, done }: { summary: Summary; done: () => void }) {
  const [routing, setRouting] = useState<string | undefined>(undefined);
  const operate = may('queue.operate');
  return (
    <div class="cards">
      <Card title={t(QUEUE.byDestination)} class="wide">
        <DataTable
          caption={t(QUEUE.byDestination)}
          rows={summary.destinations}
          keyOf={(row) => row.domain}
          columns={[
            {
              key: 'domain',
              label: t(QUEUE.domain),
              head: true,
              render: (row) => (
                <a href={`/queue?domain=${encodeURIComponent(row.domain)}`}>
                  <MailText text={unicodeOf(row.domain)} />
                </a>
              ),
            },
            { key: 'state', label: t(FIELD.state), class: 'fit', render: (row) => <HopState state={row.state} /> },
            { key: 'messages', label: t(QUEUE.messages), class: 'num', render: (row) => formatNumber(row.messages) },
            {
              key: 'oldest',
              label: t(QUEUE.oldest),
              class: 'fit',
              render: (row) => <Time at={row.oldestAt} style="ago" />,
            },
            {
              key: 'next',
              label: t(FIELD.nextAttempt),
              class: 'fit',
              render: (row) => <Time at={row.nextAttemptAt} style="ago" />,
            },
            {
              key: 'reply',
              label: t(FIELD.lastReply),
              render: (row) => (
                <span class="mono small">
                  <MailText text={row.lastReply ?? ''} clip />
                </span>
              ),
            },
            {
              key: 'do',
              label: '',
              render: (row) =>
                operate ? <DomainButtons domain={row.domain} done={done} route={() => setRouting(row.domain)} /> : null,
            },
          ]}
        />
      </Card>
      <Counts
        title={t(QUEUE.byAge)}
        rows={summary.ages.map((one) => ({ name: ageName(one.belowMs), messages: one.messages }))}
      />
      <Counts
        title={t(QUEUE.byReason)}
        rows={summary.reasons.map((one) => ({ name: one.reason, messages: one.messages }))}
      />
      {routing === undefined ? null : <RouteDialog domain={routing} close={() => setRouting(undefined)} done={done} />}
    </div>
  );
}

function ageName(belowMs: number | undefined): string {
  return belowMs === undefined ? t(QUEUE.older) : t(QUEUE.younger, { span: formatSpan(belowMs) });
}

function Counts({ title, rows }: { title: string; rows: ReadonlyArray<{ name: string; messages: number }> }) {
  return (
    <Card title={title}>
      <table>
        <caption class="sr">{title}</caption>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <th scope="row" style={{ fontWeight: 400 }}>
                <Reason reason={row.name} />
              </th>
              <td class="num">{formatNumber(row.messages)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function DomainButtons({ domain, done, route }: { domain: string; done: () => void; route: () => void }) {
  const run = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      done();
    } catch (error) {
      toastProblem(error);
    }
  };
  const hold = (id: 'queue.hold-domain' | 'queue.unhold-domain') => (): Promise<void> =>
    run(async () => {
      let count = 0;
      let busy = 0;
      for (let more = true; more; ) {
        const answer = await call(id, { body: { domain } });
        count += answer.count;
        busy = answer.busy;
        more = answer.more;
      }
      const words = id === 'queue.hold-domain' ? MESSAGE.held : MESSAGE.unheld;
      toast(`${t(words, { n: count })}${busy > 0 ? ` · ${t(QUEUE.busy, { n: busy })}` : ''}`);
    });
  const retry = (): Promise<void> =>
    run(async () => {
      const { count } = await call('queue.retry', { body: { domain } });
      toast(t(MESSAGE.retried, { n: count }));
    });
  const button = (label: string, work: () => void) => (
    <button type="button" class="tiny" onClick={work} aria-label={`${label}: ${domain}`}>
      {label}
    </button>
  );
  return (
    <span class="row">
      {button(t(QUEUE.retryDomain), () => void retry())}
      {button(t(QUEUE.holdDomain), () => void hold('queue.hold-domain')())}
      {button(t(QUEUE.unholdDomain), () => void hold('queue.unhold-domain')())}
      {button(t(QUEUE.route), route)}
    </span>
  );
}

function RouteDialog({ domain, close, done }: { domain: string; close: () => void; done: () => void }) {
  const [to, setTo] = useState('');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      const answer = await call('queue.route', { body: { domain, ...(to.trim() === '' ? {} : { to: to.trim() }) } });
      needOk(answer);
      toast(t(QUEUE.routed, { n: answer.count }));
      done();
      close();
    });
  return (
    <Modal title={t(QUEUE.routeTitle, { domain })} onClose={close}>
      <p>{t(QUEUE.routeText)}</p>
      <form onSubmit={submitted(save)}>
        <TextField label={t(QUEUE.routeTo)} value={to} change={setTo} spellcheck={false} />
        <FormFoot busy={action.busy} problem={action.error} />
        <button type="button" class="link" onClick={close}>
          {t(COMMON.cancel)}
        </button>
      </form>
    </Modal>
  );
}

interface RowsProperties {
  rows: readonly Entry[];
  chosen: ReadonlySet<string>;
  choose: (keys: ReadonlySet<string>) => void;
  done: () => void;
}

function Rows({ rows, chosen, choose, done }: RowsProperties) {
  const operate = may('queue.operate');
  return (
    <DataTable
      caption={t(PAGES.queue)}
      rows={rows}
      keyOf={(row) => row.id}
      open={(row) => void go(`/queue/${row.id}`)}
      selection={operate ? { keys: chosen, change: choose } : undefined}
      onKey={(pressed, row) => {
        if (!operate) return false;
        if (pressed === 't') void retryMessages([row.id], done);
        else if (pressed === 'h') void holdMessages([row.id], done);
        else if (pressed === 'd') void deleteMessages([row.id], { from: 'queue', done });
        else return false;
        return true;
      }}
      columns={[
        {
          key: 'to',
          label: t(FIELD.to),
          head: true,
          render: (row) => (
            <a href={`/queue/${row.id}`}>
              <Address address={row.recipients[0]?.address ?? ''} />
              {row.recipients.length > 1 ? (
                <span class="soft small nowrap"> {t(FIELD.moreRecipients, { n: row.recipients.length - 1 })}</span>
              ) : null}
            </a>
          ),
        },
        { key: 'from', label: t(FIELD.reversePath), render: (row) => <Address address={row.reversePath} /> },
        { key: 'state', label: t(FIELD.state), class: 'fit', render: (row) => <SpoolState state={row.state} /> },
        {
          key: 'reply',
          label: t(FIELD.lastReply),
          render: (row) => (
            <span class="mono small">
              <MailText text={row.recipients.find((one) => one.lastReply !== undefined)?.lastReply ?? ''} clip />
            </span>
          ),
        },
        { key: 'age', label: t(FIELD.age), class: 'fit', render: (row) => <Time at={row.arrivedAt} style="ago" /> },
        {
          key: 'next',
          label: t(FIELD.nextAttempt),
          class: 'fit',
          render: (row) => <Time at={row.nextAttemptAt} style="ago" />,
        },
        { key: 'size', label: t(FIELD.size), class: 'num', render: (row) => formatSize(row.size) },
      ]}
    />
  );
}

function Bulk({ chosen, rows, done }: { chosen: ReadonlySet<string>; rows: readonly Entry[]; done: () => void }) {
  if (chosen.size === 0) return null;
  const ids = [...chosen];
  const held = rows.some((row) => chosen.has(row.id) && row.state === 'held');
  return (
    <div class="bulk" role="region" aria-label={t(COMMON.selected, { n: ids.length })}>
      {t(COMMON.selected, { n: ids.length })}
      <button type="button" class="main" onClick={() => void retryMessages(ids, done)}>
        {t(MESSAGE.retry)}
      </button>
      <button type="button" onClick={() => void holdMessages(ids, done)}>
        {t(MESSAGE.hold)}
      </button>
      {held ? (
        <button type="button" onClick={() => void unholdMessages(ids, { needsForce: false, done })}>
          {t(MESSAGE.unhold)}
        </button>
      ) : null}
      <button type="button" class="danger" onClick={() => void deleteMessages(ids, { from: 'queue', done })}>
        {t(MESSAGE.delete)}
      </button>
    </div>
  );
}
