/** Problems of a configuration, one a paragraph: key, what is wrong, what was found, what is allowed, what to do. Pure. */
import type { Language } from '../../base/i18n.ts';
import { escapeForTerminal } from '../../base/terminal.ts';
import type { ConfigProblemAnswer } from '../shapes.ts';

const LABELS = {
  found: { en: 'found', ja: '現在の値' },
  allowed: { en: 'allowed', ja: '指定できる値' },
} as const;

export function problemsText(problems: readonly ConfigProblemAnswer[], language: Language): string {
  return problems
    .map((problem) => {
      const lines = [`${problem.path === '' ? '' : `${problem.path}: `}${problem.message[language]}`];
      if (problem.found !== undefined) lines.push(`  ${LABELS.found[language]}: ${problem.found}`);
      if (problem.allowed !== undefined) lines.push(`  ${LABELS.allowed[language]}: ${problem.allowed[language]}`);
      lines.push(`  → ${problem.remedy[language]}`);
      return `${lines.map(escapeForTerminal).join('\n')}\n`;
    })
    .join('');
}
