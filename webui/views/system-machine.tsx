/** Processor, memory, disks and drives, temperature, watchdog, UPS, and the degraded mode with the way out of it. */
import { type Answer, call } from '../api/client.ts';
import { useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { DataTable } from '../components/table.tsx';
import { attempt } from '../components/toast.tsx';
import { formatPercent, formatSize, formatSpan } from '../i18n/format.ts';
import { formatNumber, t, word } from '../i18n/language.ts';
import { RESET_NAMES, SYSTEM } from '../i18n/words-system.ts';
import { Figure } from './overview.tsx';
import { UpsCard } from './ups-card.tsx';

type Facts = Answer<'system.facts'>;
type Host = Answer<'system.status'>;

export function MachineTab() {
  const facts = useLoad('facts', (signal) => call('system.facts', {}, signal));
  const host = useLoad('host', (signal) => call('system.status', {}, signal));
  return (
    <>
      {host.error === undefined ? null : <Trouble error={host.error} again={host.again} />}
      {host.value?.degraded === undefined ? null : <Degraded done={host.again} degraded={host.value.degraded} />}
      {facts.error === undefined ? null : <Trouble error={facts.error} again={facts.again} />}
      {facts.value === undefined ? (
        facts.error === undefined ? (
          <Skeleton lines={10} />
        ) : null
      ) : (
        <FactCards facts={facts.value} />
      )}
      {host.value === undefined ? null : <HostCards host={host.value} />}
      {host.value === undefined ? null : <Thief disk={host.value.disk} />}
    </>
  );
}

function Degraded({ done, degraded }: { done: () => void; degraded: NonNullable<Host['degraded']> }) {
  const { cause, detail } = degraded;
  const end = (): void =>
    void attempt(async () => {
      await call('degraded.end', { body: {} });
      done();
    });
  return (
    <Notice tone="bad" title={t(SYSTEM.degraded)}>
      <p>{t(cause === 'no-data' ? SYSTEM.noDataText : SYSTEM.degradedText)}</p>
      <p class="mono small">{detail}</p>
      {may('system.change') && cause !== 'no-data' ? (
        <button type="button" onClick={end}>
          {t(SYSTEM.degradedEnd)}
        </button>
      ) : null}
    </Notice>
  );
}

function FactCards({ facts }: { facts: Facts }) {
  const { cpu, memory } = facts;
  return (
    <>
      <div class="cards">
        <Card title={t(SYSTEM.facts)}>
          <dl class="facts">
            <dt>{t(SYSTEM.model)}</dt>
            <dd>{facts.model ?? '–'}</dd>
            <dt>{t(SYSTEM.os)}</dt>
            <dd>
              {facts.os} <span class="soft small">{facts.kernel}</span>
            </dd>
            <dt>{t(SYSTEM.cpu)}</dt>
            <dd>
              {cpu.model} × {cpu.cores}
            </dd>
            <dt>{t(SYSTEM.uptime)}</dt>
            <dd>{formatSpan(facts.uptimeMs)}</dd>
          </dl>
        </Card>
        <Card title={t(SYSTEM.memory)}>
          <dl class="figures">
            <Figure name={t(SYSTEM.free)}>{formatSize(memory.available)}</Figure>
            <Figure name={t(SYSTEM.total)}>{formatSize(memory.total)}</Figure>
            {cpu.loadPercent === undefined ? null : (
              <Figure name={t(SYSTEM.cpu)}>{formatPercent(cpu.loadPercent / 100)}</Figure>
            )}
            {cpu.temperatureCelsius === undefined ? null : (
              <Figure name={t(SYSTEM.temperature)}>
                {formatNumber(cpu.temperatureCelsius, { maximumFractionDigits: 0 })} °C
              </Figure>
            )}
          </dl>
        </Card>
      </div>
      <Card title={t(SYSTEM.disks)}>
        <DataTable
          caption={t(SYSTEM.disks)}
          rows={facts.disks}
          keyOf={(row) => row.mount}
          columns={[
            {
              key: 'mount',
              label: t(SYSTEM.disks),
              head: true,
              render: (row) => <span class="mono">{row.mount}</span>,
            },
            { key: 'device', label: '', render: (row) => <span class="soft small mono">{row.device}</span> },
            { key: 'free', label: t(SYSTEM.free), class: 'num', render: (row) => formatSize(row.free) },
            { key: 'total', label: t(SYSTEM.total), class: 'num', render: (row) => formatSize(row.total) },
            {
              key: 'used',
              label: t(SYSTEM.used),
              class: 'num',
              render: (row) => (
                <State tone={row.total > 0 && row.used / row.total > 0.9 ? 'bad' : 'ok'}>
                  {formatPercent(row.total === 0 ? 0 : row.used / row.total)}
                </State>
              ),
            },
          ]}
        />
        {facts.drives.map((drive) => (
          <p key={drive.device} class="row">
            <strong>{drive.model}</strong> <span class="soft small mono">{drive.device}</span>
            {drive.healthy === undefined ? null : (
              <State tone={drive.healthy ? 'ok' : 'bad'}>{t(drive.healthy ? SYSTEM.healthy : SYSTEM.failing)}</State>
            )}
            {drive.wornPercent === undefined ? null : <span>{t(SYSTEM.worn, { n: drive.wornPercent })}</span>}
            {drive.temperatureCelsius === undefined ? null : <span>{drive.temperatureCelsius} °C</span>}
          </p>
        ))}
      </Card>
    </>
  );
}

/** What somebody reads who carries the disk away. */
function Thief({ disk }: { disk: Host['disk'] }) {
  if (disk.text === undefined) return null;
  return (
    <Notice tone={disk.encrypted === true ? 'ok' : 'idle'} title={t(SYSTEM.thief)}>
      <p>{t(disk.text)}</p>
    </Notice>
  );
}

function HostCards({ host }: { host: Host }) {
  const { watchdog } = host;
  const kind = watchdog.kind === 'none' ? SYSTEM.noWatchdog : SYSTEM[watchdog.kind];
  return (
    <div class="cards">
      <Card title={t(SYSTEM.watchdog)} side={<State tone={watchdog.kind === 'none' ? 'warn' : 'ok'}>{t(kind)}</State>}>
        <dl class="facts">
          <dt>{t(SYSTEM.lastStart)}</dt>
          <dd>
            {word(RESET_NAMES, watchdog.lastReset.reason)} <Time at={watchdog.lastReset.at} />
          </dd>
          {host.supportedUntil === undefined ? null : (
            <>
              <dt>{t(SYSTEM.supportedUntil)}</dt>
              <dd>
                {host.supportedUntil} <span class="soft small">{t(SYSTEM.securityContact)}</span>
              </dd>
            </>
          )}
        </dl>
      </Card>
      <UpsCard host={host} />
    </div>
  );
}
