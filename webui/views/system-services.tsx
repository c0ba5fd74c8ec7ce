/** Services of the box and the engines' health, each with a restart; jobs by the clock with how their last run went. */
import { call } from '../api/client.ts';
import { useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { ask } from '../components/dialog.tsx';
import { EngineState, toneOf } from '../components/mail-state.tsx';
import { MailText } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { formatSize } from '../i18n/format.ts';
import { t, word } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { FIELD, INSPECTOR_NAMES } from '../i18n/words-mail.ts';
import { OVERVIEW } from '../i18n/words-overview.ts';
import { SERVICE_STATES, SYSTEM } from '../i18n/words-system.ts';
import { AntivirusCard } from './antivirus-card.tsx';
import { MapsCard } from './maps-card.tsx';

export function ServicesTab() {
  return (
    <>
      <Engines />
      <AntivirusCard />
      <MapsCard />
      <ServiceList />
      <Jobs />
    </>
  );
}

function Engines() {
  const engines = useLoad('engines', (signal) => call('engines.list', {}, signal));
  return (
    <Card title={t(OVERVIEW.engines)}>
      {engines.error === undefined ? null : <Trouble error={engines.error} again={engines.again} />}
      {engines.value === undefined ? (
        engines.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <DataTable
          caption={t(OVERVIEW.engines)}
          rows={engines.value.engines}
          keyOf={(row) => row.inspector}
          columns={[
            {
              key: 'name',
              label: t(SYSTEM.service),
              head: true,
              render: (row) => word(INSPECTOR_NAMES, row.inspector),
            },
            { key: 'state', label: t(FIELD.state), class: 'fit', render: (row) => <EngineState state={row.state} /> },
            {
              key: 'version',
              label: t(SYSTEM.version),
              render: (row) => <span class="small">{versionOf(row)}</span>,
            },
            { key: 'error', label: '', render: (row) => <MailText text={row.lastError ?? ''} /> },
          ]}
        />
      )}
    </Card>
  );
}

/** Some engines say their name with their version. */
function versionOf({ engine, version }: { engine: string; version: string }): string {
  return version.toLowerCase().startsWith(engine.toLowerCase()) ? version : `${engine} ${version}`;
}

/** A trial on somebody's computer: systemd does not run these programs, or there is none. */
function NoUnits({ said }: { said: string }) {
  return (
    <Notice tone="idle">
      {t(SYSTEM.noUnits)}
      {said === '' ? null : (
        <details class="small">
          <summary>{t(COMMON.details)}</summary>
          <MailText text={said} />
        </details>
      )}
    </Notice>
  );
}

function ServiceList() {
  const services = useLoad('services', (signal) => call('services.list', {}, signal));
  type Service = NonNullable<typeof services.value>['services'][number];
  // on a machine without systemd all say one and the same: told once
  const details = new Set(services.value?.services.map((row) => row.detail ?? ''));
  const [shared = ''] = details.size === 1 ? details : [];
  const unknown = services.value?.services.every(({ state }) => state === 'unknown') === true;
  async function restart(name: Service['name']): Promise<void> {
    const sure = await ask({
      title: t(SYSTEM.restartTitle, { name }),
      body: <p>{t(SYSTEM.restartText)}</p>,
      yes: t(SYSTEM.restart),
    });
    if (!sure) return;
    try {
      await call('services.restart', { body: { name } });
      toast(t(SYSTEM.restarted, { name }));
      services.again();
    } catch (error) {
      toastProblem(error);
    }
  }
  return (
    <Card title={t(SYSTEM.service)}>
      {services.error === undefined ? null : <Trouble error={services.error} again={services.again} />}
      {services.value === undefined ? (
        services.error === undefined ? (
          <Skeleton />
        ) : null
      ) : unknown ? (
        <NoUnits said={shared} />
      ) : (
        <DataTable
          caption={t(SYSTEM.service)}
          rows={services.value.services}
          keyOf={(row) => row.name}
          columns={[
            {
              key: 'name',
              label: t(SYSTEM.service),
              head: true,
              render: (row) => <span class="mono nowrap">{row.name}</span>,
            },
            {
              key: 'state',
              label: t(FIELD.state),
              class: 'fit',
              render: (row) => (
                <State tone={row.state === 'stopped' ? 'warn' : toneOf(row.state === 'running' ? 'ok' : row.state)}>
                  {word(SERVICE_STATES, row.state)}
                </State>
              ),
            },
            { key: 'since', label: t(SYSTEM.since), render: (row) => <Time at={row.since} style="ago" /> },
            {
              key: 'memory',
              label: t(SYSTEM.memory),
              class: 'num',
              render: (row) => (row.memoryOctets === undefined ? '' : formatSize(row.memoryOctets)),
            },
            {
              key: 'detail',
              label: '',
              render: (row) => <MailText text={row.detail ?? ''} />,
            },
            {
              key: 'do',
              label: '',
              class: 'fit',
              render: (row) =>
                may('system.change') && row.state !== 'absent' ? (
                  <button
                    type="button"
                    class="tiny"
                    aria-label={t(SYSTEM.restartTitle, { name: row.name })}
                    onClick={() => void restart(row.name)}
                  >
                    {t(SYSTEM.restart)}
                  </button>
                ) : null,
            },
          ]}
        />
      )}
    </Card>
  );
}

function Jobs() {
  const jobs = useLoad('jobs', (signal) => call('jobs.list', {}, signal));
  async function run(name: string, title: string): Promise<void> {
    try {
      const row = await call('jobs.run', { params: { name } });
      toast(t(row.state === 'failed' ? SYSTEM.jobFailed : SYSTEM.jobRan, { name: title }));
    } catch (error) {
      toastProblem(error);
    }
    jobs.again();
  }
  return (
    <Card title={t(SYSTEM.jobs)}>
      {jobs.error === undefined ? null : <Trouble error={jobs.error} again={jobs.again} />}
      {jobs.value === undefined ? null : (
        <DataTable
          caption={t(SYSTEM.jobs)}
          rows={jobs.value.jobs}
          keyOf={(row) => row.name}
          columns={[
            { key: 'name', label: t(SYSTEM.job), head: true, render: (row) => t(row.title) },
            {
              key: 'state',
              label: t(FIELD.state),
              class: 'fit',
              render: (row) => <State tone={toneOf(row.state)}>{word(SERVICE_STATES, row.state)}</State>,
            },
            { key: 'last', label: t(SYSTEM.last), render: (row) => <Time at={row.lastStartedAt} style="ago" /> },
            { key: 'next', label: t(SYSTEM.next), render: (row) => <Time at={row.nextAt} style="ago" /> },
            { key: 'detail', label: '', render: (row) => <MailText text={row.detail ?? ''} /> },
            {
              key: 'do',
              label: '',
              class: 'fit',
              render: (row) =>
                may('system.change') ? (
                  <button
                    type="button"
                    class="tiny"
                    aria-label={t(SYSTEM.runNowTitle, { name: t(row.title) })}
                    disabled={row.state === 'running'}
                    onClick={() => void run(row.name, t(row.title))}
                  >
                    {t(SYSTEM.runNow)}
                  </button>
                ) : null,
            },
          ]}
        />
      )}
    </Card>
  );
}
