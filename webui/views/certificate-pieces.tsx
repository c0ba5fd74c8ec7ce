/** What the certificate cards have in common: a form that does one thing, the fields of names and PEM, the fingerprint. */
import type { ComponentChildren } from 'preact';
import type { ApiProblem } from '../api/problem.ts';
import { useAction } from '../api/use.ts';
import { Copy } from '../components/basics.tsx';
import { ask } from '../components/dialog.tsx';
import { AreaField, errorAt, FormFoot, submitted, TextField } from '../components/form.tsx';
import { t } from '../i18n/language.ts';
import { SYSTEM } from '../i18n/words-system.ts';

export const USES = { page: SYSTEM.usePage, mail: SYSTEM.useMail, portal: SYSTEM.usePortal } as const;

/** One action: its fields (they are told what the box minded), its button, busy while it runs. */
export function ActionForm(props: {
  action: ReturnType<typeof useAction>;
  label: string;
  /** False: something is still to be filled in. */
  ready?: boolean;
  work: () => Promise<void>;
  children: ComponentChildren;
}) {
  const { action, ready = true } = props;
  return (
    <form onSubmit={submitted(() => void action.run(props.work))}>
      {props.children}
      <FormFoot busy={action.busy} dirty={ready} label={props.label} problem={action.error} />
    </form>
  );
}

interface FieldProperties {
  label: string;
  value: string;
  change: (value: string) => void;
  problem: ApiProblem | undefined;
}

export function NamesField({ problem, ...rest }: FieldProperties) {
  const error = errorAt(problem, 'body.names') ?? errorAt(problem, 'body.names.0');
  return <TextField placeholder="mail.office.example" spellcheck={false} error={error} {...rest} />;
}

export function listOf(text: string): string[] {
  return text.split(/[\s,、]+/).filter((name) => name !== '');
}

const BEGINS = { certificate: '-----BEGIN CERTIFICATE-----', key: '-----BEGIN PRIVATE KEY-----' } as const;

/** `alone`: no field for the key beside it, so what is wrong with that is told here. */
export function PemField(props: FieldProperties & { of: keyof typeof BEGINS; alone?: boolean }) {
  const { of, alone, problem, ...rest } = props;
  const error = errorAt(problem, `body.${of}`) ?? (alone === true ? errorAt(problem, 'body.key') : undefined);
  return <AreaField placeholder={BEGINS[of]} error={error} {...rest} />;
}

/** In a list of facts. */
export function Fingerprint({ text }: { text: string }) {
  return (
    <>
      <dt>{t(SYSTEM.fingerprint)}</dt>
      <dd class="mono small">
        {text} <Copy text={text} />
      </dd>
    </>
  );
}

/** True only by the button that says what will happen. */
export function sureTo(title: string, body: string): Promise<boolean> {
  return ask({ title, body, yes: title, danger: true });
}
