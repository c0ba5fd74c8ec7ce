/**
 * What is in a mail, fit for a person's eyes: its fields, its text, its HTML made harmless, the names of what is attached.
 * Runs in a thread of its own (content-worker.ts): a mail is written by strangers, and one that keeps a parser busy may not
 * keep the pages. Nothing is fetched and no link leads anywhere: images and whatever loads are left out, links become text.
 */
import PostalMime from 'postal-mime';
import sanitizeHtml from 'sanitize-html';
import { previewMessage } from '../../mail/preview.ts';
import { safeText } from '../../mail/safe-text.ts';

export interface MailContent {
  headers: Array<{ name: string; value: string }>;
  text: { value: string; cut: boolean; source: 'text' | 'html' | 'none' };
  /** Undefined: there is no HTML part. */
  html: string | undefined;
  attachments: Array<{ index: number; name: string; type: string; size: number }>;
}

const MOST_TEXT = 100_000;
const MOST_HTML = 500_000;
const MOST_ATTACHMENTS = 200;
const MOST_NESTING = 100;

export async function readMail(octets: Uint8Array): Promise<MailContent> {
  const { fields, text, source, truncated } = previewMessage(Buffer.from(octets), { maxCharacters: MOST_TEXT });
  const parsed = await PostalMime.parse(octets, { maxNestingDepth: MOST_NESTING, maxHeadersSize: 512 * 1024 });
  const { html } = parsed;
  return {
    headers: fields,
    text: {
      value: text,
      cut: truncated,
      source: source === 'text/plain' ? 'text' : source === 'text/html' ? 'html' : 'none',
    },
    html: html === undefined ? undefined : cleanHtml(html.slice(0, MOST_HTML)),
    attachments: parsed.attachments.slice(0, MOST_ATTACHMENTS).map((one, index) => ({
      index,
      name: safeText(one.filename ?? '', 255),
      type: safeText(one.mimeType, 100),
      size: typeof one.content === 'string' ? one.content.length : one.content.byteLength,
    })),
  };
}

const COLOUR = /^(?:#[0-9a-f]{3,8}|[a-z]{3,20}|rgba?\([\d\s.,%]{5,40}\))$/i;
const LENGTH = /^\d{1,4}(?:\.\d{1,3})?(?:px|em|rem|pt|%)?$/;

/** A list of what may stay; whatever is not on it goes. Style may colour and space text, nothing that loads or covers. */
export function cleanHtml(html: string): string {
  return sanitizeHtml(html, {
    allowedTags: (
      'h1 h2 h3 h4 h5 h6 p div span br hr b strong i em u s small sub sup blockquote pre code ul ol li dl dt dd ' +
      'table caption thead tbody tfoot tr th td center font a'
    ).split(' '),
    allowedAttributes: {
      '*': ['style', 'dir', 'lang', 'align'],
      a: ['title'],
      td: ['colspan', 'rowspan', 'width', 'bgcolor', 'valign'],
      th: ['colspan', 'rowspan', 'width', 'bgcolor', 'valign'],
      table: ['width', 'border', 'cellpadding', 'cellspacing', 'bgcolor'],
      font: ['color', 'size'],
    },
    allowedStyles: {
      '*': {
        color: [COLOUR],
        'background-color': [COLOUR],
        'font-size': [LENGTH],
        'font-weight': [/^(?:bold|normal|\d{3})$/],
        'font-style': [/^(?:italic|normal)$/],
        'text-align': [/^(?:left|right|center|justify)$/],
        'text-decoration': [/^(?:underline|line-through|none)$/],
        width: [LENGTH],
        padding: [/^[\d\s.a-z%]{1,40}$/],
        margin: [/^[\d\s.a-z%]{1,40}$/],
      },
    },
    // where a link would lead is what people must see before they trust it
    transformTags: {
      a: (_tag, attributes) => ({
        tagName: 'a',
        attribs: { title: safeText(attributes['href'] ?? '', 500) },
      }),
    },
    nonTextTags: [
      'script',
      'style',
      'textarea',
      'option',
      'noscript',
      'title',
      'xmp',
      'iframe',
      'noembed',
      'noframes',
      'svg',
      'math',
    ],
    nestingLimit: 60,
    enforceHtmlBoundary: false,
  });
}
