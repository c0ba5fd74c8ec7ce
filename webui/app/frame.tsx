/** The frame of every page: bar on top with search, navigation, the page, toasts and dialogs; and the plain frame before login. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { connection } from '../api/client.ts';
import { listen } from '../api/live.ts';
import { Dialogs } from '../components/dialog.tsx';
import { Icon } from '../components/icon.tsx';
import { toastProblem, Toasts } from '../components/toast.tsx';
import { FRAME, THEME_NAMES } from '../i18n/words-frame.ts';
import { TROUBLE } from '../i18n/words-common.ts';
import { language, setLanguage, t } from '../i18n/language.ts';
import { KeysDialog, showKeys, useGlobalKeys } from './keys.tsx';
import { ConfirmDialog, SessionEndedDialog } from './login.tsx';
import { NAVIGATION, type Page } from './pages.ts';
import { go, hrefWith, path, query } from './router.ts';
import { logout, may, me, session } from './session.ts';
import { setTheme, theme, THEMES } from './theme.ts';

type Children = { children: ComponentChildren };

export function Frame({ children }: Children) {
  const [menu, setMenu] = useState(false);
  useGlobalKeys();
  useEffect(() => setMenu(false), [path.value]);
  return (
    <>
      <a class="skip" href="#main">
        {t(FRAME.skip)}
      </a>
      <div class="frame">
        <header class="top">
          <button
            type="button"
            class="menu plain"
            aria-expanded={menu}
            aria-controls="navigation"
            onClick={() => setMenu(!menu)}
          >
            <Icon name={menu ? 'close' : 'menu'} />
            <span class="sr">{t(FRAME.menu)}</span>
          </button>
          <a class="name" href="/">
            <img src="/icon.svg" width="26" height="26" alt="" />
            Sekisho
            <small title={session.value?.hostname}>{session.value?.hostname}</small>
          </a>
          {may('mail.search') ? <SearchField /> : null}
          <div class="tools row">
            <LanguageButton />
            <ThemeButton />
            <a class="button plain tiny" href="/account" title={t(FRAME.account)}>
              <Icon name="users" />
              <span class="sr">{t(FRAME.account)}: </span>
              <span class="who">{me.value?.user.name}</span>
            </a>
          </div>
        </header>
        {connection.value === 'lost' ? <Lost /> : null}
        <nav class={`nav ${menu ? 'open' : ''}`} id="navigation" aria-label={t(FRAME.pages)}>
          <div>
            <Navigation />
          </div>
        </nav>
        <main id="main">
          <p class="print-only soft small">Sekisho · {session.value?.hostname}</p>
          {children}
        </main>
      </div>
      <Overlays />
    </>
  );
}

/** Before login: nothing but the page. */
export function Solo({ children, narrow }: Children & { narrow?: boolean }) {
  return (
    <>
      <div class={`solo ${narrow === true ? 'narrow' : ''}`}>
        <header>
          <img src="/icon.svg" width="28" height="28" alt="" />
          Sekisho
          <span class="side row">
            <LanguageButton />
            <ThemeButton />
          </span>
        </header>
        {connection.value === 'lost' ? <Lost /> : null}
        <main id="main">{children}</main>
      </div>
      <Overlays />
    </>
  );
}

function Overlays() {
  return (
    <>
      <Toasts />
      <Dialogs />
      <KeysDialog />
      <ConfirmDialog />
      <SessionEndedDialog />
    </>
  );
}

function Lost() {
  return (
    <div class="banner" role="status">
      <span class="spin" />
      {t(TROUBLE.lost)}
    </div>
  );
}

function SearchField() {
  const here = path.value === '/messages' ? (query.value['text'] ?? '') : '';
  const [text, setText] = useState(here);
  useEffect(() => setText(here), [here]);
  return (
    <form
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        void go(hrefWith('/messages', { text: text.trim() }));
      }}
    >
      <input
        type="search"
        class="search-field"
        value={text}
        aria-label={t(FRAME.search)}
        placeholder={t(FRAME.searchHint)}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
    </form>
  );
}

const GROUPS = ['daily', 'settings', 'records'] as const;

function Navigation() {
  const counts = useCounts();
  return (
    <>
      {GROUPS.map((group) => (
        <ul key={group}>
          {NAVIGATION.filter((page) => page.group === group && (page.needs === 'login' || may(page.needs))).map(
            (page) => (
              <li key={page.path}>
                <a href={page.path} aria-current={isHere(page) ? 'page' : undefined}>
                  <Icon name={page.icon} />
                  {t(page.name)}
                  {counts[page.path] === undefined ? null : <span class="count">{counts[page.path]}</span>}
                </a>
              </li>
            ),
          )}
        </ul>
      ))}
      <ul>
        <li>
          <button type="button" class="plain" onClick={showKeys}>
            <kbd>?</kbd> {t(FRAME.keys)}
          </button>
        </li>
        <li>
          <button type="button" class="plain" onClick={() => void logout().catch(toastProblem)}>
            {t(FRAME.logout)}
          </button>
        </li>
      </ul>
    </>
  );
}

function isHere(page: Page): boolean {
  return page.path === '/' ? path.value === '/' : path.value === page.path || path.value.startsWith(`${page.path}/`);
}

/** What waits, beside the names of the pages; from the live feed. */
function useCounts(): Readonly<Record<string, number | undefined>> {
  const [counts, setCounts] = useState<Readonly<Record<string, number | undefined>>>({});
  useEffect(
    () =>
      listen((event) => {
        if (event.name !== 'counts') return;
        const queue = event.data['counts'];
        if (typeof queue !== 'object' || queue === null) return;
        const of = (name: string): number => Number((queue as Record<string, unknown>)[name] ?? 0);
        const shown = (n: number): number | undefined => (n > 0 ? n : undefined);
        setCounts({
          '/quarantine': shown(of('quarantine')),
          '/queue': shown(of('incoming') + of('queue') + of('held')),
        });
      }),
    [],
  );
  return counts;
}

function LanguageButton() {
  const other = language.value === 'ja' ? 'en' : 'ja';
  return (
    <button type="button" class="plain tiny" lang={other} onClick={() => setLanguage(other)}>
      {t(FRAME.languageSwitch)}
    </button>
  );
}

function ThemeButton() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto';
  const label = t(FRAME.theme, { name: t(THEME_NAMES[theme.value]) });
  return (
    <button type="button" class="plain tiny" title={label} aria-label={label} onClick={() => setTheme(next)}>
      <Icon name="theme" />
    </button>
  );
}
