/** The first step, before there is any user: language, the one-time code from the console, the first admin. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { setMe } from '../app/session.ts';
import { Notice, Skeleton, Trouble } from '../components/basics.tsx';
import { Choices, errorAt, FormFoot, submitted, TextField } from '../components/form.tsx';
import { formatSpan } from '../i18n/format.ts';
import { language, setLanguage, t } from '../i18n/language.ts';
import { LOGIN } from '../i18n/words-frame.ts';
import { SETUP } from '../i18n/words-setup.ts';

export function Claim({ claimed }: { claimed: () => void }) {
  const setup = useLoad('setup', (signal) => call('setup.show', {}, signal));
  return (
    <>
      <h1 tabIndex={-1}>{t(SETUP.welcome)}</h1>
      {setup.value?.noData === true ? (
        <Notice tone="bad" title={t(SETUP.noData)}>
          <p>{t(SETUP.noDataText)}</p>
        </Notice>
      ) : (
        <p>{t(SETUP.welcomeText)}</p>
      )}
      <Choices
        label={t(SETUP.chooseLanguage)}
        value={language.value}
        change={setLanguage}
        options={[
          { value: 'ja', label: '日本語' },
          { value: 'en', label: 'English' },
        ]}
      />
      {setup.error === undefined ? null : <Trouble error={setup.error} again={setup.again} />}
      {setup.value === undefined ? (
        setup.error === undefined ? (
          <Skeleton lines={8} />
        ) : null
      ) : (
        <ClaimForm setup={setup.value} failed={setup.again} claimed={claimed} />
      )}
    </>
  );
}

function ClaimForm(props: { setup: Answer<'setup.show'>; failed: () => void; claimed: () => void }) {
  const { code: window_, fingerprint } = props.setup;
  const [code, setCode] = useState('');
  const [user, setUser] = useState('admin');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const action = useAction();
  const differ = again !== '' && again !== password;
  const claim = async (): Promise<void> => {
    if (differ) return;
    const ok = await action.run(async () => {
      const body = { code, user: user.trim(), password, language: language.value };
      setMe(await call('setup.claim', { body }), { useLanguage: false });
      props.claimed();
    });
    if (!ok) props.failed();
  };
  return (
    <form class="card" onSubmit={submitted(() => void claim())}>
      <CodeState window={window_} />
      <TextField
        label={t(SETUP.code)}
        hint={`${t(SETUP.codeHint)}${window_.triesLeft < 10 ? ` ${t(SETUP.triesLeft, { n: window_.triesLeft })}` : ''}`}
        value={code}
        change={setCode}
        required
        autocomplete="off"
        autocapitalize="characters"
        spellcheck={false}
        maxLength={64}
        error={errorAt(action.error, 'body.code')}
      />
      <TextField
        label={t(SETUP.user)}
        hint={t(SETUP.userHint)}
        value={user}
        change={setUser}
        required
        autocomplete="username"
        autocapitalize="none"
        spellcheck={false}
        error={errorAt(action.error, 'body.user')}
      />
      <TextField
        label={t(SETUP.password)}
        hint={t(LOGIN.newPasswordHint)}
        type="password"
        value={password}
        change={setPassword}
        required
        autocomplete="new-password"
        error={errorAt(action.error, 'body.password')}
      />
      <TextField
        label={t(SETUP.again)}
        type="password"
        value={again}
        change={setAgain}
        required
        autocomplete="new-password"
        error={differ ? t(LOGIN.differ) : undefined}
      />
      <FormFoot busy={action.busy} label={t(SETUP.claim)} problem={action.error} />
      <br />
      <details>
        <summary class="small">{t(SETUP.fingerprint)}</summary>
        <p class="soft small">{t(SETUP.fingerprintText)}</p>
        <p class="mono small">{fingerprint}</p>
      </details>
    </form>
  );
}

function CodeState({ window: state }: { window: Answer<'setup.show'>['code'] }) {
  if (state.state === 'expired') return <Notice tone="warn">{t(SETUP.codeExpired)}</Notice>;
  if (state.state !== 'locked') return null;
  return (
    <Notice tone="bad">
      {t(SETUP.codeLocked)} {state.retryAfter === undefined ? '' : formatSpan(state.retryAfter * 1_000)}
    </Notice>
  );
}
