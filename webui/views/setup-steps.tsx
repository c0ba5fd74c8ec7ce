/** The wizard's steps behind the claim: the same forms as on the pages, in the order in which a new box needs them. */
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { loadSession, me } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Trouble } from '../components/basics.tsx';
import { errorAt, FormFoot, submitted, TextField } from '../components/form.tsx';
import { Steps } from '../components/steps.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { DOMAINS } from '../i18n/words-domains.ts';
import { SETUP, STEP_NAMES } from '../i18n/words-setup.ts';
import { SecondFactor } from './account.tsx';
import { DnsRecords } from './dns.tsx';
import { DomainForm } from './domain-form.tsx';
import { OutgoingForm } from './outgoing-form.tsx';
import { LevelForm } from './policy.tsx';
import type { StepName, StepProperties } from './setup.tsx';
import { Restore } from './system-backup.tsx';
import { CertificateWays } from './certificate-ways.tsx';
import { NetworkForm, Pending } from './system-network.tsx';
import { ClockFacts, TimeForm } from './system-time.tsx';

export const STEP_VIEWS: Record<StepName, ComponentType<StepProperties>> = {
  account: AccountStep,
  network: NetworkStep,
  time: TimeStep,
  domains: DomainsStep,
  outgoing: OutgoingStep,
  protection: ProtectionStep,
  dns: DnsStep,
  'round-trip': RoundTripStep,
};

function Head({ name, children }: { name: StepName; children: ComponentChildren }) {
  return (
    <>
      <h1 tabIndex={-1}>{t(STEP_NAMES[name])}</h1>
      <p>{children}</p>
    </>
  );
}

function AccountStep({ next }: StepProperties) {
  return (
    <>
      <Head name="account">{t(SETUP.accountText)}</Head>
      <SecondFactor on={me.value?.user.totp === true} changed={() => void loadSession().catch(toastProblem)} />
      <p class="row">
        <button type="button" class="main" onClick={next}>
          {t(COMMON.next)}
        </button>
      </p>
      <details>
        <summary>{t(SETUP.restore)}</summary>
        <Restore done={next} />
      </details>
      <br />
    </>
  );
}

function NetworkStep({ next }: StepProperties) {
  const network = useLoad('network', (signal) => call('network.show', {}, signal));
  return (
    <>
      <Head name="network">{t(SETUP.networkText)}</Head>
      {network.error === undefined ? null : <Trouble error={network.error} again={network.again} />}
      {network.value === undefined ? (
        network.error === undefined ? (
          <Skeleton lines={8} />
        ) : null
      ) : (
        <>
          <Pending network={network.value} done={network.again} />
          <p class="row">
            <button type="button" class="main" onClick={next}>
              {t(SETUP.keepNext)}
            </button>
          </p>
          <Card title={t(STEP_NAMES.network)}>
            <NetworkForm key={JSON.stringify(network.value.settings)} network={network.value} tried={network.again} />
          </Card>
        </>
      )}
    </>
  );
}

function TimeStep({ next, label }: StepProperties) {
  const clock = useLoad('clock', (signal) => call('time.show', {}, signal));
  return (
    <>
      <Head name="time">{t(SETUP.timeText)}</Head>
      {clock.error === undefined ? null : <Trouble error={clock.error} again={clock.again} />}
      {clock.value === undefined ? null : (
        <Card title={t(STEP_NAMES.time)}>
          <ClockFacts clock={clock.value} />
          <TimeForm clock={clock.value} label={label} done={next} />
        </Card>
      )}
    </>
  );
}

function DomainsStep({ next, label }: StepProperties) {
  const domains = useLoad('domains', (signal) => call('domains.list', {}, signal));
  const [adding, setAdding] = useState(false);
  const known = domains.value?.domains ?? [];
  return (
    <>
      <Head name="domains">{t(SETUP.domainsText)}</Head>
      {domains.error === undefined ? null : <Trouble error={domains.error} again={domains.again} />}
      {known.length === 0 ? null : (
        <Card title={t(SETUP.domainAdded)}>
          <ul>
            {known.map((domain) => (
              <li key={domain.name}>
                <State tone="ok">{domain.displayName}</State>{' '}
                <span class="soft mono small">{domain.servers.map((one) => `${one.host}:${one.port}`).join(', ')}</span>
              </li>
            ))}
          </ul>
          <div class="row">
            <button type="button" class="main" onClick={next}>
              {t(COMMON.next)}
            </button>
            <button type="button" onClick={() => setAdding(true)}>
              {t(SETUP.addAnother)}
            </button>
          </div>
        </Card>
      )}
      {domains.value !== undefined && (known.length === 0 || adding) ? (
        <Card title={t(DOMAINS.add)}>
          <DomainForm
            label={label}
            done={(name) => {
              toast(t(DOMAINS.saved, { name }));
              if (adding) {
                setAdding(false);
                domains.again();
              } else next();
            }}
          />
        </Card>
      ) : null}
    </>
  );
}

function OutgoingStep({ next, label }: StepProperties) {
  const outgoing = useLoad('outgoing', (signal) => call('outgoing.show', {}, signal));
  return (
    <>
      <Head name="outgoing">{t(SETUP.outgoingText)}</Head>
      {outgoing.error === undefined ? null : <Trouble error={outgoing.error} again={outgoing.again} />}
      {outgoing.value === undefined ? null : (
        <Card title={t(DOMAINS.outgoing)}>
          <OutgoingForm outgoing={outgoing.value} label={label} done={next} />
        </Card>
      )}
    </>
  );
}

function ProtectionStep({ next, label }: StepProperties) {
  const policy = useLoad('policy', (signal) => call('policy.show', {}, signal));
  return (
    <>
      <Head name="protection">{t(SETUP.protectionText)}</Head>
      {policy.error === undefined ? null : <Trouble error={policy.error} again={policy.again} />}
      {policy.value === undefined ? (
        policy.error === undefined ? (
          <Skeleton lines={8} />
        ) : null
      ) : (
        <Card title={t(STEP_NAMES.protection)}>
          <LevelForm policy={policy.value} label={label} done={next} />
        </Card>
      )}
    </>
  );
}

function DnsStep({ next }: StepProperties) {
  const domains = useLoad('domains', (signal) => call('domains.list', {}, signal));
  const known = domains.value?.domains ?? [];
  return (
    <>
      <Head name="dns">{t(SETUP.dnsText)}</Head>
      <p class="row">
        <button type="button" class="main" onClick={next}>
          {t(COMMON.next)}
        </button>
      </p>
      {domains.error === undefined ? null : <Trouble error={domains.error} again={domains.again} />}
      {domains.value !== undefined && known.length === 0 ? <Notice tone="warn">{t(SETUP.needDomain)}</Notice> : null}
      {known.map((domain) => (
        <section key={domain.name} aria-label={t(SETUP.dnsOf, { name: domain.displayName })}>
          <h2>{t(SETUP.dnsOf, { name: domain.displayName })}</h2>
          <DnsRecords name={domain.name} />
        </section>
      ))}
      <Card title={t(SETUP.certificate)}>
        <p>{t(SETUP.certificateText)}</p>
        <details>
          <summary>{t(SETUP.certificate)}</summary>
          <CertificateWays use="mail" done={() => undefined} own={false} />
        </details>
      </Card>
    </>
  );
}

const POLL_MS = 700;

function RoundTripStep({ finish }: StepProperties) {
  const [recipient, setRecipient] = useState('');
  const [trip, setTrip] = useState<Answer<'round-trip.show'> | undefined>(undefined);
  const action = useAction();
  const running = trip?.state === 'running';
  const start = (): void =>
    void action.run(async () => setTrip(await call('round-trip.start', { body: { recipient: recipient.trim() } })));
  useEffect(() => {
    if (trip === undefined || !running) return undefined;
    const timer = setTimeout(() => {
      call('round-trip.show', { params: { id: trip.id } }).then(setTrip, toastProblem);
    }, POLL_MS);
    return () => clearTimeout(timer);
  }, [trip, running]);
  return (
    <>
      <Head name="round-trip">{t(SETUP.roundTripText)}</Head>
      <Card title={t(SETUP.send)}>
        <form onSubmit={submitted(start)}>
          <TextField
            label={t(SETUP.recipient)}
            type="email"
            value={recipient}
            change={setRecipient}
            required
            error={errorAt(action.error, 'body.recipient')}
          />
          <FormFoot
            busy={action.busy || running}
            label={t(running ? SETUP.sending : SETUP.send)}
            problem={action.error}
          />
        </form>
      </Card>
      {trip === undefined ? null : (
        <Card title={t(STEP_NAMES['round-trip'])}>
          <Steps steps={trip.steps} />
          {trip.state === 'ok' ? (
            <Notice tone="ok" title={t(SETUP.roundTripOk)}>
              {t(SETUP.roundTripOkText)}
            </Notice>
          ) : null}
          {trip.state === 'failed' ? <Notice tone="bad" title={t(SETUP.roundTripFailed)} /> : null}
          <div class="row">
            {trip.state === 'ok' ? (
              <button type="button" class="main" onClick={finish}>
                {t(SETUP.finish)}
              </button>
            ) : null}
            {trip.queueId === undefined ? null : <a href={`/messages/${trip.queueId}`}>{t(SETUP.trail)}</a>}
          </div>
        </Card>
      )}
    </>
  );
}
