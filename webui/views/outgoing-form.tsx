/** The way out: directly or by a smarthost with a login (because of OP25B), probed before it is saved. Page and wizard. */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { Choices, errorAt, SelectField, submitted, TextField } from '../components/form.tsx';
import { t } from '../i18n/language.ts';
import { DOMAINS } from '../i18n/words-domains.ts';
import { tlsOptions } from './domain-form.tsx';
import { ProbeFoot } from './probe-foot.tsx';
import { needOk } from './message-actions.ts';

export type Outgoing = Answer<'outgoing.show'>;

interface Draft {
  way: 'direct' | 'smarthost';
  host: string;
  port: string;
  tls: 'opportunistic' | 'required' | 'off';
  user: string;
  password: string;
  domain: string;
}

export function OutgoingForm({ outgoing, done, label }: { outgoing: Outgoing; done: () => void; label: string }) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(outgoing));
  const [probe, setProbe] = useState<Answer<'outgoing.probe'> | undefined>(undefined);
  const probing = useAction();
  const saving = useAction();
  const change = (part: Partial<Draft>): void => {
    setDraft({ ...draft, ...part });
    setProbe(undefined);
  };
  const test = (): void =>
    void probing.run(async () => {
      const body =
        draft.way === 'direct'
          ? { way: 'direct' as const, domain: draft.domain.trim() }
          : { way: 'smarthost' as const, smarthost: smarthostOf(draft) };
      setProbe(await call('outgoing.probe', { body }));
    });
  const save = (): void =>
    void saving.run(async () => {
      const body =
        draft.way === 'direct'
          ? { way: 'direct' as const }
          : { way: 'smarthost' as const, smarthost: smarthostOf(draft) };
      needOk(await call('outgoing.update', { body }));
      done();
    });
  const passed = probe?.ok === true;
  return (
    <form onSubmit={submitted(() => (passed ? save() : test()))}>
      <Choices
        label={t(DOMAINS.outgoing)}
        quiet
        value={draft.way}
        change={(way) => change({ way })}
        options={[
          { value: 'direct', label: t(DOMAINS.direct), hint: t(DOMAINS.directHint) },
          { value: 'smarthost', label: t(DOMAINS.smarthost), hint: t(DOMAINS.smarthostHint) },
        ]}
      />
      {draft.way === 'direct' ? (
        <TextField
          label={t(DOMAINS.probeDomain)}
          hint={t(DOMAINS.probeDomainHint)}
          value={draft.domain}
          change={(domain) => change({ domain })}
          spellcheck={false}
          required
        />
      ) : (
        <Smarthost
          draft={draft}
          change={change}
          kept={outgoing.smarthost?.hasPassword === true}
          problem={saving.error ?? probing.error}
        />
      )}
      <ProbeFoot {...{ probe, probing, saving, label, test, save }} />
    </form>
  );
}

interface SmarthostProperties {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  kept: boolean;
  problem: Parameters<typeof errorAt>[0];
}

function Smarthost({ draft, change, kept, problem }: SmarthostProperties) {
  return (
    <>
      <TextField
        label={t(DOMAINS.server)}
        value={draft.host}
        change={(host) => change({ host })}
        required
        spellcheck={false}
        error={errorAt(problem, 'host')}
      />
      <TextField
        label={t(DOMAINS.port)}
        class="short"
        type="number"
        min={1}
        max={65_535}
        value={draft.port}
        change={(port) => change({ port })}
      />
      <SelectField label={t(DOMAINS.tls)} value={draft.tls} change={(tls) => change({ tls })} options={tlsOptions()} />
      <TextField
        label={t(DOMAINS.user)}
        value={draft.user}
        change={(user) => change({ user })}
        autocomplete="off"
        spellcheck={false}
        error={errorAt(problem, 'user')}
      />
      <TextField
        label={t(DOMAINS.password)}
        type="password"
        value={draft.password}
        change={(password) => change({ password })}
        autocomplete="new-password"
        {...(kept ? { placeholder: t(DOMAINS.passwordKept) } : {})}
        error={errorAt(problem, 'password')}
      />
    </>
  );
}

function draftOf({ way, smarthost }: Outgoing): Draft {
  return {
    way,
    host: smarthost?.host ?? '',
    port: String(smarthost?.port ?? 587),
    tls: smarthost?.tls ?? 'required',
    user: smarthost?.user ?? '',
    password: '',
    domain: 'gmail.com',
  };
}

function smarthostOf(draft: Draft) {
  return {
    host: draft.host.trim(),
    port: Number(draft.port),
    tls: draft.tls,
    ...(draft.user.trim() === '' ? {} : { user: draft.user.trim() }),
    ...(draft.password === '' ? {} : { password: draft.password }),
  };
}
