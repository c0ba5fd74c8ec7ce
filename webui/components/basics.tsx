/**
 * Small things every page uses: state (a sign and a word), notices, empty places that teach, skeletons of a fixed height,
 * times in the box's zone, a copy button. No part of a mail is ever put on the page as markup.
 */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { problemOf } from '../api/problem.ts';
import { formatAgo, formatTime, zone } from '../i18n/format.ts';
import { COMMON } from '../i18n/words-common.ts';
import { wordsOfProblem } from '../i18n/problem-words.ts';
import { t } from '../i18n/language.ts';
import { Icon, type IconName } from './icon.tsx';

export type Tone = 'ok' | 'warn' | 'bad' | 'busy' | 'idle';
type Children = { children?: ComponentChildren };

export function State({ tone, children }: { tone: Tone } & Children) {
  return (
    <span class={`state ${tone}`}>
      <Icon name={tone} />
      {children}
    </span>
  );
}

export function Notice({ tone, title, children }: { tone: Tone; title?: string } & Children) {
  const icon: IconName = tone === 'idle' || tone === 'busy' ? 'info' : tone;
  return (
    <div class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name={icon} />
      <div>
        {title === undefined ? null : <strong>{title}</strong>}
        {title === undefined ? null : <br />}
        {children}
      </div>
    </div>
  );
}

/** What went wrong and what to do; with a way to try again where there is one. */
export function Trouble({ error, again }: { error: unknown; again?: (() => void) | undefined }) {
  const { title, remedy } = wordsOfProblem(problemOf(error));
  return (
    <Notice tone="bad" title={title}>
      {remedy}{' '}
      {again === undefined ? null : (
        <button type="button" class="link" onClick={again}>
          {t(COMMON.retry)}
        </button>
      )}
    </Notice>
  );
}

export function Empty({ title, children }: { title: string } & Children) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** As tall as what will stand there, so that nothing jumps. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div aria-busy="true">
      <span class="sr">{t(COMMON.loading)}</span>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} class="skeleton" aria-hidden="true" />
      ))}
    </div>
  );
}

export function Time({ at, style }: { at: string | number | undefined; style?: 'full' | 'short' | 'ago' | 'day' }) {
  if (at === undefined) return <span class="soft">–</span>;
  const full = `${formatTime(at, 'full')} ${zone.value}`;
  const shown = style === 'ago' ? formatAgo(at) : formatTime(at, style ?? 'short');
  return (
    <time class="nowrap" dateTime={new Date(at).toISOString()} title={full}>
      {shown}
    </time>
  );
}

export function Copy({ text, label }: { text: string; label?: string }) {
  const [done, setDone] = useState<'no' | 'yes' | 'failed'>('no');
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setDone('yes');
    } catch {
      setDone('failed');
    }
  }
  const words = done === 'no' ? COMMON.copy : done === 'yes' ? COMMON.copied : COMMON.copyFailed;
  return (
    <button type="button" class="tiny no-print" onClick={() => void copy()}>
      <Icon name={done === 'yes' ? 'ok' : 'copy'} />
      <span aria-live="polite">{t(words)}</span>
      {label === undefined ? null : <span class="sr">: {label}</span>}
    </button>
  );
}

/** A heading, what the page is for, and the way to its chapter of the handbook. */
export function PageHead(
  props: {
    title: string;
    intro?: string;
    /** Said only where there is a keyboard. */
    keys?: string;
    chapter?: string;
  } & Children,
) {
  return (
    <div class="page-head">
      <h1 tabIndex={-1}>{props.title}</h1>
      <div class="side">
        {props.children}
        {props.chapter === undefined ? null : (
          <a class="small" href={`/help/${props.chapter}`}>
            {t(COMMON.chapter)}
          </a>
        )}
      </div>
      {props.intro === undefined ? null : (
        <p>
          {props.intro}
          {props.keys === undefined ? null : <span class="keys no-print"> {props.keys}</span>}
        </p>
      )}
    </div>
  );
}

export function Card(props: { title: string; side?: ComponentChildren; class?: string } & Children) {
  return (
    <section class={`card ${props.class ?? ''}`} aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {props.side === undefined ? null : <div class="side">{props.side}</div>}
      </header>
      {props.children}
    </section>
  );
}
