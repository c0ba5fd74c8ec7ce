/**
 * The mail that tells one recipient what was kept back for him since the last one: multipart/alternative, text first, then
 * HTML that reads well on a phone (one column, no image, nothing loaded from anywhere). Links only show, they never act:
 * mail scanners follow links. Pure: time, words and boundary are handed in. What strangers wrote comes in as safe text.
 */
import { type Language, say, type Text } from '../base/i18n.ts';
import type { ForwardPath, ReversePath } from './address.ts';
import { encodeWords, mailDate, wrapped } from './compose.ts';

export interface DigestItem {
  /** For display: `2026-11-22 08:14`. */
  received: string;
  from: string;
  subject: string;
  reason: Text;
  /** Shows the message; absent without a portal. */
  link?: string;
}

export interface DigestOptions {
  language: Language;
  hostname: string;
  author: ReversePath;
  recipient: ForwardPath;
  now: Date;
  items: readonly DigestItem[];
  /** New ones that are not among `items`. */
  more: number;
  /** Shows all that is kept for this recipient; absent without a portal. */
  link?: string;
  /** Days until a kept message is deleted. */
  days: number;
  /** `[A-Za-z0-9.-]+`, unguessable and unique. */
  token: string;
}

const WORDS = {
  subject: { ja: '隔離されたメールのお知らせ（新着 {count} 通）', en: 'Mail kept back for you: {count} new' },
  intro: {
    ja: '{recipient} 宛の次のメールは、迷惑メールなどの疑いがあるため届けずに保管しています。',
    en: 'The following mail to {recipient} was not delivered because it looks like spam or worse. It is kept for you.',
  },
  how: {
    ja: '必要なメールは、件名のリンクを開いて内容を確かめてから「受け取る」を押してください。心当たりのないものは何もしなくてかまいません。{days} 日後に自動で消えます。',
    en: 'If you need one of them, open its link, look at it, and press "Deliver to me". Leave alone what you do not know: it is deleted after {days} days.',
  },
  ask: {
    ja: '必要なメールがあるときは、システム管理者にこのお知らせの内容を伝えてください。心当たりのないものは何もしなくてかまいません。{days} 日後に自動で消えます。',
    en: 'If you need one of them, tell your system administrator. Leave alone what you do not know: it is deleted after {days} days.',
  },
  all: { ja: '保管中のメールをすべて見る', en: 'Show all that is kept for me' },
  more: { ja: 'ほかに {count} 通あります。', en: 'There are {count} more.' },
  from: { ja: '差出人', en: 'From' },
  received: { ja: '受信', en: 'Received' },
  why: { ja: '理由', en: 'Why' },
  noSubject: { ja: '（件名なし）', en: '(no subject)' },
  personal: {
    ja: 'リンクはあなた専用です。他の人に転送しないでください。',
    en: 'The links are for you alone: do not forward this mail.',
  },
} as const satisfies Record<string, Text>;

export function composeDigest(options: DigestOptions): Buffer {
  const { language, token, hostname } = options;
  const boundary = `=_${token}`; // "=_" can stand in no base64 text (RFC 2045 §6.7)
  const count = options.items.length + options.more;
  const header = [
    `From: ${encodeWords(language === 'ja' ? 'メールゲートウェイ' : 'Mail gateway')} <${options.author}>`,
    `To: <${options.recipient}>`,
    `Subject: ${encodeWords(say(WORDS.subject, language, { count }))}`,
    `Date: ${mailDate(options.now)}`,
    `Message-ID: <${token}@${hostname}>`,
    'Auto-Submitted: auto-generated', // RFC 3834 §5
    'Precedence: bulk',
    'MIME-Version: 1.0',
    `Content-Type: multipart/alternative; boundary="${boundary}"`,
    '',
  ];
  const parts = [part('text/plain', plain(options)), part('text/html', html(options))];
  const body = parts.map((one) => `--${boundary}\r\n${one}\r\n`).join('');
  return Buffer.from(`${header.join('\r\n')}\r\n${body}--${boundary}--\r\n`);
}

function part(type: string, text: string): string {
  const octets = Buffer.from(text.replaceAll('\n', '\r\n'));
  return `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${wrapped(octets.toString('base64'))}`;
}

function plain(options: DigestOptions): string {
  const { language, items, link } = options;
  const values = { recipient: options.recipient, days: options.days };
  const lines = [say(WORDS.intro, language, values), ''];
  for (const item of items) {
    lines.push(`■ ${item.subject || say(WORDS.noSubject, language)}`);
    lines.push(`  ${say(WORDS.from, language)}: ${item.from}`);
    lines.push(`  ${say(WORDS.received, language)}: ${item.received}`);
    lines.push(`  ${say(WORDS.why, language)}: ${item.reason[language]}`);
    if (item.link !== undefined) lines.push(`  ${item.link}`);
    lines.push('');
  }
  if (options.more > 0) lines.push(say(WORDS.more, language, { count: options.more }), '');
  lines.push(say(link === undefined ? WORDS.ask : WORDS.how, language, values));
  if (link !== undefined) lines.push('', `${say(WORDS.all, language)}:`, link, '', say(WORDS.personal, language));
  return `${lines.join('\n')}\n`;
}

function html(options: DigestOptions): string {
  const { language, items, link } = options;
  const values = { recipient: options.recipient, days: options.days };
  const font =
    "font-family:system-ui,'Hiragino Sans','Yu Gothic UI','Noto Sans JP',sans-serif;line-height:1.6;color:#1a1a1a";
  const row = (item: DigestItem): string => {
    const subject = bidi(item.subject || say(WORDS.noSubject, language));
    const title =
      item.link === undefined ? subject : `<a href="${escape(item.link)}" style="color:#0b57d0">${subject}</a>`;
    return [
      '<tr><td style="padding:12px 0;border-top:1px solid #d0d0d0;overflow-wrap:anywhere">',
      `<div style="font-weight:600">${title}</div>`,
      `<div>${say(WORDS.from, language)}: ${bidi(item.from)}</div>`,
      `<div style="color:#595959">${escape(item.received)} · ${escape(item.reason[language])}</div>`,
      '</td></tr>',
    ].join('\n');
  };
  const button =
    link === undefined
      ? ''
      : `<p><a href="${escape(link)}" style="display:inline-block;padding:10px 16px;background:#0b57d0;color:#ffffff;text-decoration:none;border-radius:6px">${say(WORDS.all, language)}</a></p>\n<p style="color:#595959">${say(WORDS.personal, language)}</p>`;
  return [
    `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<title>${escape(say(WORDS.subject, language, { count: items.length + options.more }))}</title></head>`,
    `<body style="margin:0;padding:16px;${font}"><div style="max-width:600px;margin:0 auto">`,
    `<p>${escape(say(WORDS.intro, language, values))}</p>`,
    '<table role="presentation" width="100%" cellspacing="0" cellpadding="0" style="border-collapse:collapse">',
    ...items.map(row),
    '</table>',
    options.more > 0 ? `<p>${say(WORDS.more, language, { count: options.more })}</p>` : '',
    `<p>${escape(say(link === undefined ? WORDS.ask : WORDS.how, language, values))}</p>`,
    button,
    '</div></body></html>',
    '',
  ].join('\n');
}

/** A stranger's words keep their own direction to themselves. */
function bidi(text: string): string {
  return `<bdi>${escape(text)}</bdi>`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
