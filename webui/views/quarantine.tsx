/**
 * Triage: the list on one side, why and what it says on the other. Everything by keyboard: j/k, Enter, r release, d delete,
 * x select, u undo. Several at once from the bar below.
 */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useList } from '../api/use-list.ts';
import { go, hrefWith, query } from '../app/router.ts';
import { may } from '../app/session.ts';
import type { ViewProperties } from '../app/views.ts';
import { Empty, PageHead, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { ClearFilters, Filters, FilterText } from '../components/filter.tsx';
import { Icon } from '../components/icon.tsx';
import { ListFoot, useDeleted } from '../components/list-foot.tsx';
import { Reason } from '../components/mail-state.tsx';
import { Address, MailText, Subject } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { FIELD } from '../i18n/words-mail.ts';
import { MESSAGE, MESSAGES, QUARANTINE } from '../i18n/words-messages.ts';
import { deleteMessages, releaseMessages } from './message-actions.ts';
import { MessageDetail } from './message-detail.tsx';

type Entry = Answer<'quarantine.list'>['entries'][number];
const FILTERS = ['text', 'sender', 'recipient'] as const;

export function Quarantine({ rest }: ViewProperties) {
  const filter = Object.fromEntries(
    FILTERS.flatMap((name) => (query.value[name] === undefined ? [] : [[name, query.value[name]]])),
  );
  const key = JSON.stringify(filter);
  const list = useList<Entry>(
    `quarantine ${key}`,
    (span, signal) => call('quarantine.list', { query: { ...filter, ...span } }, signal),
    ['counts', 'message'],
  );
  const deleted = useDeleted(list);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const done = (): void => {
    setChosen(new Set());
    list.again();
  };
  const open = (id: string): void =>
    void go(hrefWith(id === '' ? '/quarantine' : `/quarantine/${id}`, query.value), { keep: true });
  return (
    <>
      <PageHead
        title={t(PAGES.quarantine)}
        intro={t(QUARANTINE.intro)}
        keys={t(QUARANTINE.keys)}
        chapter="quarantine"
      />
      <Filters names={FILTERS.slice(1)}>
        <FilterText name="text" label={t(QUARANTINE.search)} grow />
        <FilterText name="sender" label={t(MESSAGES.sender)} />
        <FilterText name="recipient" label={t(MESSAGES.recipient)} />
        <ClearFilters names={FILTERS} />
      </Filters>
      {list.error === undefined ? null : <Trouble error={list.error} again={list.again} />}
      {list.rows === undefined && list.error === undefined ? <Skeleton lines={12} /> : null}
      <div class={`split ${rest === '' ? '' : 'open'}`}>
        <div>
          {deleted.rows?.length === 0 ? (
            key === '{}' ? (
              <Empty title={t(QUARANTINE.empty)}>{t(QUARANTINE.emptyText)}</Empty>
            ) : (
              <Empty title={t(MESSAGES.none)}>{t(MESSAGES.noneText)}</Empty>
            )
          ) : deleted.rows === undefined ? null : (
            <Rows rows={deleted.rows} opened={rest} open={open} chosen={chosen} choose={setChosen} done={done} />
          )}
          <ListFoot list={list} deleted={deleted} />
          <Bulk chosen={chosen} done={done} />
        </div>
        {rest === '' ? null : (
          <section class="pane" aria-label={t(MESSAGE.title)}>
            <div class="row spread">
              <a class="small" href={`/messages/${rest}`}>
                {t(MESSAGES.openFull)}
              </a>
              <button type="button" class="plain tiny" onClick={() => open('')}>
                <Icon name="close" />
                {t(COMMON.close)}
              </button>
            </div>
            <MessageDetail id={rest} changed={list.again} />
          </section>
        )}
      </div>
    </>
  );
}

interface RowsProperties {
  rows: readonly Entry[];
  opened: string;
  open: (id: string) => void;
  chosen: ReadonlySet<string>;
  choose: (keys: ReadonlySet<string>) => void;
  done: () => void;
}

function Rows({ rows, opened, open, chosen, choose, done }: RowsProperties) {
  const mayRelease = may('mail.release');
  return (
    <DataTable
      caption={t(PAGES.quarantine)}
      rows={rows}
      keyOf={(row) => row.id}
      nameOf={(row) => row.subject}
      open={(row) => open(row.id)}
      opened={opened}
      selection={mayRelease ? { keys: chosen, change: choose } : undefined}
      onKey={(pressed, row) => {
        if (!mayRelease) return false;
        if (pressed === 'r') void releaseMessages([row.id], { needsForce: false, done });
        else if (pressed === 'd') void deleteMessages([row.id], { from: 'quarantine', done });
        else return false;
        return true;
      }}
      columns={[
        {
          key: 'subject',
          label: t(FIELD.subject),
          head: true,
          render: (row) => (
            <a href={hrefWith(`/quarantine/${row.id}`, query.value)}>
              <Subject text={row.subject} />
              {row.deletedUntil === undefined ? null : (
                <div class="small">
                  <State tone="idle">{t(COMMON.deletedRow)}</State>
                </div>
              )}
              {row.askedBy === undefined ? null : (
                <div class="small">
                  <State tone="warn">{t(QUARANTINE.asked)}</State>
                </div>
              )}
            </a>
          ),
        },
        {
          key: 'from',
          label: t(FIELD.from),
          render: (row) =>
            row.from === '' ? <Address address={row.reversePath} /> : <MailText text={row.from} clip />,
        },
        {
          key: 'to',
          label: t(FIELD.to),
          class: 'address',
          render: (row) => (
            <>
              <Address address={row.recipients[0] ?? ''} />
              {row.recipients.length > 1 ? (
                <span class="soft small nowrap"> {t(FIELD.moreRecipients, { n: row.recipients.length - 1 })}</span>
              ) : null}
            </>
          ),
        },
        { key: 'reason', label: t(FIELD.reason), class: 'reason', render: (row) => <Reason reason={row.reason} /> },
        { key: 'time', label: t(FIELD.time), class: 'fit', render: (row) => <Time at={row.arrivedAt} /> },
        {
          key: 'expires',
          label: t(FIELD.expires),
          class: 'fit',
          render: (row) => <Time at={row.deletedUntil ?? row.expiresAt} style="ago" />,
        },
      ]}
    />
  );
}

function Bulk({ chosen, done }: { chosen: ReadonlySet<string>; done: () => void }) {
  if (chosen.size === 0) return null;
  return (
    <div class="bulk" role="region" aria-label={t(COMMON.selected, { n: chosen.size })}>
      {t(COMMON.selected, { n: chosen.size })}
      <button type="button" class="main" onClick={() => void releaseMessages([...chosen], { needsForce: false, done })}>
        {t(MESSAGE.release)}
      </button>
      <button
        type="button"
        class="danger"
        onClick={() => void deleteMessages([...chosen], { from: 'quarantine', done })}
      >
        {t(MESSAGE.delete)}
      </button>
    </div>
  );
}
