/** The allow and the block list: what is on them, a line to add to either, removal that can be taken back. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { may } from '../app/session.ts';
import { Card, Empty, Skeleton, Trouble } from '../components/basics.tsx';
import { FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { Address, MailText } from '../components/mail-text.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { MESSAGE } from '../i18n/words-messages.ts';
import { POLICY } from '../i18n/words-policy.ts';
import { needOk } from './message-actions.ts';

type Entry = Answer<'lists.show'>['allow'][number];

export function Lists() {
  const lists = useLoad('lists', (signal) => call('lists.show', {}, signal));
  return (
    <Card title={t(POLICY.lists)}>
      {lists.error === undefined ? null : <Trouble error={lists.error} again={lists.again} />}
      {may('lists.change') ? <Add done={lists.again} /> : null}
      {lists.value === undefined ? (
        lists.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <div class="cards">
          <List name="allow" entries={lists.value.allow} done={lists.again} />
          <List name="block" entries={lists.value.block} done={lists.again} />
        </div>
      )}
    </Card>
  );
}

function List({ name, entries, done }: { name: 'allow' | 'block'; entries: readonly Entry[]; done: () => void }) {
  async function remove(entry: Entry): Promise<void> {
    try {
      needOk(await call('lists.remove', { params: { list: name, id: entry.id } }));
      done();
      toast(t(POLICY.removed, { match: entry.match }), {
        undo: async () => {
          needOk(await call('lists.add', { params: { list: name }, body: { match: entry.match, note: entry.note } }));
          done();
        },
      });
    } catch (error) {
      toastProblem(error);
    }
  }
  return (
    <section aria-label={t(POLICY[name])}>
      <h3>
        {t(POLICY[name])} <span class="count">{entries.length}</span>
      </h3>
      <p class="soft small">{t(name === 'allow' ? POLICY.allowHint : POLICY.blockHint)}</p>
      {entries.length === 0 ? (
        <Empty title={t(POLICY.listEmpty)} />
      ) : (
        <DataTable
          caption={t(POLICY[name])}
          rows={entries}
          keyOf={(row) => row.id}
          columns={[
            { key: 'match', label: t(POLICY.match), head: true, render: (row) => <Address address={row.match} /> },
            { key: 'note', label: t(POLICY.note), render: (row) => <MailText text={row.note} /> },
            {
              key: 'remove',
              label: '',
              class: 'fit',
              render: (row) =>
                may('lists.change') ? (
                  <button
                    type="button"
                    class="tiny"
                    aria-label={`${t(COMMON.remove)}: ${row.match}`}
                    onClick={() => void remove(row)}
                  >
                    {t(COMMON.remove)}
                  </button>
                ) : null,
            },
          ]}
        />
      )}
    </section>
  );
}

function Add({ done }: { done: () => void }) {
  const [list, setList] = useState<'allow' | 'block'>('allow');
  const [match, setMatch] = useState('');
  const [note, setNote] = useState('');
  const action = useAction();
  const add = (): void =>
    void action.run(async () => {
      needOk(await call('lists.add', { params: { list }, body: { match: match.trim(), note: note.trim() } }));
      toast(t(MESSAGE.listed, { match: match.trim() }));
      setMatch('');
      setNote('');
      done();
    });
  return (
    <form onSubmit={submitted(add)}>
      <div class="filters">
        <SelectField
          label={t(POLICY.lists)}
          value={list}
          change={setList}
          options={(['allow', 'block'] as const).map((value) => ({ value, label: t(POLICY[value]) }))}
        />
        <TextField
          label={t(POLICY.match)}
          class="grow"
          value={match}
          change={setMatch}
          required
          spellcheck={false}
          maxLength={320}
        />
        <TextField
          label={`${t(POLICY.note)} (${t(COMMON.optional)})`}
          class="grow"
          value={note}
          change={setNote}
          maxLength={200}
        />
        <FormFoot busy={action.busy} label={t(COMMON.add)} />
      </div>
      {action.error === undefined ? null : <Trouble error={action.error} />}
    </form>
  );
}
