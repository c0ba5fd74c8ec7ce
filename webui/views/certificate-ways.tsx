/** The ways to another certificate for one use: pasted, from a file, by a request, by the box's own authority, back to our own. */
import { useState } from 'preact/hooks';
import { base64Of } from '../api/base64.ts';
import { type Answer, call } from '../api/client.ts';
import { useAction, useLoad } from '../api/use.ts';
import { Copy, Skeleton, Trouble } from '../components/basics.tsx';
import { AreaField, errorAt, FileField, SelectField, TextField } from '../components/form.tsx';
import { toast } from '../components/toast.tsx';
import { t } from '../i18n/language.ts';
import { CERTIFICATE } from '../i18n/words-certificates.ts';
import { SYSTEM } from '../i18n/words-system.ts';
import { ActionForm, listOf, NamesField, PemField, sureTo } from './certificate-pieces.tsx';

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
  const work = async (): Promise<void> => {
    await call(operation, { params: { use } });
    done();
  };
  return (
    <ActionForm action={action} label={t(CERTIFICATE.install)} work={work}>
      <p class="soft">{t(operation === 'certificates.own' ? CERTIFICATE.ownText : CERTIFICATE.issueText)}</p>
    </ActionForm>
  );
}

function Pasted({ use, done }: WayProperties) {
  const [certificate, setCertificate] = useState('');
  const [key, setKey] = useState('');
  const action = useAction();
  const work = async (): Promise<void> => {
    await call('certificates.upload', { params: { use }, body: { certificate, key } });
    done();
  };
  const problem = action.error;
  const label = t(CERTIFICATE.install);
  return (
    <ActionForm action={action} label={label} ready={certificate !== '' && key !== ''} work={work}>
      <PemField
        of="certificate"
        label={t(SYSTEM.uploadCertificate)}
        value={certificate}
        change={setCertificate}
        problem={problem}
      />
      <PemField of="key" label={t(SYSTEM.uploadKey)} value={key} change={setKey} problem={problem} />
    </ActionForm>
  );
}

function FromFile({ use, done }: WayProperties) {
  const [file, setFile] = useState<File | undefined>(undefined);
  const [passphrase, setPassphrase] = useState('');
  const action = useAction();
  const work = async (): Promise<void> => {
    if (file === undefined) return;
    await call('certificates.pkcs12', { params: { use }, body: { file: await base64Of(file), passphrase } });
    done();
  };
  return (
    <ActionForm action={action} label={t(CERTIFICATE.install)} ready={file !== undefined} work={work}>
      <FileField
        label={t(CERTIFICATE.file)}
        accept=".p12,.pfx"
        change={([first]) => setFile(first)}
        error={errorAt(action.error, 'body.file')}
      />
      <TextField
        label={t(CERTIFICATE.passphrase)}
        type="password"
        autocomplete="off"
        value={passphrase}
        change={setPassphrase}
        error={errorAt(action.error, 'body.passphrase')}
      />
    </ActionForm>
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
  const work = async (): Promise<void> => {
    const about = organisation.trim() === '' ? {} : { organisation: organisation.trim() };
    await call('certificates.request', { params: { use }, body: { names: listOf(names), key, ...about } });
    done();
  };
  return (
    <ActionForm action={action} label={t(CERTIFICATE.csrMake)} ready={names.trim() !== ''} work={work}>
      <NamesField label={t(CERTIFICATE.csrNames)} value={names} change={setNames} problem={action.error} />
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
    </ActionForm>
  );
}

function Waiting({ use, request, done, again }: WayProperties & { request: string; again: () => void }) {
  const [certificate, setCertificate] = useState('');
  const action = useAction();
  const work = async (): Promise<void> => {
    await call('certificates.signed', { params: { use }, body: { certificate } });
    done();
  };
  const forget = (): void =>
    void action.run(async () => {
      if (!(await sureTo(t(CERTIFICATE.csrForget), t(CERTIFICATE.csrForgetText)))) return;
      await call('certificates.request-delete', { params: { use } });
      again();
    });
  return (
    <ActionForm action={action} label={t(CERTIFICATE.install)} ready={certificate !== ''} work={work}>
      <AreaField label={t(CERTIFICATE.csrWaits)} value={request} rows={6} />
      <p class="row">
        <Copy text={request} />
        <a class="button" href={`data:application/pkcs10;base64,${btoa(request)}`} download={`${use}.csr`}>
          {t(CERTIFICATE.csrSave)}
        </a>
        <button type="button" class="danger" disabled={action.busy} onClick={forget}>
          {t(CERTIFICATE.csrForget)}
        </button>
      </p>
      <PemField
        of="certificate"
        alone
        label={t(CERTIFICATE.csrAnswer)}
        value={certificate}
        change={setCertificate}
        problem={action.error}
      />
    </ActionForm>
  );
}
