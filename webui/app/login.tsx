/**
 * Login with the second factor, in a page of its own and as a dialog when the session ended in the middle of something; the
 * password again before what matters; and the new password that somebody with a borrowed one must choose.
 */
import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { call, confirmation, sessionEnded, sessionIsBack } from '../api/client.ts';
import { ApiProblem } from '../api/problem.ts';
import { useAction } from '../api/use.ts';
import { Notice } from '../components/basics.tsx';
import { Modal } from '../components/dialog.tsx';
import { errorAt, FormFoot, submitted, TextField } from '../components/form.tsx';
import { COMMON, TROUBLE } from '../i18n/words-common.ts';
import { LOGIN } from '../i18n/words-frame.ts';
import { t } from '../i18n/language.ts';
import { go } from './router.ts';
import { type Me, me, setMe } from './session.ts';

export function LoginForm({ done, user: known }: { done: (me: Me) => void; user?: string | undefined }) {
  const [user, setUser] = useState(known ?? '');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState<string | undefined>(undefined);
  const action = useAction();

  function login(): void {
    void action.run(async () => {
      try {
        const body = {
          user: user.trim().toLowerCase(),
          password,
          ...(code === undefined ? {} : { code: code.trim() }),
        };
        done(await call('session.login', { body }));
      } catch (error) {
        if (!(error instanceof ApiProblem) || error.code !== 'CODE_NEEDED') throw error;
        setCode('');
      }
    });
  }

  return (
    <form onSubmit={submitted(login)}>
      <TextField
        label={t(LOGIN.user)}
        value={user}
        change={setUser}
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
        required
        readOnly={known !== undefined}
        autoFocus={known === undefined}
      />
      <TextField
        label={t(LOGIN.password)}
        type="password"
        value={password}
        change={setPassword}
        autocomplete="current-password"
        required
        autoFocus={known !== undefined}
      />
      {code === undefined ? null : (
        <TextField
          label={t(LOGIN.code)}
          hint={t(LOGIN.codeHint)}
          value={code}
          change={setCode}
          autocomplete="one-time-code"
          required
          autoFocus
        />
      )}
      <FormFoot busy={action.busy} label={t(LOGIN.go)} problem={action.error} />
    </form>
  );
}

export function LoginPage() {
  return (
    <>
      <h1 tabIndex={-1}>{t(LOGIN.title)}</h1>
      <br />
      <section class="card" aria-label={t(LOGIN.title)}>
        <LoginForm done={(next) => setMe(next, { useLanguage: true })} />
      </section>
      <details class="soft small">
        <summary>{t(LOGIN.forgot)}</summary>
        <p>{t(LOGIN.forgotText)}</p>
      </details>
    </>
  );
}

/** The session ended while a page was open: what was typed stays behind the dialog. */
export function SessionEndedDialog() {
  if (!sessionEnded.value) return null;
  const user = me.value?.user.name;
  return (
    <Modal title={t(LOGIN.endedTitle)} onClose={() => undefined}>
      <Notice tone="warn" title={t(TROUBLE.ended)}>
        {t(TROUBLE.endedText)}
      </Notice>
      <LoginForm
        user={user}
        done={(next) => {
          setMe(next, { useLanguage: false });
          sessionIsBack();
        }}
      />
    </Modal>
  );
}

const asking = signal<((yes: boolean) => void) | undefined>(undefined);
confirmation.ask = () =>
  new Promise((resolve) => {
    asking.value?.(false);
    asking.value = resolve;
  });

/** The password again (and the code, with a second factor); good for five minutes. */
export function ConfirmDialog() {
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const action = useAction();
  const answer = asking.value;
  if (answer === undefined) return null;
  const needsCode = me.value?.user.totp === true;

  function close(yes: boolean): void {
    asking.value = undefined;
    setPassword('');
    setCode('');
    action.clear();
    answer?.(yes);
  }
  function confirm(): void {
    void action.run(async () => {
      const next = await call('session.confirm', { body: { password, ...(needsCode ? { code: code.trim() } : {}) } });
      setMe(next, { useLanguage: false });
      close(true);
    });
  }
  return (
    <Modal title={t(LOGIN.confirmTitle)} onClose={() => close(false)}>
      <p>{t(TROUBLE.passwordAgain)}</p>
      <form onSubmit={submitted(confirm)}>
        <TextField
          label={t(LOGIN.password)}
          type="password"
          value={password}
          change={setPassword}
          autocomplete="current-password"
          required
          autoFocus
        />
        {needsCode ? (
          <TextField label={t(LOGIN.code)} value={code} change={setCode} autocomplete="one-time-code" required />
        ) : null}
        <FormFoot busy={action.busy} label={t(LOGIN.confirm)} problem={action.error} />
        <button type="button" class="link" onClick={() => close(false)}>
          {t(COMMON.cancel)}
        </button>
      </form>
    </Modal>
  );
}

export function PasswordForm({ done, label }: { done: (me: Me) => void; label: string }) {
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const action = useAction();
  const differ = again !== '' && again !== password;

  function change(): void {
    if (differ || again === '') return;
    void action.run(async () => {
      done(await call('account.password', { body: { current, password } }));
      setCurrent('');
      setPassword('');
      setAgain('');
    });
  }
  return (
    <form onSubmit={submitted(change)}>
      <TextField
        label={t(LOGIN.password)}
        type="password"
        value={current}
        change={setCurrent}
        autocomplete="current-password"
        required
        error={errorAt(action.error, 'body.current')}
      />
      <TextField
        label={t(LOGIN.newPassword)}
        hint={t(LOGIN.newPasswordHint)}
        type="password"
        value={password}
        change={setPassword}
        autocomplete="new-password"
        required
        error={errorAt(action.error, 'body.password')}
      />
      <TextField
        label={t(LOGIN.repeat)}
        type="password"
        value={again}
        change={setAgain}
        autocomplete="new-password"
        required
        error={differ ? t(LOGIN.differ) : undefined}
      />
      <FormFoot busy={action.busy} label={label} problem={action.error} />
    </form>
  );
}

export function MustChangePage() {
  return (
    <>
      <h1 tabIndex={-1}>{t(LOGIN.mustChange)}</h1>
      <p>{t(LOGIN.mustChangeText)}</p>
      <section class="card" aria-label={t(LOGIN.mustChange)}>
        <PasswordForm
          label={t(LOGIN.change)}
          done={(next) => {
            setMe(next, { useLanguage: false });
            void go('/');
          }}
        />
      </section>
    </>
  );
}
