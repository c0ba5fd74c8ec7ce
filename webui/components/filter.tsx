/** Filters that live in the address of the page: a search is a link. Typing settles for a moment before it asks the box. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { query, setQuery } from '../app/router.ts';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { type Option, SelectField, TextField } from './form.tsx';

const SETTLE_MS = 350;

export function FilterText(props: { name: string; label: string; type?: 'text' | 'date'; grow?: boolean }) {
  const there = query.value[props.name] ?? '';
  const [value, setValue] = useState(there);
  // what came from here and is there now must not replace what was typed since, nor take the space before the next word
  const sent = useRef(there);
  useEffect(() => {
    if (there === sent.current) return;
    sent.current = there;
    setValue(there);
  }, [there]);
  useEffect(() => {
    if (value.trim() === (query.value[props.name] ?? '')) return undefined;
    const timer = setTimeout(() => {
      sent.current = value.trim();
      setQuery({ [props.name]: sent.current });
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [value, props.name]);
  return (
    <TextField
      label={props.label}
      class={props.grow === true ? 'grow' : ''}
      type={props.type ?? 'text'}
      value={value}
      change={setValue}
      maxLength={320}
    />
  );
}

export function FilterSelect<V extends string>(props: {
  name: string;
  label: string;
  options: ReadonlyArray<Option<V>>;
}) {
  const value = query.value[props.name] ?? '';
  return (
    <SelectField<V | ''>
      label={props.label}
      value={props.options.find((one) => one.value === value)?.value ?? ''}
      options={[{ value: '', label: t(COMMON.all) }, ...props.options]}
      change={(next) => setQuery({ [props.name]: next })}
    />
  );
}

/** The fields of a search. On a phone all but the first wait behind a button, unless one of them is in use. */
export function Filters({ names, children }: { names: readonly string[]; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const used = names.some((name) => query.value[name] !== undefined);
  const folded = !open && !used;
  return (
    <search class={`filters ${folded ? 'folded' : ''}`}>
      {children}
      {folded ? (
        <button type="button" class="plain unfold" onClick={() => setOpen(true)}>
          {t(COMMON.moreFilters)}
        </button>
      ) : null}
    </search>
  );
}

export function ClearFilters({ names }: { names: readonly string[] }) {
  if (names.every((name) => query.value[name] === undefined)) return null;
  return (
    <button
      type="button"
      class="plain"
      onClick={() => setQuery(Object.fromEntries(names.map((name) => [name, undefined])))}
    >
      {t(COMMON.clear)}
    </button>
  );
}
