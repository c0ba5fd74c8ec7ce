/**
 * `./scripts/lab-server`: a mail server on this machine that takes everything and fails on demand (magic recipients, magic.ts), so
 * that anyone can try failure by hand. Loopback only; in the foreground until Ctrl-C. What it takes is kept in a folder and
 * shown on its page. Exit: 0 · 1 the port is taken · 2 wrong use.
 */
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '../../src/base/errors.ts';
import { type Language, say, type Text } from '../../src/base/i18n.ts';
import { languageOfLocale } from '../lib/progress.ts';
import { ANY_CODE, MAGIC } from './magic.ts';
import { startTrialMailServer } from './mail-server.ts';

const USAGE: Text = {
  ja: `使い方: ./scripts/lab-server [オプション]

すべてのメールを受け取り、宛先しだいでわざと失敗するメールサーバーを、このマシンだけで動かします。Ctrl-C で終わります。

  --port N       SMTP のポート（既定 2525）
  --page N       受け取ったメールを見るページのポート（既定 2526）
  --lmtp         SMTP の代わりに LMTP で話す
  --slow 秒      slow@ の待ち時間（既定 20）
  --greylist 秒  greylist@ の待ち時間（既定 60）
  --folder DIR   受け取ったメールの置き場所（既定は一時フォルダー）

宛先（@ の後は何でもよい）:`,
  en: `Usage: ./scripts/lab-server [options]

Runs a mail server on this machine that takes every message, and fails on purpose for some recipients. Ctrl-C ends it.

  --port N            SMTP port (2525)
  --page N            port of the page that shows what was taken (2526)
  --lmtp              speaks LMTP instead of SMTP
  --slow SECONDS      how long slow@ lets one wait (20)
  --greylist SECONDS  how long greylist@ lets one wait (60)
  --folder DIR        where messages are kept (a temporary folder)

Recipients (any domain):`,
};

const RUNNING: Text = {
  ja: 'ラボのメールサーバーが動いています: {protocol} 127.0.0.1:{port}、ページ http://127.0.0.1:{page}/、保存先 {folder}',
  en: 'The lab mail server is running: {protocol} 127.0.0.1:{port}, page http://127.0.0.1:{page}/, mail kept in {folder}',
};

export function usage(language: Language, waits: { slow: number; greylist: number }): string {
  const values = { seconds: waits.greylist, slow: waits.slow };
  const rows = Object.entries(MAGIC).map(([name, { does }]) => [`${name}@`, say(does, language, values)] as const);
  const all = [...rows, ['NNN@', say(ANY_CODE, language)] as const];
  return `${say(USAGE, language)}\n${all.map(([name, does]) => `  ${name.padEnd(12)}${does}\n`).join('')}`;
}

async function main(): Promise<number> {
  const language = languageOfLocale(process.env);
  let values: ReturnType<typeof readOptions>;
  try {
    values = readOptions();
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n\n${usage(language, { slow: 20, greylist: 60 })}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(usage(language, values));
    return 0;
  }
  const folder = values.folder ?? (await mkdtemp(path.join(tmpdir(), 'sekisho-lab-')));
  await mkdir(folder, { recursive: true });
  try {
    const server = await startTrialMailServer({
      folder,
      smtpPort: values.port,
      pagePort: values.page,
      language,
      everybody: true,
      lmtp: values.lmtp,
      slowMs: values.slow * 1_000,
      greylistMs: values.greylist * 1_000,
      onError: (text) => void process.stderr.write(`${text}\n`),
    });
    const { smtpPort: port, pagePort: page } = server;
    const protocol = values.lmtp ? 'LMTP' : 'SMTP';
    process.stdout.write(`${say(RUNNING, language, { protocol, port, page, folder })}\n`);
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    // A silent client (timeout@) would hold the port for long: a second is enough to say goodbye.
    setTimeout(() => process.exit(0), 1_000).unref();
    await server.close();
    return 0;
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return 1;
  }
}

function readOptions(): {
  port: number;
  page: number;
  slow: number;
  greylist: number;
  lmtp: boolean;
  help: boolean;
  folder: string | undefined;
} {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '2525' },
      page: { type: 'string', default: '2526' },
      slow: { type: 'string', default: '20' },
      greylist: { type: 'string', default: '60' },
      lmtp: { type: 'boolean', default: false },
      folder: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const whole = (name: 'port' | 'page' | 'slow' | 'greylist', most: number): number => {
    const value = Number(values[name]);
    if (!/^\d+$/.test(values[name]) || value > most) throw new RangeError(`--${name}: 0–${most}`);
    return value;
  };
  return {
    port: whole('port', 65_535),
    page: whole('page', 65_535),
    slow: whole('slow', 3_600),
    greylist: whole('greylist', 86_400),
    lmtp: values.lmtp,
    help: values.help,
    folder: values.folder,
  };
}

if (import.meta.main) process.exitCode = await main();
