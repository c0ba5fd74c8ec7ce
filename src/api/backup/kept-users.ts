/**
 * The users in a backup: names, roles, password hashes, second factors, recovery codes. Restored as a whole, in one
 * transaction: who is not in the backup is gone, sessions and tokens end, the audit stays. A backup without an enabled admin
 * is refused, for nobody could log in any more.
 */
import { z } from 'zod';
import { ROLES } from '../contract/access.ts';
import { ApiProblem } from '../server/problems.ts';
import type { AdminDatabase } from '../store/database.ts';

const flag = z.union([z.literal(0), z.literal(1)]);

export const keptUser = z.strictObject({
  id: z.string().min(1).max(100),
  name: z.string().min(1).max(100),
  full_name: z.string().max(200),
  role: z.enum(ROLES),
  content_allowed: flag,
  language: z.enum(['ja', 'en']),
  enabled: flag,
  // bounded: a forged hash must not make every login take the whole memory
  password: z.string().regex(/^argon2id\$\d{1,6}\$\d{1,2}\$\d\$[A-Za-z0-9+/=]{10,200}\$[A-Za-z0-9+/=]{10,200}$/),
  must_change: flag,
  totp_secret: z.string().max(200).nullable(),
  totp_counter: z.number().int().min(0),
  created_at: z.number().int(),
  recovery: z.array(z.string().max(200)).max(100),
});
export type KeptUser = z.output<typeof keptUser>;

export function usersToKeep({ database }: AdminDatabase): KeptUser[] {
  const codes = database.prepare('SELECT hash FROM recovery_codes WHERE user_id = ? ORDER BY hash');
  return database
    .prepare(
      `SELECT id, name, full_name, role, content_allowed, language, enabled, password, must_change, totp_secret,
              totp_counter, created_at FROM users ORDER BY name`,
    )
    .all()
    .map((row) => keptUser.parse({ ...row, recovery: codes.all(String(row['id'])).map(({ hash }) => String(hash)) }));
}

/** Throws LAST_ADMIN where nobody could log in any more. */
export function mustHaveAdmin(users: readonly KeptUser[]): void {
  if (!users.some(({ role, enabled }) => role === 'admin' && enabled === 1)) throw new ApiProblem(422, 'LAST_ADMIN');
}

export function restoreUsers(store: AdminDatabase, users: readonly KeptUser[]): void {
  mustHaveAdmin(users);
  const { database } = store;
  store.inTransaction(() => {
    database.exec('DELETE FROM users');
    const code = database.prepare('INSERT INTO recovery_codes (user_id, hash) VALUES (?, ?)');
    for (const { recovery, ...user } of users) {
      const names = Object.keys(user);
      database
        .prepare(`INSERT INTO users (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`)
        .run(...Object.values(user));
      for (const hash of recovery) code.run(user.id, hash);
    }
  });
}
