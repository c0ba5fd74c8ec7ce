/**
 * The language of the pages. Every text stands in both languages beside each other, so one that lacks a language does not
 * compile. `t` reads the language signal: what is on the screen changes at once. The choice is kept in this browser only,
 * and in the user's own record when there is one.
 */
import { signal } from '@preact/signals';

export const LANGUAGES = ['ja', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];
export type Text = Readonly<Record<Language, string>>;
export type Values = Readonly<Record<string, string | number>>;

const KEY = 'sekisho.language';

export const language = signal<Language>(firstLanguage());

/** Fills `{name}`; in English `{n|one|many}` chooses by the number n. */
export function t(text: Text, values: Values = {}): string {
  return text[language.value]
    .replaceAll(/\{(\w+)\|([^|}]*)\|([^}]*)\}/g, (_, name: string, one: string, many: string) =>
      Number(values[name]) === 1 ? one : many,
    )
    .replaceAll(/\{(\w+)\}/g, (mark, name: string) => {
      const value = values[name];
      return value === undefined ? mark : typeof value === 'number' ? formatNumber(value) : value;
    });
}

/** A word of a closed list that came from the box; one that is newer than these pages is shown as it is. */
export function word(texts: Readonly<Record<string, Text>>, key: string): string {
  const text = Object.hasOwn(texts, key) ? texts[key] : undefined;
  return text === undefined ? key : t(text);
}

export function setLanguage(next: Language): void {
  language.value = next;
  document.documentElement.lang = next;
  remember(KEY, next);
}

/** The user's own, where nobody chose one in this browser. */
export function suggestLanguage(next: Language): void {
  if (recall(KEY) !== undefined) return;
  language.value = next;
  document.documentElement.lang = next;
}

export function formatNumber(value: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(language.value, options).format(value);
}

/** A private window may forbid storage; then the choice lasts as long as the page. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // nothing depends on it
  }
}

export function recall(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function firstLanguage(): Language {
  const kept = recall(KEY);
  const chosen = LANGUAGES.find((one) => one === kept);
  const first = chosen ?? (navigator.languages.some((tag) => tag.startsWith('ja')) ? 'ja' : 'en');
  document.documentElement.lang = first;
  return first;
}
