/** A list that is read page by page with the box's cursors: the first page anew whenever the filter changes, more on demand. */
import { useCallback, useState } from 'preact/hooks';
import { problemOf, type ApiProblem } from './problem.ts';
import { type Loaded, useLoad } from './use.ts';

export interface Page<Row> {
  entries: Row[];
  cursor?: string | undefined;
  total?: number | undefined;
}

export interface List<Row> {
  rows: readonly Row[] | undefined;
  total: number | undefined;
  error: ApiProblem | undefined;
  loading: boolean;
  /** Undefined: there is no more. */
  more: (() => void) | undefined;
  again: () => void;
  change: (rows: readonly Row[]) => void;
}

export function useList<Row>(
  key: string,
  load: (cursor: string | undefined, signal: AbortSignal | undefined) => Promise<Page<Row>>,
): List<Row> {
  const first: Loaded<Page<Row>> = useLoad(key, (signal) => load(undefined, signal));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiProblem | undefined>(undefined);
  const page = first.value;
  const cursor = page?.cursor;
  const { set } = first;
  const more = useCallback(() => {
    if (page === undefined || cursor === undefined) return;
    setBusy(true);
    load(cursor, undefined).then(
      (next) => {
        setBusy(false);
        setError(undefined);
        set({ ...next, entries: [...page.entries, ...next.entries] });
      },
      (failure: unknown) => {
        setBusy(false);
        setError(problemOf(failure));
      },
    );
  }, [page, cursor, set, load]);
  const change = useCallback(
    (entries: readonly Row[]) => {
      if (page !== undefined) set({ ...page, entries: [...entries] });
    },
    [page, set],
  );
  return {
    rows: page?.entries,
    total: page?.total,
    error: error ?? first.error,
    loading: first.loading || busy,
    more: cursor === undefined || busy ? undefined : more,
    again: first.again,
    change,
  };
}
