/** What is known against the parts this system carries, and until when it is supported. */
import { type Answer, call } from '../api/client.ts';
import { useLoad } from '../api/use.ts';
import { Card, Notice, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { DataTable } from '../components/table.tsx';
import { t } from '../i18n/language.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { ADVISORY } from '../i18n/words-update.ts';

type Known = Answer<'advisories.show'>;

export function AdvisoriesCard() {
  const known = useLoad('advisories', (signal) => call('advisories.show', {}, signal));
  const host = useLoad('system', (signal) => call('system.status', {}, signal));
  if (known.error !== undefined) return <Trouble error={known.error} again={known.again} />;
  if (known.value === undefined) return <Skeleton lines={3} />;
  const until = host.value?.supportedUntil;
  return (
    <Card title={t(ADVISORY.title)} side={<Verdict known={known.value} />}>
      <Told known={known.value} />
      {until === undefined ? null : (
        <p>
          {t(SYSTEM.supportedUntil)}: <strong>{until}</strong>{' '}
          <span class="soft small">{t(SYSTEM.securityContact)}</span>
        </p>
      )}
    </Card>
  );
}

/** Without a list nothing is known: that is not the same as well. */
function Verdict({ known }: { known: Known }) {
  const { serious, publishedAt } = known;
  if (publishedAt === undefined) return null;
  if (serious.length > 0) return <State tone="bad">{t(ADVISORY.serious, { n: serious.length })}</State>;
  return <State tone={known.state === 'current' ? 'ok' : 'warn'}>{t(ADVISORY.none)}</State>;
}

function Told({ known }: { known: Known }) {
  const { state, serious, publishedAt } = known;
  if (state === 'off') return <Notice tone="idle">{t(ADVISORY.off)}</Notice>;
  return (
    <>
      {state === 'never' ? <Notice tone="idle">{t(ADVISORY.never)}</Notice> : null}
      {state === 'uncovered' ? <Notice tone="warn">{t(ADVISORY.uncovered)}</Notice> : null}
      {state === 'failed' ? (
        <Notice tone="warn" title={t(ADVISORY.failed)}>
          {known.detail}
        </Notice>
      ) : null}
      {serious.length === 0 ? null : <Weaknesses rows={serious} />}
      {publishedAt === undefined ? null : (
        <p class="soft small">
          {t(ADVISORY.parts, { parts: known.parts, kinds: known.looked.join(', '), n: known.others })}{' '}
          {t(ADVISORY.published)}: <Time at={publishedAt} />
        </p>
      )}
      {known.checkedAt === undefined ? null : (
        <p class="soft small">
          {t(ADVISORY.checked)}: <Time at={known.checkedAt} style="ago" />
        </p>
      )}
    </>
  );
}

function Weaknesses({ rows }: { rows: Known['serious'] }) {
  return (
    <DataTable
      caption={t(ADVISORY.title)}
      rows={rows}
      keyOf={(row) => `${row.id} ${row.part} ${row.carried}`}
      columns={[
        { key: 'id', label: 'ID', head: true, render: (row) => row.id },
        { key: 'part', label: t(ADVISORY.part), render: (row) => row.part },
        { key: 'carried', label: t(ADVISORY.carried), render: (row) => row.carried },
        { key: 'fixed', label: t(ADVISORY.fixed), render: (row) => row.fixed ?? '–' },
        { key: 'text', label: t(ADVISORY.about), render: (row) => row.text },
      ]}
    />
  );
}
