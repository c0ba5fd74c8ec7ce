/** queue summary: the whole queue on one screen, by state, destination, age and reason. */
import type { VerbAnswer } from '../contract.ts';
import { type Command, EXIT } from './command.ts';
import { block, type Look, showSize, showSpan, showTime, table } from './output.ts';
import { STATE_NAMES } from './state-names.ts';

type Summary = VerbAnswer<'queue.summary'>;

export const SUMMARY_COMMAND: Command = {
  name: 'queue summary',
  args: '',
  summary: {
    en: 'What waits: how much, for whom, since when, why',
    ja: '待っているメールの内訳（宛先、経過時間、理由）',
  },
  run: async (context) => {
    const answer = await context.client.call('queue.summary', {});
    context.print(answer, () => summaryText(answer, context.look));
    return EXIT.ok;
  },
};

function summaryText(summary: Summary, look: Look): string {
  const { language } = look;
  const { states, oldestMs } = summary;
  const head = block(
    [
      [{ en: 'Messages', ja: 'メール' }, summary.total],
      ...(['incoming', 'active', 'deferred', 'held', 'corrupt'] as const).map(
        (state) => [STATE_NAMES[state], states[state]] as const,
      ),
      [{ en: 'Oldest', ja: '最も古いもの' }, oldestMs === undefined ? undefined : showSpan(oldestMs, language)],
    ],
    language,
  );
  if (summary.total === 0) return head;
  const destinations = table(
    summary.destinations,
    [
      { title: { en: 'TO', ja: '宛先' }, value: (row) => row.domain, max: 40 },
      { title: { en: 'MESSAGES', ja: '通数' }, value: (row) => row.messages, right: true },
      { title: { en: 'SIZE', ja: 'サイズ' }, value: (row) => showSize(row.octets), right: true },
      { title: { en: 'OLDEST', ja: '最古' }, value: (row) => showTime(row.oldestAt) },
      { title: { en: 'NEXT TRY', ja: '次の送信' }, value: (row) => showTime(row.nextAttemptAt) },
      { title: { en: 'SERVER', ja: 'サーバー' }, value: (row) => SERVER[row.state][language] },
      { title: { en: 'LAST REPLY', ja: '最後の応答' }, value: (row) => row.lastReply },
    ],
    look,
  );
  const reasons = table(
    summary.reasons,
    [
      { title: { en: 'WHY', ja: '理由' }, value: ({ reason }) => nameOf(reason, look) },
      { title: { en: 'MESSAGES', ja: '通数' }, value: (row) => row.messages, right: true },
    ],
    look,
  );
  return [head, destinations, reasons].join('\n');
}

const SERVER = {
  up: { en: 'answers', ja: '応答あり' },
  down: { en: 'away', ja: '応答なし' },
  unknown: { en: '-', ja: '-' },
} as const;

/** A reply's codes as they came, or the state of who heard none. */
function nameOf(reason: string, { language }: Look): string {
  const state = Object.entries(STATE_NAMES).find(([name]) => name === reason)?.[1];
  return state?.[language] ?? reason;
}
