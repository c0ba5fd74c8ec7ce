/** Help in both languages, made from the table of commands, so that it cannot promise what is not there. Pure. */
import type { Language, Text } from '../../base/i18n.ts';
import { displayWidth, padColumns } from '../../base/terminal.ts';
import type { OptionDefinition } from './arguments.ts';
import type { Command } from './command.ts';

export const GLOBAL_OPTIONS: readonly OptionDefinition[] = [
  {
    name: 'socket',
    value: 'PATH',
    help: { en: 'control socket ($SEKISHO_SOCKET)', ja: '制御ソケット（$SEKISHO_SOCKET）' },
  },
  {
    name: 'data',
    value: 'DIR',
    help: {
      en: 'data folder; the socket is DIR/run/control.sock ($SEKISHO_DATA, ./data)',
      ja: 'データフォルダー。ソケットは DIR/run/control.sock（$SEKISHO_DATA、./data）',
    },
  },
  { name: 'json', help: { en: 'the answer as JSON', ja: '結果を JSON で出力する' } },
  { name: 'lang', value: 'ja|en', help: { en: 'language ($SEKISHO_LANG, $LANG)', ja: '言語（$SEKISHO_LANG、$LANG）' } },
  { name: 'help', short: 'h', help: { en: 'help for a command', ja: 'コマンドの説明' } },
  { name: 'version', help: { en: 'the version', ja: '版を表示する' } },
];

export const EXIT_CODES: ReadonlyArray<readonly [number, Text]> = [
  [0, { en: 'done; all is well', ja: '成功。問題なし' }],
  [
    1,
    {
      en: 'a problem was found, or the answer is no (alarms, invalid configuration, nothing found, differences)',
      ja: '問題が見つかった、または該当なし（警報、設定の誤り、検索結果なし、差分あり）',
    },
  ],
  [2, { en: 'the command line was not understood', ja: 'コマンドの書き方が正しくない' }],
  [3, { en: 'there is no such message, generation or file', ja: '指定されたメール・世代・ファイルがない' }],
  [4, { en: 'the gateway could not be reached', ja: 'ゲートウェイに接続できない' }],
  [5, { en: 'the gateway refused, or has trouble of its own', ja: 'ゲートウェイが拒否した、または障害がある' }],
];

const WORDS = {
  usage: { en: 'Usage:', ja: '使い方:' },
  commands: { en: 'Commands:', ja: 'コマンド:' },
  options: { en: 'Options:', ja: 'オプション:' },
  everywhere: { en: 'Everywhere:', ja: '共通のオプション:' },
  examples: { en: 'Examples:', ja: '例:' },
  title: { en: 'sekisho: the mail gateway, from the command line', ja: 'sekisho: メールゲートウェイの操作' },
  more: {
    en: 'More: sekisho help COMMAND, sekisho help exit-codes',
    ja: '詳しくは: sekisho help コマンド名、sekisho help exit-codes',
  },
  exitCodes: { en: 'Exit codes:', ja: '終了コード:' },
  help: { en: 'This help; help COMMAND; help exit-codes', ja: 'この説明。help コマンド名、help exit-codes' },
  version: { en: 'The version of this command', ja: 'このコマンドの版' },
} as const;

export function overview(commands: readonly Command[], language: Language): string {
  const rows: Array<[string, string]> = [
    ...commands.map((command): [string, string] => [
      `${command.name} ${command.args}`.trim(),
      command.summary[language],
    ]),
    ['help [COMMAND]', WORDS.help[language]],
    ['version', WORDS.version[language]],
  ];
  return [
    `${WORDS.title[language]}\n`,
    `${WORDS.usage[language]} sekisho [--socket PATH] [--data DIR] [--json] [--lang ja|en] COMMAND …\n`,
    `${WORDS.commands[language]}\n${columns(rows)}`,
    `${WORDS.everywhere[language]}\n${optionLines(GLOBAL_OPTIONS, language)}`,
    `${WORDS.more[language]}\n`,
  ].join('\n');
}

export function commandHelp(command: Command, language: Language): string {
  const usage = `${WORDS.usage[language]} sekisho ${command.name} ${command.args}`.trimEnd();
  const parts = [`${command.summary[language]}\n`, `${usage}\n`];
  if (command.options !== undefined)
    parts.push(`${WORDS.options[language]}\n${optionLines(command.options, language)}`);
  parts.push(`${WORDS.everywhere[language]}\n${optionLines(GLOBAL_OPTIONS, language)}`);
  if (command.examples !== undefined)
    parts.push(`${WORDS.examples[language]}\n${command.examples.map((example) => `  ${example}\n`).join('')}`);
  return parts.join('\n');
}

export function groupHelp(commands: readonly Command[], language: Language): string {
  const rows = commands.map((command): [string, string] => [
    `${command.name} ${command.args}`.trim(),
    command.summary[language],
  ]);
  return `${WORDS.commands[language]}\n${columns(rows)}`;
}

export function exitCodesHelp(language: Language): string {
  const rows = EXIT_CODES.map(([code, text]): [string, string] => [String(code), text[language]]);
  return `${WORDS.exitCodes[language]}\n${columns(rows)}`;
}

function optionLines(options: readonly OptionDefinition[], language: Language): string {
  return columns(
    options.map((option): [string, string] => {
      const short = option.short === undefined ? '' : `-${option.short}, `;
      return [`${short}--${option.name}${option.value === undefined ? '' : ` ${option.value}`}`, option.help[language]];
    }),
  );
}

function columns(rows: ReadonlyArray<readonly [string, string]>): string {
  const width = Math.max(...rows.map(([left]) => displayWidth(left)));
  return rows.map(([left, right]) => `  ${padColumns(left, width)}  ${right}\n`).join('');
}
