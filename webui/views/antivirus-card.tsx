/** The antivirus: where mail is checked, what that costs in memory, how fresh and how proven its signatures are, and their source. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, State, Time } from '../components/basics.tsx';
import { errorAt, FileField, FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { formatSize } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { ANTIVIRUS } from '../i18n/words-antivirus.ts';
import { COMMON } from '../i18n/words-common.ts';
import { needOk } from './message-actions.ts';
import { sendFile } from './update-file.tsx';

type Signatures = Answer<'signatures.show'>;
type Settings = Signatures['settings'];
type Place = 'local' | 'remote' | 'none';

/** Shown on the box: a trial machine's engines are its owner's business. */
export function AntivirusCard() {
  const shown = useLoad('signatures', (signal) => call('signatures.show', {}, signal));
  const asked = useLoad('engines.clamd', async (signal) => {
    const { value } = await call('config.show', { query: { path: 'engines.clamd' } }, signal);
    return value as { enabled?: boolean; socket?: string } | undefined;
  });
  const { value } = shown;
  if (value?.current === undefined) return null;
  return (
    <Card title={t(ANTIVIRUS.title)}>
      <Facts value={value} />
      {may('config.change') && asked.value !== undefined ? (
        <details>
          <summary>{t(ANTIVIRUS.where)}</summary>
          <PlaceForm local={value.socket} kept={asked.value} done={asked.again} />
        </details>
      ) : null}
      {may('system.change') && value.local ? (
        <>
          <details>
            <summary>{t(ANTIVIRUS.settings)}</summary>
            <SettingsForm key={JSON.stringify(value.settings)} shown={value} done={shown.again} />
          </details>
          <details>
            <summary>{t(ANTIVIRUS.upload)}</summary>
            <Upload done={shown.again} />
          </details>
        </>
      ) : null}
    </Card>
  );
}

function Facts({ value }: { value: Signatures }) {
  const { current, memory, mode, waiting, lastRefused, lastFetch, provenAt } = value;
  return (
    <dl class="facts">
      <dt>{t(ANTIVIRUS.signatures)}</dt>
      <dd>
        {current?.full === true ? (
          current.files.map(({ name, version }) => `${name.split('.')[0]} ${version ?? ''}`).join(' · ')
        ) : (
          <State tone="bad">{t(ANTIVIRUS.starter)}</State>
        )}
      </dd>
      {provenAt === undefined || current?.full !== true ? null : (
        <>
          <dt>{t(ANTIVIRUS.proven)}</dt>
          <dd>
            <Time at={provenAt} />
          </dd>
        </>
      )}
      {lastFetch === undefined ? null : (
        <>
          <dt>{t(ANTIVIRUS.lastAsked)}</dt>
          <dd>
            <Time at={lastFetch.at} /> {lastFetch.ok ? null : <State tone="bad">{lastFetch.detail}</State>}
          </dd>
        </>
      )}
      {waiting === undefined ? null : (
        <>
          <dt>{t(ANTIVIRUS.waiting)}</dt>
          <dd>{waiting.files.map(({ name, version }) => `${name.split('.')[0]} ${version ?? ''}`).join(' · ')}</dd>
        </>
      )}
      {lastRefused === undefined ? null : (
        <>
          <dt>{t(ANTIVIRUS.refused)}</dt>
          <dd>
            <Time at={lastRefused.at} /> <span class="soft">{lastRefused.reason}</span>
          </dd>
        </>
      )}
      <dt>{t(ANTIVIRUS.memory)}</dt>
      <dd>
        <State tone={mode === 'small' ? 'bad' : 'ok'}>{t(ANTIVIRUS[mode])}</State>
        <br />
        {t(ANTIVIRUS.memoryCost, {
          full: formatSize(memory.fullOctets),
          peak: formatSize(memory.peakOctets),
          total: formatSize(memory.totalOctets),
          used: memory.usedOctets === undefined ? '–' : formatSize(memory.usedOctets),
        })}
      </dd>
    </dl>
  );
}

function PlaceForm(props: { local: string; kept: { enabled?: boolean; socket?: string }; done: () => void }) {
  const { local, kept, done } = props;
  const elsewhere = kept.socket !== undefined && !kept.socket.startsWith('/');
  const [place, setPlace] = useState<Place>(kept.enabled === false ? 'none' : elsewhere ? 'remote' : 'local');
  const [address, setAddress] = useState(elsewhere ? (kept.socket ?? '') : '');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      const set = async (path: string, value: unknown): Promise<void> =>
        needOk(await call('config.set', { body: { path, value } }));
      if (place !== 'none') await set('engines.clamd.socket', place === 'remote' ? address.trim() : local);
      await set('engines.clamd.enabled', place !== 'none');
      toast(t(COMMON.saved));
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <SelectField
        label={t(ANTIVIRUS.where)}
        hint={place === 'none' ? t(ANTIVIRUS.noneHint) : undefined}
        value={place}
        change={setPlace}
        options={[
          { value: 'local', label: t(ANTIVIRUS.local) },
          { value: 'remote', label: t(ANTIVIRUS.remote) },
          { value: 'none', label: t(ANTIVIRUS.none) },
        ]}
      />
      {place === 'remote' ? (
        <TextField
          label={t(ANTIVIRUS.address)}
          hint={t(ANTIVIRUS.addressHint)}
          value={address}
          change={setAddress}
          placeholder="192.0.2.10:3310"
          required
        />
      ) : null}
      <FormFoot busy={action.busy} problem={action.error} />
    </form>
  );
}

function SettingsForm({ shown, done }: { shown: Signatures; done: () => void }) {
  const { settings } = shown;
  const [mode, setMode] = useState<Settings['mode']>(settings.mode);
  const [source, setSource] = useState<Settings['source']>(settings.source);
  const [mirror, setMirror] = useState(settings.mirror ?? '');
  const [proxy, setProxy] = useState(
    settings.proxy === undefined ? '' : `${settings.proxy.host}:${settings.proxy.port}`,
  );
  const [user, setUser] = useState(settings.proxy?.user ?? '');
  const [password, setPassword] = useState('');
  const [from, setFrom] = useState(String(settings.window.from));
  const [to, setTo] = useState(String(settings.window.to));
  const action = useAction();
  const at = /^(.+):(\d{1,5})$/.exec(proxy.trim());
  const save = (): void =>
    void action.run(async () => {
      const through = {
        host: at?.[1] ?? '',
        port: Number(at?.[2]),
        ...(user === '' ? {} : { user }),
        ...(password === '' ? {} : { password }),
      };
      await call('signatures.set', {
        body: {
          mode,
          source,
          window: { from: Number(from), to: Number(to) },
          ...(source === 'mirror' ? { mirror: mirror.trim() } : {}),
          ...(at === null ? {} : { proxy: through }),
        },
      });
      toast(t(COMMON.saved));
      done();
    });
  const hours = Array.from({ length: 24 }, (_, hour) => ({ value: String(hour), label: `${hour}:00` }));
  return (
    <form onSubmit={submitted(save)}>
      <SelectField
        label={t(ANTIVIRUS.mode)}
        value={mode}
        change={setMode}
        options={[
          { value: 'auto', label: t(ANTIVIRUS.modeAuto, { mode: t(ANTIVIRUS[shown.mode]) }) },
          { value: 'two', label: t(ANTIVIRUS.two) },
          { value: 'one', label: t(ANTIVIRUS.one) },
          { value: 'small', label: t(ANTIVIRUS.small) },
        ]}
      />
      <SelectField label={t(ANTIVIRUS.quietFrom)} value={from} change={setFrom} options={hours} />
      <SelectField label={t(ANTIVIRUS.quietTo)} value={to} change={setTo} options={hours} />
      <SelectField
        label={t(ANTIVIRUS.source)}
        value={source}
        change={setSource}
        options={[
          { value: 'internet', label: t(ANTIVIRUS.internet) },
          { value: 'mirror', label: t(ANTIVIRUS.mirror) },
          { value: 'offline', label: t(ANTIVIRUS.offline) },
        ]}
      />
      {source === 'mirror' ? (
        <TextField label={t(ANTIVIRUS.mirrorAddress)} value={mirror} change={setMirror} required />
      ) : null}
      {source === 'offline' ? null : (
        <TextField
          label={t(ANTIVIRUS.proxy)}
          hint={t(ANTIVIRUS.proxyHint)}
          value={proxy}
          change={setProxy}
          placeholder="192.0.2.20:3128"
          error={proxy !== '' && at === null ? t(ANTIVIRUS.badProxy) : undefined}
        />
      )}
      {source === 'offline' || at === null ? null : (
        <>
          <TextField label={t(ANTIVIRUS.proxyUser)} value={user} change={setUser} autocomplete="off" />
          <TextField
            label={t(ANTIVIRUS.proxyPassword)}
            hint={t(ANTIVIRUS.proxyPasswordHint)}
            type="password"
            value={password}
            change={setPassword}
            autocomplete="new-password"
          />
        </>
      )}
      <FormFoot busy={action.busy} dirty={proxy === '' || at !== null} problem={action.error} />
    </form>
  );
}

const NAMES = ['main.cvd', 'daily.cvd', 'bytecode.cvd'] as const;

function Upload({ done }: { done: () => void }) {
  const [chosen, setChosen] = useState<File[]>([]);
  const [sent, setSent] = useState<number | undefined>(undefined);
  const action = useAction();
  const known = NAMES.filter((name) => chosen.some((file) => file.name === name));
  const save = (): void =>
    void action
      .run(async () => {
        for (const file of chosen.filter(({ name }) => known.some((one) => one === name)))
          await sendFile(file, { name: file.name, progress: setSent, stopped: () => false });
        await call('signatures.install', { body: { files: known } });
        toast(t(ANTIVIRUS.uploaded));
        setChosen([]);
        done();
      })
      .finally(() => setSent(undefined));
  return (
    <form onSubmit={submitted(save)}>
      <FileField
        label={t(ANTIVIRUS.uploadText)}
        accept=".cvd"
        multiple
        change={(files) => setChosen([...files])}
        error={errorAt(action.error, 'body.files')}
      />
      {sent === undefined ? null : <p aria-live="polite">{formatSize(sent)}</p>}
      <FormFoot busy={action.busy} dirty={known.length > 0} problem={action.error} label={t(ANTIVIRUS.upload)} />
    </form>
  );
}
