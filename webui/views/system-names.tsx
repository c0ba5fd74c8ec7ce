/** The names under which these pages may be opened besides the host name and the addresses; any other is refused. */
import { useState } from 'preact/hooks';
import { call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Skeleton, Trouble } from '../components/basics.tsx';
import { AreaField, FormFoot, submitted, useDirtyGuard } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { needOk } from './message-actions.ts';
import { lines } from './policy-rules.tsx';

export function PageNames() {
  const kept = useLoad('pages.names', async (signal) => {
    const { value } = await call('config.show', { query: { path: 'pages.names' } }, signal);
    return Array.isArray(value) ? value.map(String) : [];
  });
  return (
    <Card title={t(SYSTEM.pageNames)}>
      <p class="soft">{t(SYSTEM.pageNamesText)}</p>
      {kept.error === undefined ? null : <Trouble error={kept.error} again={kept.again} />}
      {kept.value === undefined ? (
        kept.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <NamesForm key={kept.value.join()} names={kept.value} saved={kept.again} />
      )}
    </Card>
  );
}

function NamesForm({ names, saved }: { names: readonly string[]; saved: () => void }) {
  const [text, setText] = useState(names.join('\n'));
  const action = useAction();
  const wanted = lines(text);
  const dirty = wanted.join() !== names.join();
  useDirtyGuard(dirty);
  const save = (): void =>
    void action.run(async () => {
      needOk(await call('config.set', { body: { path: 'pages.names', value: wanted } }));
      toast(t(COMMON.saved));
      saved();
    });
  return (
    <form onSubmit={submitted(save)}>
      <AreaField
        label={t(SYSTEM.pageNamesField)}
        rows={2}
        value={text}
        change={setText}
        placeholder="sekisho.office.example"
        error={action.error?.fields[0]?.message}
      />
      {may('config.change') ? <FormFoot busy={action.busy} dirty={dirty} problem={action.error} /> : null}
    </form>
  );
}
