/**
 * The first visit and the wizard. Until the box is claimed only these (and GET /session) answer. The claim needs the one-time
 * setup code of the console. The wizard's own state is kept by the server, so that it goes on after a reload or in another
 * browser; each step saves by the operations of its page.
 */
import { z } from 'zod';
import { operation } from './operation.ts';
import { me, newPassword, userName } from './session.ts';
import { count, language, mailAddress, ownId, step, time } from './shapes.ts';

export const WIZARD_STEPS = [
  'language',
  'account',
  'network',
  'time',
  'domains',
  'outgoing',
  'protection',
  'dns',
  'round-trip',
] as const;

const wizard = z.object({
  /** Where to go on. */
  step: z.enum(WIZARD_STEPS),
  done: z.array(z.enum(WIZARD_STEPS)),
  skipped: z.array(z.enum(WIZARD_STEPS)),
  finished: z.boolean(),
  /** What was typed and not saved yet, by step; no secrets. */
  draft: z.record(z.string(), z.unknown()),
});

const roundTrip = z.object({
  id: z.string(),
  state: z.enum(['running', 'ok', 'failed']),
  startedAt: time,
  steps: z.array(step),
  /** Of the test message; its page shows the whole trail. */
  queueId: z.string().optional(),
});

export const SETUP_OPERATIONS = {
  'setup.show': operation('GET', '/setup', {
    summary: { ja: '初期設定の状態', en: 'Is the box claimed' },
    access: 'public',
    response: z.object({
      claimed: z.boolean(),
      hostname: z.string(),
      language,
      version: z.string(),
      /** Of the certificate of these pages: SHA-256 in pairs with colons, as browsers show it. */
      fingerprint: z.string(),
      /** The console asked for a reset of access: POST /setup/claim with its new code sets a new password. */
      resetPending: z.boolean(),
      /** The data partition cannot be used: there is nothing to claim, and what is done here is forgotten at the next start. */
      noData: z.boolean(),
      code: z.object({
        /** open: a code is wanted · expired: ask the console for a new one · locked: too many tries · used: claimed. */
        state: z.enum(['open', 'expired', 'locked', 'used']),
        endsAt: time.optional(),
        triesLeft: count,
        retryAfter: count.optional(),
      }),
    }),
  }),
  'setup.claim': operation('POST', '/setup/claim', {
    summary: { ja: '最初の管理者を登録する', en: 'Claim the box: make the first admin' },
    access: 'public',
    /** The code as typed: case, spaces and hyphens do not matter. 403 CODE_WRONG, CODE_EXPIRED · 409 CLAIMED · 429 LOCKED. */
    body: z.strictObject({ code: z.string().min(1).max(64), user: userName, password: newPassword, language }),
    response: me,
  }),
  'wizard.show': operation('GET', '/setup/wizard', {
    summary: { ja: 'ウィザードの進み具合', en: 'Where the wizard stands' },
    access: 'config.read',
    response: wizard,
  }),
  'wizard.save': operation('PUT', '/setup/wizard', {
    summary: { ja: 'ウィザードの進み具合を保存する', en: 'Keep where the wizard stands' },
    access: 'config.change',
    body: wizard.strict(),
    response: wizard,
  }),
  'round-trip.start': operation('POST', '/setup/round-trip', {
    summary: { ja: '試験メールを送る', en: 'Send a real test message through the box' },
    access: 'config.change',
    /** To one of the office's own mailboxes: through our own MX listener, inspection and delivery to the mail server. */
    body: z.strictObject({ recipient: mailAddress }),
    response: roundTrip,
  }),
  'round-trip.show': operation('GET', '/setup/round-trip/{id}', {
    summary: { ja: '試験メールの行方', en: 'How far the test message is' },
    access: 'config.read',
    params: z.strictObject({ id: ownId }),
    response: roundTrip,
  }),
} as const;
