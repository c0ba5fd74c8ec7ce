/** The handbook: the chapters of docs/handbook in the reader's language, one source for here and for the repository. */
import { useLoad } from '../api/use.ts';
import type { ViewProperties } from '../app/views.ts';
import { Card, Empty, PageHead, Skeleton, Trouble } from '../components/basics.tsx';
import { Markdown } from '../components/markdown.tsx';
import { showKeys } from '../app/keys.tsx';
import { language, t } from '../i18n/language.ts';
import { FRAME, KEYS, PAGES } from '../i18n/words-frame.ts';
import { MESSAGE } from '../i18n/words-messages.ts';

/** Loaded when read. */
const CHAPTERS: Readonly<Record<string, () => Promise<unknown>>> = import.meta.glob('../../docs/handbook/*/*.md', {
  query: '?raw',
  import: 'default',
});

export const ORDER = [
  'first-steps',
  'daily',
  'messages',
  'quarantine',
  'queue',
  'policy',
  'domains',
  'dns',
  'reports',
  'system',
  'users',
  'audit',
  'bypass',
] as const;

async function readChapter(name: string): Promise<string | undefined> {
  const text = await CHAPTERS[`../../docs/handbook/${language.value}/${name}.md`]?.();
  return typeof text === 'string' ? text : undefined;
}

export function Help({ rest }: ViewProperties) {
  return rest === '' ? <Contents /> : <Chapter name={rest} />;
}

function Contents() {
  const titles = useLoad(`titles ${language.value}`, () =>
    Promise.all(
      ORDER.map(async (name) => {
        const text = (await readChapter(name)) ?? '';
        const [, title = name] = /^# (.*)$/m.exec(text) ?? [];
        const [, first = ''] = /^# .*\n\n([\s\S]*?)\n\n/m.exec(text) ?? [];
        return { name, title, first };
      }),
    ),
  );
  return (
    <>
      <PageHead title={t(PAGES.help)}>
        <button type="button" onClick={showKeys}>
          {t(KEYS.title)}
        </button>
      </PageHead>
      {titles.value === undefined ? (
        <Skeleton lines={10} />
      ) : (
        <div class="cards">
          {titles.value.map((one) => (
            <Card
              key={one.name}
              title={one.title}
              side={
                <a href={`/help/${one.name}`}>
                  {t(FRAME.read)}
                  <span class="sr">: {one.title}</span>
                </a>
              }
            >
              <div class="soft">
                <Markdown text={one.first} />
              </div>
            </Card>
          ))}
        </div>
      )}
    </>
  );
}

function Chapter({ name }: { name: string }) {
  const chapter = useLoad(`chapter ${name} ${language.value}`, () => readChapter(name));
  if (chapter.error !== undefined) return <Trouble error={chapter.error} again={chapter.again} />;
  if (chapter.loading && chapter.value === undefined) return <Skeleton lines={14} />;
  if (chapter.value === undefined)
    return (
      <>
        <PageHead title={t(FRAME.notFoundTitle)} />
        <Empty title={t(FRAME.notFoundTitle)}>
          <a href="/help">{t(PAGES.help)}</a>
        </Empty>
      </>
    );
  const [, title = name, text = ''] = /^# (.*)\n([\s\S]*)$/.exec(chapter.value) ?? [];
  return (
    <>
      <PageHead title={title}>
        <a class="button tiny" href="/help">
          {t(MESSAGE.back)}
        </a>
      </PageHead>
      <article class="card book">
        <Markdown text={text} />
      </article>
    </>
  );
}
