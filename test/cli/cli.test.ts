import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Language } from '../../src/base/i18n.ts';
import { displayWidth } from '../../src/base/terminal.ts';
import { parseArguments, UsageError } from '../../src/control/cli/arguments.ts';
import { parseValue } from '../../src/control/cli/commands-config.ts';
import { parseTime } from '../../src/control/cli/commands-history.ts';
import { showSize, showSpan } from '../../src/control/cli/output.ts';
import { COMMANDS } from '../../src/control/cli/run.ts';
import { type ControlServer, createControlServer } from '../../src/control/server.ts';
import { BUG, type Call, fakeHandlers, ID, OTHER, VIRUS } from '../control/fake-handlers.ts';

const CLI = path.resolve(import.meta.dirname, '../../src/cli.ts');
const UNKNOWN_ID = '0000000-0000000000000';

let directory = '';
let server: ControlServer;
let troubled: ControlServer;
const calls: Call[] = [];

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'sekisho-cli-'));
  server = await createControlServer({
    socket: path.join(directory, 'run', 'control.sock'),
    caller: 'cli',
    handlers: fakeHandlers(calls),
  });
  troubled = await createControlServer({
    socket: path.join(directory, 'run', 'trouble.sock'),
    caller: 'cli',
    handlers: fakeHandlers([], { trouble: true }),
  });
});

after(async () => {
  await server.close();
  await troubled.close();
  await rm(directory, { recursive: true, force: true });
});

interface Run {
  code: number;
  out: string;
  err: string;
}

/** The real command, as a process of its own. */
function sekisho(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, ...args],
      {
        timeout: 120_000,
        env: {
          TZ: 'UTC',
          LANG: 'C.UTF-8',
          SEKISHO_DATA: directory,
          SUDO_USER: 'taro',
          NODE_COMPILE_CACHE: path.join(directory, 'cache'),
          ...env,
        },
      },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

interface Case {
  args: string[];
  code: number;
  en: RegExp[];
  ja: RegExp[];
}

const CASES: readonly Case[] = [
  {
    args: ['status'],
    code: 0,
    en: [
      /^Gateway +mx\.example\.com \(0\.1\.0\)$/m,
      /^Running for +1 d 2 h \(2026-11-21 09:30:00\)$/m,
      /^mx +0\.0\.0\.0:2525 +open +3$/m,
      /^Spool +1\.0 MiB \(50\.0 GiB free/m,
      /^mail\.office\.example:25 +down/m,
    ],
    ja: [/^ゲートウェイ +mx\.example\.com/m, /^稼働時間 +1 日 2 時間/m, /^状態 +稼働中$/m, /空き 50\.0 GiB/],
  },
  {
    args: ['engines'],
    code: 0,
    en: [/^clamd +viruses +up +ClamAV 1\.4\.6\/27500 +0 +-$/m, /^rspamd +spam +slow/m],
    ja: [/^clamd +ウイルス +正常/m, /応答遅延/],
  },
  { args: ['alarms'], code: 0, en: [/^No alarms$/m], ja: [/^警報はありません$/m] },
  {
    args: ['queue', 'list'],
    code: 0,
    en: [
      /^ID +STATE +ARRIVED/m,
      new RegExp(`^${ID} +deferred +2026-11-21 09:30:00 +10\\.0 KiB +sender@example\\.com`, 'm'),
      /later\\x1b\[31m/,
      /^2 of 2$/m,
    ],
    ja: [new RegExp(`^${ID} +再送待ち`, 'm'), new RegExp(`^${OTHER} +保留`, 'm'), /^2 件中 2 件$/m],
  },
  {
    args: ['queue', 'list', '--limit=1', '--state', 'deferred'],
    code: 0,
    en: [/^1 of 2; more: --cursor next$/m],
    ja: [/続き: --cursor next/],
  },
  {
    args: ['queue', 'show', ID.toLowerCase()],
    code: 0,
    en: [
      /^Client +mail\.example\.com \[198\.51\.100\.7\]/m,
      /^info@office\.example +- +3 +2026-11-21 09:40:00/m,
      /^ {2}spf=pass example\.com$/m,
      /: deliver \(clean\)$/m,
    ],
    ja: [/^接続元 +mail\.example\.com/m, /^検査結果:$/m, /^判定:$/m],
  },
  {
    args: ['queue', 'summary'],
    code: 0,
    en: [/^Messages +1$/m, /^far\.example +1 +2\.0 KiB .*away +451 4\.3\.0 Later$/m, /^held +2$/m],
    ja: [/^再送待ち +1$/m, /応答なし/, /^保留 +2$/m],
  },
  { args: ['queue', 'retry', '--all'], code: 0, en: [/^2 message\(s\) due now$/m], ja: [/^2 通をすぐに再送します$/m] },
  { args: ['queue', 'retry', '--hop', 'nobody.example'], code: 1, en: [/^0 message/m], ja: [/^0 通/m] },
  { args: ['queue', 'retry'], code: 2, en: [/Say what to try again/], ja: [/1 つ指定してください/] },
  { args: ['queue', 'hold', ID], code: 0, en: [/: held$/m], ja: [/: 保留$/m] },
  { args: ['queue', 'unhold', ID], code: 0, en: [/: active$/m], ja: [/: 配送中$/m] },
  {
    args: ['queue', 'hold', '--domain', 'office.example'],
    code: 0,
    en: [/^6 message\(s\) held \(2 being delivered just now, left alone\); .*queue unhold --domain office\.example$/m],
    ja: [/6 通を保留しました（配送中の 2 通はそのまま）。.*queue unhold --domain office\.example/],
  },
  { args: ['queue', 'unhold', '--domain', 'a.example'], code: 1, en: [/^0 message/m], ja: [/^0 通/m] },
  { args: ['queue', 'hold', ID, '--domain', 'a.example'], code: 2, en: [/an ID or --domain/], ja: [/1 つ指定/] },
  {
    args: ['queue', 'route', '--domain', 'a.example', '--to', '192.0.2.9:25'],
    code: 0,
    en: [/^a\.example goes to 192\.0\.2\.9:25; 4 message\(s\) due now; back: .* --off$/m],
    ja: [/192\.0\.2\.9:25 へ送ります/],
  },
  { args: ['queue', 'route', '--domain', 'a.example', '--off'], code: 0, en: [/usual way/], ja: [/元の経路/] },
  { args: ['queue', 'route', '--domain', 'a.example'], code: 2, en: [/either --to or --off/], ja: [/どちらか/] },
  {
    args: ['queue', 'delete', ID],
    code: 0,
    en: [/until 2026-11-21 09:40:00 this brings it back: sekisho queue undelete 0000K3M/],
    ja: [/元に戻せます/],
  },
  { args: ['queue', 'undelete', ID], code: 0, en: [/: deferred$/m], ja: [/: 再送待ち$/m] },
  {
    args: ['quarantine', 'list'],
    code: 0,
    en: [/spam-quarantine/, /会議のお知らせ\\u\{202e\}gpj\.exe/, /^1 of 1$/m],
    ja: [/^ID +受信 +理由/m, /他 1 件/],
  },
  {
    args: ['quarantine', 'show', ID],
    code: 0,
    en: [
      /^Reverse-path +<>$/m,
      /^ {2}Subject: 会議のお知らせ\\x1b\]0;owned\\x07$/m,
      /^ {2}こんにちは\n {2}\\x1b\[2Jよろしく\n {2}\[…cut\]$/m,
      /spam 9\.5 \(BAYES_SPAM 5\)/,
    ],
    ja: [/^本文:$/m, /\[…以下省略\]/],
  },
  {
    args: ['quarantine', 'release', ID, 'info@office.example'],
    code: 0,
    en: [/^Released to info@office\.example, queued as \S+\.1$/m, /^Still in quarantine for sales@office\.example$/m],
    ja: [/へ配送します/, /^隔離のまま: sales/m],
  },
  {
    args: ['quarantine', 'release', OTHER],
    code: 5,
    en: [/released already/],
    ja: [/今の状態ではこの操作はできません/, /released already/],
  },
  {
    args: ['quarantine', 'release', VIRUS],
    code: 5,
    en: [/holds a virus/, /→ .*--force/],
    ja: [/危険なメール/, /→ .*--force/],
  },
  {
    args: ['quarantine', 'release', '--force', VIRUS],
    code: 0,
    en: [/released before, nothing was done/],
    ja: [/すでに解放/],
  },
  { args: ['quarantine', 'delete', ID], code: 0, en: [/sekisho quarantine undelete/], ja: [/削除しました/] },
  { args: ['quarantine', 'undelete', ID], code: 0, en: [/: quarantined$/m], ja: [/: 隔離$/m] },
  {
    args: ['search', '忘年会', '--since', '3d', '--until', '2026-11-21'],
    code: 0,
    en: [/delivered +clean +sender@example\.com +info@office\.example \+2 +忘年会の件/, /^1 shown$/m],
    ja: [/^ID +受信 +状態/m, /^1 件$/m],
  },
  { args: ['search', '--text', 'none'], code: 1, en: [/^0 shown$/m], ja: [/^0 件$/m] },
  { args: ['search', '--since', 'yesterday'], code: 2, en: [/"yesterday" is no time/], ja: [/時刻として読めません/] },
  {
    args: ['search', '--state', 'lost'],
    code: 2,
    en: [/"lost" is no state: .*delivered/],
    ja: [/という状態はありません/],
  },
  {
    args: ['trace', ID],
    code: 0,
    en: [/^Reply given +250 2\.0\.0 Queued$/m, /^ {2}2026-11-21 09:30:00 {2}Delivered$/m, /\.d1 {2}dsn {2}delivered$/m],
    ja: [/^ {2}2026-11-21 09:30:00 {2}配送しました$/m, /^現在 +配送済み \(delivered\)$/m],
  },
  {
    args: ['trace', UNKNOWN_ID],
    code: 3,
    en: [/There is no message/, /^→ See "sekisho queue list"$/m],
    ja: [/^見つかりません$/m],
  },
  { args: ['trace', 'hello'], code: 2, en: [/queue id like/], ja: [/指定された値が正しくありません/] },
  { args: ['trace', BUG], code: 5, en: [/error of its own/, /log names the cause/], ja: [/内部でエラー/] },
  { args: ['explain', ID], code: 0, en: [/^Nothing was found$/m], ja: [/^何も見つかりませんでした$/m] },
  { args: ['config', 'show'], code: 0, en: [/"hostname": "mx\.example\.com"/], ja: [/"hostname"/] },
  { args: ['config', 'get', 'hostname'], code: 0, en: [/^mx\.example\.com\n$/], ja: [/^mx\.example\.com\n$/] },
  { args: ['config', 'get', 'nothing'], code: 3, en: [/Nothing is set at "nothing"/], ja: [/見つかりません/] },
  {
    args: ['config', 'set', 'hostname', 'mx.example.com'],
    code: 0,
    en: [/^Now in force as generation 8: hostname$/m],
    ja: [/^世代 8 として反映しました: hostname$/m],
  },
  {
    args: ['config', 'set', 'hostname', '-5'],
    code: 1,
    en: [/^Nothing was changed:$/m, /^ {2}found: -5$/m, /^ {2}allowed: text$/m, /^ {2}→ Change it$/m],
    ja: [/^変更しませんでした:$/m, /現在の値: -5/],
  },
  {
    args: ['config', 'set', 'domains', '[{"name":}]'],
    code: 2,
    en: [/The value is not JSON/],
    ja: [/JSON として読めません/],
  },
  { args: ['config', 'unset', 'hostname'], code: 0, en: [/generation 8/], ja: [/世代 8/] },
  { args: ['config', 'reload'], code: 0, en: [/Nothing differs/], ja: [/現在の設定と同じ/] },
  {
    args: ['config', 'generations'],
    code: 0,
    en: [/7\* +2026-11-21 09:30:00 +cli \(root\) +set hostname +hostname/],
    ja: [/^世代 +日時/m],
  },
  {
    args: ['config', 'diff', '1', '2'],
    code: 1,
    en: [/^hostname\n {2}- "a\.example\.com"\n {2}\+ "mx\.example\.com"$/m],
    ja: [/^hostname$/m],
  },
  { args: ['config', 'diff', '2', '2'], code: 0, en: [/^No difference$/m], ja: [/違いはありません/] },
  { args: ['config', 'rollback', '1'], code: 0, en: [/generation 8/], ja: [/世代 8/] },
  { args: ['config', 'rollback', '99'], code: 3, en: [/99/], ja: [/見つかりません/] },
  { args: ['config', 'rollback', 'last'], code: 2, en: [/no generation/], ja: [/世代番号/] },
  { args: ['metrics'], code: 0, en: [/^sekisho_messages_total 5$/m], ja: [/sekisho_messages_total/] },
  { args: ['log', 'debug'], code: 0, en: [/^debug$/m], ja: [/^debug$/m] },
  { args: ['log', 'loud'], code: 2, en: [/no log level/], ja: [/ログレベル/] },
  { args: ['queue'], code: 2, en: [/Say which: queue list/], ja: [/1 つを指定/] },
  {
    args: ['queue', 'burn'],
    code: 2,
    en: [/Unknown command "queue burn".*queue list/],
    ja: [/コマンド「queue burn」はありません/],
  },
  { args: ['queue', 'show'], code: 2, en: [/Usage: sekisho queue show ID/], ja: [/使い方: sekisho queue show ID/] },
  {
    args: ['status', '--limit', '5'],
    code: 2,
    en: [/Unknown option "--limit"/],
    ja: [/オプション「--limit」はありません/],
  },
  { args: ['status', '--colour'], code: 2, en: [/Unknown option "--colour"/], ja: [/オプション/] },
  {
    args: ['help'],
    code: 0,
    en: [/quarantine release ID \[RECIPIENT…\]/, /exit-codes/],
    ja: [/使い方:/, /隔離されたメール/],
  },
  {
    args: ['help', 'exit-codes'],
    code: 0,
    en: [/^ {2}4 {2}the gateway could not be reached$/m],
    ja: [/^ {2}4 {2}ゲートウェイに接続できない$/m],
  },
  { args: ['queue', 'list', '--help'], code: 0, en: [/--domain DOMAIN/], ja: [/このドメイン宛/] },
  { args: ['version'], code: 0, en: [/^sekisho \d+\.\d+\.\d+$/m], ja: [/^sekisho \d/m] },
];

describe('each command', { concurrency: 3 }, () => {
  for (const { args, code, en, ja } of CASES)
    test(`sekisho ${args.join(' ')} exits with ${code} and speaks both languages`, async () => {
      const run = async (language: Language): Promise<void> => {
        const { code: exit, out, err } = await sekisho(['--lang', language, ...args]);
        const text = code === 0 || code === 1 ? out : err;
        assert.equal(exit, code, `${out}${err}`);
        for (const pattern of language === 'en' ? en : ja) assert.match(text, pattern);
        assert.equal(
          /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(out + err),
          false,
          'nothing acts on the terminal',
        );
      };
      await Promise.all([run('en'), run('ja')]);
    });
});

test('status and alarms exit with 1 when something needs attention, and name the remedy', async () => {
  const [status, alarms] = await Promise.all([
    sekisho(['--socket', troubled.socket, 'status']),
    sekisho(['--socket', troubled.socket, 'alarms'], { LANG: 'ja_JP.UTF-8' }),
  ]);
  assert.equal(status.code, 1);
  assert.match(status.out, /^! An engine is down \[engine-down clamd\] 2026-11-21 09:30:00, 2 times$/m);
  assert.equal(alarms.code, 1);
  assert.match(alarms.out, /^ {2}→ clamd を起動してください$/m);
});

test('--json prints the answer exactly, and errors as an object', async () => {
  const [shown, quarantine, missing, usage] = await Promise.all([
    sekisho(['--json', 'trace', ID]),
    sekisho(['quarantine', 'show', ID, '--json']),
    sekisho(['--json', 'trace', UNKNOWN_ID]),
    sekisho(['--json', 'nonsense']),
  ]);
  const handlers = fakeHandlers();
  const context = { caller: 'cli' as const, by: '', signal: AbortSignal.timeout(1_000) };
  assert.deepEqual(JSON.parse(shown.out), await handlers.trace({ id: ID as never, language: 'en' }, context));
  assert.deepEqual(JSON.parse(quarantine.out), await handlers['quarantine.show']({ id: ID as never }, context));
  assert.equal(quarantine.out.includes('\u202e'), false);
  assert.deepEqual(
    [missing.code, missing.out, (JSON.parse(missing.err) as { code: string }).code],
    [3, '', 'NOT_FOUND'],
  );
  assert.deepEqual([usage.code, (JSON.parse(usage.err) as { code: string }).code], [2, 'USAGE']);
});

test('a change is on record with the name of whoever made it', async () => {
  await sekisho(['config', 'set', 'hostname', 'mx.example.com']);
  const call = calls.findLast((one) => one.verb === 'config.set');
  assert.deepEqual([call?.by, call?.request], ['cli (taro)', { path: 'hostname', value: 'mx.example.com' }]);
});

test('without a gateway the command says so, with exit code 4, in either language', async () => {
  const nowhere = path.join(directory, 'nowhere');
  const [en, ja, env] = await Promise.all([
    sekisho(['--data', nowhere, 'status']),
    sekisho(['--data', nowhere, '--lang', 'ja', 'status']),
    sekisho(['status'], { SEKISHO_SOCKET: path.join(nowhere, 'x.sock') }),
  ]);
  assert.deepEqual([en.code, ja.code, env.code], [4, 4, 4]);
  assert.match(en.err, /The gateway is not running.*nowhere\/run\/control\.sock[^]*→ On the box it starts by itself/);
  assert.match(ja.err, /ゲートウェイが起動していません[^]*→ 機器では数秒以内に自動で起動します/);
  assert.match(env.err, /x\.sock/);
});

test('config check needs no gateway: 0 for a valid file, 1 with every problem, 3 without a file', async () => {
  const good = path.join(directory, 'good.json');
  const bad = path.join(directory, 'bad.json');
  await writeFile(good, '{"hostname": "mx.example.com"}');
  await writeFile(bad, '{"hostnmae": "x", "language": "fr"}');
  const nowhere = { SEKISHO_DATA: path.join(directory, 'nowhere') };
  const [valid, wrong, json, missing] = await Promise.all([
    sekisho(['config', 'check', good], nowhere),
    sekisho(['config', 'check', bad, '--lang', 'ja'], nowhere),
    sekisho(['config', 'check', bad, '--json'], nowhere),
    sekisho(['config', 'check', path.join(directory, 'none.json')], nowhere),
  ]);
  assert.deepEqual([valid.code, wrong.code, json.code, missing.code], [0, 1, 1, 3]);
  assert.match(wrong.out, /「hostname」ではありませんか/);
  assert.match(wrong.out, /2 件の問題があります/);
  const { problems } = JSON.parse(json.out) as { problems: Array<{ path: string }> };
  assert.deepEqual(
    problems.map((problem) => problem.path),
    ['language', 'hostnmae'],
  );
});

test('the setup code of a trial machine is shown with its end; where none is open that is said, with exit code 1', async () => {
  const none = await sekisho(['admin', 'setup-code']);
  assert.deepEqual([none.code, none.err], [1, '']);
  assert.match(none.out, /^No setup code is open here/);
  await mkdir(path.join(directory, 'admin'));
  const file = path.join(directory, 'admin', 'setup-code');
  await writeFile(file, 'F35T4-2AB4Z\n', { mode: 0o600 });
  await utimes(file, 1_800_000_000, 1_800_000_000);
  const shown = await sekisho(['admin', 'setup-code', '--lang', 'ja']);
  assert.deepEqual([shown.code, shown.out], [0, 'F35T4-2AB4Z（2027-01-15 09:00:00 まで有効）\n'], shown.err);
  const renewed = await sekisho(['admin', 'setup-code', '--renew']);
  assert.deepEqual([renewed.code, renewed.out], [5, '']);
  assert.match(renewed.err, /made anew when the pages start/);
});

test('the columns of a table stand under each other with Japanese in them', async () => {
  const { out } = await sekisho(['--lang', 'ja', 'queue', 'list']);
  const [head = '', first = '', second = ''] = out.split('\n');
  const column = (line: string, text: string): number => displayWidth(line.slice(0, line.indexOf(text)));
  assert.equal(column(head, '受信'), column(first, '2026-11-21'));
  assert.equal(column(first, '2026-11-21'), column(second, '2026-11-21'));
  assert.equal(column(head, '宛先'), column(second, 'info@'));
});

test('every command has a summary in both languages and no two have one name', () => {
  assert.equal(new Set(COMMANDS.map((command) => command.name)).size, COMMANDS.length);
  for (const { name, summary } of COMMANDS) assert.ok(summary.en !== '' && /[ぁ-ん]/.test(summary.ja + 'メ'), name);
});

test('parseArguments() takes options anywhere, negative numbers and what follows "--" as words', () => {
  const options = [
    { name: 'limit', value: 'N', help: { en: '', ja: '' } },
    { name: 'all', short: 'a', help: { en: '', ja: '' } },
  ];
  const parsed = parseArguments(['one', '--limit', '5', '-3', '-a', '--', '--limit', '-x'], options);
  assert.deepEqual(
    [parsed.words, [...parsed.options], [...parsed.flags]],
    [['one', '-3', '--limit', '-x'], [['limit', '5']], ['all']],
  );
  assert.deepEqual([...parseArguments(['--limit=a=b'], options).options], [['limit', 'a=b']]);
  for (const wrong of [['--limit'], ['--limit='], ['--all=1'], ['--limit', '1', '--limit', '2'], ['-z'], ['--']]) {
    if (wrong[0] === '--') assert.deepEqual(parseArguments(wrong, options).words, []);
    else assert.throws(() => parseArguments(wrong, options), UsageError);
  }
});

test('parseValue() reads JSON, and text where it is plainly no JSON', () => {
  assert.deepEqual(['12', 'true', '["a"]', 'null', 'mx.example.com', '', '"12"', '会社.example'].map(parseValue), [
    12,
    true,
    ['a'],
    null,
    'mx.example.com',
    '',
    '12',
    '会社.example',
  ]);
  assert.throws(() => parseValue('{"a": }'));
});

test('parseTime() reads spans, days with their end, and refuses days that do not exist', () => {
  const now = Date.UTC(2026, 10, 21, 12);
  assert.equal(parseTime('2h', { now, end: false }), now - 7_200_000);
  const start = parseTime('2026-11-20', { now, end: false });
  assert.equal(new Date(start).getHours(), 0);
  assert.equal(parseTime('2026-11-20', { now, end: true }), parseTime('2026-11-21', { now, end: false }) - 1);
  assert.equal(parseTime('2026-11-20T09:00:00Z', { now, end: false }), Date.UTC(2026, 10, 20, 9));
  for (const wrong of ['2026-02-31', '2026-13-01', '20', '3x', 'now', ''])
    assert.throws(() => parseTime(wrong, { now, end: false }));
});

test('showSize() and showSpan() round for people', () => {
  assert.deepEqual([0, 1023, 1024, 10_240, 104_857_600].map(showSize), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '10.0 KiB',
    '100 MiB',
  ]);
  assert.deepEqual(
    [0, 59_000, 60_000, 3_661_000, 90_000_000].map((ms) => showSpan(ms, 'en')),
    ['0 s', '59 s', '1 min', '1 h 1 min', '1 d 1 h'],
  );
});
