/** The UPS: its values and what happened to it last, and where one is looked for. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, State, Time } from '../components/basics.tsx';
import { FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { formatPercent, formatSpan } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { SYSTEM } from '../i18n/words-system.ts';

type Host = Answer<'system.status'>;
type Ups = Host['ups'];
type Settings = NonNullable<Answer<'ups.show'>['settings']>;

const MOST_EVENTS = 5;
const DRIVERS = [
  'usbhid-ups',
  'nutdrv_qx',
  'blazer_usb',
  'bcmxcp_usb',
  'richcomm_usb',
  'riello_usb',
  'tripplite_usb',
] as const satisfies ReadonlyArray<NonNullable<Settings['driver']>>;

export function UpsCard({ host }: { host: Host }) {
  const { ups } = host;
  const changeable = host.mode === 'appliance' && may('system.change');
  return (
    <Card title={t(SYSTEM.ups)}>
      {ups.state === 'none' ? (
        <>
          <p>
            <State tone="idle">{t(SYSTEM.upsNone)}</State>
          </p>
          <p class="soft small">{t(SYSTEM.upsText)}</p>
        </>
      ) : (
        <Values ups={ups} />
      )}
      {ups.events.length === 0 ? null : (
        <ul class="small">
          {ups.events.slice(0, MOST_EVENTS).map((one) => (
            <li key={`${one.at} ${one.event}`}>
              <Time at={one.at} /> {one.event} <span class="soft">{one.detail}</span>
            </li>
          ))}
        </ul>
      )}
      {changeable ? <Where /> : null}
    </Card>
  );
}

function Values({ ups }: { ups: Ups }) {
  return (
    <dl class="facts">
      <dt>{ups.model ?? ups.name ?? 'UPS'}</dt>
      <dd>
        <State tone={ups.state === 'online' ? 'ok' : 'bad'}>{ups.status ?? ups.state}</State>
      </dd>
      {ups.chargePercent === undefined ? null : (
        <>
          <dt>{t(SYSTEM.charge)}</dt>
          <dd>{formatPercent(ups.chargePercent / 100)}</dd>
        </>
      )}
      {ups.runtimeMs === undefined ? null : (
        <>
          <dt>{t(SYSTEM.runtime)}</dt>
          <dd>{formatSpan(ups.runtimeMs)}</dd>
        </>
      )}
    </dl>
  );
}

function Where() {
  const shown = useLoad('ups', (signal) => call('ups.show', {}, signal));
  const settings = shown.value?.settings;
  if (settings === undefined) return null;
  return (
    <details>
      <summary>{t(SYSTEM.upsWhere)}</summary>
      <SettingsForm key={JSON.stringify(settings)} settings={settings} done={shown.again} />
    </details>
  );
}

function SettingsForm({ settings, done }: { settings: Settings; done: () => void }) {
  const [mode, setMode] = useState(settings.mode);
  const [driver, setDriver] = useState<NonNullable<Settings['driver']> | ''>(settings.driver ?? '');
  const [server, setServer] = useState(settings.host ?? '');
  const [name, setName] = useState(settings.name ?? '');
  const [user, setUser] = useState(settings.user ?? '');
  const [password, setPassword] = useState('');
  const action = useAction();
  const atNetwork = {
    ...(server === '' ? {} : { host: server }),
    ...(name === '' ? {} : { name }),
    ...(user === '' ? {} : { user }),
    ...(password === '' ? {} : { password }),
  };
  const more = mode === 'network' ? atNetwork : mode === 'auto' && driver !== '' ? { driver } : {};
  const save = (): void =>
    void action.run(async () => {
      await call('ups.set', { body: { mode, ...more } });
      toast(t(COMMON.saved));
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <SelectField
        label={t(SYSTEM.upsMode)}
        value={mode}
        change={setMode}
        options={[
          { value: 'auto', label: t(SYSTEM.upsAuto) },
          { value: 'network', label: t(SYSTEM.upsNetwork) },
          { value: 'off', label: t(SYSTEM.upsOff) },
        ]}
      />
      {mode === 'auto' ? (
        <SelectField
          label={t(SYSTEM.upsDriver)}
          hint={t(SYSTEM.upsDriverHint)}
          value={driver}
          change={setDriver}
          options={[
            { value: '', label: t(SYSTEM.upsDriverAuto) },
            ...DRIVERS.map((value) => ({ value, label: value })),
          ]}
        />
      ) : null}
      {mode === 'network' ? (
        <>
          <TextField label={t(SYSTEM.upsServer)} value={server} change={setServer} required />
          <TextField label={t(SYSTEM.upsName)} value={name} change={setName} />
          <TextField
            label={t(SYSTEM.upsUser)}
            hint={t(SYSTEM.upsUserHint)}
            value={user}
            change={setUser}
            autocomplete="off"
          />
          <TextField
            label={t(SYSTEM.upsPassword)}
            type="password"
            value={password}
            change={setPassword}
            autocomplete="new-password"
          />
        </>
      ) : null}
      <FormFoot busy={action.busy} problem={action.error} />
    </form>
  );
}
