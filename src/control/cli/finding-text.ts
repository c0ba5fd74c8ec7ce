/** Findings and decisions of one message, one line each, as facts; `sekisho explain` tells the story in sentences. Pure. */
import { assertNever } from '../../base/brand.ts';
import type { Language } from '../../base/i18n.ts';
import { escapeForTerminal } from '../../base/terminal.ts';
import type { Finding } from '../../mail/finding.ts';
import { showSize } from './output.ts';

interface Judged {
  findings: readonly Finding[];
  decisions: ReadonlyArray<{ recipient: string; action: string; reason: string }>;
  missing?: ReadonlyArray<{ inspector: string; reason: string; detail: string }>;
}

export function findingLines(message: Judged, language: Language): string {
  const titles = {
    findings: { en: 'Findings:', ja: '検査結果:' },
    missing: { en: 'Not inspected:', ja: '検査できなかったもの:' },
    decisions: { en: 'Decisions:', ja: '判定:' },
  };
  const sections: Array<[string, string[]]> = [
    [titles.findings[language], message.findings.map(findingText)],
    [titles.missing[language], (message.missing ?? []).map((one) => `${one.inspector}: ${one.reason} ${one.detail}`)],
    [titles.decisions[language], message.decisions.map((one) => `${one.recipient}: ${one.action} (${one.reason})`)],
  ];
  return sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `${title}\n${lines.map((line) => `  ${escapeForTerminal(line)}\n`).join('')}`)
    .join('');
}

/** The words of RFC 8601 and ours, not translated: they are names. */
export function findingText(finding: Finding): string {
  switch (finding.kind) {
    case 'spf':
      return `spf=${finding.result} ${finding.domain || finding.helo}`;
    case 'dkim':
      return `dkim=${finding.result} ${finding.domain}${finding.aligned ? ' aligned' : ''}`;
    case 'dmarc':
      return `dmarc=${finding.result} ${finding.domain} p=${finding.policy}`;
    case 'arc':
      return `arc=${finding.result} ${finding.sealer ?? ''}`.trim();
    case 'from':
      return `from ${finding.count === 1 && !finding.malformed ? finding.text : `count=${finding.count} malformed=${finding.malformed} ${finding.text}`}`;
    case 'virus':
      return `virus ${finding.name} (${finding.engine})`;
    case 'spam':
      return `spam ${finding.score} (${finding.symbols.map((symbol) => `${symbol.name} ${symbol.score}`).join(', ')})`;
    case 'attachment': {
      const name = [...finding.inside, finding.name].join(' > ');
      const type = finding.trueType ?? finding.declaredType;
      return `attachment "${name}" ${type} ${showSize(finding.size)} ${finding.traits.join(' ')}`.trimEnd();
    }
    case 'structure':
      return `structure ${finding.problem} ${finding.detail}`;
    case 'summary':
      return `subject "${finding.subject}" ${finding.messageId}`.trimEnd();
    case 'poison':
      return `poison ${finding.detail}`;
    default:
      return assertNever(finding);
  }
}
