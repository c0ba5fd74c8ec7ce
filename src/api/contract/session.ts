/**
 * Logging in and out, and a user's own affairs: password, second factor, sessions. Changes that need proof of the person
 * ask for POST /session/confirm first (code CONFIRM_NEEDED).
 */
import { z } from 'zod';
import { PERMISSIONS, ROLES } from './access.ts';
import { operation } from './operation.ts';
import { byOwnId, count, language, time } from './shapes.ts';

export const userName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,63}$/, 'Give a name of lower-case letters, digits, dots and hyphens');
/** The rules (length, not among the common ones, not the name) are checked by the server: code PASSWORD_WEAK. */
export const newPassword = z.string().min(1).max(256);
const password = z.string().min(1).max(256);
/** Six digits of the app, or a recovery code. */
const secondFactor = z.string().min(6).max(40);

export const me = z.object({
  user: z.object({ id: z.string(), name: z.string(), role: z.enum(ROLES), language, totp: z.boolean() }),
  permissions: z.array(z.enum(PERMISSIONS)),
  /** How it ends: idle, at the latest. */
  idleEndsAt: time,
  endsAt: time,
  /** Until then no password is asked again. */
  confirmedUntil: time.optional(),
  /** The password was set by somebody else: it must be changed before anything else. */
  mustChangePassword: z.boolean(),
});

export const session = z.object({
  id: z.string(),
  current: z.boolean(),
  since: time,
  lastSeenAt: time,
  address: z.string(),
  userAgent: z.string(),
});

export const SESSION_OPERATIONS = {
  'session.show': operation('GET', '/session', {
    summary: { ja: '誰としてログインしているか', en: 'Who is logged in' },
    access: 'public',
    /** `me` is absent without a login. */
    response: z.object({
      claimed: z.boolean(),
      hostname: z.string(),
      language,
      version: z.string(),
      /** IANA name of the box’s zone, and the time by its clock. */
      zone: z.string(),
      now: time,
      me: me.optional(),
    }),
  }),
  'session.login': operation('POST', '/session', {
    summary: { ja: 'ログイン', en: 'Log in' },
    access: 'public',
    /** 401 LOGIN_FAILED · 401 CODE_NEEDED: ask for the second factor and send all again · 429 LOCKED with retryAfter. */
    body: z.strictObject({ user: userName, password, code: secondFactor.exactOptional() }),
    response: me,
  }),
  'session.logout': operation('DELETE', '/session', {
    summary: { ja: 'ログアウト', en: 'Log out' },
    access: 'login',
  }),
  'session.confirm': operation('POST', '/session/confirm', {
    summary: { ja: '重要な操作の前の本人確認', en: 'The password again, before what matters' },
    access: 'login',
    body: z.strictObject({ password, code: secondFactor.exactOptional() }),
    response: me,
  }),
  'session.list': operation('GET', '/account/sessions', {
    summary: { ja: '自分のセッション', en: 'One’s own sessions' },
    access: 'login',
    response: z.object({ sessions: z.array(session) }),
  }),
  'session.revoke': operation('DELETE', '/account/sessions/{id}', {
    summary: { ja: 'セッションを終わらせる', en: 'End a session' },
    access: 'login',
    params: byOwnId,
  }),
  'session.revoke-others': operation('DELETE', '/account/sessions', {
    summary: { ja: '他のセッションをすべて終わらせる', en: 'End all other sessions' },
    access: 'login',
    response: z.object({ ended: count }),
  }),
  'account.update': operation('PATCH', '/account', {
    summary: { ja: '表示言語', en: 'Language of the pages' },
    access: 'login',
    body: z.strictObject({ language }),
    response: me,
  }),
  'account.password': operation('PUT', '/account/password', {
    summary: { ja: 'パスワードの変更', en: 'Change one’s password' },
    access: 'login',
    body: z.strictObject({ current: password, password: newPassword }),
    response: me,
  }),
  'account.totp-begin': operation('POST', '/account/totp', {
    summary: { ja: '二段階認証の準備', en: 'Prepare the second factor' },
    access: 'login',
    confirm: true,
    body: z.strictObject({}),
    /** `qr`: an SVG image of `url`, for a `data:` source or a download, never as markup. */
    response: z.object({ secret: z.string(), url: z.string(), qr: z.string() }),
  }),
  'account.totp-finish': operation('POST', '/account/totp/finish', {
    summary: { ja: '二段階認証を有効にする', en: 'Switch the second factor on' },
    access: 'login',
    confirm: true,
    body: z.strictObject({ code: z.string().regex(/^\d{6}$/, 'Give the six digits of the app') }),
    response: z.object({ recoveryCodes: z.array(z.string()) }),
  }),
  'account.totp-remove': operation('DELETE', '/account/totp', {
    summary: { ja: '二段階認証を解除する', en: 'Switch the second factor off' },
    access: 'login',
    confirm: true,
  }),
  'account.recovery-codes': operation('POST', '/account/recovery-codes', {
    summary: { ja: '新しい回復コード', en: 'New recovery codes' },
    access: 'login',
    confirm: true,
    body: z.strictObject({}),
    response: z.object({ recoveryCodes: z.array(z.string()) }),
  }),
} as const;
