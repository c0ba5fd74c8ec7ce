/** quarantine: list, show, release, delete, undelete. */
import type { QuarantineDetails, QuarantineEntry } from '../shapes.ts';
import { escapeBlockForTerminal, escapeForTerminal } from '../../base/terminal.ts';
import { argument, type Command, EXIT } from './command.ts';
import { change, CURSOR_OPTION, FORCE_OPTION, LIMIT_OPTION, pageText, pick, remove } from './commands-queue.ts';
import { findingLines } from './finding-text.ts';
import { block, type Look, showPath, showSize, showSome, showTime, table } from './output.ts';

const SHOWN_HEADERS = 40;

export const QUARANTINE_COMMANDS: readonly Command[] = [
  {
    name: 'quarantine list',
    args: '',
    summary: { en: 'Mail held by policy, newest first', ja: '隔離されたメール（新しい順）' },
    options: [
      { name: 'text', value: 'TEXT', help: { en: 'words of subject or addresses', ja: '件名・アドレスに含まれる語' } },
      { name: 'sender', value: 'ADDRESS', help: { en: 'address, @domain or a part', ja: '差出人（一部でもよい）' } },
      { name: 'recipient', value: 'ADDRESS', help: { en: 'address, @domain or a part', ja: '宛先（一部でもよい）' } },
      LIMIT_OPTION,
      CURSOR_OPTION,
    ],
    run: async (context) => {
      const filter = pick(context, ['text', 'sender', 'recipient', 'limit', 'cursor']);
      const answer = await context.client.call('quarantine.list', filter);
      context.print(answer, () => listText(answer.entries, context.look) + pageText(answer, context.language));
      return EXIT.ok;
    },
  },
  {
    name: 'quarantine show',
    args: 'ID',
    summary: { en: 'Headers, text and findings of one message', ja: '1 通のヘッダー、本文、検査結果' },
    run: async (context) => {
      const answer = await context.client.call('quarantine.show', { id: argument(context, 0) });
      context.print(answer, () => detailsText(answer, context.look));
      return EXIT.ok;
    },
  },
  {
    name: 'quarantine release',
    args: 'ID [RECIPIENT…]',
    summary: { en: 'Delivers it: to all, or to these recipients', ja: '配送する（宛先を指定すればその宛先だけ）' },
    options: [FORCE_OPTION],
    examples: [
      'sekisho quarantine release 0000K3M-7Q2ABCDEFGHJK',
      'sekisho quarantine release 0000K3M-7Q2ABCDEFGHJK info@office.example',
    ],
    run: async (context) => {
      const recipients = context.args.slice(1);
      const answer = await context.client.call('quarantine.release', {
        id: argument(context, 0),
        ...(recipients.length === 0 ? {} : { recipients }),
        ...(context.flags.has('force') ? { force: true } : {}),
      });
      context.print(answer, () => {
        if (answer.already)
          return {
            en: `${answer.id}: released before, nothing was done now\n`,
            ja: `${answer.id}: すでに解放されています。今回は何もしていません\n`,
          }[context.language];
        const to = answer.released.join(', ');
        const rest = answer.remaining.join(', ');
        const lines = {
          en: [`Released to ${to}, queued as ${answer.queuedAs}`, rest === '' ? '' : `Still in quarantine for ${rest}`],
          ja: [`${to} へ配送します（${answer.queuedAs}）`, rest === '' ? '' : `隔離のまま: ${rest}`],
        }[context.language];
        return `${lines
          .filter((line) => line !== '')
          .map(escapeForTerminal)
          .join('\n')}\n`;
      });
      return EXIT.ok;
    },
  },
  remove('quarantine delete', 'quarantine.delete', {
    en: 'Deletes a message; for 10 minutes it can be brought back',
    ja: 'メールを削除する（10 分以内なら元に戻せる）',
  }),
  change('quarantine undelete', 'quarantine.undelete', {
    summary: { en: 'Brings a deleted message back', ja: '削除を取り消す' },
  }),
];

function listText(entries: readonly QuarantineEntry[], look: Look): string {
  if (entries.length === 0) return '';
  const deleted = { en: 'deleted', ja: '削除済み' }[look.language];
  return table(
    entries,
    [
      { title: { en: 'ID', ja: 'ID' }, value: (row) => row.id },
      { title: { en: 'ARRIVED', ja: '受信' }, value: (row) => showTime(row.arrivedAt) },
      { title: { en: 'REASON', ja: '理由' }, value: (row) => (row.deletedUntil === undefined ? row.reason : deleted) },
      { title: { en: 'FROM', ja: '差出人' }, value: (row) => row.from || showPath(row.reversePath), max: 32 },
      { title: { en: 'TO', ja: '宛先' }, value: (row) => showSome(row.recipients, look.language), max: 32 },
      { title: { en: 'SUBJECT', ja: '件名' }, value: (row) => row.subject, max: 40 },
      { title: { en: 'EXPIRES', ja: '期限' }, value: (row) => showTime(row.expiresAt) },
    ],
    look,
  );
}

function detailsText(message: QuarantineDetails, look: Look): string {
  const { language } = look;
  const head = block(
    [
      [{ en: 'ID', ja: 'ID' }, message.id],
      [{ en: 'Reason', ja: '理由' }, message.reason],
      [{ en: 'Arrived', ja: '受信' }, showTime(message.arrivedAt)],
      [{ en: 'Expires', ja: '期限' }, showTime(message.expiresAt)],
      [{ en: 'Deleted for good', ja: '完全削除' }, showTime(message.deletedUntil)],
      [
        { en: 'Client', ja: '接続元' },
        `${message.client.name ?? ''} [${message.client.address}] ${message.client.helo}`.trim(),
      ],
      [{ en: 'Reverse-path', ja: '差出人' }, showPath(message.reversePath)],
      [{ en: 'Recipients', ja: '宛先' }, message.recipients.join(', ')],
      [{ en: 'From', ja: 'From' }, message.from],
      [{ en: 'Subject', ja: '件名' }, message.subject],
      [{ en: 'Size', ja: 'サイズ' }, showSize(message.size)],
    ],
    language,
  );
  const headers = message.headers
    .slice(0, SHOWN_HEADERS)
    .map(({ name, value }) => `  ${escapeForTerminal(`${name}: ${value}`)}\n`)
    .join('');
  const cut = message.preview.cut ? { en: '  […cut]\n', ja: '  […以下省略]\n' }[language] : '';
  const body = escapeBlockForTerminal(message.preview.text)
    .split('\n')
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
  return [
    head,
    findingLines(message, language),
    `${{ en: 'Headers:', ja: 'ヘッダー:' }[language]}\n${headers}`,
    `${{ en: 'Text:', ja: '本文:' }[language]}\n${body}\n${cut}`,
  ].join('\n');
}
