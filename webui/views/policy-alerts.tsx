/** Telling the owner of trouble: who gets the alert mail. Saved, the box writes to whoever is new within a minute, and so it is tried. */
import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Skeleton, Trouble } from '../components/basics.tsx';
import { errorAt, FormFoot, submitted, TextField, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { ALERTS } from '../i18n/words-notify.ts';
import { needOk } from './message-actions.ts';

const KEY = 'alerts.to';

export function AlertMail() {
  const setting = useLoad('alerts', async (signal) => {
    const { value } = await call('config.show', { query: { path: KEY } }, signal);
    return value as string[];
  });
  const { value } = setting;
  return (
    <Card title={t(ALERTS.title)}>
      <p class="soft">{t(ALERTS.intro)}</p>
      {setting.error === undefined ? null : <Trouble error={setting.error} again={setting.again} />}
      {value === undefined ? (
        setting.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <AlertForm key={JSON.stringify(value)} to={value} done={setting.again} />
      )}
    </Card>
  );
}

function AlertForm(props: { to: string[]; done: () => void }) {
  const [text, setText] = useState(props.to.join(', '));
  const action = useAction();
  const to = text.split(/[\s,、]+/).filter((one) => one !== '');
  const dirty = JSON.stringify(to) !== JSON.stringify(props.to);
  useDirtyGuard(dirty);
  const bad = ['', ...to.map((_, index) => `.${index}`)]
    .map((end) => errorAt(action.error, `${KEY}${end}`))
    .find((found) => found !== undefined);
  const save = (): void =>
    void action.run(async () => {
      needOk(await call('config.set', { body: { path: KEY, value: to } }));
      toast(t(to.length === 0 ? COMMON.saved : ALERTS.saved));
      props.done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <fieldset disabled={!may('config.change')}>
        <TextField
          label={t(ALERTS.to)}
          hint={t(ALERTS.toHint)}
          value={text}
          change={setText}
          spellcheck={false}
          autocomplete="off"
          maxLength={2_000}
          error={bad}
        />
        <FormFoot busy={action.busy} dirty={dirty} problem={action.error} />
      </fieldset>
    </form>
  );
}
