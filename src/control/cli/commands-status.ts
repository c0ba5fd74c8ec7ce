/** status, engines, alarms, metrics, log: how the gateway is. Exit code 1 when something needs attention. */
import type { Language, Text } from '../../base/i18n.ts';
import { escapeForTerminal } from '../../base/terminal.ts';
import type { AlarmAnswer, EngineAnswer, StatusAnswer } from '../shapes.ts';
import { UsageError } from './arguments.ts';
import { type Command, EXIT } from './command.ts';
import { block, type Look, showSize, showSpan, showTime, table } from './output.ts';
import { problemsText } from './problems-text.ts';

export const STATUS_COMMANDS: readonly Command[] = [
  {
    name: 'status',
    args: '',
    summary: { en: 'How the gateway is, at a glance', ja: 'ゲートウェイの状態を一覧する' },
    run: async (context) => {
      const answer = await context.client.call('status', {});
      context.print(answer, () => statusText(answer, context.look));
      return needsAttention(answer) ? EXIT.negative : EXIT.ok;
    },
  },
  {
    name: 'engines',
    args: '',
    summary: { en: 'The engines that inspect mail', ja: 'メールを検査するエンジンの状態' },
    run: async (context) => {
      const answer = await context.client.call('engines.list', {});
      context.print(answer, () => enginesText(answer.engines, context.look));
      return answer.engines.some((engine) => engine.state === 'down') ? EXIT.negative : EXIT.ok;
    },
  },
  {
    name: 'alarms',
    args: '',
    summary: { en: 'What is wrong now, and what to do', ja: '現在の警報と対処方法' },
    run: async (context) => {
      const answer = await context.client.call('alarms.list', {});
      context.print(answer, () => alarmsText(answer.alarms, context.language));
      return answer.alarms.length > 0 ? EXIT.negative : EXIT.ok;
    },
  },
  {
    name: 'metrics',
    args: '',
    summary: { en: 'Counters in the Prometheus text format', ja: 'Prometheus 形式の計測値' },
    run: async (context) => {
      const answer = await context.client.call('metrics.text', {});
      context.print(answer, () => answer.text);
      return EXIT.ok;
    },
  },
  {
    name: 'log',
    args: '[LEVEL]',
    summary: {
      en: 'Shows the log level, or sets it until the next start: debug, info, warn, error',
      ja: 'ログレベルを表示する。LEVEL を付けると次の起動まで変更する（debug, info, warn, error）',
    },
    run: async (context) => {
      const answer = await context.client.call('log.level', levelOf(context.args[0]));
      context.print(answer, () => `${answer.level}\n`);
      return EXIT.ok;
    },
  },
];

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

function levelOf(word: string | undefined): { level?: (typeof LEVELS)[number] } {
  if (word === undefined) return {};
  const level = LEVELS.find((one) => one === word);
  if (level !== undefined) return { level };
  throw new UsageError({
    en: `"${word}" is no log level: ${LEVELS.join(', ')}`,
    ja: `「${word}」というログレベルはありません: ${LEVELS.join(', ')}`,
  });
}

function needsAttention(status: StatusAnswer): boolean {
  return (
    status.state !== 'running' ||
    status.alarms.length > 0 ||
    status.spool.fault !== undefined ||
    status.config.problems.length > 0 ||
    status.engines.some((engine) => engine.state === 'down')
  );
}

const STATE_WORDS: Record<StatusAnswer['state'], Text> = {
  starting: { en: 'starting', ja: '起動中' },
  running: { en: 'running', ja: '稼働中' },
  stopping: { en: 'stopping', ja: '停止処理中' },
  faulted: { en: 'faulted', ja: '障害' },
};

const INSPECTOR_WORDS: Readonly<Record<string, Text>> = {
  authentication: { en: 'authentication', ja: '送信元認証' },
  antivirus: { en: 'viruses', ja: 'ウイルス' },
  spam: { en: 'spam', ja: '迷惑メール' },
  structure: { en: 'attachments', ja: '添付ファイル' },
};

const ENGINE_WORDS: Record<EngineAnswer['state'], Text> = {
  starting: { en: 'starting', ja: '起動中' },
  up: { en: 'up', ja: '正常' },
  slow: { en: 'slow', ja: '応答遅延' },
  down: { en: 'down', ja: '停止' },
  off: { en: 'off', ja: '無効' },
};

function statusText(status: StatusAnswer, look: Look): string {
  const { language } = look;
  const { counts } = status.spool;
  const head = block(
    [
      [{ en: 'Gateway', ja: 'ゲートウェイ' }, `${status.hostname} (${status.version})`],
      [{ en: 'State', ja: '状態' }, STATE_WORDS[status.state][language]],
      [
        { en: 'Running for', ja: '稼働時間' },
        `${showSpan(status.uptimeMs, language)} (${showTime(status.startedAt) ?? ''})`,
      ],
      [{ en: 'Queue', ja: '送信待ち' }, counts.queue],
      [{ en: 'Waiting for inspection', ja: '検査待ち' }, counts.incoming],
      [{ en: 'Held', ja: '保留' }, counts.held],
      [{ en: 'Quarantine', ja: '隔離' }, counts.quarantine],
      [{ en: 'Corrupt', ja: '破損' }, counts.corrupt === 0 ? undefined : counts.corrupt],
      [
        { en: 'Spool', ja: 'スプール' },
        language === 'ja'
          ? `${showSize(status.spool.octets)}（空き ${showSize(status.spool.freeOctets)}、下限 ${showSize(status.spool.floorOctets)}）`
          : `${showSize(status.spool.octets)} (${showSize(status.spool.freeOctets)} free, floor ${showSize(status.spool.floorOctets)})`,
      ],
      [{ en: 'Spool fault', ja: 'スプール障害' }, status.spool.fault],
      [{ en: 'Configuration', ja: '設定' }, `${status.config.file} (${status.config.generation})`],
    ],
    language,
  );
  const listeners = table(
    status.listeners,
    [
      { title: { en: 'LISTENER', ja: '受信口' }, value: (row) => row.name },
      { title: { en: 'ADDRESS', ja: 'アドレス' }, value: (row) => `${row.address}:${row.port}` },
      {
        title: { en: 'STATE', ja: '状態' },
        value: (row) =>
          row.open ? { en: 'open', ja: '受付中' }[language] : (row.detail ?? { en: 'closed', ja: '停止' }[language]),
      },
      { title: { en: 'SESSIONS', ja: 'セッション' }, value: (row) => row.sessions, right: true },
    ],
    look,
  );
  const sections = [head, listeners, enginesText(status.engines, look)];
  if (status.hops.length > 0) sections.push(hopsText(status.hops, look));
  if (status.config.problems.length > 0)
    sections.push(
      { en: 'The configuration file is not what runs:\n', ja: '設定ファイルの内容は反映されていません:\n' }[language] +
        problemsText(status.config.problems, language),
    );
  if (status.alarms.length > 0) sections.push(alarmsText(status.alarms, language));
  return sections.join('\n');
}

function hopsText(hops: StatusAnswer['hops'], look: Look): string {
  const words = { up: { en: 'up', ja: '正常' }, down: { en: 'down', ja: '停止' }, unknown: { en: '?', ja: '不明' } };
  return table(
    hops,
    [
      { title: { en: 'NEXT HOP', ja: '配送先' }, value: (row) => row.hop },
      { title: { en: 'STATE', ja: '状態' }, value: (row) => words[row.state][look.language] },
      { title: { en: 'WAITING', ja: '待ち' }, value: (row) => row.waiting, right: true },
      { title: { en: 'ACTIVE', ja: '配送中' }, value: (row) => row.active, right: true },
      { title: { en: 'SINCE', ja: 'いつから' }, value: (row) => showTime(row.since) },
      { title: { en: 'DETAIL', ja: '詳細' }, value: (row) => row.detail },
    ],
    look,
  );
}

function enginesText(engines: readonly EngineAnswer[], look: Look): string {
  return table(
    engines,
    [
      { title: { en: 'ENGINE', ja: 'エンジン' }, value: (row) => row.engine },
      {
        title: { en: 'INSPECTS', ja: '検査' },
        value: (row) => INSPECTOR_WORDS[row.inspector]?.[look.language] ?? row.inspector,
      },
      { title: { en: 'STATE', ja: '状態' }, value: (row) => ENGINE_WORDS[row.state][look.language] },
      { title: { en: 'VERSION', ja: '版' }, value: (row) => row.version, max: 50 },
      { title: { en: 'MISSES', ja: '失敗' }, value: (row) => row.misses, right: true },
      { title: { en: 'LAST ERROR', ja: '最後のエラー' }, value: (row) => row.lastError },
    ],
    look,
  );
}

function alarmsText(alarms: readonly AlarmAnswer[], language: Language): string {
  if (alarms.length === 0) return { en: 'No alarms\n', ja: '警報はありません\n' }[language];
  return alarms
    .map((alarm) => {
      const times = alarm.times > 1 ? { en: `, ${alarm.times} times`, ja: `、${alarm.times} 回` }[language] : '';
      const lines = [
        `! ${alarm.title[language]} [${alarm.name} ${alarm.key}] ${showTime(alarm.since) ?? ''}${times}`,
        `  ${alarm.detail}`,
        `  → ${alarm.remedy[language]}`,
      ];
      return `${lines.map(escapeForTerminal).join('\n')}\n`;
    })
    .join('');
}
