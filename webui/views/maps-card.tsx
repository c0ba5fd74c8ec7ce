/** Own lists for the spam filter: which are in use, how the last look went, and where they come from. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, State, Time } from '../components/basics.tsx';
import { FormFoot, submitted, TextField, Check } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { MAPS } from '../i18n/words-maps.ts';

type Maps = Answer<'maps.show'>;
type Name = Maps['settings']['maps'][number];
const NAMES: readonly Name[] = ['link-domains', 'sender-domains'];

export function MapsCard() {
  const shown = useLoad('maps', (signal) => call('maps.show', {}, signal));
  const { value } = shown;
  if (value === undefined) return null;
  const { current, lastFetch, changedAt } = value;
  return (
    <Card title={t(MAPS.title)}>
      <p class="soft">{t(MAPS.text)}</p>
      <dl class="facts">
        <dt>{t(MAPS.inUse)}</dt>
        <dd>
          {current.length === 0
            ? t(MAPS.none)
            : current.map(({ name, entries }) => t(MAPS.entries, { name: t(MAPS[name]), n: entries })).join(' · ')}
        </dd>
        {changedAt === undefined ? null : (
          <>
            <dt>{t(MAPS.changed)}</dt>
            <dd>
              <Time at={changedAt} />
            </dd>
          </>
        )}
        {lastFetch === undefined ? null : (
          <>
            <dt>{t(MAPS.lastFetch)}</dt>
            <dd>
              <Time at={lastFetch.at} /> {lastFetch.ok ? null : <State tone="bad">{lastFetch.detail}</State>}
            </dd>
          </>
        )}
      </dl>
      {may('system.change') ? (
        <details>
          <summary>{t(MAPS.settings)}</summary>
          <SettingsForm key={JSON.stringify(value.settings)} settings={value.settings} done={shown.again} />
        </details>
      ) : null}
    </Card>
  );
}

function SettingsForm({ settings, done }: { settings: Maps['settings']; done: () => void }) {
  const [source, setSource] = useState(settings.source);
  const [maps, setMaps] = useState<readonly Name[]>(settings.maps);
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      await call('maps.set', { body: { source: source.trim(), maps: [...maps] } });
      toast(t(COMMON.saved));
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <TextField
        label={t(MAPS.source)}
        hint={t(MAPS.sourceHint)}
        value={source}
        change={setSource}
        placeholder="https://lists.example.co.jp/mail"
      />
      {NAMES.map((name) => (
        <Check
          key={name}
          label={`${t(MAPS[name])} (${name})`}
          checked={maps.includes(name)}
          change={(on) => setMaps(NAMES.filter((one) => (one === name ? on : maps.includes(one))))}
        />
      ))}
      <FormFoot busy={action.busy} problem={action.error} />
    </form>
  );
}
