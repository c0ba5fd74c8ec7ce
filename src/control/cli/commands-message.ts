/** resend, report: a stored message once more, or the word that it was judged wrongly. */
import { escapeForTerminal } from '../../base/terminal.ts';
import { argument, type Command, EXIT } from './command.ts';
import { UsageError } from './arguments.ts';
import { FORCE_OPTION } from './commands-queue.ts';

export const MESSAGE_COMMANDS: readonly Command[] = [
  {
    name: 'resend',
    args: 'ID RECIPIENT…',
    summary: {
      en: 'Sends a copy of a stored message to its recipients again, or to addresses of own domains',
      ja: '本機にあるメールの写しを、元の宛先または自社ドメインの宛先へ送る',
    },
    options: [FORCE_OPTION],
    examples: ['sekisho resend 0000K3M-7Q2ABCDEFGHJK jiro@office.example'],
    run: async (context) => {
      const answer = await context.client.call('message.resend', {
        id: argument(context, 0),
        recipients: context.args.slice(1),
        ...(context.flags.has('force') ? { force: true } : {}),
      });
      const to = escapeForTerminal(answer.recipients.join(', '));
      context.print(answer, () =>
        context.language === 'ja'
          ? `${to} へ送ります（${answer.queuedAs}）\n`
          : `Sent again to ${to}, queued as ${answer.queuedAs}\n`,
      );
      return EXIT.ok;
    },
  },
  {
    name: 'report',
    args: 'ID spam|ham',
    summary: {
      en: 'Says that a verdict was wrong: the message is kept as a sample, and taught where learning is on',
      ja: '判定の誤りを報告する（見本として残し、学習が有効なら学習させる）',
    },
    examples: ['sekisho report 0000K3M-7Q2ABCDEFGHJK ham'],
    run: async (context) => {
      const as = argument(context, 1);
      if (as !== 'spam' && as !== 'ham')
        throw new UsageError({ en: 'Say "spam" or "ham"', ja: '「spam」か「ham」を指定してください' });
      const answer = await context.client.call('message.report', { id: argument(context, 0), as });
      context.print(answer, () => `${escapeForTerminal(answer.text[context.language])} (${answer.samples})\n`);
      return EXIT.ok;
    },
  },
];
