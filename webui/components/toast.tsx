/** What was just done, said once at the edge of the page, with a way to take it back. Read aloud politely; stays while hovered. */
import { signal } from '@preact/signals';
import { problemOf } from '../api/problem.ts';
import { COMMON } from '../i18n/words-common.ts';
import { wordsOfProblem } from '../i18n/problem-words.ts';
import { t } from '../i18n/language.ts';
import type { Tone } from './basics.tsx';
import { Icon } from './icon.tsx';

interface Toast {
  id: number;
  tone: Tone;
  text: string;
  undo?: (() => Promise<void>) | undefined;
}

const SHORT_MS = 6_000;
/** WCAG 2.2.1: what can be acted on stays long enough. */
const UNDO_MS = 30_000;

const toasts = signal<readonly Toast[]>([]);
let last = 0;

export function toast(text: string, options: { tone?: Tone; undo?: () => Promise<void> } = {}): void {
  last += 1;
  const id = last;
  toasts.value = [...toasts.value.slice(-3), { id, tone: options.tone ?? 'ok', text, undo: options.undo }];
  if (options.tone !== 'bad') setTimeout(() => drop(id), options.undo === undefined ? SHORT_MS : UNDO_MS);
}

/** How far a long action is: one line that changes, until its end. */
export function progress(): { tell: (text: string) => void; end: () => void } {
  last += 1;
  const id = last;
  return {
    tell: (text) => {
      toasts.value = [...toasts.value.filter((one) => one.id !== id).slice(-3), { id, tone: 'busy', text }];
    },
    end: () => drop(id),
  };
}

export function toastProblem(error: unknown): void {
  const { title, remedy } = wordsOfProblem(problemOf(error));
  toast(remedy === '' ? title : `${title}: ${remedy}`, { tone: 'bad' });
}

/** Work whose trouble is told at the edge of the page, because it has no place of its own. */
export async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    toastProblem(error);
  }
}

/** The newest action that can be taken back; for the key `u`. */
export function undoLast(): void {
  const target = toasts.value.findLast((one) => one.undo !== undefined);
  if (target !== undefined) void takeBack(target);
}

async function takeBack(target: Toast): Promise<void> {
  drop(target.id);
  try {
    await target.undo?.();
    toast(t(COMMON.undone));
  } catch (error) {
    toastProblem(error);
  }
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((one) => (
        <div key={one.id} class={`notice ${one.tone}`}>
          <Icon name={one.tone === 'busy' || one.tone === 'idle' ? 'info' : one.tone} />
          <div>{one.text}</div>
          {one.undo === undefined ? null : (
            <button type="button" class="tiny" onClick={() => void takeBack(one)}>
              {t(COMMON.undo)}
            </button>
          )}
          <button type="button" class="plain tiny" aria-label={t(COMMON.close)} onClick={() => drop(one.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
