/** config: show, get, check, set, unset, reload, generations, diff, rollback. Exit code 1: refused, with every problem told. */
import type { Language } from '../../base/i18n.ts';
import { escapeBlockForTerminal, escapeForTerminal, jsonForTerminal } from '../../base/terminal.ts';
import { SekishoError } from '../../base/errors.ts';
import type { ConfigChangeAnswer } from '../shapes.ts';
import { UsageError } from './arguments.ts';
import { argument, type Command, type CommandContext, EXIT, type ExitCode } from './command.ts';
import { showTime, table } from './output.ts';
import { problemsText } from './problems-text.ts';

export const CONFIG_COMMANDS: readonly Command[] = [
  {
    name: 'config show',
    args: '',
    summary: { en: 'All settings, defaults filled in, secrets hidden', ja: '全設定（既定値込み、秘密は伏せる）' },
    run: async (context) => {
      const answer = await context.client.call('config.show', {});
      context.print(answer, () => `${jsonForTerminal(answer.value)}\n`);
      return EXIT.ok;
    },
  },
  {
    name: 'config get',
    args: 'PATH',
    summary: { en: 'One setting', ja: '設定を 1 つ表示する' },
    examples: ['sekisho config get policy.spam.reject', 'sekisho config get "domains[office.example].servers"'],
    run: async (context) => {
      const path = argument(context, 0);
      const answer = await context.client.call('config.show', { path });
      if (answer.value === undefined)
        throw new SekishoError('NOT_FOUND', `Nothing is set at "${path}"`, { remedy: 'See "sekisho config show"' });
      const { value } = answer;
      context.print(answer, () =>
        typeof value === 'string' ? `${escapeForTerminal(value)}\n` : `${jsonForTerminal(value)}\n`,
      );
      return EXIT.ok;
    },
  },
  {
    name: 'config check',
    args: 'FILE',
    summary: {
      en: 'Checks a file; needs no running gateway',
      ja: '設定ファイルを検査する（ゲートウェイが動いていなくてもよい）',
    },
    run: async (context) => {
      const answer = await context.io.checkFile(argument(context, 0));
      context.print(answer, () =>
        answer.ok
          ? { en: 'The configuration is valid\n', ja: '設定に問題はありません\n' }[context.language]
          : problemsText(answer.problems, context.language) + count(answer.problems.length, context.language),
      );
      return answer.ok ? EXIT.ok : EXIT.negative;
    },
  },
  {
    name: 'config set',
    args: 'PATH VALUE',
    summary: {
      en: 'Changes one setting at once; VALUE is JSON, or else text',
      ja: '設定を変更する（VALUE は JSON か文字列）',
    },
    examples: [
      'sekisho config set policy.spam.reject 12',
      'sekisho config set hostname mx.example.com',
      'sekisho config set domains.+ \'{"name": "office.example", "servers": [{"host": "192.0.2.25"}]}\'',
    ],
    run: async (context) => {
      const value = parseValue(argument(context, 1));
      return told(context, await context.client.call('config.set', { path: argument(context, 0), value }));
    },
  },
  {
    name: 'config unset',
    args: 'PATH',
    summary: { en: 'Removes one setting: its default holds again', ja: '設定を取り除いて既定値に戻す' },
    run: async (context) => told(context, await context.client.call('config.unset', { path: argument(context, 0) })),
  },
  {
    name: 'config reload',
    args: '',
    summary: { en: 'Takes the file over as it stands now', ja: '設定ファイルを読み直して反映する' },
    run: async (context) => told(context, await context.client.call('config.reload', {})),
  },
  {
    name: 'config generations',
    args: '',
    summary: { en: 'Every accepted change, with time and author', ja: '設定変更の履歴' },
    run: async (context) => {
      const answer = await context.client.call('config.generations', {});
      context.print(answer, () =>
        table(
          answer.generations,
          [
            {
              title: { en: 'GENERATION', ja: '世代' },
              value: (row) => `${row.generation}${row.generation === answer.current ? '*' : ''}`,
              right: true,
            },
            { title: { en: 'TIME', ja: '日時' }, value: (row) => showTime(row.at) },
            { title: { en: 'BY', ja: '変更者' }, value: (row) => row.by },
            { title: { en: 'WHY', ja: '内容' }, value: (row) => row.why },
            { title: { en: 'CHANGED', ja: '変更箇所' }, value: (row) => row.changed.join(', ') },
          ],
          context.look,
        ),
      );
      return EXIT.ok;
    },
  },
  {
    name: 'config diff',
    args: 'FROM TO',
    summary: { en: 'What differs between two generations', ja: '2 つの世代の違い' },
    run: async (context) => {
      const [from, to] = [generationOf(argument(context, 0)), generationOf(argument(context, 1))];
      const answer = await context.client.call('config.diff', { from, to });
      context.print(answer, () => diffText(answer.differences, context.language));
      return answer.differences.length === 0 ? EXIT.ok : EXIT.negative;
    },
  },
  {
    name: 'config rollback',
    args: 'GENERATION',
    summary: { en: 'Goes back to an earlier generation', ja: '以前の世代の設定に戻す' },
    run: async (context) => {
      const generation = generationOf(argument(context, 0));
      return told(context, await context.client.call('config.rollback', { generation }));
    },
  },
];

/** JSON when it is JSON, else the text itself: `12`, `true`, `["a"]`, but also `mx.example.com` without quotes. */
export function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // What begins like JSON was meant as JSON: a slip in it must not become a text.
    if (/^\s*[[{"]/.test(text))
      throw new UsageError({
        en: `The value is not JSON: ${error instanceof Error ? error.message : ''}`,
        ja: `値が JSON として読めません: ${error instanceof Error ? error.message : ''}`,
      });
    return text;
  }
}

function generationOf(word: string): number {
  if (/^\d{1,8}$/.test(word) && Number(word) > 0) return Number(word);
  throw new UsageError({
    en: `"${word}" is no generation: give a number from "sekisho config generations"`,
    ja: `「${word}」は世代番号ではありません。「sekisho config generations」の番号を指定してください`,
  });
}

function told(context: CommandContext, answer: ConfigChangeAnswer): ExitCode {
  context.print(answer, () => changeText(answer, context.language));
  return answer.ok ? EXIT.ok : EXIT.negative;
}

function changeText(answer: ConfigChangeAnswer, language: Language): string {
  if (!answer.ok) {
    const head = { en: 'Nothing was changed:\n', ja: '変更しませんでした:\n' }[language];
    return head + problemsText(answer.problems, language) + count(answer.problems.length, language);
  }
  const changed = answer.changed ?? [];
  if (changed.length === 0) return { en: 'Nothing differs from what runs\n', ja: '現在の設定と同じです\n' }[language];
  const list = escapeForTerminal(changed.join(', '));
  return {
    en: `Now in force as generation ${answer.generation}: ${list}\n`,
    ja: `世代 ${answer.generation} として反映しました: ${list}\n`,
  }[language];
}

function count(problems: number, language: Language): string {
  return { en: `${problems} problem(s)\n`, ja: `${problems} 件の問題があります\n` }[language];
}

function diffText(
  differences: ReadonlyArray<{ path: string; before?: unknown; after?: unknown }>,
  language: Language,
): string {
  if (differences.length === 0) return { en: 'No difference\n', ja: '違いはありません\n' }[language];
  return differences
    .map(({ path, before, after }) => {
      const side = (mark: string, value: unknown): string =>
        value === undefined
          ? ''
          : `  ${mark} ${escapeBlockForTerminal(jsonForTerminal(value)).replaceAll('\n', '\n    ')}\n`;
      return `${escapeForTerminal(path)}\n${side('-', before)}${side('+', after)}`;
    })
    .join('');
}
