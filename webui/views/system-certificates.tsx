/** Certificates of pages, mail and portal: whose, until when, the fingerprint, the ways to another; and who vouches for them. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { MailText } from '../components/mail-text.tsx';
import { t } from '../i18n/language.ts';
import { CERTIFICATE } from '../i18n/words-certificates.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { AcmeCard, AuthorityCard } from './certificate-issuers.tsx';
import { Fingerprint, USES } from './certificate-pieces.tsx';
import { CertificateWays } from './certificate-ways.tsx';

type Certificate = Answer<'certificates.list'>['certificates'][number];
const SOURCES = {
  own: SYSTEM.sourceOwn,
  uploaded: SYSTEM.sourceUploaded,
  configured: SYSTEM.sourceConfigured,
  authority: CERTIFICATE.sourceAuthority,
  acme: CERTIFICATE.sourceAcme,
} as const;
const SOON_DAYS = 21;

export function CertificatesTab() {
  const list = useLoad('certificates', (signal) => call('certificates.list', {}, signal));
  const [made, setMade] = useState(0);
  const changed = (): void => {
    setMade(made + 1);
    list.again();
  };
  if (list.error !== undefined) return <Trouble error={list.error} again={list.again} />;
  if (list.value === undefined) return <Skeleton lines={8} />;
  return (
    <div class="cards roomy">
      {list.value.certificates.map((one) => (
        <OneCertificate key={one.use} certificate={one} done={changed} />
      ))}
      <AuthorityCard made={made} />
      <AcmeCard done={changed} />
    </div>
  );
}

function OneCertificate({ certificate, done }: { certificate: Certificate; done: () => void }) {
  const { use } = certificate;
  const tone = certificate.daysLeft < 0 ? 'bad' : certificate.daysLeft < SOON_DAYS ? 'warn' : 'ok';
  return (
    <Card title={t(USES[use])} side={<State tone={tone}>{t(SYSTEM.daysLeft, { n: certificate.daysLeft })}</State>}>
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
        {certificate.renewsAt === undefined ? null : (
          <>
            <dt>{t(CERTIFICATE.renewsAt)}</dt>
            <dd>
              <Time at={certificate.renewsAt} style="day" />
            </dd>
          </>
        )}
        <Fingerprint text={certificate.fingerprint} />
      </dl>
      {may('system.change') && certificate.source !== 'configured' ? (
        <details>
          <summary>{t(CERTIFICATE.ways)}</summary>
          <CertificateWays use={use} done={done} own={certificate.source !== 'own'} />
        </details>
      ) : null}
    </Card>
  );
}
