/**
 * A list that is read page by page with the box's cursors: the first page anew whenever the filter changes, more on demand.
 * What was loaded stays loaded: a refresh asks for as many rows as stand there, so that nothing under the reader's eyes goes
 * away. A very long list is refreshed only by what the reader does, not by every mail that comes; beyond a thousand rows the
 * next ones take the place of those before, so that a page stays quick whatever the list is.
 */
import { useCallback, useRef, useState } from 'preact/hooks';
import type { LiveEvent } from './live.ts';
import { problemOf, type ApiProblem } from './problem.ts';
import { type Loaded, useLive, useLoad } from './use.ts';

export interface Page<Row> {
  entries: Row[];
  cursor?: string | undefined;
  total?: number | undefined;
}

/** A part of a list's query: where to go on, and how many rows (the API gives 500 at most). */
export interface Span {
  cursor?: string;
  limit: number;
}

export interface List<Row> {
  rows: readonly Row[] | undefined;
  total: number | undefined;
  error: ApiProblem | undefined;
  loading: boolean;
  /** Undefined: there is no more. */
  more: (() => void) | undefined;
  /** As many rows stand there as may: `more` puts the next ones in their place. */
  full: boolean;
  /** Rows that came before those shown, and the way back to them. */
  before: number;
  beginning: () => void;
  again: () => void;
}

const FIRST = 50;
const MORE = 100;
const MOST_AT_ONCE = 500;
const MOST_SHOWN = 1_000;

/** What stands there: so many rows from the cursor on, `before` of them passed already. */
interface Shown {
  key: string;
  rows: number;
  from?: string;
  before: number;
}

export function useList<Row>(
  key: string,
  load: (span: Span, signal: AbortSignal | undefined) => Promise<Page<Row>>,
  live: ReadonlyArray<LiveEvent['name']> = [],
): List<Row> {
  const shown = useRef<Shown>({ key, rows: FIRST, before: 0 });
  if (shown.current.key !== key) shown.current = { key, rows: FIRST, before: 0 };
  const first: Loaded<Page<Row>> = useLoad(key, async (signal) => {
    const { from } = shown.current;
    let page = await load({ limit: FIRST, ...(from === undefined ? {} : { cursor: from }) }, signal);
    // the number is read anew each time: more may have been loaded meanwhile
    while (page.cursor !== undefined && page.entries.length < shown.current.rows) {
      const limit = Math.min(MOST_AT_ONCE, shown.current.rows - page.entries.length);
      const next = await load({ cursor: page.cursor, limit }, signal);
      page = { ...next, entries: [...page.entries, ...next.entries] };
    }
    return page;
  });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiProblem | undefined>(undefined);
  const page = first.value;
  const latest = useRef(page);
  latest.current = page;
  const cursor = page?.cursor;
  const { set, again } = first;
  const refresh = useCallback(() => {
    if (shown.current.rows <= MOST_AT_ONCE) again();
  }, [again]);
  useLive(live, refresh);
  const full = (page?.entries.length ?? 0) >= MOST_SHOWN;
  const beginning = useCallback(() => {
    shown.current = { key, rows: FIRST, before: 0 };
    again();
  }, [key, again]);
  const more = useCallback(() => {
    if (page === undefined || cursor === undefined) return;
    const asked = shown.current;
    setBusy(true);
    load({ cursor, limit: MORE }, undefined).then(
      (next) => {
        setBusy(false);
        setError(undefined);
        if (shown.current !== asked) return; // the reader has gone elsewhere meanwhile
        if (!full && latest.current !== page) {
          // loaded anew meanwhile: what came with it must not go again
          shown.current = { ...asked, rows: page.entries.length + next.entries.length };
          return again();
        }
        const entries = full ? next.entries : [...page.entries, ...next.entries];
        const passed = full ? { from: cursor, before: shown.current.before + page.entries.length } : {};
        shown.current = { ...shown.current, ...passed, rows: entries.length };
        set({ ...next, entries });
      },
      (failure: unknown) => {
        setBusy(false);
        setError(problemOf(failure));
      },
    );
  }, [page, cursor, full, set, again, load]);
  return {
    rows: page?.entries,
    total: page?.total,
    error: error ?? first.error,
    loading: first.loading || busy,
    more: cursor === undefined || busy ? undefined : more,
    full,
    before: shown.current.before,
    beginning,
    again,
  };
}
