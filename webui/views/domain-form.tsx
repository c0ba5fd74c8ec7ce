/**
 * One domain and its mail server: probed before it is saved (reachable, STARTTLS, takes a known recipient, refuses an unknown
 * one), with hints for the product that answered. Used by the page and by the wizard.
 */
import { useState } from 'preact/hooks';
import { type Answer, call } from '../api/client.ts';
import { useAction } from '../api/use.ts';
import { errorAt, SelectField, submitted, TextField } from '../components/form.tsx';
import { t } from '../i18n/language.ts';
import { DOMAINS } from '../i18n/words-domains.ts';
import { needOk } from './message-actions.ts';
import { ProbeFoot } from './probe-foot.tsx';

export type Domain = Answer<'domains.list'>['domains'][number];
type Probe = Answer<'domains.probe'>;
type Tls = 'opportunistic' | 'required' | 'off';

interface Draft {
  name: string;
  host: string;
  port: string;
  tls: Tls;
  protocol: 'smtp' | 'lmtp';
  check: 'call-ahead' | 'list' | 'any';
  whenUnknown: 'defer' | 'accept';
  known: string;
}

interface Properties {
  domain?: Domain | undefined;
  done: (name: string) => void;
  label: string;
}

export function DomainForm({ domain, done, label }: Properties) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(domain));
  const [probe, setProbe] = useState<Probe | undefined>(undefined);
  const probing = useAction();
  const saving = useAction();
  const change = (part: Partial<Draft>): void => {
    setDraft({ ...draft, ...part });
    setProbe(undefined);
  };
  const test = (): Promise<boolean> =>
    probing.run(async () => {
      const known = draft.known.trim();
      const body = { server: serverOf(draft), domain: draft.name.trim(), ...(known === '' ? {} : { known }) };
      setProbe(await call('domains.probe', { body }));
    });
  const save = (): void =>
    void saving.run(async () => {
      const body = bodyOf(draft, domain);
      needOk(
        domain === undefined
          ? await call('domains.create', { body })
          : await call('domains.update', { params: { name: domain.name }, body }),
      );
      done(body.name);
    });
  const passed = probe?.ok === true;
  return (
    <form onSubmit={submitted(() => (passed ? save() : void test()))}>
      <TextField
        label={t(DOMAINS.name)}
        hint={t(DOMAINS.nameHint)}
        value={draft.name}
        change={(name) => change({ name })}
        required
        spellcheck={false}
        autocapitalize="none"
        error={errorAt(saving.error, 'name') ?? errorAt(probing.error, 'body.domain')}
      />
      <TextField
        label={t(DOMAINS.server)}
        hint={t(DOMAINS.serverHint)}
        value={draft.host}
        change={(host) => change({ host })}
        required
        spellcheck={false}
        autocapitalize="none"
        error={errorAt(saving.error, 'servers[0].host') ?? errorAt(probing.error, 'body.server.host')}
      />
      <TextField
        label={t(DOMAINS.known)}
        hint={t(DOMAINS.knownHint)}
        type="email"
        value={draft.known}
        change={(known) => change({ known })}
        error={errorAt(probing.error, 'body.known')}
      />
      <details open={draft.port !== '25'}>
        <summary>{t(DOMAINS.more)}</summary>
        <Advanced draft={draft} change={change} />
      </details>
      <ProbeFoot {...{ probe, probing, saving, label, save }} test={() => void test()} />
    </form>
  );
}

function Advanced({ draft, change }: { draft: Draft; change: (part: Partial<Draft>) => void }) {
  return (
    <>
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
      <SelectField
        label={t(DOMAINS.protocol)}
        value={draft.protocol}
        change={(protocol) => change({ protocol })}
        options={[
          { value: 'smtp', label: 'SMTP' },
          { value: 'lmtp', label: 'LMTP (Dovecot)' },
        ]}
      />
      <SelectField
        label={t(DOMAINS.check)}
        value={draft.check}
        change={(check) => change({ check })}
        options={(['call-ahead', 'any', ...(draft.check === 'list' ? (['list'] as const) : [])] as const).map(
          (value) => ({
            value,
            label: t(DOMAINS[value]),
          }),
        )}
      />
      <SelectField
        label={t(DOMAINS.whenUnknown)}
        value={draft.whenUnknown}
        change={(whenUnknown) => change({ whenUnknown })}
        options={(['defer', 'accept'] as const).map((value) => ({ value, label: t(DOMAINS[value]) }))}
      />
    </>
  );
}

export function tlsOptions() {
  return (['opportunistic', 'required', 'off'] as const).map((value) => ({ value, label: t(DOMAINS[value]) }));
}

function draftOf(domain: Domain | undefined): Draft {
  const server = domain?.servers[0];
  return {
    name: domain?.displayName ?? '',
    host: server?.host ?? '',
    port: String(server?.port ?? 25),
    tls: server?.tls ?? 'opportunistic',
    protocol: server?.protocol ?? 'smtp',
    check: domain?.recipients.check ?? 'call-ahead',
    whenUnknown: domain?.recipients.whenUnknown ?? 'defer',
    known: '',
  };
}

function serverOf(draft: Draft) {
  return { host: draft.host.trim(), port: Number(draft.port), tls: draft.tls, protocol: draft.protocol };
}

/** What this form does not show stays as it was: further servers, a recipients' file, the pace. */
function bodyOf(draft: Draft, domain: Domain | undefined) {
  const [first, ...others] = domain?.servers ?? [];
  return {
    name: draft.name.trim(),
    servers: [{ ...(first === undefined ? {} : { priority: first.priority }), ...serverOf(draft) }, ...others],
    recipients: {
      check: draft.check,
      whenUnknown: draft.whenUnknown,
      ...(domain?.recipients.file === undefined ? {} : { file: domain.recipients.file }),
    },
    ...(domain?.perMinute === undefined ? {} : { perMinute: domain.perMinute }),
  };
}
