/**
 * Fields with their words, hint and trouble in one place: the trouble stands at the field, says the remedy, and is tied to it
 * for screen readers. Several problems of one answer go to their fields by path; the rest stands above the buttons.
 */
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect } from 'preact/hooks';
import { guardLeaving } from '../app/router.ts';
import type { ApiProblem } from '../api/problem.ts';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { Trouble } from './basics.tsx';
import { ask } from './dialog.tsx';

interface FieldProperties {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  class?: string;
}

interface InputProperties extends FieldProperties {
  value: string;
  change: (value: string) => void;
  type?: 'text' | 'password' | 'email' | 'number' | 'date' | 'search' | 'url';
  autocomplete?: string;
  autocapitalize?: string;
  inputMode?: 'numeric' | 'decimal' | 'email' | 'url' | 'text';
  placeholder?: string;
  required?: boolean;
  readOnly?: boolean;
  disabled?: boolean;
  autoFocus?: boolean;
  spellcheck?: boolean;
  maxLength?: number;
  min?: number;
  max?: number;
  step?: number;
}

export function TextField({ label, hint, error, class: own, value, change, ...rest }: InputProperties) {
  const id = useId();
  return (
    <div class={`field ${own ?? ''}`}>
      <label for={id}>{label}</label>
      <input
        id={id}
        value={value}
        aria-invalid={error === undefined ? undefined : 'true'}
        aria-describedby={`${id}-more`}
        onInput={(event) => change(event.currentTarget.value)}
        {...(rest as object)}
      />
      <More id={`${id}-more`} hint={hint} error={error} />
    </div>
  );
}

export function AreaField(
  props: FieldProperties & {
    value: string;
    /** Without it, it is only read. */
    change?: (value: string) => void;
    rows?: number;
    placeholder?: string;
  },
) {
  const id = useId();
  return (
    <div class={`field ${props.class ?? ''}`}>
      <label for={id}>{props.label}</label>
      <textarea
        id={id}
        rows={props.rows ?? 4}
        value={props.value}
        placeholder={props.placeholder}
        spellcheck={false}
        aria-invalid={props.error === undefined ? undefined : 'true'}
        aria-describedby={`${id}-more`}
        readOnly={props.change === undefined}
        onInput={(event) => props.change?.(event.currentTarget.value)}
      />
      <More id={`${id}-more`} hint={props.hint} error={props.error} />
    </div>
  );
}

export function FileField(
  props: FieldProperties & {
    change: (files: readonly File[]) => void;
    accept?: string;
    multiple?: boolean;
    required?: boolean;
    disabled?: boolean;
  },
) {
  const { label, hint, error, class: own, change, ...rest } = props;
  const id = useId();
  return (
    <div class={`field ${own ?? ''}`}>
      <label for={id}>{label}</label>
      <input
        id={id}
        type="file"
        aria-invalid={error === undefined ? undefined : 'true'}
        aria-describedby={`${id}-more`}
        onChange={(event) => change([...(event.currentTarget.files ?? [])])}
        {...rest}
      />
      <More id={`${id}-more`} hint={hint} error={error} />
    </div>
  );
}

export interface Option<V extends string> {
  value: V;
  label: string;
  hint?: string;
}

export function SelectField<V extends string>(
  props: FieldProperties & {
    value: V;
    options: ReadonlyArray<Option<V>>;
    change: (value: V) => void;
    disabled?: boolean;
  },
) {
  const id = useId();
  return (
    <div class={`field ${props.class ?? ''}`}>
      <label for={id}>{props.label}</label>
      <select
        id={id}
        value={props.value}
        disabled={props.disabled}
        aria-describedby={`${id}-more`}
        onChange={(event) => {
          const chosen = props.options.find((one) => one.value === event.currentTarget.value);
          if (chosen !== undefined) props.change(chosen.value);
        }}
      >
        {props.options.map((one) => (
          <option key={one.value} value={one.value}>
            {one.label}
          </option>
        ))}
      </select>
      <More id={`${id}-more`} hint={props.hint} error={props.error} />
    </div>
  );
}

export function Choices<V extends string>(
  props: FieldProperties & {
    value: V | undefined;
    options: ReadonlyArray<Option<V>>;
    change: (value: V) => void;
    /** The card around it says the same already. */
    quiet?: boolean;
  },
) {
  const id = useId();
  return (
    <fieldset aria-describedby={`${id}-more`}>
      <legend class={props.quiet === true ? 'sr' : undefined}>{props.label}</legend>
      {props.options.map((one) => (
        <label key={one.value} class="choice">
          <input type="radio" name={id} checked={props.value === one.value} onChange={() => props.change(one.value)} />
          <span>
            <strong>{one.label}</strong>
            {one.hint === undefined ? null : <span class="soft">{one.hint}</span>}
          </span>
        </label>
      ))}
      <More id={`${id}-more`} hint={props.hint} error={props.error} />
    </fieldset>
  );
}

export function Check(props: {
  label: ComponentChildren;
  checked: boolean;
  change: (on: boolean) => void;
  disabled?: boolean;
}) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled}
        onChange={(event) => props.change(event.currentTarget.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}

function More({ id, hint, error }: { id: string; hint?: ComponentChildren; error?: string | undefined }) {
  return (
    <div id={id}>
      {error === undefined ? null : <div class="error">{error}</div>}
      {hint === undefined ? null : <div class="hint">{hint}</div>}
    </div>
  );
}

/** What the box minds about one field: `path` is the end of the path it named. */
export function errorAt(problem: ApiProblem | undefined, path: string): string | undefined {
  const found = problem?.fields.find((one) => one.path === path || one.path.endsWith(`.${path}`));
  if (found === undefined) return undefined;
  return found.remedy === undefined ? found.message : `${found.message} ${found.remedy}`;
}

export function FormFoot(props: {
  busy: boolean;
  dirty?: boolean;
  label?: string;
  problem?: ApiProblem | undefined;
  reset?: () => void;
}) {
  return (
    <>
      {props.problem === undefined ? null : <Trouble error={props.problem} />}
      <div class="row">
        <button type="submit" class="main" disabled={props.busy || props.dirty === false} aria-busy={props.busy}>
          {props.label ?? t(COMMON.save)}
        </button>
        {props.reset === undefined || props.dirty !== true ? null : (
          <button type="button" onClick={props.reset}>
            {t(COMMON.discard)}
          </button>
        )}
      </div>
    </>
  );
}

/** While `dirty`, leaving the page asks first. */
export function useDirtyGuard(dirty: boolean): void {
  useLayoutEffect(() => {
    if (!dirty) return undefined;
    return guardLeaving(() =>
      ask({
        title: t(COMMON.leaveTitle),
        body: <p>{t(COMMON.leaveText)}</p>,
        yes: t(COMMON.leave),
        no: t(COMMON.stay),
        danger: true,
      }),
    );
  }, [dirty]);
}

export function submitted(work: () => void): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    work();
  };
}
