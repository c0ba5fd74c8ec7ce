/**
 * The portal's pages as HTML: no script, one column, readable on a phone and aloud. Every text of a stranger is escaped here,
 * by the one function that makes markup (`html`), and keeps its own direction. GET shows, only forms act. Pure.
 */
import { type Language, say, type Text } from '../base/i18n.ts';
import { WORDS } from './words.ts';

export interface OwnEntry {
  id: string;
  arrivedAt: string;
  from: string;
  subject: string;
  reason: Text;
  right: 'release' | 'ask' | 'asked';
  expiresAt?: string | undefined;
}

export interface PageFrame {
  language: Language;
  /** Where the page lies, for links: `/t/v1.…` */
  base: string;
  /** In the zone of the box. Every link and form goes on in `language`. */
  showTime: (iso: string) => string;
}

/** Markup that is made, not typed by a stranger. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Piece = string | number | Markup | readonly Markup[];

/** Values are escaped unless they are markup themselves. */
export function html(strings: TemplateStringsArray, ...values: readonly Piece[]): Markup {
  const shown = values.map((value) => {
    if (value instanceof Markup) return value.text;
    if (typeof value === 'string' || typeof value === 'number') return escape(String(value));
    return value.map(({ text }) => text).join('');
  });
  return new Markup(strings.map((text, index) => text + (shown[index] ?? '')).join(''));
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export const STYLE = `
:root{color-scheme:light dark;--text:#1a1a1a;--soft:#595959;--line:#d0d0d0;--page:#fff;--accent:#0b57d0;--on:#fff}
@media (prefers-color-scheme:dark){:root{--text:#e8e8e8;--soft:#b0b0b0;--line:#444;--page:#161616;--accent:#8ab4f8;--on:#111}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:44rem;padding:1rem;background:var(--page);color:var(--text);line-height:1.6;
font-family:system-ui,"Hiragino Sans","Yu Gothic UI","Noto Sans JP",sans-serif;overflow-wrap:anywhere}
header{display:flex;justify-content:space-between;gap:1rem;align-items:baseline}
h1{font-size:1.3rem;margin:.5rem 0}h2{font-size:1rem;font-weight:400}
ul{list-style:none;margin:0;padding:0}
li{border-top:1px solid var(--line);padding:.75rem 0}
li a{font-weight:600}
a{color:var(--accent)}
.soft{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1rem 0}
dt{color:var(--soft)}dd{margin:0}
pre{white-space:pre-wrap;border:1px solid var(--line);border-radius:6px;padding:.75rem;font:inherit;margin:.25rem 0 1rem}
button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:6px;background:var(--accent);color:var(--on);cursor:pointer;min-height:2.75rem}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.note{border-left:4px solid var(--accent);padding:.5rem .75rem;margin:1rem 0}
`;

export function listPage(
  frame: PageFrame,
  content: { recipient: string; entries: readonly OwnEntry[]; more: boolean; expiresAt: string },
): string {
  const { language, base, showTime } = frame;
  const rows = content.entries.map(
    (entry) => html`<li>
<div><a href="${base}/m/${entry.id}?lang=${language}"><bdi>${subjectOf(entry, language)}</bdi></a></div>
<div>${say(WORDS.from, language)}: <bdi>${entry.from}</bdi></div>
<div class="soft"><time datetime="${entry.arrivedAt}">${showTime(entry.arrivedAt)}</time> · ${entry.reason[language]}</div>
</li>`,
  );
  const main = html`<p>${say(WORDS.intro, language, { recipient: content.recipient })}</p>
${rows.length === 0 ? html`<p class="note">${say(WORDS.nothing, language)}</p>` : html`<ul>${rows}</ul>`}
${content.more ? html`<p class="soft">${say(WORDS.more, language)}</p>` : html``}
<p class="soft">${say(WORDS.expires, language, { time: showTime(content.expiresAt) })}</p>`;
  return page(frame, say(WORDS.title, language), main);
}

export function messagePage(frame: PageFrame, entry: OwnEntry, preview: { text: string; cut: boolean }): string {
  const { language, base, showTime } = frame;
  const main = html`<p><a href="${base}?lang=${language}">${say(WORDS.back, language)}</a></p>
<dl>
<dt>${say(WORDS.from, language)}</dt><dd><bdi>${entry.from}</bdi></dd>
<dt>${say(WORDS.received, language)}</dt><dd>${showTime(entry.arrivedAt)}</dd>
<dt>${say(WORDS.why, language)}</dt><dd>${entry.reason[language]}</dd>
${entry.expiresAt === undefined ? html`` : html`<dt>${say(WORDS.deletedAt, language)}</dt><dd>${showTime(entry.expiresAt)}</dd>`}
</dl>
${actionOf(frame, entry)}
<h2 class="soft">${say(WORDS.content, language)}</h2>
<pre dir="auto">${preview.text === '' ? say(WORDS.noText, language) : preview.text}${preview.cut ? `\n${say(WORDS.cut, language)}` : ''}</pre>`;
  return page(frame, subjectOf(entry, language), main);
}

/** One sentence, and the way back when there is one. */
export function notePage(frame: PageFrame, note: Text): string {
  const { language, base } = frame;
  const back = base === '' ? html`` : html`<p><a href="${base}?lang=${language}">${say(WORDS.back, language)}</a></p>`;
  return page(frame, say(WORDS.title, language), html`<p class="note" role="status">${note[language]}</p>${back}`);
}

function actionOf({ language, base }: PageFrame, entry: OwnEntry): Markup {
  if (entry.right === 'asked') return html`<p class="note">${say(WORDS.asked, language)}</p>`;
  const [action, label, hint] =
    entry.right === 'release'
      ? (['release', WORDS.release, WORDS.releaseHint] as const)
      : (['ask', WORDS.ask, WORDS.askHint] as const);
  return html`<form method="post" action="${base}/m/${entry.id}/${action}?lang=${language}">
<p class="soft" id="hint">${hint[language]}</p>
<button aria-describedby="hint">${label[language]}</button>
</form>`;
}

function subjectOf(entry: OwnEntry, language: Language): string {
  return entry.subject || say(WORDS.noSubject, language);
}

function page({ language }: PageFrame, title: string, main: Markup): string {
  const other = language === 'ja' ? 'en' : 'ja';
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="stylesheet" href="/portal.css">
</head>
<body>
<header><h1><bdi>${title}</bdi></h1><a href="?lang=${other}" lang="${other}" hreflang="${other}">${say(WORDS.language, language)}</a></header>
<main>
${main}
</main>
</body>
</html>
`.text;
}
