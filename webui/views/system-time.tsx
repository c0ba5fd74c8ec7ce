/** The box's clock and zone, and whether it is in step. Page and wizard. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Trouble } from '../components/basics.tsx';
import { FormFoot, SelectField, submitted } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { formatTime, zone } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { SYSTEM } from '../i18n/words-system.ts';

type Clock = Answer<'time.show'>;

export function TimeTab() {
  const clock = useLoad('clock', (signal) => call('time.show', {}, signal));
  if (clock.error !== undefined) return <Trouble error={clock.error} again={clock.again} />;
  if (clock.value === undefined) return <Skeleton lines={5} />;
  return (
    <Card title={t(SYSTEM.clockNow)}>
      <ClockFacts clock={clock.value} />
      {may('system.change') ? (
        <TimeForm
          key={clock.value.timeZone}
          clock={clock.value}
          label={t(COMMON.save)}
          done={() => {
            toast(t(COMMON.saved));
            clock.again();
          }}
        />
      ) : null}
    </Card>
  );
}

export function ClockFacts({ clock }: { clock: Clock }) {
  return (
    <>
      {clock.synchronised ? (
        <p>
          <State tone="ok">{t(SYSTEM.synchronised)}</State>
        </p>
      ) : (
        <Notice tone="warn" title={t(SYSTEM.notSynchronised)}>
          {t(SYSTEM.notSynchronisedText)}
        </Notice>
      )}
      <dl class="facts">
        <dt>{t(SYSTEM.clockNow)}</dt>
        <dd>
          {formatTime(clock.now, 'full')} {zone.value}
        </dd>
        <dt>{t(SYSTEM.source)}</dt>
        <dd class="mono">{clock.source ?? '–'}</dd>
      </dl>
      <br />
    </>
  );
}

export function TimeForm({ clock, label, done }: { clock: Clock; label: string; done: () => void }) {
  const [timeZone, setTimeZone] = useState(clock.timeZone);
  const action = useAction();
  const zones = Intl.supportedValuesOf('timeZone');
  const save = (): void =>
    void action.run(async () => {
      if (timeZone !== clock.timeZone) {
        await call('time.set', { body: { timeZone } });
        zone.value = timeZone;
      }
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <SelectField
        label={t(SYSTEM.zone)}
        class="short"
        value={timeZone}
        change={setTimeZone}
        options={[...(zones.includes(timeZone) ? [] : [timeZone]), ...zones].map((value) => ({ value, label: value }))}
      />
      <FormFoot busy={action.busy} label={label} problem={action.error} />
    </form>
  );
}
