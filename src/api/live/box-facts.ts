/**
 * What the pages must know of the box even while the gateway is silent: its name, its language, the names they answer to.
 * Asked of the gateway twice a minute, remembered over restarts.
 */
import type { ControlClient } from '../../control/client.ts';
import type { AdminDatabase } from '../store/database.ts';

const STEP_MS = 30_000;
const SOON_MS = 2_000;

export interface BoxFacts {
  hostname: () => string;
  language: () => 'ja' | 'en';
  /** Lower-case host names the pages answer to. */
  names: () => ReadonlySet<string>;
  /** Somebody changed the configuration: look again. */
  refresh: () => Promise<void>;
  close(): void;
}

interface Known {
  hostname: string;
  language: 'ja' | 'en';
  names: string[];
}

export function createBoxFacts(options: {
  gateway: ControlClient;
  store: AdminDatabase;
  extraNames: readonly string[];
}): BoxFacts {
  const { gateway, store, extraNames } = options;
  let known = (store.fact('box') as Known | undefined) ?? {
    hostname: 'sekisho.localdomain',
    language: 'ja',
    names: [],
  };
  let names = namesOf(known, extraNames);
  let heard = false;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function refresh(): Promise<void> {
    const { value } = await gateway.call('config.show', {});
    const next = { ...known, ...readFacts(value) };
    heard = true;
    if (JSON.stringify(next) === JSON.stringify(known)) return;
    known = next;
    names = namesOf(known, extraNames);
    store.setFact('box', known);
  }
  function later(): void {
    if (closed) return;
    timer = setTimeout(
      () => {
        refresh().then(later, later);
      },
      heard ? STEP_MS : SOON_MS,
    );
    timer.unref();
  }
  refresh().then(later, later);
  return {
    hostname: () => known.hostname,
    language: () => known.language,
    names: () => names,
    refresh,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function namesOf(known: Known, extra: readonly string[]): ReadonlySet<string> {
  const short = known.hostname.split('.')[0] ?? '';
  return new Set([known.hostname, short, `${short}.local`, ...known.names, ...extra].map((name) => name.toLowerCase()));
}

function readFacts(value: unknown): Partial<Known> {
  if (typeof value !== 'object' || value === null) return {};
  const { hostname, language, pages } = value as {
    hostname?: unknown;
    language?: unknown;
    pages?: { names?: unknown };
  };
  return {
    ...(typeof hostname === 'string' ? { hostname } : {}),
    ...(language === 'ja' || language === 'en' ? { language } : {}),
    ...(Array.isArray(pages?.names) ? { names: pages.names.map(String) } : {}),
  };
}
