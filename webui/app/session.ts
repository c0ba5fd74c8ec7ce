/** Who is here and what they may do. Loaded once; every page asks `may` for its buttons (the server checks again). */
import { computed, signal } from '@preact/signals';
import { type Answer, call } from '../api/client.ts';
import type { Permission } from '../../src/api/contract/client.ts';
import { skew, zone } from '../i18n/format.ts';
import { suggestLanguage } from '../i18n/language.ts';

export type Session = Answer<'session.show'>;
export type Me = NonNullable<Session['me']>;

export const session = signal<Session | undefined>(undefined);
export const me = computed(() => session.value?.me);

export function may(permission: Permission): boolean {
  return me.value?.permissions.includes(permission) === true;
}

export async function loadSession(): Promise<void> {
  const loaded = await call('session.show', {});
  zone.value = loaded.zone;
  skew.value = Date.parse(loaded.now) - Date.now();
  session.value = loaded;
}

/** After login or a change of one's own record. */
export function setMe(next: Me, options: { useLanguage: boolean }): void {
  const before = session.value;
  if (before !== undefined) session.value = { ...before, claimed: true, me: next };
  if (options.useLanguage) suggestLanguage(next.user.language);
}

export async function logout(): Promise<void> {
  await call('session.logout', {});
  // nothing of the session stays in this window
  location.assign('/');
}
