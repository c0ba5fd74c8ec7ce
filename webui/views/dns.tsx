/** The records to publish for a domain, each with what the world sees now, what it is for, and a button to copy it. */
import { type Answer, call } from '../api/client.ts';
import { useLoad } from '../api/use.ts';
import { Card, Copy, Notice, Skeleton, State, type Tone, Trouble } from '../components/basics.tsx';
import { MailText } from '../components/mail-text.tsx';
import { formatAgo } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { DOMAINS } from '../i18n/words-domains.ts';

type Record_ = Answer<'domains.dns'>['records'][number];
const TONES: Record<Record_['state'], Tone> = { ok: 'ok', missing: 'bad', differs: 'warn', unknown: 'idle' };
const NEEDS = {
  required: DOMAINS.needRequired,
  recommended: DOMAINS.needRecommended,
  optional: DOMAINS.needOptional,
} as const;

export function DnsRecords({ name }: { name: string }) {
  const dns = useLoad(`dns ${name}`, (signal) => call('domains.dns', { params: { name } }, signal));
  return (
    <>
      <p>{t(DOMAINS.dnsIntro)}</p>
      <p class="row">
        <button type="button" onClick={dns.again} disabled={dns.loading} aria-busy={dns.loading}>
          {t(DOMAINS.recheck)}
        </button>
        {dns.value === undefined ? null : (
          <span class="soft small">{t(DOMAINS.checkedAt, { when: formatAgo(dns.value.checkedAt) })}</span>
        )}
      </p>
      {dns.error === undefined ? null : <Trouble error={dns.error} again={dns.again} />}
      {dns.value === undefined && dns.error === undefined ? <Skeleton lines={10} /> : null}
      {dns.value?.records.map((record) => (
        <OneRecord key={`${record.purpose} ${record.name} ${record.wanted}`} record={record} />
      ))}
    </>
  );
}

function OneRecord({ record }: { record: Record_ }) {
  // a word for the eye that reads "nothing there" of an optional record as an alarm
  const tone = record.state === 'missing' && record.need === 'optional' ? 'idle' : TONES[record.state];
  return (
    <Card
      title={`${record.purpose.toUpperCase()} (${t(NEEDS[record.need])})`}
      side={<State tone={tone}>{t(DOMAINS[record.state])}</State>}
    >
      <p class="soft">{t(record.text)}</p>
      <dl class="facts">
        <dt>{t(DOMAINS.recordName)}</dt>
        <dd>
          <span class="mono">{record.name}</span> <Copy text={record.name} label={record.name} />
        </dd>
        <dt>{t(DOMAINS.recordType)}</dt>
        <dd class="mono">{record.type}</dd>
        <dt>{t(DOMAINS.wanted)}</dt>
        <dd>
          {record.wanted === '' ? (
            t(DOMAINS.providerOnly)
          ) : (
            <>
              <span class="mono">{record.wanted}</span> <Copy text={record.wanted} label={record.wanted.slice(0, 40)} />
            </>
          )}
        </dd>
        {record.state === 'ok' ? null : (
          <>
            <dt>{t(DOMAINS.found)}</dt>
            <dd class="mono">
              {record.found.length === 0 ? (
                <span class="soft">{t(DOMAINS.nothingFound)}</span>
              ) : (
                <MailText text={record.found.join(' / ')} />
              )}
            </dd>
          </>
        )}
      </dl>
      {record.remedy === undefined || record.state === 'ok' ? null : <Notice tone={tone}>{t(record.remedy)}</Notice>}
    </Card>
  );
}
