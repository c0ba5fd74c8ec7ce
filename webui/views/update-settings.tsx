/** Where updates come from, whether they go in by themselves, in which hours the box may restart, how long a new system is on trial. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { Card } from '../components/basics.tsx';
import { Check, errorAt, FormFoot, SelectField, submitted, TextField, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { UPDATE } from '../i18n/words-update.ts';

type Settings = Answer<'update.show'>['settings'];
const HOURS = Array.from({ length: 24 }, (_, hour) => ({ value: String(hour), label: `${hour}:00` }));
const MINUTE_MS = 60_000;

export function UpdateSettings({ settings, saved }: { settings: Settings; saved: () => void }) {
  const [source, setSource] = useState(settings.source);
  const [automatic, setAutomatic] = useState(settings.automatic);
  const [from, setFrom] = useState(String(settings.window.from));
  const [to, setTo] = useState(String(settings.window.to));
  const [minutes, setMinutes] = useState(String(settings.trialMs / MINUTE_MS));
  const action = useAction();
  const wanted: Settings = {
    source: source.trim(),
    automatic,
    window: { from: Number(from), to: Number(to) },
    trialMs: Number(minutes) * MINUTE_MS,
  };
  const dirty = JSON.stringify(wanted) !== JSON.stringify(settings);
  useDirtyGuard(dirty);
  const save = (): void =>
    void action.run(async () => {
      await call('update.set', { body: wanted });
      toast(t(COMMON.saved));
      saved();
    });
  return (
    <Card title={t(UPDATE.settings)}>
      <form onSubmit={submitted(save)}>
        <TextField
          label={t(UPDATE.source)}
          hint={t(UPDATE.sourceHint)}
          type="url"
          value={source}
          change={setSource}
          spellcheck={false}
          error={errorAt(action.error, 'body.source')}
        />
        <Check label={t(UPDATE.automatic)} checked={automatic} change={setAutomatic} />
        <div class="row end">
          <SelectField label={t(UPDATE.windowFrom)} class="short" value={from} change={setFrom} options={HOURS} />
          <SelectField label={t(UPDATE.windowTo)} class="short" value={to} change={setTo} options={HOURS} />
        </div>
        <TextField
          label={t(UPDATE.trialMinutes)}
          hint={t(UPDATE.trialHint)}
          class="short"
          type="number"
          min={1}
          max={60}
          value={minutes}
          change={setMinutes}
          required
          error={errorAt(action.error, 'body.trialMs')}
        />
        <FormFoot busy={action.busy} dirty={dirty} problem={action.error} />
      </form>
    </Card>
  );
}
