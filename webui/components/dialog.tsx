/**
 * Questions that must be answered before going on. `ask` resolves to true only by its own button; Escape and the backdrop
 * mean no. What cannot be undone needs a word typed. The browser's own <dialog> keeps the focus inside and gives it back.
 */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { COMMON } from '../i18n/words-common.ts';
import { t } from '../i18n/language.ts';

export interface Question {
  title: string;
  body: ComponentChildren;
  yes: string;
  no?: string;
  danger?: boolean;
  /** Must be typed. */
  typed?: string;
}

interface Open extends Question {
  answer: (yes: boolean) => void;
}

const open = signal<Open | undefined>(undefined);

export function ask(question: Question): Promise<boolean> {
  open.value?.answer(false);
  return new Promise((resolve) => {
    open.value = {
      ...question,
      answer: (yes) => {
        open.value = undefined;
        resolve(yes);
      },
    };
  });
}

export function Dialogs() {
  const question = open.value;
  return question === undefined ? null : <QuestionDialog key={question.title} question={question} />;
}

function QuestionDialog({ question }: { question: Open }) {
  const [typed, setTyped] = useState('');
  const ready = question.typed === undefined || typed.trim() === question.typed;
  const inputId = useId();
  return (
    <Modal title={question.title} onClose={() => question.answer(false)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) question.answer(true);
        }}
      >
        <div>{question.body}</div>
        {question.typed === undefined ? null : (
          <div class="field">
            <label for={inputId}>{t(COMMON.typeToConfirm, { word: question.typed })}</label>
            <input
              id={inputId}
              value={typed}
              autocomplete="off"
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </div>
        )}
        <div class="row">
          <button type="button" onClick={() => question.answer(false)}>
            {question.no ?? t(COMMON.cancel)}
          </button>
          <button type="submit" class={question.danger === true ? 'danger' : 'main'} disabled={!ready}>
            {question.yes}
          </button>
        </div>
      </form>
    </Modal>
  );
}

export function Modal(props: { title: string; onClose: () => void; wide?: boolean; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const headingId = useId();
  // open before anything else can be typed or clicked
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog === null || dialog.open) return;
    dialog.showModal();
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.wide === true ? 'wide-dialog' : ''}
      aria-labelledby={headingId}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) props.onClose();
      }}
    >
      <h2 id={headingId}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}
