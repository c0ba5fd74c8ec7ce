/**
 * Where the reader is: path and query are signals, so a filter is a link that can be sent to a colleague. Links are ordinary
 * `<a href>`; a click on one that stays in these pages changes the signal. A dirty form asks before it is left.
 */
import { computed, signal } from '@preact/signals';

export interface Place {
  path: string;
  query: Readonly<Record<string, string>>;
}

export const place = signal<Place>(readPlace());
export const path = computed(() => place.value.path);
export const query = computed(() => place.value.query);

type Guard = () => Promise<boolean>;
const guards = new Map<symbol, Guard>();

/** While registered, leaving the page asks `guard` first. Returns how to take it back. */
export function guardLeaving(guard: Guard): () => void {
  const key = Symbol('guard');
  guards.set(key, guard);
  return () => guards.delete(key);
}

/** Somebody is in the middle of a form. */
export function isGuarded(): boolean {
  return guards.size > 0;
}

export async function go(
  href: string,
  options: { replace?: boolean; force?: boolean /** The page stays where it is, focus too. */; keep?: boolean } = {},
): Promise<void> {
  const target = new URL(href, location.href);
  const samePage = target.pathname === location.pathname;
  if (!samePage && options.force !== true) {
    for (const guard of guards.values()) if (!(await guard())) return;
  }
  if (options.replace === true) history.replaceState(null, '', target);
  else history.pushState(null, '', target);
  place.value = readPlace();
  if (!samePage && options.keep !== true) {
    window.scrollTo(0, 0);
    focusHeading();
  }
}

/** Changes only the named parts of the query; an empty value takes one away. */
export function setQuery(change: Readonly<Record<string, string | undefined>>): void {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined || value === '') next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  void go(`${location.pathname}${text === '' ? '' : `?${text}`}`, { replace: true });
}

export function hrefWith(base: string, parts: Readonly<Record<string, string | undefined>>): string {
  const next = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) if (value !== undefined && value !== '') next.set(name, value);
  const text = next.toString();
  return text === '' ? base : `${base}?${text}`;
}

export function startRouter(): void {
  window.addEventListener('popstate', () => {
    place.value = readPlace();
  });
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/api/') || (link.hash !== '' && link.pathname === location.pathname)) return;
    event.preventDefault();
    void go(link.href);
  });
  window.addEventListener('beforeunload', (event) => {
    if (guards.size > 0) event.preventDefault();
  });
}

/** Who cannot see the page change hears its heading. */
function focusHeading(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus());
}

function readPlace(): Place {
  return {
    path: location.pathname.replace(/(?<=.)\/+$/, ''),
    query: Object.fromEntries(new URLSearchParams(location.search)),
  };
}
