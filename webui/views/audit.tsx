/** Who changed what and who read whose mail: filters, each entry with its details, the check of the chain, exports. */
import { useState } from 'preact/hooks';
import { type Answer, call, hrefOf } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { useList } from '../api/use-list.ts';
import { query } from '../app/router.ts';
import { Empty, Notice, PageHead, Skeleton, State, Time, type Tone, Trouble } from '../components/basics.tsx';
import { Modal } from '../components/dialog.tsx';
import { ClearFilters, FilterText } from '../components/filter.tsx';
import { ListFoot } from '../components/list-foot.tsx';
import { MailText, writtenOut } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { AUDIT } from '../i18n/words-records.ts';

type Entry = Answer<'audit.list'>['entries'][number];
type Check = Answer<'audit.verify'>;
const FILTERS = ['actor', 'action', 'target'] as const;
const TONES: Record<Entry['outcome'], Tone> = { ok: 'ok', refused: 'warn', failed: 'bad' };

export function Audit() {
  const filter = Object.fromEntries(
    FILTERS.flatMap((name) => (query.value[name] === undefined ? [] : [[name, query.value[name]]])),
  );
  const list = useList<Entry>(`audit ${JSON.stringify(filter)}`, (span, signal) =>
    call('audit.list', { query: { ...filter, ...span } }, signal),
  );
  const [check, setCheck] = useState<Check | undefined>(undefined);
  const [shown, setShown] = useState<Entry | undefined>(undefined);
  const action = useAction();
  const verify = (): void => void action.run(async () => setCheck(await call('audit.verify', {})));
  return (
    <>
      <PageHead title={t(PAGES.audit)} intro={t(AUDIT.intro)} chapter="audit">
        <button type="button" onClick={verify} disabled={action.busy} aria-busy={action.busy}>
          {t(AUDIT.verify)}
        </button>
        <a class="button" href={hrefOf('audit.export', { query: { ...filter, format: 'csv' } })} download="audit.csv">
          {t(AUDIT.exportCsv)}
        </a>
        <a
          class="button"
          href={hrefOf('audit.export', { query: { ...filter, format: 'jsonl' } })}
          download="audit.jsonl"
        >
          {t(AUDIT.exportJson)}
        </a>
      </PageHead>
      {action.error === undefined ? null : <Trouble error={action.error} again={verify} />}
      {check === undefined ? null : <Verdict check={check} />}
      <search class="filters">
        <FilterText name="actor" label={t(AUDIT.actor)} />
        <FilterText name="action" label={t(AUDIT.action)} />
        <FilterText name="target" label={t(AUDIT.target)} grow />
        <ClearFilters names={FILTERS} />
      </search>
      {list.error === undefined ? null : <Trouble error={list.error} again={list.again} />}
      {list.rows === undefined ? (
        list.error === undefined ? (
          <Skeleton lines={12} />
        ) : null
      ) : list.rows.length === 0 ? (
        <Empty title={t(AUDIT.empty)}>{t(AUDIT.emptyText)}</Empty>
      ) : (
        <DataTable
          caption={t(PAGES.audit)}
          rows={list.rows}
          keyOf={(row) => String(row.n)}
          open={setShown}
          columns={[
            { key: 'at', label: t(AUDIT.at), class: 'fit', render: (row) => <Time at={row.at} style="full" /> },
            { key: 'actor', label: t(AUDIT.actor), head: true, render: (row) => <MailText text={row.actor} /> },
            { key: 'action', label: t(AUDIT.action), render: (row) => <span class="mono">{row.action}</span> },
            {
              key: 'target',
              label: t(AUDIT.target),
              render: (row) => (
                <span class="mono small">
                  <MailText text={row.target} />
                </span>
              ),
            },
            {
              key: 'outcome',
              label: t(AUDIT.outcome),
              class: 'fit',
              render: (row) => <State tone={TONES[row.outcome]}>{t(AUDIT[row.outcome])}</State>,
            },
            { key: 'address', label: t(AUDIT.address), render: (row) => <span class="mono small">{row.address}</span> },
          ]}
        />
      )}
      <ListFoot list={list} />
      {shown === undefined ? null : <Details entry={shown} close={() => setShown(undefined)} />}
    </>
  );
}

function Verdict({ check }: { check: Check }) {
  return check.ok ? (
    <Notice tone="ok" title={t(AUDIT.intact, { n: check.entries })}>
      <span class="mono small">{check.head}</span>
    </Notice>
  ) : (
    <Notice tone="bad" title={t(AUDIT.broken, { n: check.firstBad ?? 0 })}>
      {t(AUDIT.brokenText)}
    </Notice>
  );
}

function Details({ entry, close }: { entry: Entry; close: () => void }) {
  return (
    <Modal title={`${entry.n} · ${entry.action}`} onClose={close} wide>
      <dl class="facts">
        <dt>{t(AUDIT.at)}</dt>
        <dd>
          <Time at={entry.at} style="full" />
        </dd>
        <dt>{t(AUDIT.actor)}</dt>
        <dd>
          <MailText text={entry.actor} /> <span class="soft mono">{entry.address}</span>
        </dd>
        <dt>{t(AUDIT.target)}</dt>
        <dd>
          <MailText text={entry.target} />
        </dd>
        <dt>SHA-256</dt>
        <dd class="mono small">{entry.hash}</dd>
      </dl>
      <pre tabIndex={0}>
        {JSON.stringify(entry.detail, null, 2)
          .split('\n')
          .map((line) => writtenOut(line).text)
          .join('\n')}
      </pre>
      <div class="row">
        <button type="button" class="main" onClick={close}>
          {t(COMMON.close)}
        </button>
      </div>
    </Modal>
  );
}
