/** search, trace, explain: what became of a message. */
import type { Language, Text } from '../../base/i18n.ts';
import { escapeForTerminal } from '../../base/terminal.ts';
import { HISTORY_STATES, type VerbInput } from '../contract.ts';
import type { HistoryEntry, TraceAnswer } from '../shapes.ts';
import { UsageError } from './arguments.ts';
import { argument, type Command, type CommandContext, EXIT } from './command.ts';
import { CURSOR_OPTION, LIMIT_OPTION, pageText, pick, wrongState } from './commands-queue.ts';
import { findingLines } from './finding-text.ts';
import { block, type Look, showPath, showSize, showSome, showTime, table } from './output.ts';

export const HISTORY_COMMANDS: readonly Command[] = [
  {
    name: 'search',
    args: '[TEXT]',
    summary: { en: 'Finds mail of the past and present', ja: '過去と現在のメールを探す' },
    options: [
      { name: 'text', value: 'TEXT', help: { en: 'words of subject or addresses', ja: '件名・アドレスに含まれる語' } },
      { name: 'sender', value: 'ADDRESS', help: { en: 'address, @domain or a part', ja: '差出人（一部でもよい）' } },
      { name: 'recipient', value: 'ADDRESS', help: { en: 'address, @domain or a part', ja: '宛先（一部でもよい）' } },
      { name: 'id', value: 'ID', help: { en: 'queue id, with its family', ja: 'キュー ID（分割や DSN も含む）' } },
      { name: 'message-id', value: 'ID', help: { en: 'Message-ID header', ja: 'Message-ID ヘッダー' } },
      { name: 'client', value: 'ADDRESS', help: { en: 'address of the SMTP client', ja: '接続元アドレス' } },
      {
        name: 'since',
        value: 'TIME',
        help: {
          en: '2026-11-21, "2026-11-21 09:00", or 2h, 3d ago',
          ja: '2026-11-21、"2026-11-21 09:00"、2h・3d（前）',
        },
      },
      { name: 'until', value: 'TIME', help: { en: 'likewise; a day is included', ja: '同上（その日を含む）' } },
      { name: 'state', value: 'STATE', help: { en: HISTORY_STATES.join(', '), ja: HISTORY_STATES.join('、') } },
      LIMIT_OPTION,
      CURSOR_OPTION,
    ],
    examples: ['sekisho search 会議 --since 3d', 'sekisho search --recipient @office.example --state quarantined'],
    run: async (context) => {
      const answer = await context.client.call('history.search', searchInput(context));
      context.print(answer, () => searchText(answer.entries, context.look) + pageText(answer, context.language));
      return answer.entries.length > 0 ? EXIT.ok : EXIT.negative;
    },
  },
  {
    name: 'trace',
    args: 'ID',
    summary: { en: 'The trail of one message, step by step', ja: '1 通のメールの足取り' },
    run: async (context) => {
      const answer = await context.client.call('trace', { id: argument(context, 0), language: context.language });
      context.print(answer, () => traceText(answer, context.look));
      return EXIT.ok;
    },
  },
  {
    name: 'explain',
    args: 'ID',
    summary: { en: 'Why it was decided so, in words', ja: 'なぜその判定になったかを言葉で説明する' },
    run: async (context) => {
      const answer = await context.client.call('explain', { id: argument(context, 0), language: context.language });
      context.print(answer, () => `${answer.lines.map(escapeForTerminal).join('\n')}\n`);
      return EXIT.ok;
    },
  },
];

function searchInput(context: CommandContext): VerbInput<'history.search'> {
  const word = context.args[0];
  if (word !== undefined && context.options.has('text'))
    throw new UsageError({ en: 'Give the text once', ja: '検索語は 1 回だけ指定してください' });
  const input: VerbInput<'history.search'> = pick(context, [
    'text',
    'sender',
    'recipient',
    'id',
    'client',
    'limit',
    'cursor',
  ]);
  if (word !== undefined) input.text = word;
  const messageId = context.options.get('message-id');
  if (messageId !== undefined) input.messageId = messageId.replaceAll(/^<|>$/g, '');
  const now = context.io.now();
  const since = context.options.get('since');
  if (since !== undefined) input.from = parseTime(since, { now, end: false });
  const until = context.options.get('until');
  if (until !== undefined) input.to = parseTime(until, { now, end: true });
  const state = context.options.get('state');
  if (state === undefined) return input;
  const known = HISTORY_STATES.find((one) => one === state);
  if (known === undefined) throw new UsageError(wrongState(state, HISTORY_STATES));
  return { ...input, state: known };
}

const JAPANESE_STATES: Readonly<Record<(typeof HISTORY_STATES)[number], string>> = {
  corrupt: '破損',
  incoming: '検査待ち',
  held: '保留',
  quarantined: '隔離',
  deferred: '再送待ち',
  queued: '配送待ち',
  bounced: '配送不能',
  expired: '期限切れ',
  rejected: '拒否',
  'not-taken': '一時拒否',
  refused: '接続拒否',
  discarded: '破棄',
  deleted: '削除',
  delivered: '配送済み',
  moved: '分割',
};

/** The state as `--state` takes it; for a Japanese reader in Japanese, the word itself beside it. */
function stateText(state: string, language: Language): string {
  const known = HISTORY_STATES.find((one) => one === state);
  return language === 'ja' && known !== undefined ? `${JAPANESE_STATES[known]} (${state})` : state;
}

const SPANS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A moment in milliseconds: a span ago, a day (its start, or its end), or a date and time in the reader's zone. */
export function parseTime(text: string, options: { now: number; end: boolean }): number {
  const span = /^(\d{1,6})([smhdw])$/.exec(text);
  if (span !== null) return options.now - Number(span[1]) * (SPANS[span[2] ?? ''] ?? 0);
  const day = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (day !== null) {
    const [year, month, date] = [Number(day[1]), Number(day[2]) - 1, Number(day[3])];
    const start = new Date(year, month, date + (options.end ? 1 : 0)).getTime();
    // 2026-02-31 would silently become a day of March
    if (new Date(year, month, date).getDate() === date && month < 12) return options.end ? start - 1 : start;
  } else if (/^\d{4}-\d{2}-\d{2}[T ]/.test(text)) {
    const ms = Date.parse(text.replace(' ', 'T'));
    if (Number.isFinite(ms)) return ms;
  }
  throw new UsageError(wrongTime(text));
}

function wrongTime(text: string): Text {
  return {
    en: `"${text}" is no time: write 2026-11-21, "2026-11-21 09:00", 2h or 3d`,
    ja: `「${text}」は時刻として読めません: 2026-11-21、"2026-11-21 09:00"、2h、3d のように書いてください`,
  };
}

function searchText(entries: readonly HistoryEntry[], look: Look): string {
  if (entries.length === 0) return '';
  return table(
    entries,
    [
      { title: { en: 'ID', ja: 'ID' }, value: (row) => row.id },
      { title: { en: 'ARRIVED', ja: '受信' }, value: (row) => showTime(row.arrivedAt) },
      { title: { en: 'STATE', ja: '状態' }, value: (row) => stateText(row.state, look.language) },
      { title: { en: 'REASON', ja: '理由' }, value: (row) => row.reason, max: 30 },
      { title: { en: 'FROM', ja: '差出人' }, value: (row) => row.from || showPath(row.reversePath), max: 32 },
      {
        title: { en: 'TO', ja: '宛先' },
        value: (row) => showSome(row.recipients, look.language, row.recipientCount),
        max: 32,
      },
      { title: { en: 'SUBJECT', ja: '件名' }, value: (row) => row.subject },
    ],
    look,
  );
}

function traceText(trace: TraceAnswer, look: Look): string {
  const { language } = look;
  const head = block(
    [
      [{ en: 'ID', ja: 'ID' }, trace.id],
      [{ en: 'Now', ja: '現在' }, stateText(trace.state, language)],
      [{ en: 'Arrived', ja: '受信' }, showTime(trace.arrivedAt)],
      [{ en: 'Client', ja: '接続元' }, trace.client],
      [{ en: 'Reverse-path', ja: '差出人' }, showPath(trace.reversePath)],
      [{ en: 'From', ja: 'From' }, trace.from],
      [{ en: 'Subject', ja: '件名' }, trace.subject],
      [{ en: 'Message-ID', ja: 'Message-ID' }, trace.messageId],
      [{ en: 'Size', ja: 'サイズ' }, showSize(trace.size)],
      [{ en: 'Reply given', ja: '返した応答' }, trace.reply],
    ],
    language,
  );
  const steps = trace.steps
    .map(
      (step) =>
        `  ${showTime(step.at)}  ${escapeForTerminal(step.id === trace.id ? step.text : `[${step.id}] ${step.text}`)}\n`,
    )
    .join('');
  const recipients = table(
    trace.recipients,
    [
      { title: { en: 'RECIPIENT', ja: '宛先' }, value: (row) => row.address },
      { title: { en: 'STATE', ja: '状態' }, value: (row) => stateText(row.state, look.language) },
      { title: { en: 'REASON', ja: '理由' }, value: (row) => row.reason },
      { title: { en: 'NEXT HOP', ja: '配送先' }, value: (row) => row.nextHop },
      { title: { en: 'REPLY', ja: '応答' }, value: (row) => row.reply },
    ],
    look,
  );
  const related = trace.related
    .map((one) => `  ${escapeForTerminal(`${one.id}  ${one.relation}  ${stateText(one.state, language)}`)}\n`)
    .join('');
  const parts = [
    head,
    `${{ en: 'Steps:', ja: '足取り:' }[language]}\n${steps}`,
    recipients,
    findingLines({ findings: trace.findings, decisions: [] }, language),
    related === '' ? '' : `${{ en: 'Related:', ja: '関連するメール:' }[language]}\n${related}`,
  ];
  return parts.filter((part) => part !== '').join('\n');
}
