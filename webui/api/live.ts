/**
 * The live feed of the box (server-sent events). One stream for all pages of a window, opened by the first that listens. The
 * browser reconnects by itself; when it gives up (the box restarts) we try again with a growing pause, and say so.
 */
import { signal } from '@preact/signals';
import { zone } from '../i18n/format.ts';
import { call, connection, hrefOf, sessionEnded } from './client.ts';

export interface LiveEvent {
  name: 'counts' | 'message' | 'alarms' | 'session' | 'bye' | 'back';
  data: Readonly<Record<string, unknown>>;
}

const NAMES = ['counts', 'message', 'alarms', 'session', 'bye'] as const;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
const DOUBT_MS = 1_500;

export const live = signal(false);
const listeners = new Set<(event: LiveEvent) => void>();
let source: EventSource | undefined;
let pauseMs = FIRST_PAUSE_MS;
let greeted = false;
let doubt: ReturnType<typeof setTimeout> | undefined;

/**
 * Returns how to stop listening. `back` is told with the first look of every connection, the first one too: what came between
 * the page's own question and that look is told by no event, and has to be loaded.
 */
export function listen(listener: (event: LiveEvent) => void): () => void {
  listeners.add(listener);
  open();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) close();
  };
}

function open(): void {
  if (source !== undefined) return;
  const stream = new EventSource(hrefOf('events.stream', {}));
  source = stream;
  stream.addEventListener('open', () => {
    live.value = true;
    connection.value = 'up';
    pauseMs = FIRST_PAUSE_MS;
    greeted = false;
  });
  for (const name of NAMES)
    stream.addEventListener(name, (event: MessageEvent<string>) => {
      const data = parse(event.data);
      if (data === undefined) return;
      if (name === 'bye' && (data['code'] === 'SESSION_ENDED' || data['code'] === 'LOGIN_NEEDED'))
        sessionEnded.value = true;
      if (typeof data['zone'] === 'string') zone.value = data['zone'];
      if (name === 'counts' && !greeted) {
        greeted = true;
        tell({ name: 'back', data: {} });
      }
      tell({ name, data });
    });
  stream.addEventListener('error', () => {
    live.value = false;
    // most breaks are mended by the browser within a moment; only what lasts is told
    doubt ??= setTimeout(() => {
      doubt = undefined;
      if (!live.value && listeners.size > 0) void ask();
    }, DOUBT_MS);
    if (stream.readyState !== EventSource.CLOSED) return;
    close();
    setTimeout(() => {
      if (listeners.size > 0 && !sessionEnded.value) open();
    }, pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  });
}

/** Is the box gone, or only the session? */
async function ask(): Promise<void> {
  try {
    const session = await call('session.show', {});
    if (session.me === undefined) sessionEnded.value = true;
  } catch {
    // a lost connection is told by the call itself
  }
}

// after the new login the stream goes on
sessionEnded.subscribe((ended) => {
  if (!ended && listeners.size > 0) open();
});

function close(): void {
  source?.close();
  source = undefined;
  live.value = false;
}

function tell(event: LiveEvent): void {
  for (const listener of listeners) listener(event);
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
