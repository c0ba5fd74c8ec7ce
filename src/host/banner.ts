/**
 * What stands on screen and serial line while nobody stands there: what the box is and where, and the setup code until it is claimed.
 * Written every ten seconds into the run folder, a file a language, for the shell that shows it (rootfs/usr/libexec/sekisho/console);
 * only its group may read it. The first line is a number that changes each time: where it stands still the shell takes us for dead
 * and shows neither an address nor a code of ours. Nothing here is durable: the folder is memory.
 */
import { chmod, chown, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import { type Language, LANGUAGES, say, type Text } from '../base/i18n.ts';
import { cutColumns, escapeForTerminal, wrapColumns } from '../base/terminal.ts';
import { groupSetupCode } from '../control/setup-code.ts';
import type { Brake } from './brake.ts';
import type { Claim } from './claim.ts';
import type { Network } from './network.ts';

const EVERY_MS = 10_000;
const COLUMNS = 79;

const WORDS = {
  page: { ja: '管理画面', en: 'Page' },
  noAddress: {
    ja: 'アドレスがありません（ケーブルと DHCP を確かめてください）',
    en: 'No address yet (check cable and DHCP)',
  },
  owner: { ja: '所有者: 登録済み', en: 'Claimed: yes' },
  unclaimed: {
    ja: '未登録です。ブラウザーで上のアドレスを開き、このセットアップコードを入れてください:',
    en: 'Not claimed. Open the address above and enter this setup code:',
  },
  /** What the reason says, which is English. */
  noData: {
    ja: '! データ領域が使えません。直らなければメニュー 11 で初期化します',
    en: '! The data partition cannot be used. Menu 11 makes it anew',
  },
  recovery: {
    ja: '! ディスクの回復キーを書き留めてください（メニュー 15）',
    en: '! Write the recovery key of the disk down (menu 15)',
  },
  press: { ja: 'キーを押すとメニューが開きます', en: 'Press a key for the menu' },
} as const satisfies Record<string, Text>;

export interface Banner {
  write(): Promise<void>;
  start(): void;
  /** What stands there is gone, too. */
  stop(): Promise<void>;
}

export function createBanner(options: {
  version: string;
  claim: Pick<Claim, 'show'>;
  brake: Pick<Brake, 'degraded'>;
  network: Pick<Network, 'show'>;
  clock: Clock;
  folder: string;
  /** The recovery key of the disk waits to be written down. */
  recoveryWaits: () => boolean;
  /** The console's; nobody else reads the code. */
  group: number | undefined;
  log: (level: 'warn', message: string, facts: Record<string, unknown>) => void;
}): Banner {
  const { version, claim, brake, network, clock, folder, recoveryWaits, group, log } = options;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;
  let ended = false;
  const file = (language: Language): string => path.join(folder, `banner.${language}`);

  async function once(): Promise<void> {
    const shown = await network.show().catch(() => undefined);
    const pages = (shown?.interfaces ?? [])
      .flatMap(({ addresses }) => addresses.map((address) => address.split('/')[0] ?? ''))
      .filter((address) => !address.startsWith('fe80'))
      // the one that is always there comes last
      .toSorted((one, other) => Number(one.startsWith('169.254.')) - Number(other.startsWith('169.254.')))
      .map((address) => `https://${address.includes(':') ? `[${address}]` : address}/`);
    const [degraded, { claimed, code }, toNote] = [brake.degraded(), claim.show(), recoveryWaits()];
    for (const language of LANGUAGES) {
      const word = (name: keyof typeof WORDS): string => say(WORDS[name], language);
      const lines = [
        '---- Sekisho ----',
        `${hostname()}  ${version}`,
        ...(pages.length === 0 ? [word('noAddress')] : pages.map((page) => `${word('page')}: ${page}`)),
        ...(degraded === undefined ? [] : wrapColumns(escapeForTerminal(`! DEGRADED: ${degraded.detail}`), COLUMNS)),
        ...(degraded?.cause === 'no-data' && language === 'ja' ? [word('noData')] : []),
        ...(toNote ? [word('recovery')] : []),
        ...(claimed ? [word('owner')] : []),
        ...(code === undefined ? [] : [word('unclaimed'), `    ${groupSetupCode(code)}`]),
        word('press'),
      ];
      await replace(file(language), [
        String(Math.round(clock.monotonic())),
        ...lines.map((line) => cutColumns(escapeForTerminal(line), COLUMNS)),
      ]);
    }
  }

  /** Whole, and its reader's, when it gets its name. */
  async function replace(name: string, lines: readonly string[]): Promise<void> {
    if (ended) return;
    await writeFile(`${name}.new`, `${lines.join('\n')}\n`, { mode: 0o600 });
    if (group !== undefined) await chown(`${name}.new`, 0, group);
    await chmod(`${name}.new`, 0o640);
    await rename(`${name}.new`, name);
  }

  const write = (): Promise<void> =>
    (writing ??= once()
      .catch((error: unknown) => log('warn', 'The banner was not written', { error: describeError(error) }))
      .finally(() => {
        writing = undefined;
      }));

  return {
    write,
    start: () => {
      timer = setInterval(() => void write(), EVERY_MS).unref();
    },
    stop: async () => {
      clearInterval(timer);
      ended = true;
      await writing;
      for (const language of LANGUAGES) await rm(file(language), { force: true });
    },
  };
}
