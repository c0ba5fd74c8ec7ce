/**
 * The trial mail server's page: a list, and one message as plain text. Everything that came by mail is escaped; there is no
 * script, and the policy header would not let one run.
 */
import { open } from 'node:fs/promises';
import path from 'node:path';
import libmime from 'libmime';
import { type Language, say, type Text } from '../../src/base/i18n.ts';
import { listStoredMail, type StoredMail } from './mail-server.ts';

const SHOWN_OCTETS = 200_000;

const WORDS = {
  title: { ja: '試用のメールサーバーに届いたメール', en: 'Mail that reached the trial mail server' },
  none: { ja: 'まだ届いていません。', en: 'Nothing has arrived yet.' },
  hint: {
    ja: '関所（Sekisho）を通ったメールだけがここに届きます。見直すには再読み込みしてください。',
    en: 'Only mail that passed the gateway arrives here. Reload to look again.',
  },
  time: { ja: '時刻', en: 'Time' },
  from: { ja: '差出人', en: 'From' },
  to: { ja: '宛先', en: 'To' },
  subject: { ja: '件名', en: 'Subject' },
  size: { ja: '大きさ', en: 'Size' },
  back: { ja: '一覧へ', en: 'Back to the list' },
  cut: { ja: '（{octets} オクテットまで表示）', en: '(shown up to {octets} octets)' },
  missing: { ja: 'そのメールはありません。', en: 'No such message.' },
  octets: { ja: 'オクテット', en: 'octets' },
} as const satisfies Record<string, Text>;

export async function mailPage(options: {
  folder: string;
  url: URL;
  fallback: Language;
  accept: string | undefined;
}): Promise<{ status: number; html: string }> {
  const language = languageOf(options.accept, options.fallback);
  const word = (text: Text, values: Record<string, string | number> = {}): string =>
    escapeHtml(say(text, language, values));
  if (options.url.pathname === '/') {
    const mails = await listStoredMail(options.folder);
    return { status: 200, html: frame(language, listHtml(mails, word)) };
  }
  const id = /^\/mail\/([0-9A-Za-z.-]{1,64})$/.exec(options.url.pathname)?.[1];
  const text = id === undefined ? undefined : await readStart(path.join(options.folder, `${id}.eml`));
  if (text === undefined) return { status: 404, html: frame(language, `<p>${word(WORDS.missing)}</p>`) };
  const cut = text.cut ? `<p>${word(WORDS.cut, { octets: SHOWN_OCTETS })}</p>` : '';
  const back = `<p><a href="/">${word(WORDS.back)}</a></p>`;
  return { status: 200, html: frame(language, `${back}${cut}<pre>${escapeHtml(text.text)}</pre>`) };
}

/** `=?ISO-2022-JP?…?=` as a person reads it; what cannot be decoded stays as it is. */
export function decoded(field: string): string {
  try {
    return libmime.decodeWords(field);
  } catch {
    return field;
  }
}

export function escapeHtml(text: string): string {
  const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, (mark) => marks[mark] ?? mark);
}

function listHtml(mails: readonly StoredMail[], word: (text: Text) => string): string {
  const hint = `<p>${word(WORDS.hint)}</p>`;
  if (mails.length === 0) return `${hint}<p>${word(WORDS.none)}</p>`;
  const heads = [WORDS.time, WORDS.from, WORDS.to, WORDS.subject, WORDS.size].map((text) => `<th>${word(text)}</th>`);
  const rows = mails.map((mail) => {
    const subject = escapeHtml(decoded(mail.subject) || '—');
    const cells = [
      escapeHtml(mail.at),
      escapeHtml(decoded(mail.from)),
      escapeHtml(mail.recipients.join(', ')),
      `<a href="/mail/${escapeHtml(mail.id)}">${subject}</a>`,
      `${mail.size} ${word(WORDS.octets)}`,
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `${hint}<table><thead><tr>${heads.join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function frame(language: Language, body: string): string {
  const title = escapeHtml(say(WORDS.title, language));
  const style =
    'body{font-family:sans-serif;margin:2rem;color:#222}table{border-collapse:collapse}' +
    'th,td{border-bottom:1px solid #ccc;padding:.4rem .8rem;text-align:left}pre{white-space:pre-wrap;background:#f4f4f4;padding:1rem}';
  return `<!doctype html>
<html lang="${language}"><head><meta charset="utf-8"><title>${title}</title><style>${style}</style></head>
<body><h1>${title}</h1>${body}</body></html>
`;
}

function languageOf(accept: string | undefined, fallback: Language): Language {
  const first = (accept ?? '').split(',')[0]?.trim().toLowerCase() ?? '';
  if (first.startsWith('ja')) return 'ja';
  return first === '' || first === '*' ? fallback : 'en';
}

async function readStart(file: string): Promise<{ text: string; cut: boolean } | undefined> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      const buffer = Buffer.alloc(Math.min(size, SHOWN_OCTETS));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      return { text: buffer.toString('utf8', 0, bytesRead), cut: size > SHOWN_OCTETS };
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
