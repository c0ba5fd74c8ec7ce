/** Search over all that came through, one row a message, with new mail appearing while one looks; and a message's own page. */
import { useEffect, useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { listen } from '../api/live.ts';
import { useList } from '../api/use-list.ts';
import { go, query } from '../app/router.ts';
import type { ViewProperties } from '../app/views.ts';
import { Empty, PageHead, Skeleton, Time, Trouble } from '../components/basics.tsx';
import { ClearFilters, Filters, FilterSelect, FilterText } from '../components/filter.tsx';
import { Check } from '../components/form.tsx';
import { ListFoot } from '../components/list-foot.tsx';
import { MailState } from '../components/mail-state.tsx';
import { Address, MailText, Subject } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { t, word } from '../i18n/language.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { DIRECTION_NAMES, FIELD, HISTORY_STATE_NAMES, REASON_NAMES } from '../i18n/words-mail.ts';
import { MESSAGE, MESSAGES } from '../i18n/words-messages.ts';
import { zonedDay } from '../i18n/zoned.ts';
import { MessageDetail } from './message-detail.tsx';

type Entry = Answer<'messages.search'>['entries'][number];
const FILTERS = ['text', 'sender', 'recipient', 'from', 'to', 'state', 'direction', 'client', 'messageId'] as const;
const DIRECTIONS = ['inbound', 'outbound'] as const;
const STATES = Object.keys(HISTORY_STATE_NAMES) as Array<keyof typeof HISTORY_STATE_NAMES>;

export function Messages({ rest }: ViewProperties) {
  return rest === '' ? <Search /> : <OneMessage id={rest} />;
}

function OneMessage({ id }: { id: string }) {
  return (
    <>
      <PageHead title={t(MESSAGE.title)} chapter="messages">
        <a class="button tiny" href="/messages">
          {t(MESSAGE.back)}
        </a>
      </PageHead>
      <MessageDetail id={id} />
    </>
  );
}

function Search() {
  const filter = filterOf(query.value);
  const key = JSON.stringify(filter);
  const list = useList<Entry>(key, (span, signal) =>
    call('messages.search', { query: { ...filter, ...span } }, signal),
  );
  const [follow, setFollow] = useState(true);
  useFollow(follow, list.again);
  const filtered = key !== '{}';
  return (
    <>
      <PageHead title={t(PAGES.messages)} intro={t(MESSAGES.intro)} chapter="messages" />
      <Filters names={FILTERS.slice(1)}>
        <FilterText name="text" label={t(MESSAGES.text)} grow />
        <FilterText name="sender" label={t(MESSAGES.sender)} />
        <FilterText name="recipient" label={t(MESSAGES.recipient)} />
        <FilterSelect
          name="state"
          label={t(MESSAGES.state)}
          options={STATES.map((state) => ({ value: state, label: word(HISTORY_STATE_NAMES, state) }))}
        />
        <FilterSelect
          name="direction"
          label={t(MESSAGES.direction)}
          options={DIRECTIONS.map((one) => ({ value: one, label: word(DIRECTION_NAMES, one) }))}
        />
        <FilterText name="from" label={t(MESSAGES.from)} type="date" />
        <FilterText name="to" label={t(MESSAGES.to)} type="date" />
        <ClearFilters names={FILTERS} />
      </Filters>
      <Check label={t(MESSAGES.live)} checked={follow} change={setFollow} />
      {list.error === undefined ? null : <Trouble error={list.error} again={list.again} />}
      {list.rows === undefined ? (
        list.error === undefined ? (
          <Skeleton lines={14} />
        ) : null
      ) : list.rows.length === 0 ? (
        <NoRows filtered={filtered} />
      ) : (
        <Rows rows={list.rows} />
      )}
      <ListFoot list={list} />
    </>
  );
}

function NoRows({ filtered }: { filtered: boolean }) {
  return filtered ? (
    <Empty title={t(MESSAGES.none)}>{t(MESSAGES.noneText)}</Empty>
  ) : (
    <Empty title={t(MESSAGES.empty)}>
      <p>{t(MESSAGES.emptyText)}</p>
      <a class="button" href="/domains">
        {t(MESSAGES.checkDns)}
      </a>
    </Empty>
  );
}

function Rows({ rows }: { rows: readonly Entry[] }) {
  return (
    <DataTable
      caption={t(PAGES.messages)}
      rows={rows}
      keyOf={(row) => row.id ?? `${row.arrivedAt} ${row.client} ${row.reason}`}
      nameOf={(row) => row.subject}
      open={(row) => {
        if (row.id !== undefined) void go(`/messages/${row.id}`);
      }}
      columns={[
        {
          key: 'subject',
          label: t(FIELD.subject),
          head: true,
          render: (row) =>
            row.id === undefined ? (
              <span class="soft">{t(MESSAGES.refusedSession)}</span>
            ) : (
              <a href={`/messages/${row.id}`}>
                <Subject text={row.subject} />
              </a>
            ),
        },
        {
          key: 'from',
          label: t(FIELD.from),
          render: (row) =>
            row.from === '' ? <Address address={row.reversePath} /> : <MailText text={row.from} clip />,
        },
        { key: 'to', label: t(FIELD.to), class: 'address', render: (row) => <To row={row} /> },
        {
          key: 'state',
          label: t(FIELD.state),
          class: 'fit',
          render: (row) => (
            <>
              <MailState state={row.state} />
              {row.reason === '' || row.reason === 'clean' ? null : (
                <div class="soft small reason">
                  <MailText text={word(REASON_NAMES, row.reason)} clip />
                </div>
              )}
            </>
          ),
        },
        { key: 'time', label: t(FIELD.time), class: 'fit', render: (row) => <Time at={row.arrivedAt} /> },
      ]}
    />
  );
}

function To({ row }: { row: Entry }) {
  const [first] = row.recipients;
  return (
    <>
      {first === undefined ? '–' : <Address address={first} />}
      {row.recipientCount > 1 ? (
        <span class="soft small nowrap"> {t(FIELD.moreRecipients, { n: row.recipientCount - 1 })}</span>
      ) : null}
    </>
  );
}

function filterOf(parts: Readonly<Record<string, string>>) {
  const state = STATES.find((one) => one === parts['state']);
  const direction = DIRECTIONS.find((one) => one === parts['direction']);
  const given = (name: string): string | undefined => (parts[name] === '' ? undefined : parts[name]);
  const pairs = {
    text: given('text'),
    sender: given('sender'),
    recipient: given('recipient'),
    client: given('client'),
    messageId: given('messageId'),
    from: parts['from'] === undefined ? undefined : zonedDay(parts['from'], 'start'),
    to: parts['to'] === undefined ? undefined : zonedDay(parts['to'], 'end'),
  };
  return {
    ...(Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== undefined)) as Partial<
      Record<keyof typeof pairs, string>
    >),
    ...(state === undefined ? {} : { state }),
    ...(direction === undefined ? {} : { direction }),
  };
}

const SETTLE_MS = 1_000;

/** New mail, at most once a second; not while the reader has scrolled down, or the rows would run away. */
function useFollow(follow: boolean, again: () => void): void {
  useEffect(() => {
    if (!follow) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = listen((event) => {
      if ((event.name !== 'message' && event.name !== 'back') || window.scrollY > 400) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        again();
      }, SETTLE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [follow, again]);
}
