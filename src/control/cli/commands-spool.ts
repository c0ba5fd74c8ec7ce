/**
 * spool check, rebuild, export, import: for the spool folder of a stopped gateway or a dead box. They need no running
 * gateway and refuse to touch a spool that one has open. Exit code 1: something is damaged, lost or was refused.
 */
import path from 'node:path';
import { escapeForTerminal } from '../../base/terminal.ts';
import type { Language } from '../../base/i18n.ts';
import { UsageError } from './arguments.ts';
import { argument, type Command, type CommandContext, EXIT } from './command.ts';
import { block, showSize } from './output.ts';
import { EXPORTABLE, type Exportable, type SpoolTools } from './spool-tools.ts';

const SPOOL_OPTION = {
  name: 'spool',
  value: 'FOLDER',
  help: {
    en: 'the spool folder (default: "spool" below the data folder)',
    ja: 'スプールのフォルダー（既定: データフォルダーの下の spool）',
  },
};
const FOLDER_OPTION = {
  name: 'folder',
  value: 'NAMES',
  help: { en: `only these: ${EXPORTABLE.join(',')}`, ja: `これだけを対象にする: ${EXPORTABLE.join(',')}` },
};
const YES_OPTION = { name: 'yes', help: { en: 'do it, knowing the price', ja: '影響を理解したうえで実行する' } };

const DATABASE_NAMES = {
  whole: { en: 'whole', ja: '正常' },
  damaged: { en: 'damaged: the next start rebuilds it', ja: '破損（次の起動で作り直されます）' },
  behind: { en: 'has lost records: the next start rebuilds it', ja: '記録が欠けています（次の起動で作り直されます）' },
  missing: { en: 'missing: the next start rebuilds it', ja: 'ありません（次の起動で作り直されます）' },
} as const;

export const SPOOL_COMMANDS: readonly Command[] = [
  {
    name: 'spool check',
    args: '',
    summary: {
      en: 'Reads every message of a stopped gateway and tells what the next start would find',
      ja: '停止中のゲートウェイの全メールを読み、次の起動で何が起きるかを示す',
    },
    options: [SPOOL_OPTION],
    run: async (context) => {
      const tools = await context.io.spool();
      const answer = await tools.check(rootOf(context), progressOf(context));
      context.print(answer, () => checkText(answer, context.language));
      return answer.ok ? EXIT.ok : EXIT.negative;
    },
  },
  {
    name: 'spool rebuild',
    args: '',
    summary: {
      en: 'Makes the database of a stopped gateway anew from the message files',
      ja: '停止中のゲートウェイのデータベースをメールファイルから作り直す',
    },
    options: [SPOOL_OPTION, YES_OPTION],
    run: async (context) => {
      if (!context.flags.has('yes'))
        throw new UsageError({
          en: 'Recipients who were served already may get their mail again. The old database is kept in "inquiry". If that is what you want, add --yes',
          ja: '配送済みの宛先に同じメールがもう一度届くことがあります。古いデータベースは inquiry に残ります。実行する場合は --yes を付けてください',
        });
      const answer = await (await context.io.spool()).rebuild(rootOf(context));
      context.print(answer, () =>
        block(
          [
            [{ en: 'Messages', ja: 'メール' }, answer.files],
            [{ en: 'Queued anew', ja: '配送待ちに戻したもの' }, answer.requeued],
            [{ en: 'Set aside as damaged', ja: '破損として退避したもの' }, answer.corrupt],
          ],
          context.language,
        ),
      );
      return answer.corrupt === 0 ? EXIT.ok : EXIT.negative;
    },
  },
  {
    name: 'spool export',
    args: 'TO',
    summary: {
      en: 'Writes the mail of a stopped or dead box as .eml files with their envelopes',
      ja: '停止した（または故障した）機器のメールを、宛先情報つきの .eml として書き出す',
    },
    options: [SPOOL_OPTION, FOLDER_OPTION],
    examples: [
      'sekisho spool export /media/usb/rescue --spool /media/olddisk/spool',
      'sekisho spool export rescue --folder queue,incoming',
    ],
    run: async (context) => {
      const to = argument(context, 0);
      const folders = foldersOf(context.options.get('folder'));
      const answer = await (await context.io.spool()).exportTo(rootOf(context), {
        to,
        ...(folders === undefined ? {} : { folders }),
        onProgress: progressOf(context),
      });
      context.print(answer, () => exportText(answer, context.language));
      return answer.damaged.length === 0 ? EXIT.ok : EXIT.negative;
    },
  },
  {
    name: 'spool import',
    args: 'FROM',
    summary: {
      en: 'Takes exported mail into the spool of a stopped gateway; nothing comes in twice',
      ja: '書き出したメールを停止中のゲートウェイに取り込む（二重には取り込まない）',
    },
    options: [SPOOL_OPTION],
    run: async (context) => {
      const from = argument(context, 0);
      const answer = await (await context.io.spool()).importFrom(rootOf(context), {
        from,
        onProgress: progressOf(context),
      });
      context.print(answer, () => importText(answer, context.language));
      return answer.refused.length === 0 ? EXIT.ok : EXIT.negative;
    },
  },
];

type Answer<Name extends keyof SpoolTools> = Awaited<ReturnType<SpoolTools[Name]>>;

function checkText(answer: Answer<'check'>, language: Language): string {
  const files = (name: Exportable | 'corrupt'): string =>
    `${answer.folders[name].files} (${showSize(answer.folders[name].octets)})`;
  return block(
    [
      [{ en: 'Incoming', ja: '検査待ち' }, files('incoming')],
      [{ en: 'Queue', ja: '配送待ち' }, files('queue')],
      [{ en: 'Held', ja: '保留' }, files('held')],
      [{ en: 'Quarantine', ja: '隔離' }, files('quarantine')],
      [{ en: 'Set aside as damaged', ja: '破損として退避済み' }, files('corrupt')],
      [{ en: 'Half received', ja: '受信途中' }, answer.drafts],
      [{ en: 'Stopped cleanly', ja: '正常に停止' }, answer.cleanStop ? YES[language] : NO[language]],
      [{ en: 'Database', ja: 'データベース' }, DATABASE_NAMES[answer.database.state][language]],
      [{ en: 'Cause', ja: '原因' }, answer.database.why],
      [{ en: 'Known to the files only', ja: 'ファイルにしか記録がないもの' }, answer.requeued],
      [{ en: 'Damaged', ja: '破損' }, answer.damaged.join(' ')],
      [{ en: 'Lost', ja: '失われたもの' }, answer.lost.join(' ')],
    ],
    language,
  );
}

const YES = { en: 'yes', ja: 'はい' };
const NO = { en: 'no', ja: 'いいえ' };

function exportText(answer: Answer<'exportTo'>, language: Language): string {
  const doubt =
    answer.database.state === 'whole'
      ? ''
      : {
          en: 'The database is not whole: some of these recipients may have got their mail already\n',
          ja: 'データベースが完全ではないため、配送済みの宛先が含まれている可能性があります\n',
        }[language];
  return (
    block(
      [
        [{ en: 'Exported', ja: '書き出し' }, answer.exported],
        [{ en: 'Finished already', ja: '処理済み（対象外）' }, answer.finished],
        [{ en: 'Damaged, copied as they are', ja: '破損（そのまま複写）' }, answer.damaged.join(' ')],
      ],
      language,
    ) + doubt
  );
}

function importText(answer: Answer<'importFrom'>, language: Language): string {
  return block(
    [
      [{ en: 'Imported', ja: '取り込み' }, answer.imported],
      [{ en: 'There already', ja: '取り込み済み' }, answer.already],
      [{ en: 'Refused (changed, damaged or incomplete)', ja: '拒否（改変・破損・不足）' }, answer.refused.join(' ')],
    ],
    language,
  );
}

function rootOf(context: CommandContext): string {
  const data = context.options.get('data') ?? (context.io.env['SEKISHO_DATA'] || 'data');
  return context.options.get('spool') ?? path.join(data, 'spool');
}

function foldersOf(text: string | undefined): Exportable[] | undefined {
  if (text === undefined) return undefined;
  return text.split(',').map((name) => {
    const folder = EXPORTABLE.find((one) => one === name.trim());
    if (folder !== undefined) return folder;
    const all = EXPORTABLE.join(', ');
    throw new UsageError({
      en: `Unknown folder "${escapeForTerminal(name)}": ${all}`,
      ja: `フォルダー「${escapeForTerminal(name)}」はありません: ${all}`,
    });
  });
}

/** One line for each thousand, on the error output: the answer itself stays clean for programs. */
function progressOf(context: CommandContext): (done: number, total: number) => void {
  return (done, total) => {
    if (done % 1_000 === 0) context.io.err(`${done}/${total}\n`);
  };
}
