/** Certificates of the pages and of mail: whose, until when, the fingerprint; installing another, back to our own. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Copy, Notice, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { AreaField, errorAt, FormFoot, submitted } from '../components/form.tsx';
import { MailText } from '../components/mail-text.tsx';
import { attempt, toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { SYSTEM } from '../i18n/words-system.ts';

type Certificate = Answer<'certificates.list'>['certificates'][number];
const SOURCES = {
  own: SYSTEM.sourceOwn,
  uploaded: SYSTEM.sourceUploaded,
  configured: SYSTEM.sourceConfigured,
} as const;
const SOON_DAYS = 21;

export function CertificatesTab() {
  const list = useLoad('certificates', (signal) => call('certificates.list', {}, signal));
  if (list.error !== undefined) return <Trouble error={list.error} again={list.again} />;
  if (list.value === undefined) return <Skeleton lines={8} />;
  return (
    <div class="cards">
      {list.value.certificates.map((one) => (
        <OneCertificate key={one.use} certificate={one} done={list.again} />
      ))}
    </div>
  );
}

function OneCertificate({ certificate, done }: { certificate: Certificate; done: () => void }) {
  const { use } = certificate;
  const tone = certificate.daysLeft < 0 ? 'bad' : certificate.daysLeft < SOON_DAYS ? 'warn' : 'ok';
  const back = (): void =>
    void attempt(async () => {
      await call('certificates.own', { params: { use } });
      done();
    });
  return (
    <Card
      title={t(use === 'page' ? SYSTEM.usePage : SYSTEM.useMail)}
      side={<State tone={tone}>{t(SYSTEM.daysLeft, { n: certificate.daysLeft })}</State>}
    >
      {certificate.problem === undefined ? null : <Notice tone="warn">{t(certificate.problem)}</Notice>}
      <dl class="facts">
        <dt>{t(SYSTEM.names)}</dt>
        <dd>
          <MailText text={certificate.names.join(', ')} />
        </dd>
        <dt>{t(SYSTEM.issuer)}</dt>
        <dd>
          <MailText text={certificate.issuer} /> <span class="soft">({t(SOURCES[certificate.source])})</span>
        </dd>
        <dt>{t(SYSTEM.validTo)}</dt>
        <dd>
          <Time at={certificate.validTo} style="day" />
        </dd>
        <dt>{t(SYSTEM.fingerprint)}</dt>
        <dd class="mono small">
          {certificate.fingerprint} <Copy text={certificate.fingerprint} />
        </dd>
      </dl>
      {may('system.change') ? (
        <details>
          <summary>{t(SYSTEM.upload)}</summary>
          <Upload use={use} done={done} />
          {certificate.source === 'uploaded' ? (
            <button type="button" class="danger" onClick={back}>
              {t(SYSTEM.backToOwn)}
            </button>
          ) : null}
        </details>
      ) : null}
    </Card>
  );
}

export function Upload({ use, done }: { use: 'page' | 'mail'; done: () => void }) {
  const [certificate, setCertificate] = useState('');
  const [key, setKey] = useState('');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      await call('certificates.upload', { params: { use }, body: { certificate, key } });
      toast(t(SYSTEM.uploaded));
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <AreaField
        label={t(SYSTEM.uploadCertificate)}
        placeholder="-----BEGIN CERTIFICATE-----"
        value={certificate}
        change={setCertificate}
        error={errorAt(action.error, 'body.certificate')}
      />
      <AreaField
        label={t(SYSTEM.uploadKey)}
        placeholder="-----BEGIN PRIVATE KEY-----"
        value={key}
        change={setKey}
        error={errorAt(action.error, 'body.key')}
      />
      <FormFoot
        busy={action.busy}
        dirty={certificate !== '' && key !== ''}
        label={t(SYSTEM.upload)}
        problem={action.error}
      />
    </form>
  );
}
