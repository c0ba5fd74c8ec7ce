/** The single rules: thresholds with what they would have done to the mail of the last days, actions with consequences, trust. */
import { useEffect, useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Trouble } from '../components/basics.tsx';
import { AreaField, errorAt, FormFoot, SelectField, submitted, TextField, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { formatTime } from '../i18n/format.ts';
import { formatNumber, t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { POLICY } from '../i18n/words-policy.ts';
import { needOk } from './message-actions.ts';

type RuleSet = Omit<Answer<'policy.show'>['rules'], 'spamFor'>;
type SpamDraft = { tag: string; quarantine: string; reject: string; subjectTag: string };

interface Draft {
  spam: SpamDraft;
  virus: RuleSet['virus'];
  dmarc: RuleSet['dmarc'];
  actions: Record<ActionName, RuleSet['executable']>;
  forwarders: string;
  sealers: string;
}

const ACTIONS = [
  'ownDomainFromOutside',
  'suspiciousFrom',
  'disguisedExecutable',
  'executable',
  'encryptedArchive',
  'unscannable',
] as const;
type ActionName = (typeof ACTIONS)[number];

export function Rules({ rules, changed }: { rules: RuleSet; changed: () => void }) {
  const [draft, setDraft] = useState(() => draftOf(rules));
  const action = useAction();
  const dirty = JSON.stringify(draft) !== JSON.stringify(draftOf(rules));
  useDirtyGuard(dirty);
  const change = (part: Partial<Draft>): void => setDraft({ ...draft, ...part });
  const save = (): void =>
    void action.run(async () => {
      needOk(await call('policy.update', { body: changesOf(draft, rules) }));
      toast(t(COMMON.saved));
      changed();
    });
  const inOrder =
    Number(draft.spam.tag) <= Number(draft.spam.quarantine) &&
    Number(draft.spam.quarantine) <= Number(draft.spam.reject);
  return (
    <form onSubmit={submitted(save)}>
      <fieldset disabled={!may('config.change')}>
        <Card title={t(POLICY.thresholds)}>
          <p class="soft">{t(POLICY.thresholdsText)}</p>
          <div class="row end">
            {(['tag', 'quarantine', 'reject'] as const).map((name) => (
              <TextField
                key={name}
                label={t(POLICY[name])}
                type="number"
                step={0.1}
                inputMode="decimal"
                required
                value={draft.spam[name]}
                change={(value) => change({ spam: { ...draft.spam, [name]: value } })}
                error={errorAt(action.error, `spam.${name}`)}
              />
            ))}
            <TextField
              label={t(POLICY.subjectTag)}
              value={draft.spam.subjectTag}
              maxLength={40}
              change={(value) => change({ spam: { ...draft.spam, subjectTag: value } })}
            />
          </div>
          <br />
          {inOrder ? <Forecast spam={draft.spam} /> : <p class="state bad">{t(POLICY.order)}</p>}
        </Card>
        <Card title={t(POLICY.rules)}>
          <SelectField
            label={t(POLICY.virus)}
            hint={t(POLICY.virusHint)}
            value={draft.virus}
            change={(virus) => change({ virus })}
            options={[
              { value: 'reject', label: t(POLICY.reject) },
              { value: 'quarantine', label: t(POLICY.quarantine) },
            ]}
          />
          <SelectField
            label={t(POLICY.dmarc)}
            hint={t(POLICY.dmarcHint)}
            value={draft.dmarc}
            change={(dmarc) => change({ dmarc })}
            options={[
              { value: 'honour', label: t(POLICY.honour) },
              { value: 'quarantine', label: t(POLICY.quarantineOnly) },
              { value: 'ignore', label: t(POLICY.ignore) },
            ]}
          />
          {ACTIONS.map((name) => (
            <SelectField
              key={name}
              label={t(POLICY[name])}
              hint={
                name === 'ownDomainFromOutside'
                  ? t(POLICY.ownDomainHint)
                  : name === 'encryptedArchive'
                    ? t(POLICY.encryptedHint)
                    : undefined
              }
              value={draft.actions[name]}
              change={(value) => change({ actions: { ...draft.actions, [name]: value } })}
              options={(['reject', 'quarantine', 'deliver'] as const).map((value) => ({
                value,
                label: t(POLICY[value]),
              }))}
            />
          ))}
        </Card>
        <Card title={t(POLICY.trust)}>
          <AreaField
            label={t(POLICY.trustedForwarders)}
            hint={t(POLICY.trustedForwardersHint)}
            value={draft.forwarders}
            change={(forwarders) => change({ forwarders })}
            error={errorAt(action.error, 'trustedForwarders')}
          />
          <AreaField
            label={t(POLICY.trustedSealers)}
            value={draft.sealers}
            change={(sealers) => change({ sealers })}
            rows={2}
            error={errorAt(action.error, 'trustedSealers')}
          />
          <FormFoot
            busy={action.busy}
            dirty={dirty && inOrder}
            problem={action.error}
            reset={() => setDraft(draftOf(rules))}
          />
        </Card>
      </fieldset>
    </form>
  );
}

const SETTLE_MS = 500;

/** Asked after the numbers rest for a moment. */
function Forecast({ spam }: { spam: SpamDraft }) {
  const wanted = JSON.stringify({
    tag: Number(spam.tag),
    quarantine: Number(spam.quarantine),
    reject: Number(spam.reject),
  });
  const [settled, setSettled] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(wanted), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  const forecast = useLoad(`forecast ${settled}`, (signal) =>
    call(
      'policy.forecast',
      { query: JSON.parse(settled) as { tag: number; quarantine: number; reject: number } },
      signal,
    ),
  );
  if (forecast.error !== undefined) return <Trouble error={forecast.error} again={forecast.again} />;
  const { value } = forecast;
  const cell = (n: number | undefined): string => (n === undefined ? '…' : formatNumber(n));
  return (
    <div class="table-box">
      <table>
        <caption class="small soft" style={{ textAlign: 'start' }}>
          <strong>{t(POLICY.forecast)}</strong>{' '}
          {value === undefined
            ? null
            : t(POLICY.forecastText, { since: formatTime(value.since, 'day'), n: value.messages })}
        </caption>
        <thead>
          <tr>
            <th scope="col">
              <span class="sr">{t(POLICY.forecast)}</span>
            </th>
            {(['passed', 'tagged', 'quarantined', 'rejected'] as const).map((name) => (
              <th key={name} scope="col" class="num">
                {t(POLICY[name])}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {(['current', 'proposed'] as const).map((when) => (
            <tr key={when}>
              <th scope="row">{t(POLICY[when])}</th>
              {(['passed', 'tagged', 'quarantined', 'rejected'] as const).map((name) => (
                <td key={name} class="num">
                  {cell(value?.[when][name])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function draftOf(rules: RuleSet): Draft {
  return {
    spam: {
      tag: String(rules.spam.tag),
      quarantine: String(rules.spam.quarantine),
      reject: String(rules.spam.reject),
      subjectTag: rules.spam.subjectTag,
    },
    virus: rules.virus,
    dmarc: rules.dmarc,
    actions: Object.fromEntries(ACTIONS.map((name) => [name, rules[name]])) as Draft['actions'],
    forwarders: rules.trustedForwarders.join('\n'),
    sealers: rules.trustedSealers.join('\n'),
  };
}

function rulesOf(draft: Draft): RuleSet {
  return {
    spam: {
      tag: Number(draft.spam.tag),
      quarantine: Number(draft.spam.quarantine),
      reject: Number(draft.spam.reject),
      subjectTag: draft.spam.subjectTag,
    },
    virus: draft.virus,
    dmarc: draft.dmarc,
    ...draft.actions,
    trustedForwarders: lines(draft.forwarders),
    trustedSealers: lines(draft.sealers),
  };
}

/** Only these go to the box: a rule that somebody else changes at the same time stays as it was made. */
function changesOf(draft: Draft, rules: RuleSet): Partial<RuleSet> {
  const before = rulesOf(draftOf(rules));
  const changed = Object.entries(rulesOf(draft)).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof RuleSet]),
  );
  return Object.fromEntries(changed) as Partial<RuleSet>;
}

export function lines(text: string): string[] {
  return text
    .split(/[\n,;]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
