/** One's own affairs: language, password, second factor with recovery codes, sessions, API tokens. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { PasswordForm } from '../app/login.tsx';
import { loadSession, logout, me, setMe } from '../app/session.ts';
import { Card, Copy, Notice, PageHead, Skeleton, State, Time, Trouble } from '../components/basics.tsx';
import { ask } from '../components/dialog.tsx';
import { FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { DataTable } from '../components/table.tsx';
import { toast, toastProblem } from '../components/toast.tsx';
import { setLanguage, t, word } from '../i18n/language.ts';
import { ACCOUNT } from '../i18n/words-account.ts';
import { COMMON } from '../i18n/words-common.ts';
import { LOGIN, ROLE_NAMES } from '../i18n/words-frame.ts';
import { Tokens } from './tokens.tsx';

export function Account() {
  const user = me.value?.user;
  if (user === undefined) return null;
  return (
    <>
      <PageHead
        title={t(ACCOUNT.title)}
        intro={t(ACCOUNT.intro, { name: user.name, role: word(ROLE_NAMES, user.role) })}
      >
        <button type="button" onClick={() => void logout().catch(toastProblem)}>
          {t(ACCOUNT.logout)}
        </button>
      </PageHead>
      <div class="cards">
        <Card title={t(ACCOUNT.language)}>
          <SelectField
            label={t(ACCOUNT.languageOf)}
            value={user.language}
            options={[
              { value: 'ja', label: '日本語' },
              { value: 'en', label: 'English' },
            ]}
            change={(language) => {
              void changeLanguage(language);
            }}
          />
        </Card>
        <Card title={t(ACCOUNT.password)}>
          <PasswordForm
            label={t(ACCOUNT.change)}
            done={(next) => {
              setMe(next, { useLanguage: false });
              toast(t(ACCOUNT.changed));
            }}
          />
        </Card>
        <SecondFactor on={user.totp} changed={() => void loadSession().catch(toastProblem)} />
      </div>
      <Sessions />
      <Tokens />
    </>
  );
}

async function changeLanguage(language: 'ja' | 'en'): Promise<void> {
  try {
    setMe(await call('account.update', { body: { language } }), { useLanguage: false });
    setLanguage(language);
  } catch (error) {
    toastProblem(error);
  }
}

type Begun = Answer<'account.totp-begin'>;

/** Also a step of the wizard. */
export function SecondFactor({ on, changed }: { on: boolean; changed: () => void }) {
  const [begun, setBegun] = useState<Begun | undefined>(undefined);
  const [codes, setCodes] = useState<readonly string[] | undefined>(undefined);
  const action = useAction();
  const begin = (): void => void action.run(async () => setBegun(await call('account.totp-begin', { body: {} })));
  const renew = (): void =>
    void action.run(async () => setCodes((await call('account.recovery-codes', { body: {} })).recoveryCodes));

  async function remove(): Promise<void> {
    const sure = await ask({
      title: t(ACCOUNT.totpRemove),
      body: <p>{t(ACCOUNT.totpRemoveText)}</p>,
      yes: t(ACCOUNT.totpRemove),
      danger: true,
    });
    if (!sure) return;
    await action.run(async () => {
      await call('account.totp-remove', {});
      changed();
    });
  }

  return (
    <Card
      title={t(ACCOUNT.totp)}
      side={<State tone={on ? 'ok' : 'idle'}>{t(on ? ACCOUNT.totpOn : ACCOUNT.totpOff)}</State>}
    >
      <p class="soft">{t(ACCOUNT.totpWhy)}</p>
      {codes === undefined ? null : <Codes codes={codes} done={() => setCodes(undefined)} />}
      {begun === undefined ? (
        <div class="row">
          {on ? (
            <>
              <button type="button" disabled={action.busy} onClick={renew}>
                {t(ACCOUNT.recoveryNew)}
              </button>
              <button type="button" class="danger" disabled={action.busy} onClick={() => void remove()}>
                {t(ACCOUNT.totpRemove)}
              </button>
            </>
          ) : (
            <button type="button" disabled={action.busy} onClick={begin}>
              {t(ACCOUNT.totpBegin)}
            </button>
          )}
        </div>
      ) : (
        <TotpForm
          begun={begun}
          done={(next) => {
            setBegun(undefined);
            setCodes(next);
            changed();
          }}
          cancel={() => setBegun(undefined)}
        />
      )}
      {action.error === undefined ? null : <Trouble error={action.error} />}
    </Card>
  );
}

function TotpForm(props: { begun: Begun; done: (codes: readonly string[]) => void; cancel: () => void }) {
  const [code, setCode] = useState('');
  const action = useAction();
  const finish = (): void =>
    void action.run(async () => {
      props.done((await call('account.totp-finish', { body: { code: code.trim() } })).recoveryCodes);
    });
  return (
    <form onSubmit={submitted(finish)}>
      <p>{t(ACCOUNT.totpScan)}</p>
      <img
        src={`data:image/svg+xml;utf8,${encodeURIComponent(props.begun.qr)}`}
        width="190"
        height="190"
        alt="QR"
        style={{ background: '#fff', padding: '8px', borderRadius: '6px' }}
      />
      <p class="small">
        {t(ACCOUNT.totpSecret)}: <span class="mono">{props.begun.secret}</span> <Copy text={props.begun.secret} />
      </p>
      <TextField
        label={t(LOGIN.code)}
        class="short"
        value={code}
        change={setCode}
        inputMode="numeric"
        autocomplete="one-time-code"
        required
      />
      <FormFoot busy={action.busy} label={t(ACCOUNT.totpFinish)} problem={action.error} />
      <button type="button" class="link" onClick={props.cancel}>
        {t(COMMON.cancel)}
      </button>
    </form>
  );
}

function Codes({ codes, done }: { codes: readonly string[]; done: () => void }) {
  return (
    <Notice tone="warn" title={t(ACCOUNT.recovery)}>
      <p>{t(ACCOUNT.recoveryText)}</p>
      <pre>{codes.join('\n')}</pre>
      <div class="row">
        <Copy text={codes.join('\n')} />
        <button type="button" class="tiny" onClick={() => print()}>
          {t(COMMON.print)}
        </button>
        <button type="button" class="tiny" onClick={done}>
          {t(ACCOUNT.recoveryKept)}
        </button>
      </div>
    </Notice>
  );
}

function Sessions() {
  const list = useLoad('sessions', (signal) => call('session.list', {}, signal));
  const act = (work: Promise<unknown>): void => {
    work.then(() => {
      toast(t(ACCOUNT.ended));
      list.again();
    }, toastProblem);
  };
  return (
    <Card
      title={t(ACCOUNT.sessions)}
      side={
        <button type="button" class="tiny" onClick={() => act(call('session.revoke-others', {}))}>
          {t(ACCOUNT.endOthers)}
        </button>
      }
    >
      {list.error === undefined ? null : <Trouble error={list.error} again={list.again} />}
      {list.value === undefined ? (
        list.error === undefined ? (
          <Skeleton />
        ) : null
      ) : (
        <DataTable
          caption={t(ACCOUNT.sessions)}
          rows={list.value.sessions}
          keyOf={(row) => row.id}
          columns={[
            { key: 'address', label: t(ACCOUNT.address), head: true, class: 'nowrap', render: (row) => row.address },
            {
              key: 'agent',
              label: t(ACCOUNT.browser),
              render: (row) => <span class="small clip">{row.userAgent}</span>,
            },
            { key: 'since', label: t(ACCOUNT.since), render: (row) => <Time at={row.since} /> },
            { key: 'seen', label: t(ACCOUNT.lastSeen), render: (row) => <Time at={row.lastSeenAt} style="ago" /> },
            {
              key: 'end',
              label: '',
              render: (row) =>
                row.current ? (
                  <State tone="ok">{t(ACCOUNT.current)}</State>
                ) : (
                  <button
                    type="button"
                    class="tiny"
                    onClick={() => act(call('session.revoke', { params: { id: row.id } }))}
                  >
                    {t(ACCOUNT.endSession)}
                  </button>
                ),
            },
          ]}
        />
      )}
    </Card>
  );
}
