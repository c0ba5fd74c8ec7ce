/** Users, their sessions and API tokens. The last admin can neither go nor lose the role. */
import { z } from 'zod';
import { PERMISSIONS, ROLES } from './access.ts';
import { operation } from './operation.ts';
import { newPassword, session, userName } from './session.ts';
import { byOwnId, count, instant, language, time } from './shapes.ts';

export const user = z.object({
  id: z.string(),
  name: z.string(),
  /** A person's name, for people. */
  fullName: z.string(),
  role: z.enum(ROLES),
  /** May read the content of mail; for helpdesk only, others have it by role or never. */
  contentAllowed: z.boolean(),
  language,
  enabled: z.boolean(),
  totp: z.boolean(),
  createdAt: time,
  lastLoginAt: time.optional(),
  mustChangePassword: z.boolean(),
  sessions: count,
});

export const token = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  scopes: z.array(z.enum(PERMISSIONS)),
  createdAt: time,
  expiresAt: time,
  lastUsedAt: time.optional(),
  expired: z.boolean(),
});

const fullName = z.string().max(100);

export const PEOPLE_OPERATIONS = {
  'users.list': operation('GET', '/users', {
    summary: { ja: '利用者', en: 'Users' },
    access: 'users.manage',
    response: z.object({ users: z.array(user) }),
  }),
  'users.create': operation('POST', '/users', {
    summary: { ja: '利用者を追加する', en: 'Add a user' },
    access: 'users.manage',
    confirm: true,
    body: z.strictObject({
      name: userName,
      fullName: fullName.default(''),
      role: z.enum(ROLES),
      contentAllowed: z.boolean().default(false),
      language: language.default('ja'),
      /** The user must change it at the first login. */
      password: newPassword,
    }),
    response: user,
  }),
  'users.show': operation('GET', '/users/{id}', {
    summary: { ja: '利用者の詳細', en: 'One user' },
    access: 'users.manage',
    params: byOwnId,
    response: user,
  }),
  'users.update': operation('PATCH', '/users/{id}', {
    summary: { ja: '利用者を変更する', en: 'Change a user' },
    access: 'users.manage',
    confirm: true,
    params: byOwnId,
    body: z.strictObject({
      fullName: fullName.exactOptional(),
      role: z.enum(ROLES).exactOptional(),
      contentAllowed: z.boolean().exactOptional(),
      language: language.exactOptional(),
      enabled: z.boolean().exactOptional(),
    }),
    response: user,
  }),
  'users.delete': operation('DELETE', '/users/{id}', {
    summary: { ja: '利用者を削除する', en: 'Delete a user' },
    access: 'users.manage',
    confirm: true,
    params: byOwnId,
  }),
  'users.password': operation('PUT', '/users/{id}/password', {
    summary: { ja: 'パスワードを再設定する', en: 'Set a user’s password' },
    access: 'users.manage',
    confirm: true,
    params: byOwnId,
    body: z.strictObject({ password: newPassword }),
  }),
  'users.totp-remove': operation('DELETE', '/users/{id}/totp', {
    summary: { ja: '二段階認証を解除する', en: 'Take away a lost second factor' },
    access: 'users.manage',
    confirm: true,
    params: byOwnId,
  }),
  'users.sessions': operation('GET', '/users/{id}/sessions', {
    summary: { ja: '利用者のセッション', en: 'A user’s sessions' },
    access: 'users.manage',
    params: byOwnId,
    response: z.object({ sessions: z.array(session) }),
  }),
  'users.sessions-end': operation('DELETE', '/users/{id}/sessions', {
    summary: { ja: '利用者のセッションを終わらせる', en: 'End a user’s sessions' },
    access: 'users.manage',
    params: byOwnId,
    response: z.object({ ended: count }),
  }),
  'tokens.list': operation('GET', '/tokens', {
    summary: { ja: 'API トークン', en: 'API tokens: one’s own; an admin sees all' },
    access: 'login',
    response: z.object({ tokens: z.array(token) }),
  }),
  'tokens.create': operation('POST', '/tokens', {
    summary: { ja: 'API トークンを作る', en: 'Make an API token' },
    access: 'login',
    confirm: true,
    /** Scopes the owner lacks are refused (403), and count no more once the owner loses them. At most a year. */
    body: z.strictObject({
      name: z.string().min(1).max(100),
      scopes: z.array(z.enum(PERMISSIONS)).min(1).max(PERMISSIONS.length),
      expiresAt: instant,
    }),
    /** `secret` is shown this once. Use: `Authorization: Bearer …`. */
    response: token.extend({ secret: z.string() }),
  }),
  'tokens.delete': operation('DELETE', '/tokens/{id}', {
    summary: { ja: 'API トークンを取り消す', en: 'Revoke an API token' },
    access: 'login',
    params: byOwnId,
  }),
} as const;
