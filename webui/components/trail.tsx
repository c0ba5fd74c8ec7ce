/** The way of a message in plain words, step by step, with the other server's reply as it came; and what each inspector saw. */
import type { Answer } from '../api/client.ts';
import { formatNumber, t, word } from '../i18n/language.ts';
import { formatSize } from '../i18n/format.ts';
import { FINDING, TRAIT_NAMES } from '../i18n/words-findings.ts';
import { MESSAGE } from '../i18n/words-messages.ts';
import { State, Time } from './basics.tsx';
import { MailText } from './mail-text.tsx';

type Shown = Answer<'messages.show'>;
type Steps = NonNullable<Shown['trace']>['steps'];
type Finding = NonNullable<Shown['trace']>['findings'][number];

export function Trail({ steps }: { steps: Steps }) {
  return (
    <ol class="trail">
      {steps.map((step, index) => (
        <li key={`${step.at} ${index}`}>
          <Time at={step.at} style="full" />
          <MailText text={step.text} />
        </li>
      ))}
    </ol>
  );
}

export function Findings({ findings }: { findings: readonly Finding[] }) {
  return (
    <dl class="facts">
      {findings.map((finding, index) => {
        const line = describe(finding);
        return line === undefined ? null : (
          <div key={index} style={{ display: 'contents' }}>
            <dt>{line.name}</dt>
            <dd>
              {line.state === undefined ? null : <State tone={line.state}>{line.result}</State>}{' '}
              <MailText text={line.detail} />
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

interface Line {
  name: string;
  state?: 'ok' | 'warn' | 'bad' | 'idle';
  result?: string;
  detail: string;
}

function describe(finding: Finding): Line | undefined {
  switch (finding.kind) {
    case 'spf':
      return auth('SPF', finding.result, finding.domain);
    case 'dkim':
      return auth('DKIM', finding.result, `${finding.domain} (${finding.selector})`);
    case 'dmarc':
      return auth('DMARC', finding.result, `${finding.domain} (p=${finding.policy})`);
    case 'arc':
      return auth('ARC', finding.result, finding.sealer ?? '');
    case 'virus':
      return { name: t(FINDING.virus), state: 'bad', result: finding.name, detail: finding.engine };
    case 'spam':
      return { name: t(MESSAGE.score), detail: formatNumber(finding.score, { maximumFractionDigits: 1 }) };
    case 'attachment':
      return {
        name: t(FINDING.attachment),
        ...(finding.traits.some((trait) => trait !== 'archive')
          ? { state: 'warn' as const, result: finding.traits.map((trait) => word(TRAIT_NAMES, trait)).join(', ') }
          : {}),
        detail: `${[...finding.inside, finding.name].join(' › ')} (${finding.trueType ?? finding.declaredType}, ${formatSize(finding.size)})`,
      };
    case 'structure':
      return { name: t(FINDING.structure), state: 'warn', result: t(FINDING[finding.problem]), detail: finding.detail };
    case 'poison':
      return { name: t(FINDING.poison), state: 'bad', result: t(FINDING.poison), detail: finding.detail };
    case 'from':
      return finding.count === 1 && !finding.malformed
        ? undefined
        : { name: 'From', state: 'warn', result: t(FINDING.oddFrom), detail: finding.text };
    case 'summary':
      return undefined;
    default:
      // a kind that is newer than these pages
      return undefined;
  }
}

function auth(name: string, result: string, detail: string): Line {
  const state = result === 'pass' ? 'ok' : result === 'fail' || result === 'permerror' ? 'bad' : 'idle';
  return { name, state, result, detail };
}

/** Rspamd's score with what it is made of: the largest first. */
export function Score({ findings }: { findings: readonly Finding[] }) {
  const spam = findings.find((finding) => finding.kind === 'spam');
  if (spam === undefined || spam.symbols.length === 0) return null;
  const symbols = spam.symbols.toSorted((a, b) => Math.abs(b.score) - Math.abs(a.score));
  return (
    <details>
      <summary>
        {t(MESSAGE.symbols)} ({formatNumber(spam.score, { maximumFractionDigits: 1 })})
      </summary>
      <table>
        <thead>
          <tr>
            <th scope="col">{t(MESSAGE.symbol)}</th>
            <th scope="col" class="num">
              {t(MESSAGE.points)}
            </th>
            <th scope="col">{t(MESSAGE.meaning)}</th>
          </tr>
        </thead>
        <tbody>
          {symbols.map((symbol) => (
            <tr key={symbol.name}>
              <th scope="row" class="mono">
                <MailText text={symbol.name} />
              </th>
              <td class="num">{formatNumber(symbol.score, { maximumFractionDigits: 2 })}</td>
              <td class="small">
                <MailText text={symbol.description ?? ''} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
