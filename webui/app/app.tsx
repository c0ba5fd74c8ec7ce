/** Which page is shown: before the claim the wizard's first step, before login the login, then by path. A page that throws
 * leaves the frame standing. */
import { Component, type ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { problemOf } from '../api/problem.ts';
import { useLoad } from '../api/use.ts';
import { Empty, PageHead, Skeleton, Trouble } from '../components/basics.tsx';
import { FRAME } from '../i18n/words-frame.ts';
import { language, t } from '../i18n/language.ts';
import { Frame, Solo } from './frame.tsx';
import { LoginPage, MustChangePage } from './login.tsx';
import { NAVIGATION } from './pages.ts';
import { path } from './router.ts';
import { loadSession, may, me, session } from './session.ts';
import { VIEWS } from './views.ts';

export function App() {
  const loaded = useLoad('session', loadSession);
  const here = path.value;
  useTitle(here);
  if (session.value === undefined)
    return (
      <Solo narrow>
        {loaded.error === undefined ? <Skeleton lines={6} /> : <Trouble error={loaded.error} again={loaded.again} />}
      </Solo>
    );
  if (!session.value.claimed || (here === '/setup' && me.value !== undefined)) {
    const Setup = VIEWS.setup;
    return (
      <Solo>
        <Fence>
          <Setup />
        </Fence>
      </Solo>
    );
  }
  if (me.value === undefined)
    return (
      <Solo narrow>
        <LoginPage />
      </Solo>
    );
  if (me.value.mustChangePassword)
    return (
      <Solo narrow>
        <MustChangePage />
      </Solo>
    );
  return (
    <Frame>
      <Fence key={here.split('/')[1] ?? ''}>
        <Content here={here} />
      </Fence>
    </Frame>
  );
}

function Content({ here }: { here: string }) {
  const page = NAVIGATION.find((one) => one.path !== '/' && (here === one.path || here.startsWith(`${one.path}/`)));
  const needs = (here === '/' ? NAVIGATION[0] : page)?.needs;
  if (needs !== undefined && needs !== 'login' && !may(needs))
    return (
      <>
        <PageHead title={t(FRAME.notAllowed)} />
        <Empty title={t(FRAME.notAllowedText)} />
      </>
    );
  const [, first = '', rest] = /^\/([^/]*)(?:\/(.*))?$/.exec(here) ?? [];
  const View = VIEWS.pages[first === '' ? 'overview' : first];
  if (View === undefined)
    return (
      <>
        <PageHead title={t(FRAME.notFoundTitle)} />
        <Empty title={t(FRAME.notFoundText)}>
          <a class="button" href="/">
            {t(FRAME.toOverview)}
          </a>
        </Empty>
      </>
    );
  return <View rest={rest === undefined ? '' : decodeURIComponent(rest)} />;
}

function useTitle(here: string): void {
  const page = NAVIGATION.find((one) => (one.path === '/' ? here === '/' : here.startsWith(one.path)));
  const name = page === undefined ? '' : `${t(page.name)} · `;
  const title = `${name}Sekisho${session.value === undefined ? '' : ` · ${session.value.hostname}`}`;
  useEffect(() => {
    document.title = title;
    document.documentElement.lang = language.value;
  }, [title]);
}

/** Holds a page that fails. */
class Fence extends Component<{ children: ComponentChildren }, { error: unknown }> {
  override state: { error: unknown } = { error: undefined };
  static override getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }
  override render() {
    if (this.state.error === undefined) return this.props.children;
    return <Trouble error={problemOf(this.state.error)} again={() => location.reload()} />;
  }
}
