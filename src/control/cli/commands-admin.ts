/**
 * admin setup-code: the one-time code that makes the first admin, for whoever sits at the machine. On the box the host keeps it
 * and gives it to root only; on a trial machine it is a file (mode 0600) beside the gateway's data. Exit code 1: none is open.
 */
import path from 'node:path';
import type { Text } from '../../base/i18n.ts';
import { errorCode, SekishoError } from '../../base/errors.ts';
import { groupSetupCode } from '../setup-code.ts';
import { type Command, type CommandContext, EXIT } from './command.ts';
import { showTime } from './output.ts';

const HOST_SOCKET = '/run/sekisho-host/console.sock';
const VALID_MS = 3_600_000;

interface Found {
  claimed: boolean;
  /** As it is typed: two groups of five. */
  code?: string;
  endsAt?: string;
}

const NONE: Record<'claimed' | 'unknown', Text> = {
  claimed: {
    en: 'The box is claimed: no setup code opens it any more. Lost the way in? Its console resets the access',
    ja: '本機はすでに登録済みで、セットアップコードは使えません。入れなくなったときは、本機のコンソールからアクセスを初期化できます',
  },
  unknown: {
    en: 'No setup code is open here: the box is claimed, or its pages have not run yet',
    ja: '有効なセットアップコードはありません。登録済みか、管理画面がまだ一度も動いていません',
  },
};

export const ADMIN_COMMANDS: readonly Command[] = [
  {
    name: 'admin setup-code',
    args: '',
    summary: {
      en: 'Shows the one-time code that makes the first admin; --renew makes a new one, good for an hour',
      ja: '最初の管理者を作るセットアップコードを表示する（--renew で 1 時間有効な新しいコードを作る）',
    },
    options: [
      { name: 'renew', help: { en: 'A new code and a new hour', ja: '新しいコードを作る' } },
      {
        name: 'host-socket',
        value: 'PATH',
        help: { en: `Of the host process (${HOST_SOCKET})`, ja: `host プロセスのソケット（${HOST_SOCKET}）` },
      },
    ],
    examples: ['sekisho admin setup-code', 'sekisho admin setup-code --renew'],
    run: async (context) => {
      const found = (await ofHost(context)) ?? (await ofFile(context));
      const { code, endsAt } = found ?? {};
      const { language } = context;
      context.print(found ?? { claimed: false }, () => {
        if (code === undefined) return `${NONE[found?.claimed === true ? 'claimed' : 'unknown'][language]}\n`;
        const until = showTime(endsAt) ?? '';
        return language === 'ja' ? `${code}（${until} まで有効）\n` : `${code} (good until ${until})\n`;
      });
      return code === undefined ? EXIT.negative : EXIT.ok;
    },
  },
];

/** Undefined where no host keeps it. */
async function ofHost(context: CommandContext): Promise<Found | undefined> {
  const given = context.options.get('host-socket');
  const host = context.io.host({ socket: given ?? HOST_SOCKET, by: context.io.user });
  try {
    if (context.flags.has('renew')) await host.call('setup-code.renew', {});
    const { claimed, code, madeAt } = await host.call('setup-code.show', {});
    return { claimed, ...(code === undefined ? {} : of(code, Date.parse(madeAt ?? ''))) };
  } catch (error) {
    if (given === undefined && errorCode(error) === 'HOST_NOT_RUNNING') return undefined;
    throw error;
  }
}

async function ofFile({ client, io, flags }: CommandContext): Promise<Found | undefined> {
  if (flags.has('renew'))
    throw new SekishoError('WRONG_STATE', 'Here no host keeps the code: it is made anew when the pages start', {
      remedy: 'Start the gateway again (./scripts/start)',
    });
  const data = path.dirname(path.dirname(client.socket));
  const file = await io.textFile(path.join(data, 'admin', 'setup-code'));
  if (file === undefined) return undefined;
  return { claimed: false, ...of(file.text.trim(), file.writtenAt) };
}

function of(code: string, madeAt: number): { code: string; endsAt: string } {
  const bare = code.replaceAll('-', '');
  return { code: groupSetupCode(bare), endsAt: new Date(madeAt + VALID_MS).toISOString() };
}
