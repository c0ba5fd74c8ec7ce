/** Keys that work on every page: / search, ? help, g and a letter for a page, u undo. Not while something is typed. */
import { signal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import { Modal } from '../components/dialog.tsx';
import { isTyping } from '../components/table.tsx';
import { undoLast } from '../components/toast.tsx';
import { COMMON } from '../i18n/words-common.ts';
import { KEYS } from '../i18n/words-frame.ts';
import { t } from '../i18n/language.ts';
import { go } from './router.ts';

const open = signal(false);
const PLACES: Readonly<Record<string, string>> = { o: '/', m: '/messages', q: '/quarantine', u: '/queue' };
const CHORD_MS = 1_500;

export function showKeys(): void {
  open.value = true;
}

export function useGlobalKeys(): void {
  useLayoutEffect(() => {
    let chordUntil = 0;
    function onKey(event: KeyboardEvent): void {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      const place = PLACES[event.key];
      if (event.timeStamp < chordUntil && place !== undefined) void go(place);
      else if (event.key === '/') document.querySelector<HTMLInputElement>('input[type="search"]')?.focus();
      else if (event.key === '?') open.value = true;
      else if (event.key === 'u') undoLast();
      else if (event.key === 'g') {
        chordUntil = event.timeStamp + CHORD_MS;
        return;
      } else return;
      chordUntil = 0;
      event.preventDefault();
    }
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

const ROWS = [
  ['/', KEYS.search],
  ['g', KEYS.go],
  ['j', KEYS.down],
  ['k', KEYS.up],
  ['Enter', KEYS.open],
  ['x', KEYS.select],
  ['r', KEYS.release],
  ['d', KEYS.remove],
  ['t', KEYS.retry],
  ['h', KEYS.hold],
  ['u', KEYS.undo],
  ['Esc', KEYS.close],
  ['?', KEYS.help],
] as const;

export function KeysDialog() {
  if (!open.value) return null;
  const close = (): void => {
    open.value = false;
  };
  return (
    <Modal title={t(KEYS.title)} onClose={close}>
      <table>
        <tbody>
          {ROWS.map(([key, text]) => (
            <tr key={key}>
              <th scope="row" class="nowrap">
                <kbd>{key}</kbd>
              </th>
              <td>{t(text)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="row">
        <button type="button" class="main" onClick={close}>
          {t(COMMON.close)}
        </button>
      </div>
    </Modal>
  );
}
