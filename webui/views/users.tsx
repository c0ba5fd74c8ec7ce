/** The people who use these pages: roles, what helpdesk may read, a forgotten password, a lost second factor, sessions. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { me } from '../app/session.ts';
import { PageHead, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { ask, Modal } from '../components/dialog.tsx';
import { Check, Choices, errorAt, FormFoot, submitted, TextField } from '../components/form.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { language, t, word } from '../i18n/language.ts';
import { ACCOUNT, USERS } from '../i18n/words-account.ts';
import { COMMON } from '../i18n/words-common.ts';
import { LOGIN, PAGES, ROLE_NAMES } from '../i18n/words-frame.ts';

type User = Answer<'users.list'>['users'][number];
type Role = User['role'];
const ROLES = ['admin', 'operator', 'helpdesk', 'auditor'] as const;

export function Users() {
  const users = useLoad('users', (signal) => call('users.list', {}, signal));
  const [editing, setEditing] = useState<User | 'new' | undefined>(undefined);
  const close = (): void => setEditing(undefined);
  const done = (): void => {
    close();
    users.again();
  };
  return (
    <>
      <PageHead title={t(PAGES.users)} intro={t(USERS.intro)} chapter="users">
        <button type="button" class="main" onClick={() => setEditing('new')}>
          {t(USERS.add)}
        </button>
      </PageHead>
      {users.error === undefined ? null : <Trouble error={users.error} again={users.again} />}
      {users.value === undefined ? (
        users.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <DataTable
          caption={t(PAGES.users)}
          rows={users.value.users}
          keyOf={(row) => row.id}
          open={setEditing}
          columns={[
            {
              key: 'name',
              label: t(USERS.name),
              head: true,
              render: (row) => (
                <>
                  <button type="button" class="link" onClick={() => setEditing(row)}>
                    {row.name}
                  </button>{' '}
                  {row.fullName}
                  {row.enabled ? null : <State tone="warn">{t(USERS.disabled)}</State>}
                </>
              ),
            },
            { key: 'role', label: t(USERS.role), render: (row) => word(ROLE_NAMES, row.role) },
            {
              key: 'totp',
              label: t(ACCOUNT.totp),
              render: (row) => (
                <State tone={row.totp ? 'ok' : 'idle'}>{t(row.totp ? ACCOUNT.totpOn : ACCOUNT.totpOff)}</State>
              ),
            },
            { key: 'last', label: t(USERS.lastLogin), render: (row) => <Time at={row.lastLoginAt} style="ago" /> },
            { key: 'sessions', label: t(USERS.sessions), class: 'num', render: (row) => row.sessions },
          ]}
        />
      )}
      {editing === undefined ? null : (
        <Modal title={editing === 'new' ? t(USERS.add) : t(USERS.edit, { name: editing.name })} onClose={close}>
          {editing === 'new' ? <NewUser done={done} /> : <OneUser user={editing} done={done} />}
          <button type="button" class="link" onClick={close}>
            {t(COMMON.cancel)}
          </button>
        </Modal>
      )}
    </>
  );
}

function roleOptions() {
  return ROLES.map((value) => ({ value, label: word(ROLE_NAMES, value), hint: t(USERS.roleHints[value]) }));
}

function NewUser({ done }: { done: () => void }) {
  const [name, setName] = useState('');
  const [fullName, setFullName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const [contentAllowed, setContent] = useState(false);
  const [password, setPassword] = useState('');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      const body = {
        name: name.trim(),
        fullName: fullName.trim(),
        role,
        contentAllowed,
        language: language.value,
        password,
      };
      await call('users.create', { body });
      toast(t(USERS.added, { name: body.name }));
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <TextField
        label={t(USERS.name)}
        hint={t(USERS.nameHint)}
        value={name}
        change={setName}
        required
        autocapitalize="none"
        spellcheck={false}
        autocomplete="off"
        error={errorAt(action.error, 'body.name')}
      />
      <TextField
        label={`${t(USERS.fullName)} (${t(COMMON.optional)})`}
        value={fullName}
        change={setFullName}
        maxLength={100}
        autocomplete="off"
      />
      <Choices label={t(USERS.role)} value={role} change={setRole} options={roleOptions()} />
      {role === 'helpdesk' ? <Check label={t(USERS.content)} checked={contentAllowed} change={setContent} /> : null}
      <TextField
        label={t(USERS.password)}
        hint={t(USERS.passwordHint)}
        type="password"
        value={password}
        change={setPassword}
        required
        autocomplete="new-password"
        error={errorAt(action.error, 'body.password')}
      />
      <FormFoot busy={action.busy} label={t(USERS.add)} problem={action.error} />
    </form>
  );
}

function OneUser({ user, done }: { user: User; done: () => void }) {
  const [fullName, setFullName] = useState(user.fullName);
  const [role, setRole] = useState<Role>(user.role);
  const [contentAllowed, setContent] = useState(user.contentAllowed);
  const [enabled, setEnabled] = useState(user.enabled);
  const action = useAction();
  const params = { id: user.id };
  const save = (): void =>
    void action.run(async () => {
      await call('users.update', { params, body: { fullName, role, contentAllowed, enabled } });
      toast(t(COMMON.saved));
      done();
    });
  return (
    <>
      <form onSubmit={submitted(save)}>
        <TextField label={t(USERS.fullName)} value={fullName} change={setFullName} maxLength={100} autocomplete="off" />
        <Choices label={t(USERS.role)} value={role} change={setRole} options={roleOptions()} />
        {role === 'helpdesk' ? <Check label={t(USERS.content)} checked={contentAllowed} change={setContent} /> : null}
        <Check
          label={t(USERS.enabled)}
          checked={enabled}
          change={setEnabled}
          disabled={user.name === me.value?.user.name}
        />
        <FormFoot busy={action.busy} problem={action.error} />
      </form>
      <details>
        <summary>{t(USERS.actions)}</summary>
        <ResetPassword user={user} done={done} />
        <Dangerous user={user} done={done} />
      </details>
    </>
  );
}

function ResetPassword({ user, done }: { user: User; done: () => void }) {
  const [password, setPassword] = useState('');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      await call('users.password', { params: { id: user.id }, body: { password } });
      toast(t(COMMON.saved));
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <TextField
        label={t(LOGIN.newPassword)}
        hint={t(USERS.passwordHint)}
        type="password"
        value={password}
        change={setPassword}
        required
        autocomplete="new-password"
        error={errorAt(action.error, 'body.password')}
      />
      <FormFoot busy={action.busy} label={t(USERS.resetPassword)} problem={action.error} />
    </form>
  );
}

function Dangerous({ user, done }: { user: User; done: () => void }) {
  const params = { id: user.id };
  const run = async (work: () => Promise<unknown>, said: string): Promise<void> => {
    try {
      await work();
      toast(said);
      done();
    } catch (error) {
      toastProblem(error);
    }
  };
  async function remove(): Promise<void> {
    const sure = await ask({
      title: t(USERS.remove),
      body: <p>{t(USERS.removeText, { name: user.name })}</p>,
      yes: t(USERS.remove),
      danger: true,
      typed: user.name,
    });
    if (sure) await run(() => call('users.delete', { params }), t(USERS.removed, { name: user.name }));
  }
  return (
    <div class="row">
      {user.totp ? (
        <button type="button" onClick={() => void run(() => call('users.totp-remove', { params }), t(COMMON.saved))}>
          {t(USERS.removeTotp)}
        </button>
      ) : null}
      <button type="button" onClick={() => void run(() => call('users.sessions-end', { params }), t(ACCOUNT.ended))}>
        {t(USERS.endSessions)}
      </button>
      {user.name === me.value?.user.name ? null : (
        <button type="button" class="danger" onClick={() => void remove()}>
          {t(USERS.remove)}
        </button>
      )}
    </div>
  );
}
