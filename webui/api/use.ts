/**
 * Loading for pages: `useLoad` gives what the API answered, or why not, and keeps what stands there while it loads anew, so
 * that nothing jumps. `useLive` loads again when the box says that something changed, at most once a second.
 */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { isGuarded } from '../app/router.ts';
import { connection } from './client.ts';
import { listen, type LiveEvent } from './live.ts';
import { type ApiProblem, problemOf } from './problem.ts';

export interface Loaded<T> {
  value: T | undefined;
  error: ApiProblem | undefined;
  loading: boolean;
  again: () => void;
  /** Puts a value there without asking (after an action that answered it). */
  set: (value: T) => void;
}

/** Loads anew whenever `key` changes. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string; value?: T; error?: ApiProblem; loading: boolean }>({
    key,
    loading: true,
  });
  const [turn, setTurn] = useState(0);
  const loader = useRef(load);
  loader.current = load;
  const again = useCallback(() => setTurn((n) => n + 1), []);
  const flying = useRef<AbortController | undefined>(undefined);
  useEffect(() => {
    const controller = new AbortController();
    flying.current = controller;
    setState((before) => (before.key === key ? { ...before, loading: true } : { key, loading: true }));
    loader.current(controller.signal).then(
      (value) => {
        if (controller.signal.aborted) return;
        flying.current = undefined;
        setState({ key, value, loading: false });
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        flying.current = undefined;
        setState((before) => ({ ...before, key, error: problemOf(error), loading: false }));
      },
    );
    return () => controller.abort();
  }, [key, turn]);
  useReconnect(again);
  useReturn(again);
  const current = state.key === key;
  return {
    value: current ? state.value : undefined,
    error: current ? state.error : undefined,
    loading: state.loading || !current,
    again,
    set: useCallback(
      (value: T) => {
        setState({ key, value, loading: false });
        if (flying.current === undefined) return;
        // asked before the action that answered this: what comes of it would put the state before it there
        flying.current.abort();
        flying.current = undefined;
        again();
      },
      [key, again],
    ),
  };
}

/** Once more when the box is back. */
function useReconnect(again: () => void): void {
  useEffect(() => {
    let before = connection.value;
    return connection.subscribe((next) => {
      if (before === 'lost' && next === 'up') again();
      before = next;
    });
  }, [again]);
}

/** Whoever comes back to this tab sees what holds now, not what held when they left; unless they are in the middle of a form. */
function useReturn(again: () => void): void {
  useEffect(() => {
    const onChange = (): void => {
      if (document.visibilityState === 'visible' && !isGuarded()) again();
    };
    document.addEventListener('visibilitychange', onChange);
    return () => document.removeEventListener('visibilitychange', onChange);
  }, [again]);
}

const SETTLE_MS = 1_000;

export function useLive(names: ReadonlyArray<LiveEvent['name']>, again: () => void): void {
  const wanted = names.join();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = listen((event) => {
      if (event.name !== 'back' && !wanted.split(',').includes(event.name)) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        again();
      }, SETTLE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [wanted, again]);
}

/** A change the reader asked for: busy while it runs, its problem kept to be shown beside it. */
export function useAction(): {
  busy: boolean;
  error: ApiProblem | undefined;
  run: (work: () => Promise<void>) => Promise<boolean>;
  clear: () => void;
} {
  const [state, setState] = useState<{ busy: boolean; error: ApiProblem | undefined }>({
    busy: false,
    error: undefined,
  });
  const run = useCallback(async (work: () => Promise<void>): Promise<boolean> => {
    setState({ busy: true, error: undefined });
    try {
      await work();
      setState({ busy: false, error: undefined });
      return true;
    } catch (error) {
      setState({ busy: false, error: problemOf(error) });
      return false;
    }
  }, []);
  const clear = useCallback(() => setState({ busy: false, error: undefined }), []);
  return { ...state, run, clear };
}
