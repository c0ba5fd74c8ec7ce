/** Spam points and the mark in the subject for single recipients or domains: rows in order, what is left empty is as for everybody. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Empty } from '../components/basics.tsx';
import { AreaField, Check, errorAt, FormFoot, submitted, TextField, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { POLICY } from '../i18n/words-policy.ts';
import { needOk } from './message-actions.ts';
import { lines } from './policy-rules.tsx';

type RuleSet = Answer<'policy.show'>['rules'];
type Row = RuleSet['spamFor'][number];

const POINTS = ['tag', 'quarantine', 'reject'] as const;

interface Draft {
  /** Of the form only, so that a row keeps its fields when another goes. */
  key: number;
  recipients: string;
  points: Record<(typeof POINTS)[number], string>;
  subjectTag: string;
  noMark: boolean;
}

export function SpamFor({ rules, changed }: { rules: RuleSet; changed: () => void }) {
  const [rows, setRows] = useState(() => rules.spamFor.map((row, key) => draftOf(row, key)));
  const action = useAction();
  const wanted = rows.map(rowOf);
  const dirty = JSON.stringify(wanted) !== JSON.stringify(rules.spamFor.map((row, key) => rowOf(draftOf(row, key))));
  useDirtyGuard(dirty);
  const change = (key: number, part: Partial<Draft>): void =>
    setRows(rows.map((row) => (row.key === key ? { ...row, ...part } : row)));
  const add = (): void =>
    setRows([...rows, draftOf({ recipients: [] }, 1 + Math.max(-1, ...rows.map((row) => row.key)))]);
  const save = (): void =>
    void action.run(async () => {
      needOk(await call('policy.update', { body: { spamFor: wanted } }));
      toast(t(COMMON.saved));
      changed();
    });
  return (
    <form onSubmit={submitted(save)}>
      <Card title={t(POLICY.spamFor)}>
        <p class="soft">
          {t(POLICY.spamForText)} {t(POLICY.spamForWatch)}
        </p>
        <fieldset disabled={!may('config.change')}>
          {rows.length === 0 ? <Empty title={t(POLICY.spamForNone)} /> : null}
          {rows.map((row, index) => (
            <RowFields
              key={row.key}
              row={row}
              rules={rules}
              name={t(POLICY.spamForRow, { n: index + 1 })}
              error={(path) => errorAt(action.error, `spamFor.${index}${path}`)}
              change={(part) => change(row.key, part)}
              remove={() => setRows(rows.filter((other) => other !== row))}
            />
          ))}
          {may('config.change') ? (
            <>
              <p>
                <button type="button" onClick={add}>
                  {t(COMMON.add)}
                </button>
              </p>
              <FormFoot busy={action.busy} dirty={dirty} problem={action.error} />
            </>
          ) : null}
        </fieldset>
      </Card>
    </form>
  );
}

interface RowProperties {
  row: Draft;
  rules: RuleSet;
  name: string;
  /** What the box minds, by the end of its path. */
  error: (path: string) => string | undefined;
  change: (part: Partial<Draft>) => void;
  remove: () => void;
}

function RowFields({ row, rules, name, error, change, remove }: RowProperties) {
  const badRecipient = lines(row.recipients)
    .map((_, at) => error(`.recipients.${at}`))
    .find((text) => text !== undefined);
  return (
    <fieldset aria-label={name}>
      <AreaField
        label={t(POLICY.spamForWho)}
        rows={2}
        value={row.recipients}
        change={(recipients) => change({ recipients })}
        error={badRecipient ?? error('.recipients') ?? error('')}
      />
      <div class="row end">
        {POINTS.map((point) => (
          <TextField
            key={point}
            label={t(POLICY[point])}
            type="number"
            step={0.1}
            inputMode="decimal"
            placeholder={String(rules.spam[point])}
            value={row.points[point]}
            change={(value) => change({ points: { ...row.points, [point]: value } })}
            error={error(`.${point}`)}
          />
        ))}
        <TextField
          label={t(POLICY.subjectTag)}
          placeholder={row.noMark ? '' : rules.spam.subjectTag}
          value={row.noMark ? '' : row.subjectTag}
          maxLength={40}
          disabled={row.noMark}
          change={(subjectTag) => change({ subjectTag })}
        />
      </div>
      <div class="row">
        <Check label={t(POLICY.noMark)} checked={row.noMark} change={(noMark) => change({ noMark })} />
        <button type="button" class="tiny" aria-label={`${t(COMMON.remove)}: ${name}`} onClick={remove}>
          {t(COMMON.remove)}
        </button>
      </div>
    </fieldset>
  );
}

function draftOf(row: Row, key: number): Draft {
  const text = (value: number | undefined): string => (value === undefined ? '' : String(value));
  return {
    key,
    recipients: row.recipients.join('\n'),
    points: { tag: text(row.tag), quarantine: text(row.quarantine), reject: text(row.reject) },
    subjectTag: row.subjectTag ?? '',
    noMark: row.subjectTag === '',
  };
}

/** Empty fields are left out: as for everybody. */
function rowOf({ recipients, points, subjectTag, noMark }: Draft): Row {
  const given = POINTS.filter((point) => points[point].trim() !== '').map((point) => [point, Number(points[point])]);
  return {
    recipients: lines(recipients),
    ...(Object.fromEntries(given) as Partial<Record<(typeof POINTS)[number], number>>),
    ...(noMark ? { subjectTag: '' } : subjectTag === '' ? {} : { subjectTag }),
  };
}
