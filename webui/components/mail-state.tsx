/** States and reasons of mail as badges: a sign, a word, then colour. */
import { word } from '../i18n/language.ts';
import {
  ENGINE_STATE_NAMES,
  HISTORY_STATE_NAMES,
  HOP_STATE_NAMES,
  REASON_NAMES,
  SPOOL_STATE_NAMES,
} from '../i18n/words-mail.ts';
import { State, type Tone } from './basics.tsx';

const TONES: Readonly<Record<string, Tone>> = {
  delivered: 'ok',
  up: 'ok',
  ok: 'ok',
  queued: 'busy',
  active: 'busy',
  incoming: 'busy',
  starting: 'busy',
  running: 'busy',
  deferred: 'warn',
  held: 'warn',
  quarantined: 'warn',
  slow: 'warn',
  warning: 'warn',
  'not-taken': 'warn',
  bounced: 'bad',
  expired: 'bad',
  rejected: 'bad',
  refused: 'bad',
  corrupt: 'bad',
  down: 'bad',
  failed: 'bad',
};

export function toneOf(state: string): Tone {
  return TONES[state] ?? 'idle';
}

export function MailState({ state }: { state: string }) {
  return <State tone={toneOf(state)}>{word(HISTORY_STATE_NAMES, state)}</State>;
}

export function SpoolState({ state }: { state: string }) {
  return <State tone={toneOf(state)}>{word(SPOOL_STATE_NAMES, state)}</State>;
}

export function EngineState({ state }: { state: string }) {
  return <State tone={toneOf(state)}>{word(ENGINE_STATE_NAMES, state)}</State>;
}

export function HopState({ state }: { state: string }) {
  return <State tone={toneOf(state)}>{word(HOP_STATE_NAMES, state)}</State>;
}

export function Reason({ reason }: { reason: string }) {
  return <>{word(REASON_NAMES, reason)}</>;
}
