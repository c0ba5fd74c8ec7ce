/**
 * `./scripts/send-samples`: sends the samples to the running gateway, reads back what became of each, and compares it with
 * what the live configuration makes one expect. Exit: 0 all as expected · 1 a row differs · 2 wrong use · 3 cannot run.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { escapeForTerminal } from '../../src/base/terminal.ts';
import { expectationOf, type LiveConfig } from '../samples/expect.ts';
import { makeSamples, type Sample } from '../samples/messages.ts';
import { liveConfig, observe } from '../samples/read-back.ts';
import { sendMessage } from '../samples/send.ts';
import { differencesText, type Row, tableText } from '../samples/table.ts';
import { OFFICE_DOMAIN } from '../lab/zones.ts';
import { dataOption, dataWasNamed, runCommand } from './command.ts';
import { type Layout, layoutOf } from './layout.ts';
import { livingPid } from './process-identity.ts';
import { languageOfLocale, Progress } from './progress.ts';
import { WORDS as START_WORDS } from './start-words.ts';

const WORDS = {
  noSample: {
    ja: 'その名前の見本はありません: {only}（あるのは {names}）',
    en: 'No sample of that name: {only} (there are {names})',
  },
  noTrial: {
    ja: `見本は試用のメールサーバーがあるときだけ送れます（設定の domains に ${OFFICE_DOMAIN} がありません）。`,
    en: `The samples need the trial mail server: the configuration has no domain ${OFFICE_DOMAIN}.`,
  },
  noListener: {
    ja: '設定で listeners.mx が無効になっています。',
    en: 'listeners.mx is switched off in the configuration.',
  },
  sending: { ja: '送って確かめています: {name}', en: 'sending and reading back: {name}' },
  good: {
    ja: '{count} 通すべて期待どおりです（{seconds} 秒）。1 通ごとの説明: ./scripts/sekisho explain <キュー ID>{option}',
    en: 'All {count} as expected ({seconds} s). Each in words: ./scripts/sekisho explain <queue id>{option}',
  },
  bad: { ja: '{count} 通が期待と違います。', en: '{count} differ from what was expected.' },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const language = languageOfLocale(process.env);
  const progress = new Progress(language, process.stderr);
  const layout = layoutOf(path.resolve(values.data ?? 'data'));
  const option = dataOption(layout.data, process.env);
  if (livingPid(layout.pidFile) === undefined) {
    const words = dataWasNamed(process.env) ? START_WORDS.notStarted : START_WORDS.notStartedDefault;
    progress.line(words, { data: layout.data, option });
    return 3;
  }
  const config = await liveConfig(layout);
  if (!config.listeners.mx.enabled || !config.domains.some((domain) => domain.name === OFFICE_DOMAIN)) {
    progress.line(config.listeners.mx.enabled ? WORDS.noTrial : WORDS.noListener);
    return 3;
  }
  const began = Date.now();
  const only = values.only?.split(',');
  const all = makeSamples({ date: new Date() });
  const unknown = only?.filter((name) => !all.some((sample) => sample.name === name)) ?? [];
  if (unknown.length > 0) {
    const names = all.map((sample) => sample.name).join(', ');
    progress.line(WORDS.noSample, { only: escapeForTerminal(unknown.join(', ')), names });
    return 2;
  }
  const samples = all.filter((sample) => only === undefined || only.includes(sample.name));
  const rows: Row[] = [];
  for (const sample of samples) {
    const label = {
      ja: WORDS.sending.ja.replace('{name}', sample.title.ja),
      en: WORDS.sending.en.replace('{name}', sample.title.en),
    };
    rows.push(await progress.during(label, () => oneRow(sample, { config, layout })));
  }
  process.stdout.write(
    values.json ? `${JSON.stringify(rows.map(plainRow), null, 2)}\n` : `\n${tableText(rows, language)}`,
  );
  const differing = rows.filter((row) => !row.ok).length;
  if (differing > 0) process.stderr.write(differencesText(rows));
  const seconds = ((Date.now() - began) / 1_000).toFixed(1);
  progress.line(differing === 0 ? WORDS.good : WORDS.bad, {
    count: differing === 0 ? rows.length : differing,
    seconds,
    option,
  });
  return differing === 0 ? 0 : 1;
}

async function oneRow(sample: Sample, options: { config: LiveConfig; layout: Layout }): Promise<Row> {
  const { config, layout } = options;
  const { address, port } = config.listeners.mx;
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
  const sent = await sendMessage({ host, port }, sample);
  const observed = await observe(sample, sent, layout);
  const expected = expectationOf(sample, config, observed.trace?.findings ?? []);
  return {
    sample,
    reply: sent.reply,
    observed,
    expected,
    ok: observed.outcome === expected.outcome && expected.lacking.length === 0,
  };
}

/** For programs: without the message itself. */
function plainRow(row: Row): unknown {
  const { sample, observed, expected } = row;
  return {
    sample: sample.name,
    token: sample.token,
    reply: row.reply,
    id: observed.id,
    findings: observed.trace?.findings ?? [],
    outcome: observed.outcome,
    expected: expected.outcome,
    lacking: expected.lacking,
    ok: row.ok,
  };
}

await runCommand(main, { whenReaderLeaves: 'go-on' });
