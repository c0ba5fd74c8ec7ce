/** Light, dark, or as the machine says. Kept in this browser. The colours themselves are in style/tokens.css. */
import { signal } from '@preact/signals';
import { recall, remember } from '../i18n/language.ts';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'sekisho.theme';
const kept = recall(KEY);

export const theme = signal<Theme>(THEMES.find((one) => one === kept) ?? 'auto');

export function setTheme(next: Theme): void {
  theme.value = next;
  remember(KEY, next);
  applyTheme();
}

export function applyTheme(): void {
  if (theme.value === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
}
