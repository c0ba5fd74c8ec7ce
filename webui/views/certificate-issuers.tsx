/** Who vouches for the box: its own authority, with how its certificate gets onto the computers of the office; and ACME. */
import { useState } from 'preact/hooks';
import { type Answer, call, hrefOf } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { Check, errorAt, TextField } from '../components/form.tsx';
import { MailText } from '../components/mail-text.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { CERTIFICATE } from '../i18n/words-certificates.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { ActionForm, Fingerprint, listOf, NamesField, sureTo, USES } from './certificate-pieces.tsx';

type Acme = NonNullable<Answer<'acme.show'>['acme']>;
const DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory';

export function AuthorityCard({ made }: { made: number }) {
  const shown = useLoad(`authority-${made}`, (signal) => call('authority.show', {}, signal));
  const authority = shown.value?.authority;
  return (
    <Card title={t(CERTIFICATE.authority)}>
      {shown.error === undefined ? null : <Trouble error={shown.error} again={shown.again} />}
      {shown.value === undefined ? <Skeleton /> : null}
      {shown.value !== undefined && authority === undefined ? <p class="soft">{t(CERTIFICATE.authorityNone)}</p> : null}
      {authority === undefined ? null : (
        <>
          <dl class="facts">
            <dt>{t(SYSTEM.validTo)}</dt>
            <dd>
              <Time at={authority.validTo} style="day" />
            </dd>
            <Fingerprint text={authority.fingerprint} />
          </dl>
          <p>
            <a class="button main" href={hrefOf('authority.file', {})} download="sekisho-ca.crt">
              {t(CERTIFICATE.authoritySave)}
            </a>
          </p>
          <details>
            <summary>{t(CERTIFICATE.authorityHow)}</summary>
            <p>{t(CERTIFICATE.authorityCare)}</p>
            <ul>
              <li>{t(CERTIFICATE.authorityWindows)}</li>
              <li>{t(CERTIFICATE.authorityMac)}</li>
              <li>{t(CERTIFICATE.authorityPhone)}</li>
              <li>{t(CERTIFICATE.authorityFirefox)}</li>
            </ul>
          </details>
        </>
      )}
    </Card>
  );
}

export function AcmeCard({ done }: { done: () => void }) {
  const shown = useLoad('acme', (signal) => call('acme.show', {}, signal));
  return (
    <Card title={t(CERTIFICATE.acme)}>
      <p class="soft">{t(CERTIFICATE.acmeText)}</p>
      {shown.error === undefined ? null : <Trouble error={shown.error} again={shown.again} />}
      {shown.value === undefined ? <Skeleton /> : null}
      {shown.value?.acme === undefined ? null : (
        <Running
          acme={shown.value.acme}
          done={() => {
            shown.again();
            done();
          }}
        />
      )}
      {shown.value === undefined || shown.value.acme !== undefined || !may('system.change') ? null : (
        <details>
          <summary>{t(CERTIFICATE.acmeSave)}</summary>
          <AcmeForm done={shown.again} />
        </details>
      )}
    </Card>
  );
}

function Running({ acme, done }: { acme: Acme; done: () => void }) {
  const action = useAction();
  const run = (): void =>
    void action.run(async () => {
      await call('acme.run', {});
      toast(t(CERTIFICATE.acmeRan));
      done();
    });
  const end = (): void =>
    void action.run(async () => {
      if (!(await sureTo(t(CERTIFICATE.acmeEnd), t(CERTIFICATE.acmeEndText)))) return;
      await call('acme.delete', {});
      done();
    });
  return (
    <>
      <dl class="facts">
        <dt>{t(CERTIFICATE.acmeDirectory)}</dt>
        <dd class="mono small">{acme.directory}</dd>
        <dt>{t(CERTIFICATE.acmeNames)}</dt>
        <dd>
          <MailText text={acme.names.join(', ')} />
        </dd>
        <dt>{t(CERTIFICATE.acmeUses)}</dt>
        <dd>{acme.uses.map((use) => t(USES[use])).join(' · ')}</dd>
        <dt>{t(CERTIFICATE.acmeTermsAt)}</dt>
        <dd>
          {acme.agreedBy} · <Time at={acme.agreedAt} style="day" />
        </dd>
        {acme.last === undefined ? null : (
          <>
            <dt>{t(CERTIFICATE.acmeLast)}</dt>
            <dd>
              <State tone={acme.last.ok ? 'ok' : 'bad'}>
                {t(acme.last.ok ? CERTIFICATE.acmeOk : CERTIFICATE.acmeFailed)}
              </State>{' '}
              <Time at={acme.last.at} /> {acme.last.detail === undefined ? null : <MailText text={acme.last.detail} />}
            </dd>
          </>
        )}
      </dl>
      {action.busy ? <Notice tone="idle">{t(CERTIFICATE.acmeRunning)}</Notice> : null}
      {action.error === undefined ? null : <Trouble error={action.error} />}
      {may('system.change') ? (
        <p class="row">
          <button type="button" class="main" disabled={action.busy} onClick={run}>
            {t(CERTIFICATE.acmeRun)}
          </button>
          <button type="button" class="danger" disabled={action.busy} onClick={end}>
            {t(CERTIFICATE.acmeEnd)}
          </button>
        </p>
      ) : null}
    </>
  );
}

function AcmeForm({ done }: { done: () => void }) {
  const [directory, setDirectory] = useState(DIRECTORY);
  const [email, setEmail] = useState('');
  const [names, setNames] = useState('');
  const [uses, setUses] = useState<ReadonlyArray<Acme['uses'][number]>>(['mail']);
  const [terms, setTerms] = useState<string | undefined>(undefined);
  const [agree, setAgree] = useState(false);
  const action = useAction();
  const look = (): void =>
    void action.run(async () => {
      const { terms: at = '' } = await call('acme.terms', { body: { directory } });
      setTerms(at);
    });
  const work = async (): Promise<void> => {
    if (!agree) return;
    const about = email.trim() === '' ? {} : { email: email.trim() };
    await call('acme.update', { body: { directory, names: listOf(names), uses: [...uses], agree, ...about } });
    toast(t(CERTIFICATE.acmeSaved));
    done();
  };
  const ready = agree && names.trim() !== '' && uses.length > 0;
  return (
    <ActionForm action={action} label={t(CERTIFICATE.acmeSave)} ready={ready} work={work}>
      <TextField
        label={t(CERTIFICATE.acmeDirectory)}
        type="url"
        spellcheck={false}
        value={directory}
        change={setDirectory}
        error={errorAt(action.error, 'body.directory')}
      />
      <NamesField label={t(CERTIFICATE.acmeNames)} value={names} change={setNames} problem={action.error} />
      <TextField
        label={t(CERTIFICATE.acmeEmail)}
        type="email"
        value={email}
        change={setEmail}
        error={errorAt(action.error, 'body.email')}
      />
      <fieldset>
        <legend>{t(CERTIFICATE.acmeUses)}</legend>
        {(['mail', 'page', 'portal'] as const).map((use) => (
          <Check
            key={use}
            label={t(USES[use])}
            checked={uses.includes(use)}
            change={(on) => setUses(on ? [...uses, use] : uses.filter((one) => one !== use))}
          />
        ))}
      </fieldset>
      <p class="row">
        <button type="button" disabled={action.busy} onClick={look}>
          {t(CERTIFICATE.acmeTerms)}
        </button>
        {terms === undefined ? null : terms === '' ? (
          <span class="soft">{t(CERTIFICATE.acmeNoTerms)}</span>
        ) : (
          <a href={terms} target="_blank" rel="noopener noreferrer">
            {t(CERTIFICATE.acmeTermsAt)}
          </a>
        )}
      </p>
      <Check label={t(CERTIFICATE.acmeAgree)} checked={agree} change={setAgree} disabled={terms === undefined} />
    </ActionForm>
  );
}
