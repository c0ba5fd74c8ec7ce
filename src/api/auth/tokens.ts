/**
 * API tokens: `sekisho_<id>_<secret>`, shown once, kept as a hash. A token may do what its scopes say and its owner still
 * may; nothing that wants a person (sessions, passwords, what asks for the password again). It ends at its expiry, a year at most.
 */
import { PERMISSIONS, type Permission, permissionsOf } from '../contract/access.ts';
import type { AdminDatabase } from '../store/database.ts';
import { digest, makeId, makeSecret, sameText } from './secrets.ts';
import type { User, Users } from './users.ts';

export const MOST_TOKEN_MS = 366 * 86_400_000;
/** A last use that is worth a write. */
const USED_STEP_MS = 60_000;

export interface Token {
  id: string;
  userId: string;
  name: string;
  scopes: Permission[];
  createdAt: number;
  expiresAt: number;
  lastUsedAt: number | undefined;
}

export interface Tokens {
  create(
    user: User,
    token: { name: string; scopes: Permission[]; expiresAt: number },
  ): { token: Token; secret: string };
  /** Living ones only; `permissions` is what it may do now. */
  find(presented: string): { token: Token; user: User; permissions: Permission[] } | undefined;
  list(userId?: string): Token[];
  byId(id: string): Token | undefined;
  remove(id: string): void;
}

export function createTokens(store: AdminDatabase, users: Users, now: () => number): Tokens {
  const { database } = store;
  const rowOf = (id: string): Record<string, unknown> | undefined =>
    database.prepare('SELECT * FROM tokens WHERE id = ?').get(id);
  return {
    create: (user, { name, scopes, expiresAt }) => {
      const token: Token = {
        id: makeId(),
        userId: user.id,
        name,
        scopes: [...new Set(scopes)],
        createdAt: now(),
        expiresAt,
        lastUsedAt: undefined,
      };
      const secret = makeSecret();
      database
        .prepare(
          'INSERT INTO tokens (id, hash, user_id, name, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        )
        .run(token.id, digest(secret), user.id, name, token.scopes.join(' '), token.createdAt, expiresAt);
      return { token, secret: `sekisho_${token.id}_${secret}` };
    },
    find: (presented) => {
      const [, id = '', secret = ''] = /^sekisho_([0-9a-f]{16})_([\w-]{43})$/.exec(presented) ?? [];
      const row = id === '' ? undefined : rowOf(id);
      if (row === undefined || !sameText(digest(secret), String(row['hash']))) return undefined;
      const token = tokenOf(row);
      const user = users.byId(token.userId);
      if (token.expiresAt <= now() || user === undefined || !user.enabled || user.mustChangePassword) return undefined;
      if (now() - (token.lastUsedAt ?? 0) > USED_STEP_MS)
        database.prepare('UPDATE tokens SET last_used_at = ? WHERE id = ?').run(now(), token.id);
      const own = permissionsOf(user.role, user.contentAllowed);
      return { token, user, permissions: token.scopes.filter((scope) => own.includes(scope)) };
    },
    list: (userId) =>
      (userId === undefined
        ? database.prepare('SELECT * FROM tokens ORDER BY created_at').all()
        : database.prepare('SELECT * FROM tokens WHERE user_id = ? ORDER BY created_at').all(userId)
      ).map(tokenOf),
    byId: (id) => {
      const row = rowOf(id);
      return row === undefined ? undefined : tokenOf(row);
    },
    remove: (id) => void database.prepare('DELETE FROM tokens WHERE id = ?').run(id),
  };
}

function tokenOf(row: Record<string, unknown>): Token {
  const scopes = String(row['scopes']).split(' ');
  return {
    id: String(row['id']),
    userId: String(row['user_id']),
    name: String(row['name']),
    scopes: PERMISSIONS.filter((permission) => scopes.includes(permission)),
    createdAt: Number(row['created_at']),
    expiresAt: Number(row['expires_at']),
    lastUsedAt: row['last_used_at'] === null ? undefined : Number(row['last_used_at']),
  };
}
