/**
 * The mail that tells the owner of trouble on the box, and when it is over: plain text in his language, what is wrong first, what to
 * do about it below. Pure: time and token are handed in. Details may hold strangers' words; they come in as safe text.
 */
import { type Language, say, type Text } from '../base/i18n.ts';
import type { ForwardPath, ReversePath } from './address.ts';
import { encodeWords, mailDate, wrapped } from './compose.ts';

/** All alarms of one kind. */
export interface AlertItem {
  title: Text;
  remedy: Text;
  /** For display: `2026-11-22 08:14`. */
  since: string;
  /** Of each instance, the first few. */
  details: readonly string[];
  /** Instances that are not among `details`. */
  more: number;
}

export interface AlertOptions {
  language: Language;
  hostname: string;
  author: ReversePath;
  recipients: readonly ForwardPath[];
  now: Date;
  /** Told for the first time. */
  fresh: readonly AlertItem[];
  /** Told before, and it still stands. */
  standing: readonly AlertItem[];
  /** Told before, and it is over. */
  over: readonly Text[];
  /** They get such mail from now on: whatever stands is told, and be it nothing. */
  welcome: boolean;
  /** `[A-Za-z0-9.-]+`, unguessable and unique. */
  token: string;
}

const WORDS = {
  sender: { ja: 'メールゲートウェイ', en: 'Mail gateway' },
  several: { ja: '{title}（ほか {count} 件）', en: '{title} (and {count} more)' },
  reminder: { ja: '続いています: {title}', en: 'Still so: {title}' },
  allOver: { ja: '解消しました: {title}', en: 'Over: {title}' },
  welcome: { ja: 'この宛先に警告メールを送ります', en: 'Alerts come to this address from now on' },
  fresh: { ja: '新しい警告', en: 'New' },
  standing: { ja: '続いている警告', en: 'Still so' },
  over: { ja: '解消した警告', en: 'Over' },
  since: { ja: '{time} から', en: 'since {time}' },
  more: { ja: 'ほかに {count} 件', en: '{count} more' },
  nothing: { ja: '現在、警告はありません。', en: 'Nothing is wrong now.' },
  where: {
    ja: 'くわしくは {hostname} の管理画面の「概要」をご覧ください。このお知らせの宛先は「ポリシー」の「管理者への警告メール」で変えられます。',
    en: 'See the overview on the pages of {hostname}. Who gets this mail is set on the Policy page, at "Alert mail to the owner".',
  },
} as const satisfies Record<string, Text>;

/** `fresh`, `standing` or `over` holds something, or `welcome` is said. */
export function composeAlert(options: AlertOptions): Buffer {
  const { language, hostname, token } = options;
  const header = [
    `From: ${encodeWords(WORDS.sender[language])} <${options.author}>`,
    `To: ${options.recipients.map((address) => `<${address}>`).join(',\r\n ')}`,
    `Subject: ${encodeWords(`[${hostname}] ${subjectOf(options)}`)}`,
    `Date: ${mailDate(options.now)}`,
    `Message-ID: <${token}@${hostname}>`,
    'Auto-Submitted: auto-generated', // RFC 3834 §5
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    '',
  ];
  const octets = Buffer.from(textOf(options).replaceAll('\n', '\r\n'));
  return Buffer.from(`${header.join('\r\n')}${wrapped(octets.toString('base64'))}\r\n`);
}

function subjectOf({ language, fresh, standing, over, welcome }: AlertOptions): string {
  if (welcome) return WORDS.welcome[language];
  const [first, ...others] = fresh;
  if (first !== undefined) {
    const title = first.title[language];
    return others.length === 0 ? title : say(WORDS.several, language, { title, count: others.length });
  }
  const [still] = standing;
  if (still !== undefined) return say(WORDS.reminder, language, { title: still.title[language] });
  return say(WORDS.allOver, language, { title: over[0]?.[language] ?? '' });
}

function textOf({ language, hostname, fresh, standing, over, welcome }: AlertOptions): string {
  const lines: string[] = welcome ? [WORDS.welcome[language], ''] : [];
  const items = (title: Text, list: readonly AlertItem[]): void => {
    if (list.length === 0) return;
    lines.push(`== ${title[language]} ==`, '');
    for (const item of list) lines.push(...itemLines(item, language), '');
  };
  items(WORDS.fresh, fresh);
  items(WORDS.standing, standing);
  if (over.length > 0)
    lines.push(`== ${WORDS.over[language]} ==`, '', ...over.map((title) => `- ${title[language]}`), '');
  if (fresh.length + standing.length === 0) lines.push(WORDS.nothing[language], '');
  lines.push('-- ', say(WORDS.where, language, { hostname }));
  return `${lines.join('\n')}\n`;
}

function itemLines({ title, remedy, since, details, more }: AlertItem, language: Language): string[] {
  return [
    `■ ${title[language]} (${say(WORDS.since, language, { time: since })})`,
    ...details.filter((detail) => detail !== '').map((detail) => `  - ${detail}`),
    ...(more > 0 ? [`  - ${say(WORDS.more, language, { count: more })}`] : []),
    `  ${remedy[language]}`,
  ];
}
