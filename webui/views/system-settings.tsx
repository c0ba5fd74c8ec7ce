/** Every key of the configuration with its meaning, for what has no page of its own; and the history with the way back. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { query } from '../app/router.ts';
import { may } from '../app/session.ts';
import { Card, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { FilterText } from '../components/filter.tsx';
import { AreaField, submitted } from '../components/form.tsx';
import { Modal } from '../components/dialog.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { needOk } from './message-actions.ts';

type Key = Answer<'config.reference'>['keys'][number];

export function SettingsTab() {
  const reference = useLoad('reference', (signal) => call('config.reference', {}, signal));
  const config = useLoad('config', (signal) => call('config.show', {}, signal));
  const [editing, setEditing] = useState<Key | undefined>(undefined);
  const find = (query.value['find'] ?? '').toLowerCase();
  const keys = reference.value?.keys.filter((key) =>
    [key.path, key.text.ja, key.text.en].some((text) => text.toLowerCase().includes(find)),
  );
  const generation = config.value?.generation ?? 0;
  return (
    <>
      <p class="soft">{t(SYSTEM.settingsIntro)}</p>
      <search class="filters">
        <FilterText name="find" label={t(SYSTEM.find)} grow />
      </search>
      {reference.error === undefined ? null : <Trouble error={reference.error} again={reference.again} />}
      {keys === undefined || config.value === undefined ? (
        reference.error === undefined ? (
          <Skeleton lines={12} />
        ) : null
      ) : (
        <DataTable
          caption={t(SYSTEM.settingsIntro)}
          rows={keys}
          keyOf={(row) => row.path}
          open={may('config.change') ? setEditing : undefined}
          columns={[
            {
              key: 'path',
              label: t(SYSTEM.setting),
              head: true,
              class: 'key',
              render: (row) => <SettingName path={row.path} />,
            },
            { key: 'text', label: '', render: (row) => t(row.text) },
            {
              key: 'value',
              label: t(SYSTEM.value),
              render: (row) => (
                <span class="mono small clip">{JSON.stringify(valueAt(config.value?.value, row.path)) ?? '–'}</span>
              ),
            },
          ]}
        />
      )}
      <br />
      <Generations key={generation} done={config.again} />
      {editing === undefined ? null : (
        <Edit
          setting={editing}
          value={valueAt(config.value?.value, editing.path)}
          close={() => setEditing(undefined)}
          done={() => {
            setEditing(undefined);
            config.again();
          }}
        />
      )}
    </>
  );
}

/** Broken between its words only, when there is no room for it on one line. */
function SettingName({ path }: { path: string }) {
  return (
    <span class="mono small">
      {path.split(/(?<=\.)|(?=[A-Z])/).map((part, index) => (
        <>
          {index === 0 ? null : <wbr />}
          {part}
        </>
      ))}
    </span>
  );
}

function Edit(props: { setting: Key; value: unknown; close: () => void; done: () => void }) {
  const { setting } = props;
  const [text, setText] = useState(JSON.stringify(props.value, null, 2) ?? '');
  const action = useAction();
  const parsed = parse(text);
  const save = (): void =>
    void action.run(async () => {
      if (parsed === undefined) return;
      needOk(await call('config.set', { body: { path: setting.path, value: parsed.value } }));
      toast(t(COMMON.saved));
      props.done();
    });
  const reset = (): void =>
    void action.run(async () => {
      needOk(await call('config.unset', { query: { path: setting.path } }));
      toast(t(COMMON.saved));
      props.done();
    });
  return (
    <Modal title={setting.path} onClose={props.close}>
      <p>{t(setting.text)}</p>
      <p class="soft small">
        {t(SYSTEM.default)}: <span class="mono">{JSON.stringify(setting.default) ?? '–'}</span>
        {setting.values === undefined ? null : <span class="mono"> ({setting.values.join(' | ')})</span>}
      </p>
      <form onSubmit={submitted(save)}>
        <AreaField
          label={t(SYSTEM.value)}
          value={text}
          change={setText}
          error={parsed === undefined ? t(SYSTEM.notJson) : undefined}
        />
        {action.error === undefined ? null : <Trouble error={action.error} />}
        <div class="row">
          <button type="button" onClick={props.close}>
            {t(COMMON.cancel)}
          </button>
          <button type="button" onClick={reset} disabled={action.busy}>
            {t(SYSTEM.toDefault)}
          </button>
          <button type="submit" class="main" disabled={action.busy || parsed === undefined}>
            {t(COMMON.save)}
          </button>
        </div>
      </form>
    </Modal>
  );
}

function Generations({ done }: { done: () => void }) {
  const list = useLoad('generations', (signal) => call('config.generations', {}, signal));
  async function rollback(generation: number): Promise<void> {
    try {
      needOk(await call('config.rollback', { body: { generation } }));
      toast(t(SYSTEM.rolledBack, { n: generation }));
      list.again();
      done();
    } catch (error) {
      toastProblem(error);
    }
  }
  return (
    <Card title={t(SYSTEM.history)}>
      {list.error === undefined ? null : <Trouble error={list.error} again={list.again} />}
      {list.value === undefined ? (
        list.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <DataTable
          caption={t(SYSTEM.history)}
          rows={list.value.generations.toReversed().slice(0, 30)}
          keyOf={(row) => String(row.generation)}
          columns={[
            { key: 'n', label: '#', head: true, render: (row) => row.generation },
            { key: 'at', label: t(SYSTEM.since), render: (row) => <Time at={row.at} /> },
            { key: 'by', label: t(SYSTEM.by), render: (row) => row.by },
            {
              key: 'changed',
              label: t(SYSTEM.changedKeys),
              render: (row) => (
                <span class="mono small">
                  {row.changed.length === 0 ? row.why : row.changed.slice(0, 6).join(', ')}
                </span>
              ),
            },
            {
              key: 'do',
              label: '',
              class: 'fit',
              render: (row) =>
                row.generation === list.value?.current ? (
                  <State tone="ok">{t(SYSTEM.current)}</State>
                ) : may('config.change') ? (
                  <button
                    type="button"
                    class="tiny"
                    aria-label={`${t(SYSTEM.rollback)}: ${row.generation}`}
                    onClick={() => void rollback(row.generation)}
                  >
                    {t(SYSTEM.rollback)}
                  </button>
                ) : null,
            },
          ]}
        />
      )}
    </Card>
  );
}

function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
