/** Updates in two slots, and the power of the box. What stops mail says so before it is done. */
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Notice, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { ask } from '../components/dialog.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { formatPercent, formatSize } from '../i18n/format.ts';
import { t } from '../i18n/language.ts';
import { FIELD } from '../i18n/words-mail.ts';
import { SYSTEM } from '../i18n/words-system.ts';

type Update = Answer<'update.show'>;

export function UpdatesTab() {
  const update = useLoad('update', (signal) => call('update.show', {}, signal));
  return (
    <>
      {update.error === undefined ? null : <Trouble error={update.error} again={update.again} />}
      {update.value === undefined ? (
        update.error === undefined ? (
          <Skeleton lines={6} />
        ) : null
      ) : (
        <Updates update={update.value} set={update.set} />
      )}
      {may('system.change') ? <Power /> : null}
    </>
  );
}

function Updates({ update, set }: { update: Update; set: (update: Update) => void }) {
  const action = useAction();
  const { available } = update;
  const check = (): void => void action.run(async () => set(await call('update.check', { body: {} })));
  const install = (): void =>
    void action.run(async () => {
      await call('update.install', { body: { from: 'source' } });
      set(await call('update.show', {}));
    });
  return (
    <Card title={t(SYSTEM.version)} side={<strong>{update.version}</strong>}>
      {update.possible ? null : <Notice tone="idle">{t(SYSTEM.updateNotHere)}</Notice>}
      {update.lastFallback === undefined ? null : (
        <Notice tone="warn">
          <Time at={update.lastFallback.at} /> {update.lastFallback.reason}
        </Notice>
      )}
      {update.progressPercent === undefined ? null : (
        <p>
          <progress value={update.progressPercent} max={100} /> {formatPercent(update.progressPercent / 100)}{' '}
          {update.detail}
        </p>
      )}
      {update.slots.length === 0 ? null : (
        <DataTable
          caption={t(SYSTEM.slots)}
          rows={update.slots}
          keyOf={(row) => row.name}
          columns={[
            { key: 'name', label: t(SYSTEM.slots), head: true, render: (row) => row.name },
            { key: 'version', label: t(SYSTEM.version), render: (row) => row.version ?? '–' },
            {
              key: 'state',
              label: t(FIELD.state),
              render: (row) => (
                <State tone={row.state === 'good' ? 'ok' : row.state === 'bad' ? 'bad' : 'idle'}>{row.state}</State>
              ),
            },
            { key: 'booted', label: '', render: (row) => (row.booted ? t(SYSTEM.current) : '') },
          ]}
        />
      )}
      {available === undefined ? null : (
        <Notice tone="ok" title={t(SYSTEM.updateAvailable, { version: available.version })}>
          {available.notes === undefined ? null : <p>{t(available.notes)}</p>}
          <p>
            {t(SYSTEM.updateText)} {available.octets === undefined ? '' : formatSize(available.octets)}
          </p>
          {may('system.change') ? (
            <button type="button" class="main" onClick={install} disabled={action.busy}>
              {t(SYSTEM.updateInstall)}
            </button>
          ) : null}
        </Notice>
      )}
      {action.error === undefined ? null : <Trouble error={action.error} />}
      {update.possible && may('system.change') ? (
        <button type="button" onClick={check} disabled={action.busy} aria-busy={action.busy}>
          {t(SYSTEM.updateCheck)}
        </button>
      ) : null}
    </Card>
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
