/** What the box tells to others, with its switches; what it keeps about people and for how long; one person's data. */
import { useState } from 'preact/hooks';
import { type Answer, call, download } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Skeleton, State, Trouble } from '../components/basics.tsx';
import { ask } from '../components/dialog.tsx';
import { Check, errorAt, FormFoot, submitted, TextField, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { needOk } from './message-actions.ts';

export function OutwardTab() {
  const outward = useLoad('outward', (signal) => call('outward.list', {}, signal));
  if (outward.error !== undefined) return <Trouble error={outward.error} again={outward.again} />;
  if (outward.value === undefined) return <Skeleton lines={8} />;
  return (
    <>
      <p class="soft">{t(SYSTEM.outwardIntro)}</p>
      <div class="cards">
        {outward.value.items.map((item) => (
          <Card
            key={item.name}
            title={t(item.title)}
            side={<State tone={item.on ? 'ok' : 'idle'}>{t(item.on ? COMMON.on : COMMON.off)}</State>}
          >
            <p>{t(item.text)}</p>
            <p class="soft small">
              {t(SYSTEM.outwardTo)}: <span class="mono">{item.to.join(', ') || '–'}</span>
            </p>
            {item.setting === undefined ? null : (
              <a href={`/system/settings?find=${encodeURIComponent(item.setting)}`} class="mono small">
                {item.setting}
              </a>
            )}
          </Card>
        ))}
      </div>
    </>
  );
}

type Privacy = Answer<'privacy.show'>;

export function PrivacyTab() {
  const privacy = useLoad('privacy', (signal) => call('privacy.show', {}, signal));
  if (privacy.error !== undefined) return <Trouble error={privacy.error} again={privacy.again} />;
  if (privacy.value === undefined) return <Skeleton lines={8} />;
  return (
    <div class="cards">
      <Kept privacy={privacy.value} />
      <Times key={JSON.stringify(privacy.value)} privacy={privacy.value} done={privacy.again} />
      {may('users.manage') ? <Person /> : null}
    </div>
  );
}

function Kept({ privacy }: { privacy: Privacy }) {
  return (
    <Card title={t(SYSTEM.kept)}>
      <table>
        <caption class="sr">{t(SYSTEM.kept)}</caption>
        <tbody>
          {privacy.kept.map((one) => (
            <tr key={one.what.en}>
              <th scope="row" style={{ fontWeight: 400 }}>
                {t(one.what)}
              </th>
              <td class="num">{one.days === undefined ? t(SYSTEM.keptUntil) : t(SYSTEM.keptDays, { n: one.days })}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Times({ privacy, done }: { privacy: Privacy; done: () => void }) {
  const [history, setHistory] = useState(String(privacy.historyDays));
  const [quarantine, setQuarantine] = useState(String(privacy.quarantineDays));
  const [subjects, setSubjects] = useState(privacy.subjects);
  const action = useAction();
  const dirty =
    history !== String(privacy.historyDays) ||
    quarantine !== String(privacy.quarantineDays) ||
    subjects !== privacy.subjects;
  useDirtyGuard(dirty);
  const save = (): void =>
    void action.run(async () => {
      const body = { historyDays: Number(history), quarantineDays: Number(quarantine), subjects };
      needOk(await call('privacy.update', { body }));
      toast(t(COMMON.saved));
      done();
    });
  return (
    <Card title={t(SYSTEM.historyDays)}>
      <form onSubmit={submitted(save)}>
        <fieldset disabled={!may('config.change')}>
          <TextField
            label={t(SYSTEM.historyDays)}
            class="short"
            type="number"
            min={1}
            max={3_650}
            value={history}
            change={setHistory}
            error={errorAt(action.error, 'historyDays')}
          />
          <TextField
            label={t(SYSTEM.quarantineDays)}
            class="short"
            type="number"
            min={1}
            max={3_650}
            value={quarantine}
            change={setQuarantine}
            error={errorAt(action.error, 'quarantineDays')}
          />
          <Check label={t(SYSTEM.subjects)} checked={subjects} change={setSubjects} />
          <br />
          <FormFoot busy={action.busy} dirty={dirty} problem={action.error} />
        </fieldset>
      </form>
    </Card>
  );
}

function Person() {
  const [address, setAddress] = useState('');
  const [quarantine, setQuarantine] = useState(false);
  const action = useAction();
  const exportIt = (): void =>
    void action.run(() => download('privacy.export', { body: { address: address.trim() } }, `${address.trim()}.jsonl`));
  async function forget(): Promise<void> {
    const given = address.trim();
    const sure = await ask({
      title: t(SYSTEM.personForgetTitle, { address: given }),
      body: <p>{t(SYSTEM.personForgetText)}</p>,
      yes: t(SYSTEM.personForget),
      danger: true,
      typed: given,
    });
    if (!sure) return;
    await action.run(async () => {
      const told = await call('privacy.forget', { body: { address: given, typed: given, quarantine } });
      toast(t(SYSTEM.personForgotten, { n: told.messages, deleted: told.deleted, waiting: told.waiting }));
      setAddress('');
    });
  }
  const ready = address.includes('@') && !action.busy;
  return (
    <Card title={t(SYSTEM.person)}>
      <p class="soft">{t(SYSTEM.personText)}</p>
      <TextField
        label={t(SYSTEM.personAddress)}
        type="email"
        value={address}
        change={setAddress}
        error={errorAt(action.error, 'body.address')}
      />
      {action.error === undefined ? null : <Trouble error={action.error} />}
      <Check label={t(SYSTEM.personQuarantine)} checked={quarantine} change={setQuarantine} />
      <div class="row">
        <button type="button" disabled={!ready} onClick={exportIt}>
          {t(SYSTEM.personExport)}
        </button>
        <button type="button" class="danger" disabled={!ready} onClick={() => void forget()}>
          {t(SYSTEM.personForget)}
        </button>
      </div>
    </Card>
  );
}
