/** Domains with the health of their mail servers, the way out, who may send outward; and the DNS page of each domain. */
import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { useAction, useLive, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import type { ViewProperties } from '../app/views.ts';
import { Card, Empty, Notice, PageHead, Skeleton, Trouble } from '../components/basics.tsx';
import { ask, Modal } from '../components/dialog.tsx';
import { AreaField, errorAt, FormFoot, submitted, useDirtyGuard } from '../components/form.tsx';
import { HopState } from '../components/mail-state.tsx';
import { MailText, unicodeOf } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { DOMAINS } from '../i18n/words-domains.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { MESSAGE } from '../i18n/words-messages.ts';
import { FIELD } from '../i18n/words-mail.ts';
import { DnsRecords } from './dns.tsx';
import { type Domain, DomainForm } from './domain-form.tsx';
import { needOk } from './message-actions.ts';
import { type Outgoing, OutgoingForm } from './outgoing-form.tsx';
import { lines } from './policy-rules.tsx';

export function Domains({ rest }: ViewProperties) {
  if (rest !== '')
    return (
      <>
        <PageHead title={t(DOMAINS.dnsTitle, { name: unicodeOf(rest) })} chapter="dns">
          <a class="button tiny" href="/domains">
            {t(MESSAGE.back)}
          </a>
        </PageHead>
        <DnsRecords name={rest} />
      </>
    );
  return <DomainsPage />;
}

function DomainsPage() {
  const domains = useLoad('domains', (signal) => call('domains.list', {}, signal));
  const outgoing = useLoad('outgoing', (signal) => call('outgoing.show', {}, signal));
  const [editing, setEditing] = useState<Domain | 'new' | undefined>(undefined);
  useLive(['counts'], domains.again);
  const change = may('config.change');
  const known = editing === 'new' ? undefined : editing;
  return (
    <>
      <PageHead title={t(PAGES.domains)} intro={t(DOMAINS.intro)} chapter="domains">
        {change ? (
          <button type="button" class="main" onClick={() => setEditing('new')}>
            {t(DOMAINS.add)}
          </button>
        ) : null}
      </PageHead>
      {domains.error === undefined ? null : <Trouble error={domains.error} again={domains.again} />}
      {domains.value === undefined ? (
        domains.error === undefined ? (
          <Skeleton lines={6} />
        ) : null
      ) : domains.value.domains.length === 0 ? (
        <Empty title={t(DOMAINS.none)}>{t(DOMAINS.noneText)}</Empty>
      ) : (
        <DomainTable domains={domains.value.domains} edit={setEditing} done={domains.again} />
      )}
      <br />
      {outgoing.error === undefined ? null : <Trouble error={outgoing.error} again={outgoing.again} />}
      {outgoing.value === undefined ? null : (
        <div class="cards">
          <Card title={t(DOMAINS.outgoing)}>
            {change ? (
              <OutgoingForm
                key={JSON.stringify(outgoing.value)}
                outgoing={outgoing.value}
                label={t(COMMON.save)}
                done={() => {
                  toast(t(COMMON.saved));
                  outgoing.again();
                }}
              />
            ) : (
              <p>{t(DOMAINS[outgoing.value.way])}</p>
            )}
          </Card>
          <Networks key={outgoing.value.networks.join()} outgoing={outgoing.value} done={outgoing.again} />
        </div>
      )}
      {editing === undefined ? null : (
        <Modal
          title={known === undefined ? t(DOMAINS.add) : t(DOMAINS.edit, { name: known.displayName })}
          onClose={() => setEditing(undefined)}
        >
          <DomainForm
            domain={known}
            label={t(COMMON.save)}
            done={(name) => {
              toast(t(DOMAINS.saved, { name }));
              setEditing(undefined);
              domains.again();
            }}
          />
          <button type="button" class="link" onClick={() => setEditing(undefined)}>
            {t(COMMON.cancel)}
          </button>
        </Modal>
      )}
    </>
  );
}

function DomainTable(props: { domains: readonly Domain[]; edit: (domain: Domain) => void; done: () => void }) {
  const change = may('config.change');
  async function remove(domain: Domain): Promise<void> {
    const sure = await ask({
      title: t(DOMAINS.removeTitle, { name: domain.displayName }),
      body: <p>{t(DOMAINS.removeText)}</p>,
      yes: t(DOMAINS.remove),
      danger: true,
      typed: domain.displayName,
    });
    if (!sure) return;
    try {
      needOk(await call('domains.delete', { params: { name: domain.name } }));
      toast(t(DOMAINS.removed, { name: domain.displayName }));
      props.done();
    } catch (error) {
      toastProblem(error);
    }
  }
  return (
    <DataTable
      caption={t(PAGES.domains)}
      rows={props.domains}
      keyOf={(row) => row.name}
      columns={[
        {
          key: 'name',
          label: t(DOMAINS.name),
          head: true,
          render: (row) => (
            <>
              <MailText text={row.displayName} />
              {row.displayName === row.name ? null : <span class="soft small mono"> ({row.name})</span>}
            </>
          ),
        },
        { key: 'server', label: t(DOMAINS.server), render: (row) => <Servers domain={row} /> },
        { key: 'check', label: t(DOMAINS.check), render: (row) => t(DOMAINS[row.recipients.check]) },
        {
          key: 'do',
          label: '',
          class: 'fit',
          render: (row) => (
            <span class="row">
              <a class="button tiny" href={`/domains/${row.name}`}>
                {t(DOMAINS.dns)}
                <span class="sr">: {row.displayName}</span>
              </a>
              {change ? (
                <>
                  <button
                    type="button"
                    class="tiny"
                    onClick={() => props.edit(row)}
                    aria-label={t(DOMAINS.edit, { name: row.displayName })}
                  >
                    {t(DOMAINS.change)}
                  </button>
                  <button
                    type="button"
                    class="tiny danger"
                    aria-label={`${t(COMMON.remove)}: ${row.displayName}`}
                    onClick={() => void remove(row)}
                  >
                    {t(COMMON.remove)}
                  </button>
                </>
              ) : null}
            </span>
          ),
        },
      ]}
    />
  );
}

function Servers({ domain }: { domain: Domain }) {
  return (
    <>
      {domain.servers.map((server) => {
        const health = domain.health.find((one) => one.hop.includes(server.host));
        return (
          <div key={`${server.host} ${server.port}`}>
            <span class="mono">
              {server.host}:{server.port}
            </span>{' '}
            <HopState state={health?.state ?? 'unknown'} />
            {health !== undefined && health.waiting > 0 ? (
              <span class="soft small"> {t(DOMAINS.waiting, { n: health.waiting })}</span>
            ) : null}
            {health?.detail === undefined ? null : (
              <div class="small">
                <MailText text={health.detail} />
              </div>
            )}
          </div>
        );
      })}
      {domain.override === undefined ? null : (
        <Notice tone="warn">
          {t(DOMAINS.override, { to: `${domain.override.host}:${domain.override.port}` })}{' '}
          <a href="/queue">{t(FIELD.nextHop)}</a>
        </Notice>
      )}
    </>
  );
}

function Networks({ outgoing, done }: { outgoing: Outgoing; done: () => void }) {
  const before = outgoing.networks.join('\n');
  const [text, setText] = useState(before);
  const action = useAction();
  const dirty = text !== before;
  useDirtyGuard(dirty);
  const save = (): void =>
    void action.run(async () => {
      needOk(await call('outgoing.networks', { body: { networks: lines(text) } }));
      toast(t(COMMON.saved));
      done();
    });
  return (
    <Card title={t(DOMAINS.networks)}>
      <form onSubmit={submitted(save)}>
        <fieldset disabled={!may('config.change')}>
          <AreaField
            label={t(DOMAINS.networks)}
            hint={t(DOMAINS.networksHint)}
            value={text}
            change={setText}
            error={errorAt(action.error, 'networks')}
          />
          <FormFoot busy={action.busy} dirty={dirty} problem={action.error} reset={() => setText(before)} />
        </fieldset>
      </form>
    </Card>
  );
}
