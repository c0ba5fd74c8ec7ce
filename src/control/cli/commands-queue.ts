/** queue: list, show, retry, hold, unhold, route, delete, undelete. Every change says in one sentence what is now the case. */
import type { Language, Text } from '../../base/i18n.ts';
import type { MessageDetails, QueueEntry } from '../shapes.ts';
import { UsageError } from './arguments.ts';
import { argument, type Command, type CommandContext, EXIT } from './command.ts';
import { DOMAIN_OPTION, holdOrUnhold, ROUTE_COMMAND } from './commands-queue-bulk.ts';
import { findingLines } from './finding-text.ts';
import { block, type Look, showPath, showSize, showSome, showTime, table } from './output.ts';
import { SUMMARY_COMMAND } from './queue-summary.ts';
import { STATE_NAMES } from './state-names.ts';

export const LIMIT_OPTION = {
  name: 'limit',
  value: 'N',
  help: { en: 'at most so many, 1 to 500 (50)', ja: '表示件数、1〜500（既定 50）' },
};
export const FORCE_OPTION = {
  name: 'force',
  help: {
    en: 'even a virus, or mail that nobody could look into',
    ja: 'ウイルスや、検査できなかったメールでも実行する',
  },
};
export const CURSOR_OPTION = {
  name: 'cursor',
  value: 'MARK',
  help: { en: 'go on where the page before ended', ja: '前のページの続きから表示する' },
};

const QUEUE_STATES = ['all', 'incoming', 'active', 'deferred', 'held', 'corrupt'] as const;

export const QUEUE_COMMANDS: readonly Command[] = [
  {
    name: 'queue list',
    args: '',
    summary: { en: 'Mail on its way (not the quarantine)', ja: '配送途中のメール（隔離は除く）' },
    options: [
      { name: 'state', value: 'STATE', help: { en: QUEUE_STATES.join(', '), ja: QUEUE_STATES.join('、') } },
      { name: 'hop', value: 'HOST', help: { en: 'of this next hop', ja: 'この配送先のもの' } },
      { name: 'domain', value: 'DOMAIN', help: { en: 'to this domain', ja: 'このドメイン宛のもの' } },
      LIMIT_OPTION,
      CURSOR_OPTION,
    ],
    examples: ['sekisho queue list --state deferred --domain office.example'],
    run: async (context) => {
      const state = context.options.get('state') ?? 'all';
      const known = QUEUE_STATES.find((one) => one === state);
      if (known === undefined) throw new UsageError(wrongState(state, QUEUE_STATES));
      const answer = await context.client.call('queue.list', {
        state: known,
        ...pick(context, ['hop', 'domain', 'limit', 'cursor']),
      });
      context.print(answer, () => queueText(answer.entries, context.look) + pageText(answer, context.language));
      return EXIT.ok;
    },
  },
  SUMMARY_COMMAND,
  {
    name: 'queue show',
    args: 'ID',
    summary: { en: 'All about one message', ja: '1 通の詳細' },
    run: async (context) => {
      const answer = await context.client.call('queue.show', { id: argument(context, 0) });
      context.print(answer, () => detailsText(answer, context.look));
      return EXIT.ok;
    },
  },
  {
    name: 'queue retry',
    args: '[ID]',
    summary: { en: 'Tries again at once', ja: 'すぐに再送する' },
    options: [
      { name: 'hop', value: 'HOST', help: { en: 'all for this next hop', ja: 'この配送先のものすべて' } },
      { name: 'domain', value: 'DOMAIN', help: { en: 'all to this domain', ja: 'このドメイン宛のものすべて' } },
      { name: 'all', help: { en: 'everything', ja: 'すべて' } },
    ],
    examples: ['sekisho queue retry 0000K3M-7Q2ABCDEFGHJK', 'sekisho queue retry --domain office.example'],
    run: retry,
  },
  {
    name: 'queue hold',
    args: '[ID]',
    summary: { en: 'Keeps mail back until it is let go', ja: 'メールを保留する（解除するまで送らない）' },
    options: [DOMAIN_OPTION],
    examples: ['sekisho queue hold 0000K3M-7Q2ABCDEFGHJK', 'sekisho queue hold --domain office.example'],
    run: (context) => holdOrUnhold(context, 'hold'),
  },
  {
    name: 'queue unhold',
    args: '[ID]',
    summary: { en: 'Lets held mail go', ja: '保留を解除して送る' },
    options: [FORCE_OPTION, DOMAIN_OPTION],
    run: (context) => holdOrUnhold(context, 'unhold'),
  },
  ROUTE_COMMAND,
  remove('queue delete', 'queue.delete', {
    en: 'Deletes a message; for 10 minutes it can be brought back',
    ja: 'メールを削除する（10 分以内なら元に戻せる）',
  }),
  change('queue undelete', 'queue.undelete', {
    summary: { en: 'Brings a deleted message back', ja: '削除を取り消す' },
  }),
];

async function retry(context: CommandContext): Promise<0 | 1> {
  const id = context.args[0];
  const request = {
    ...(id === undefined ? {} : { id }),
    ...pick(context, ['hop', 'domain']),
    ...(context.flags.has('all') ? { all: true as const } : {}),
  };
  if (Object.keys(request).length !== 1)
    throw new UsageError({
      en: 'Say what to try again: an ID, --hop, --domain or --all',
      ja: '再送するものを 1 つ指定してください: ID、--hop、--domain、--all',
    });
  const answer = await context.client.call('queue.retry', request);
  context.print(
    answer,
    () =>
      ({ en: `${answer.count} message(s) due now\n`, ja: `${answer.count} 通をすぐに再送します\n` })[context.language],
  );
  return answer.count > 0 ? EXIT.ok : EXIT.negative;
}

type ChangeVerb = 'queue.undelete' | 'quarantine.undelete';

/** A verb that takes an id and answers with the state the message has now. */
export function change(name: string, verb: ChangeVerb, words: { summary: Text }): Command {
  return {
    name,
    args: 'ID',
    summary: words.summary,
    run: async (context) => {
      const answer = await context.client.call(verb, { id: argument(context, 0) });
      context.print(answer, () => `${answer.id}: ${STATE_NAMES[answer.state][context.language]}\n`);
      return EXIT.ok;
    },
  };
}

export function remove(name: string, verb: 'queue.delete' | 'quarantine.delete', summary: Text): Command {
  return {
    name,
    args: 'ID',
    summary,
    run: async (context) => {
      const answer = await context.client.call(verb, { id: argument(context, 0) });
      const undo = `sekisho ${name.replace('delete', 'undelete')} ${answer.id}`;
      const until = showTime(answer.deletedUntil) ?? '';
      context.print(
        answer,
        () =>
          ({
            en: `${answer.id}: deleted; until ${until} this brings it back: ${undo}\n`,
            ja: `${answer.id}: 削除しました。${until} までは次のコマンドで元に戻せます: ${undo}\n`,
          })[context.language],
      );
      return EXIT.ok;
    },
  };
}

/** Those of the options that were given, under their names. */
export function pick<Name extends string>(context: CommandContext, names: readonly Name[]): { [N in Name]?: string } {
  const given: { [N in Name]?: string } = {};
  for (const name of names) {
    const value = context.options.get(name);
    if (value !== undefined) given[name] = value;
  }
  return given;
}

export function wrongState(state: string, known: readonly string[]): Text {
  return {
    en: `"${state}" is no state: ${known.join(', ')}`,
    ja: `「${state}」という状態はありません: ${known.join(', ')}`,
  };
}

/** How many there are, and how to see the rest. */
export function pageText(
  answer: { entries: readonly unknown[]; total?: number; cursor?: string | undefined },
  language: Language,
): string {
  const shown = answer.entries.length;
  const count =
    answer.total === undefined
      ? { en: `${shown} shown`, ja: `${shown} 件` }[language]
      : { en: `${shown} of ${answer.total}`, ja: `${answer.total} 件中 ${shown} 件` }[language];
  const more =
    answer.cursor === undefined
      ? ''
      : { en: `; more: --cursor ${answer.cursor}`, ja: `（続き: --cursor ${answer.cursor}）` }[language];
  return `${count}${more}\n`;
}

function queueText(entries: readonly QueueEntry[], look: Look): string {
  const { language } = look;
  if (entries.length === 0) return '';
  return table(
    entries,
    [
      { title: { en: 'ID', ja: 'ID' }, value: (row) => row.id },
      { title: { en: 'STATE', ja: '状態' }, value: (row) => stateText(row, language) },
      { title: { en: 'ARRIVED', ja: '受信' }, value: (row) => showTime(row.arrivedAt) },
      { title: { en: 'SIZE', ja: 'サイズ' }, value: (row) => showSize(row.size), right: true },
      { title: { en: 'FROM', ja: '差出人' }, value: (row) => showPath(row.reversePath), max: 32 },
      {
        title: { en: 'TO', ja: '宛先' },
        value: (row) =>
          showSome(
            row.recipients.map((one) => one.address),
            language,
          ),
        max: 36,
      },
      { title: { en: 'NEXT TRY', ja: '次の送信' }, value: (row) => showTime(row.nextAttemptAt) },
      {
        title: { en: 'LAST REPLY', ja: '最後の応答' },
        value: (row) => row.recipients.find((one) => one.lastReply !== undefined)?.lastReply,
      },
    ],
    look,
  );
}

function stateText(row: QueueEntry, language: Language): string {
  if (row.deletedUntil !== undefined) return { en: 'deleted', ja: '削除済み' }[language];
  return STATE_NAMES[row.state][language];
}

function detailsText(message: MessageDetails, look: Look): string {
  const { language } = look;
  const head = block(
    [
      [{ en: 'ID', ja: 'ID' }, message.id],
      [{ en: 'State', ja: '状態' }, stateText(message, language)],
      [{ en: 'Held because', ja: '保留の理由' }, message.hold?.reason],
      [{ en: 'Held until', ja: '保留の期限' }, showTime(message.hold?.until)],
      [{ en: 'Deleted for good', ja: '完全削除' }, showTime(message.deletedUntil)],
      [{ en: 'Arrived', ja: '受信' }, showTime(message.arrivedAt)],
      [
        { en: 'Client', ja: '接続元' },
        `${message.client.name ?? ''} [${message.client.address}] ${message.client.helo}`.trim(),
      ],
      [{ en: 'Protocol', ja: 'プロトコル' }, `${message.client.protocol} ${message.client.tls ?? ''}`.trim()],
      [{ en: 'Reverse-path', ja: '差出人' }, showPath(message.reversePath)],
      [{ en: 'Size', ja: 'サイズ' }, `${showSize(message.size)} (${message.size})`],
      [{ en: 'SHA-256', ja: 'SHA-256' }, message.sha256],
      [{ en: 'Came of', ja: '元のメール' }, message.parent],
      [{ en: 'Sent by way of', ja: '指定した送り先' }, message.route],
    ],
    language,
  );
  const recipients = table(
    message.recipients,
    [
      { title: { en: 'RECIPIENT', ja: '宛先' }, value: (row) => row.address },
      { title: { en: 'OUTCOME', ja: '結果' }, value: (row) => row.outcome },
      { title: { en: 'TRIES', ja: '回数' }, value: (row) => row.attempts, right: true },
      { title: { en: 'NEXT TRY', ja: '次の送信' }, value: (row) => showTime(row.nextAttemptAt) },
      { title: { en: 'NEXT HOP', ja: '配送先' }, value: (row) => row.nextHop },
      { title: { en: 'LAST REPLY', ja: '最後の応答' }, value: (row) => row.lastReply },
    ],
    look,
  );
  return [head, recipients, findingLines(message, language)].filter((part) => part !== '').join('\n');
}
