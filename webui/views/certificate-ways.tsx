/** The ways to another certificate for one use: pasted, from a file, by a request, by the box's own authority, back to our own. */
import { useState } from 'preact/hooks';
import { base64Of } from '../api/base64.ts';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { Copy, Skeleton, Trouble } from '../components/basics.tsx';
import { ask } from '../components/dialog.tsx';
import { AreaField, errorAt, FormFoot, SelectField, submitted, TextField } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { CERTIFICATE } from '../i18n/words-certificates.ts';
import { SYSTEM } from '../i18n/words-system.ts';

type Use = Answer<'certificates.list'>['certificates'][number]['use'];
interface WayProperties {
  use: Use;
  done: () => void;
}
const WAYS = ['issue', 'pem', 'pkcs12', 'csr'] as const;

export function CertificateWays({ use, done, own }: WayProperties & { own: boolean }) {
  const [way, setWay] = useState<(typeof WAYS)[number] | 'own'>('issue');
  const ways = own ? ([...WAYS, 'own'] as const) : WAYS;
  const changed = (): void => {
    toast(t(CERTIFICATE.done));
    done();
  };
  return (
    <>
      <SelectField
        label={t(CERTIFICATE.way)}
        value={way}
        change={setWay}
        options={ways.map((value) => ({ value, label: t(CERTIFICATE[value]) }))}
      />
      {way === 'issue' ? <OneStep use={use} done={changed} operation="certificates.issue" /> : null}
      {way === 'own' ? <OneStep use={use} done={changed} operation="certificates.own" /> : null}
      {way === 'pem' ? <Pasted use={use} done={changed} /> : null}
      {way === 'pkcs12' ? <FromFile use={use} done={changed} /> : null}
      {way === 'csr' ? <ByRequest use={use} done={changed} /> : null}
    </>
  );
}

function OneStep({ use, done, operation }: WayProperties & { operation: 'certificates.issue' | 'certificates.own' }) {
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      await call(operation, { params: { use } });
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <p class="soft">{t(operation === 'certificates.own' ? CERTIFICATE.ownText : CERTIFICATE.issueText)}</p>
      <FormFoot busy={action.busy} label={t(CERTIFICATE.install)} problem={action.error} />
    </form>
  );
}

function Pasted({ use, done }: WayProperties) {
  const [certificate, setCertificate] = useState('');
  const [key, setKey] = useState('');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      await call('certificates.upload', { params: { use }, body: { certificate, key } });
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <AreaField
        label={t(SYSTEM.uploadCertificate)}
        placeholder="-----BEGIN CERTIFICATE-----"
        value={certificate}
        change={setCertificate}
        error={errorAt(action.error, 'body.certificate')}
      />
      <AreaField
        label={t(SYSTEM.uploadKey)}
        placeholder="-----BEGIN PRIVATE KEY-----"
        value={key}
        change={setKey}
        error={errorAt(action.error, 'body.key')}
      />
      <FormFoot
        busy={action.busy}
        dirty={certificate !== '' && key !== ''}
        label={t(CERTIFICATE.install)}
        problem={action.error}
      />
    </form>
  );
}

function FromFile({ use, done }: WayProperties) {
  const [file, setFile] = useState<File | undefined>(undefined);
  const [passphrase, setPassphrase] = useState('');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      if (file === undefined) return;
      await call('certificates.pkcs12', { params: { use }, body: { file: await base64Of(file), passphrase } });
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <label class="field">
        {t(CERTIFICATE.file)}
        <input type="file" accept=".p12,.pfx" onChange={(event) => setFile(event.currentTarget.files?.[0])} />
        {errorAt(action.error, 'body.file') === undefined ? null : (
          <span class="error">{errorAt(action.error, 'body.file')}</span>
        )}
      </label>
      <TextField
        label={t(CERTIFICATE.passphrase)}
        type="password"
        autocomplete="off"
        value={passphrase}
        change={setPassphrase}
        error={errorAt(action.error, 'body.passphrase')}
      />
      <FormFoot busy={action.busy} dirty={file !== undefined} label={t(CERTIFICATE.install)} problem={action.error} />
    </form>
  );
}

function ByRequest({ use, done }: WayProperties) {
  const pending = useLoad(`request-${use}`, (signal) => call('certificates.requested', { params: { use } }, signal));
  if (pending.error !== undefined) return <Trouble error={pending.error} again={pending.again} />;
  if (pending.value === undefined) return <Skeleton />;
  const { request } = pending.value;
  return (
    <>
      <p class="soft">{t(CERTIFICATE.csrText)}</p>
      {request === undefined ? (
        <MakeRequest use={use} done={pending.again} />
      ) : (
        <Waiting use={use} request={request} done={done} again={pending.again} />
      )}
    </>
  );
}

function MakeRequest({ use, done }: WayProperties) {
  const [names, setNames] = useState('');
  const [organisation, setOrganisation] = useState('');
  const [key, setKey] = useState<'ec' | 'rsa'>('ec');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      const about = organisation.trim() === '' ? {} : { organisation: organisation.trim() };
      await call('certificates.request', { params: { use }, body: { names: listOf(names), key, ...about } });
      done();
    });
  return (
    <form onSubmit={submitted(save)}>
      <TextField
        label={t(CERTIFICATE.csrNames)}
        placeholder="mail.office.example"
        spellcheck={false}
        value={names}
        change={setNames}
        error={errorAt(action.error, 'body.names') ?? errorAt(action.error, 'body.names.0')}
      />
      <TextField
        label={t(CERTIFICATE.csrOrganisation)}
        maxLength={64}
        value={organisation}
        change={setOrganisation}
        error={errorAt(action.error, 'body.organisation')}
      />
      <SelectField
        label={t(CERTIFICATE.csrKey)}
        value={key}
        change={setKey}
        options={(['ec', 'rsa'] as const).map((value) => ({ value, label: t(CERTIFICATE[value]) }))}
      />
      <FormFoot busy={action.busy} dirty={names.trim() !== ''} label={t(CERTIFICATE.csrMake)} problem={action.error} />
    </form>
  );
}

function Waiting({ use, request, done, again }: WayProperties & { request: string; again: () => void }) {
  const [certificate, setCertificate] = useState('');
  const action = useAction();
  const save = (): void =>
    void action.run(async () => {
      await call('certificates.signed', { params: { use }, body: { certificate } });
      done();
    });
  const forget = (): void =>
    void action.run(async () => {
      const sure = {
        title: t(CERTIFICATE.csrForget),
        body: t(CERTIFICATE.csrForgetText),
        yes: t(CERTIFICATE.csrForget),
      };
      if (!(await ask({ ...sure, danger: true }))) return;
      await call('certificates.request-delete', { params: { use } });
      again();
    });
  return (
    <form onSubmit={submitted(save)}>
      <AreaField label={t(CERTIFICATE.csrWaits)} value={request} change={() => undefined} rows={6} />
      <p class="row">
        <Copy text={request} />
        <a class="button" href={`data:application/pkcs10;base64,${btoa(request)}`} download={`${use}.csr`}>
          {t(CERTIFICATE.csrSave)}
        </a>
        <button type="button" class="danger" disabled={action.busy} onClick={forget}>
          {t(CERTIFICATE.csrForget)}
        </button>
      </p>
      <AreaField
        label={t(CERTIFICATE.csrAnswer)}
        placeholder="-----BEGIN CERTIFICATE-----"
        value={certificate}
        change={setCertificate}
        error={errorAt(action.error, 'body.certificate') ?? errorAt(action.error, 'body.key')}
      />
      <FormFoot busy={action.busy} dirty={certificate !== ''} label={t(CERTIFICATE.install)} problem={action.error} />
    </form>
  );
}

export function listOf(text: string): string[] {
  return text.split(/[\s,、]+/).filter((name) => name !== '');
}
