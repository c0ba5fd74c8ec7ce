/** The steps of a test as they go: what was tried, how it went, what the other side said, what to do about it. */
import { t, word, type Text } from '../i18n/language.ts';
import { formatSpan } from '../i18n/format.ts';
import { STEP_STATES } from '../i18n/words-domains.ts';
import { State, type Tone } from './basics.tsx';
import { MailText } from './mail-text.tsx';

export interface TestStep {
  name: string;
  state: 'waiting' | 'running' | 'ok' | 'warning' | 'failed' | 'skipped';
  text: Text;
  detail?: string | undefined;
  remedy?: Text | undefined;
  tookMs?: number | undefined;
}

const TONES: Record<TestStep['state'], Tone> = {
  waiting: 'idle',
  running: 'busy',
  ok: 'ok',
  warning: 'warn',
  failed: 'bad',
  skipped: 'idle',
};

export function Steps({ steps }: { steps: readonly TestStep[] }) {
  return (
    <ol class="trail" aria-live="polite">
      {steps.map((step) => (
        <li key={step.name}>
          <State tone={TONES[step.state]}>{word(STEP_STATES, step.state)}</State> {t(step.text)}{' '}
          {step.tookMs === undefined ? null : <span class="soft small nowrap">{formatSpan(step.tookMs)}</span>}
          {step.detail === undefined ? null : (
            <div class="mono small soft">
              <MailText text={step.detail} />
            </div>
          )}
          {step.remedy === undefined || step.state === 'ok' ? null : <div>{t(step.remedy)}</div>}
        </li>
      ))}
    </ol>
  );
}
