/**
 * Below a list: how many there are, more of them (also by scrolling there, up to what a page bears; then by a button), and
 * those deleted minutes ago, which can still be taken back and are shown only when asked for.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { List } from '../api/use-list.ts';
import { t } from '../i18n/language.ts';
import { COMMON } from '../i18n/words-common.ts';
import { QUARANTINE } from '../i18n/words-messages.ts';

export interface Deleted<Row> {
  rows: readonly Row[] | undefined;
  hidden: number;
  shown: boolean;
  toggle: () => void;
}

/** What was deleted leaves the list at once; `rows` holds it only while `shown`. */
export function useDeleted<Row extends { deletedUntil?: string | undefined }>(list: List<Row>): Deleted<Row> {
  const [shown, setShown] = useState(false);
  const kept = list.rows?.filter((row) => row.deletedUntil === undefined);
  const hidden = (list.rows?.length ?? 0) - (kept?.length ?? 0);
  return { rows: shown ? list.rows : kept, hidden, shown: shown && hidden > 0, toggle: () => setShown(!shown) };
}

export function ListFoot<Row>({ list, deleted }: { list: List<Row>; deleted?: Deleted<Row> }) {
  const end = useRef<HTMLButtonElement>(null);
  const { more, full } = list;
  // whoever scrolls or walks by keyboard to the end goes on without a click
  useEffect(() => {
    const button = end.current;
    if (button === null || more === undefined || full) return undefined;
    const watcher = new IntersectionObserver(
      (seen) => {
        if (window.scrollY > 0 && seen.some((one) => one.isIntersecting)) more();
      },
      { rootMargin: '300px' },
    );
    watcher.observe(button);
    return () => watcher.disconnect();
  }, [more, full]);
  if (list.rows === undefined) return null;
  const hidden = deleted?.hidden ?? 0;
  const shown = list.rows.length - hidden;
  const turn = (to: () => void) => (): void => {
    to();
    window.scrollTo(0, 0);
  };
  return (
    <div class="table-foot">
      <span class="soft small" role="status">
        {list.before === 0
          ? t(COMMON.rows, { n: shown })
          : t(COMMON.rowsFrom, { from: list.before + 1, to: list.before + shown })}
        {list.total === undefined || list.total === shown ? '' : ` / ${t(QUARANTINE.total, { n: list.total })}`}
      </span>
      {hidden === 0 ? null : (
        <button type="button" class="link small" onClick={deleted?.toggle}>
          {t(deleted?.shown === true ? COMMON.hideDeleted : COMMON.showDeleted, { n: hidden })}
        </button>
      )}
      {more === undefined ? null : (
        <button type="button" ref={end} onClick={full ? turn(more) : more}>
          {t(full ? COMMON.nextRows : COMMON.more)}
        </button>
      )}
      {list.before === 0 ? null : (
        <button type="button" onClick={turn(list.beginning)}>
          {t(COMMON.firstRows)}
        </button>
      )}
      {list.loading ? <span class="spin" aria-hidden="true" /> : null}
    </div>
  );
}
