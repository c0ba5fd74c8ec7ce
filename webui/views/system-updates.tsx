/** Updates in two slots: from the source or from a file, on trial until proven; and the power of the box. */
import { useEffect } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Time, type Tone, Trouble } from '../components/basics.tsx';
import { ask } from '../components/dialog.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { formatPercent, formatSize } from '../i18n/format.ts';
import { t, word } from '../i18n/language.ts';
import { FIELD } from '../i18n/words-mail.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { CHECK_NAMES, FALLBACK_REASONS, PHASE_NAMES, SLOT_STATES, UPDATE } from '../i18n/words-update.ts';
import { AdvisoriesCard } from './advisories-card.tsx';
import { UpdateFile } from './update-file.tsx';
import { UpdateSettings } from './update-settings.tsx';

type Update = Answer<'update.show'>;
const PHASE_TONES: Record<Update['phase'], Tone> = {
  idle: 'ok',
  checking: 'busy',
  downloading: 'busy',
  installing: 'busy',
  'waiting-for-reboot': 'warn',
  'on-trial': 'busy',
  failed: 'bad',
};
const SLOT_TONES = { good: 'ok', trial: 'busy', bad: 'bad', empty: 'idle', unknown: 'idle' } as const;
const POLL_MS = 2_000;

export function UpdatesTab() {
  const update = useLoad('update', (signal) => call('update.show', {}, signal));
  const phase = update.value?.phase;
  const { again } = update;
  // it goes on in the box whether anybody looks or not
  useEffect(() => {
    if (phase === undefined || phase === 'idle' || phase === 'failed') return undefined;
    const timer = setInterval(again, POLL_MS);
    return () => clearInterval(timer);
  }, [phase, again]);
  return (
    <>
      {update.error === undefined ? null : <Trouble error={update.error} again={update.again} />}
      {update.value === undefined ? (
        update.error === undefined ? (
          <Skeleton lines={6} />
        ) : null
      ) : (
        <Updates update={update.value} set={update.set} again={update.again} />
      )}
      <AdvisoriesCard />
      {may('system.change') ? <Power /> : null}
    </>
  );
}

function Updates({ update, set, again }: { update: Update; set: (update: Update) => void; again: () => void }) {
  const change = update.possible && may('system.change');
  return (
    <>
      <Card title={t(SYSTEM.version)} side={<strong>{update.version}</strong>}>
        {update.possible ? null : <Notice tone="idle">{t(SYSTEM.updateNotHere)}</Notice>}
        {update.lastFallback === undefined ? null : (
          <Notice tone="warn" title={t(UPDATE.fellBack)}>
            <Time at={update.lastFallback.at} /> {word(FALLBACK_REASONS, update.lastFallback.reason)}
          </Notice>
        )}
        {update.possible ? <Phase update={update} /> : null}
        {update.trial === undefined ? null : <Trial trial={update.trial} />}
        {update.slots.length === 0 ? null : <Slots slots={update.slots} />}
        {change ? <FromSource update={update} set={set} again={again} /> : null}
      </Card>
      {change ? (
        <div class="cards">
          <UpdateFile busy={BUSY.has(update.phase)} begun={again} />
          <UpdateSettings key={JSON.stringify(update.settings)} settings={update.settings} saved={again} />
        </div>
      ) : null}
    </>
  );
}

const BUSY: ReadonlySet<Update['phase']> = new Set(['checking', 'downloading', 'installing', 'on-trial']);

/** How far it is, in words; what went wrong with its reason. */
function Phase({ update }: { update: Update }) {
  const { phase, progressPercent, detail } = update;
  if (phase === 'idle' && update.available === undefined && update.checkedAt === undefined) return null;
  return (
    <div aria-live="polite">
      <p>
        <State tone={PHASE_TONES[phase]}>{t(PHASE_NAMES[phase])}</State>{' '}
        {progressPercent === undefined ? null : (
          <>
            <progress value={progressPercent} max={100} aria-label={t(PHASE_NAMES[phase])} />{' '}
            {formatPercent(progressPercent / 100)}
          </>
        )}
      </p>
      {phase === 'failed' && detail !== undefined ? (
        <Notice tone="bad" title={detail}>
          {t(UPDATE.failedText)}
        </Notice>
      ) : null}
      {phase === 'waiting-for-reboot' ? <Notice tone="warn">{t(UPDATE.rebootText)}</Notice> : null}
    </div>
  );
}

function Trial({ trial }: { trial: NonNullable<Update['trial']> }) {
  return (
    <Notice tone="busy" title={t(UPDATE.trial)}>
      {t(UPDATE.trialText)} <Time at={trial.endsAt} style="ago" />
      <ul class="plain-list">
        {trial.checks.map((check) => (
          <li key={check.name}>
            <State tone={check.ok ? 'ok' : 'bad'}>{word(CHECK_NAMES, check.name)}</State>{' '}
            <span class="soft small">{check.detail}</span>
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Slots({ slots }: { slots: Update['slots'] }) {
  return (
    <DataTable
      caption={t(SYSTEM.slots)}
      rows={slots}
      keyOf={(row) => row.name}
      columns={[
        { key: 'name', label: t(SYSTEM.slots), head: true, render: (row) => row.name },
        { key: 'version', label: t(SYSTEM.version), render: (row) => row.version ?? '–' },
        {
          key: 'state',
          label: t(FIELD.state),
          render: (row) => <State tone={SLOT_TONES[row.state]}>{t(SLOT_STATES[row.state])}</State>,
        },
        { key: 'booted', label: '', render: (row) => (row.booted ? t(SYSTEM.current) : '') },
      ]}
    />
  );
}

function FromSource({ update, set, again }: { update: Update; set: (update: Update) => void; again: () => void }) {
  const action = useAction();
  const { available } = update;
  const busy = action.busy || BUSY.has(update.phase);
  const check = (): void => void action.run(async () => set(await call('update.check', { body: {} })));
  const install = (): void =>
    void action.run(async () => {
      await call('update.install', { body: { from: 'source' } });
      again();
    });
  return (
    <>
      {available === undefined ? (
        update.checkedAt === undefined ? null : (
          <p>
            <State tone="ok">{t(SYSTEM.updateNone)}</State> <Time at={update.checkedAt} style="ago" />
          </p>
        )
      ) : (
        <Notice tone="ok" title={t(SYSTEM.updateAvailable, { version: available.version })}>
          {available.notes === undefined ? null : <p>{t(available.notes)}</p>}
          <p>
            {t(SYSTEM.updateText)} {available.octets === undefined ? '' : formatSize(available.octets)}
          </p>
          <button type="button" class="main" onClick={install} disabled={busy}>
            {t(SYSTEM.updateInstall)}
          </button>
        </Notice>
      )}
      {action.error === undefined ? null : <Trouble error={action.error} />}
      {update.settings.source === '' ? (
        <p class="soft small">{t(UPDATE.noSource)}</p>
      ) : (
        <button type="button" onClick={check} disabled={busy} aria-busy={action.busy}>
          {t(SYSTEM.updateCheck)}
        </button>
      )}
    </>
  );
}

function Power() {
  async function act(id: 'power.reboot' | 'power.off'): Promise<void> {
    const off = id === 'power.off';
    const sure = await ask({
      title: t(off ? SYSTEM.powerOff : SYSTEM.reboot),
      body: <p>{t(off ? SYSTEM.powerOffText : SYSTEM.rebootText)}</p>,
      yes: t(off ? SYSTEM.powerOff : SYSTEM.reboot),
      danger: true,
      ...(off ? { typed: t(SYSTEM.powerOffWord) } : {}),
    });
    if (!sure) return;
    try {
      await call(id, { body: {} });
      toast(t(SYSTEM.rebooting));
    } catch (error) {
      toastProblem(error);
    }
  }
  return (
    <Card title={t(SYSTEM.power)}>
      <div class="row">
        <button type="button" onClick={() => void act('power.reboot')}>
          {t(SYSTEM.reboot)}
        </button>
        <button type="button" class="danger" onClick={() => void act('power.off')}>
          {t(SYSTEM.powerOff)}
        </button>
        <a href="/help/bypass">{t(SYSTEM.powerOffLink)}</a>
      </div>
    </Card>
  );
}
