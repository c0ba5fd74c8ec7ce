/** The table of `./scripts/send-samples`: one row a sample, in Japanese or English. What came from outside is escaped. */
import { type Language, say, type Text } from '../../src/base/i18n.ts';
import { cutColumns, displayWidth, escapeForTerminal, padColumns } from '../../src/base/terminal.ts';
import type { Finding } from '../../src/mail/finding.ts';
import type { Expectation } from './expect.ts';
import type { Sample } from './messages.ts';
import type { Observed } from './read-back.ts';

export interface Row {
  sample: Sample;
  reply: string;
  observed: Observed;
  expected: Expectation;
  ok: boolean;
}

const OUTCOME_WORDS: Record<Observed['outcome'], Text> = {
  rejected: { ja: '拒否（SMTP の中で）', en: 'rejected in SMTP' },
  quarantined: { ja: '隔離', en: 'quarantined' },
  tagged: { ja: '印を付けて配送', en: 'delivered, tagged' },
  delivered: { ja: '配送（無変更）', en: 'delivered unaltered' },
  'unknown-recipient': { ja: '拒否（宛先なし）', en: 'refused: no such user' },
  'too-large': { ja: '拒否（大きすぎる）', en: 'refused: too large' },
  lost: { ja: '行方不明', en: 'LOST' },
  altered: { ja: '食い違い・改変', en: 'ALTERED' },
  deferred: { ja: '一時エラー', en: 'deferred (4xx)' },
  held: { ja: '保留', en: 'held' },
  refused: { ja: '拒否（記録なし）', en: 'refused, no trace' },
  unfinished: { ja: '終わっていない', en: 'not settled' },
};

const HEADS = {
  sample: { ja: '見本', en: 'Sample' },
  reply: { ja: '応答', en: 'Reply' },
  findings: { ja: '見つけたもの', en: 'Findings' },
  now: { ja: '今どこに', en: 'Where it is now' },
  expected: { ja: '期待', en: 'Expected' },
} as const satisfies Record<string, Text>;

const FINDINGS_WIDTH = 44;

export function tableText(rows: readonly Row[], language: Language): string {
  const word = (text: Text): string => say(text, language);
  const lines = [
    [word(HEADS.sample), word(HEADS.reply), word(HEADS.findings), word(HEADS.now), word(HEADS.expected), ''],
  ];
  for (const row of rows)
    lines.push([
      word(row.sample.title),
      shortReply(row.reply),
      cutColumns(findingsText(row.observed.trace?.findings ?? []), FINDINGS_WIDTH),
      word(OUTCOME_WORDS[row.observed.outcome]),
      word(OUTCOME_WORDS[row.expected.outcome]),
      row.ok ? (language === 'ja' ? '一致' : 'ok') : language === 'ja' ? '★相違' : '* DIFFERS',
    ]);
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => displayWidth(line[column] ?? '')))) ?? [];
  const text = lines.map((line) =>
    line
      .map((cell, column) => padColumns(cell, widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [text[0], rule, ...text.slice(1), ''].join('\n');
}

/** What differs, a line a row: the whole reply, the queue id, what is lacking. */
export function differencesText(rows: readonly Row[]): string {
  return rows
    .filter((row) => !row.ok)
    .map((row) => {
      const lacking = row.expected.lacking.length === 0 ? '' : ` · lacking: ${row.expected.lacking.join(', ')}`;
      const decisions = (row.observed.trace?.decisions ?? [])
        .map((decision) => `${decision.action}/${decision.reason}`)
        .join(', ');
      return `* ${row.sample.name}: ${escapeForTerminal(row.reply)} · ${row.observed.id ?? 'no queue id'} · ${decisions}${lacking}\n`;
    })
    .join('');
}

/** Code and enhanced status code. */
function shortReply(reply: string): string {
  return (
    /^\d{3}[ -](?:\d\.\d{1,3}\.\d{1,3})?/.exec(reply)?.[0].replace('-', ' ').trim() ??
    escapeForTerminal(reply.slice(0, 20))
  );
}

function findingsText(findings: readonly Finding[]): string {
  const parts = findings.flatMap((finding): string[] => {
    switch (finding.kind) {
      case 'virus':
        return [`virus ${finding.name}`];
      case 'attachment':
        return finding.traits.some((trait) => trait !== 'archive')
          ? [`${[...finding.inside, finding.name].join(' > ')}: ${finding.traits.join(', ')}`]
          : finding.name === ''
            ? []
            : [finding.name];
      case 'spam':
        return [`spam ${finding.score.toFixed(1)}`];
      case 'spf':
        return [`spf ${finding.result}`];
      case 'dmarc':
        return finding.result === 'none' ? [] : [`dmarc ${finding.result}`];
      default:
        return [];
    }
  });
  const order = (part: string): number =>
    part.startsWith('virus') ? 0 : part.includes(':') ? 1 : part.startsWith('spam') ? 2 : 3;
  return escapeForTerminal(parts.sort((one, other) => order(one) - order(other)).join('; ') || '—');
}
