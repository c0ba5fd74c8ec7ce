/** The level with its consequences, thresholds with a forecast from one's own mail, single rules, the lists, and what recipients are told. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, PageHead, Skeleton, State, Trouble } from '../components/basics.tsx';
import { Choices, FormFoot, submitted, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { formatAgo } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { PAGES } from '../i18n/words-frame.ts';
import { POLICY } from '../i18n/words-policy.ts';
import { needOk } from './message-actions.ts';
import { Lists } from './policy-lists.tsx';
import { AlertMail } from './policy-alerts.tsx';
import { Notify } from './policy-notify.tsx';
import { SpamFor } from './policy-recipients.tsx';
import { Rules } from './policy-rules.tsx';

export type PolicyState = Answer<'policy.show'>;

export function Policy() {
  const policy = useLoad('policy', (signal) => call('policy.show', {}, signal));
  const { value } = policy;
  return (
    <>
      <PageHead title={t(PAGES.policy)} intro={t(POLICY.intro)} chapter="policy" />
      {policy.error === undefined ? null : <Trouble error={policy.error} again={policy.again} />}
      {value === undefined ? (
        policy.error === undefined ? (
          <Skeleton lines={16} />
        ) : null
      ) : (
        <>
          <LevelCard key={`${value.level}`} policy={value} changed={policy.again} />
          {/* saving the one must not throw away what is being typed into the other */}
          <Rules
            key={`rules ${JSON.stringify({ ...value.rules, spamFor: [] })}`}
            rules={value.rules}
            changed={policy.again}
          />
          <SpamFor key={`rows ${JSON.stringify(value.rules.spamFor)}`} rules={value.rules} changed={policy.again} />
        </>
      )}
      <Lists />
      <Notify />
      <AlertMail />
      <Card title={t(POLICY.later)}>
        <p class="soft">{t(POLICY.laterText)}</p>
      </Card>
    </>
  );
}

function LevelCard({ policy, changed }: { policy: PolicyState; changed: () => void }) {
  return (
    <Card
      title={t(POLICY.level)}
      side={
        <State tone={policy.level === 'watch' ? 'warn' : 'ok'}>
          {t(POLICY.levelNow, { name: t(POLICY[policy.level]) })}
        </State>
      }
    >
      {policy.watchingSince === undefined ? null : (
        <Notice tone="warn">{t(POLICY.watchingSince, { when: formatAgo(policy.watchingSince) })}</Notice>
      )}
      {policy.level === 'custom' ? <Notice tone="idle">{t(POLICY.customText)}</Notice> : null}
      <LevelForm
        policy={policy}
        done={(level) => {
          toast(t(POLICY.levelChanged, { name: t(POLICY[level]) }));
          changed();
        }}
      />
    </Card>
  );
}

type Level = PolicyState['levels'][number]['level'];

/** Also a step of the wizard. */
export function LevelForm(props: { policy: PolicyState; done: (level: Level) => void; label?: string }) {
  const { policy } = props;
  const current = policy.levels.find((one) => one.level === policy.level)?.level;
  const [level, setLevel] = useState<Level | undefined>(current);
  const action = useAction();
  const dirty = level !== current;
  useDirtyGuard(dirty && props.label === undefined);
  const save = (): void =>
    void action.run(async () => {
      if (level === undefined) return;
      if (dirty) needOk(await call('policy.level', { body: { level } }));
      props.done(level);
    });
  return (
    <form onSubmit={submitted(save)}>
      <Choices
        label={t(POLICY.level)}
        quiet
        value={level}
        change={setLevel}
        options={policy.levels.map((one) => ({
          value: one.level,
          label: t(one.title),
          hint: one.consequences.map((line) => t(line)).join('\n'),
        }))}
      />
      {may('config.change') ? (
        <FormFoot
          busy={action.busy}
          dirty={props.label === undefined ? dirty : level !== undefined}
          label={props.label ?? t(POLICY.levelSave)}
          problem={action.error}
        />
      ) : null}
    </form>
  );
}
