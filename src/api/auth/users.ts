/**
 * The users: names, roles, passwords, second factors. There is always one enabled admin: whoever would take the last one away
 * is refused (LAST_ADMIN). Throws SekishoError NOT_FOUND, NAME_TAKEN, LAST_ADMIN, PASSWORD_WEAK. Durable when it returns.
 */
import type { Language } from '../../base/i18n.ts';
import type { SQLInputValue } from 'node:sqlite';
import { SekishoError } from '../../base/errors.ts';
import type { Role } from '../contract/access.ts';
import { ApiProblem } from '../server/problems.ts';
import type { AdminDatabase } from '../store/database.ts';
import { passwordTrouble } from './password-rules.ts';
import { digest, hashPassword, makeCode, makeId, readCode } from './secrets.ts';

export interface User {
  id: string;
  name: string;
  fullName: string;
  role: Role;
  contentAllowed: boolean;
  language: Language;
  enabled: boolean;
  /** The argon2id hash. */
  password: string;
  mustChangePassword: boolean;
  /** Base 32; set while the second factor is on. */
  totpSecret: string | undefined;
  /** Shown, not yet proven. */
  totpPending: string | undefined;
  /** Of the last code that was taken: none is taken twice. */
  totpCounter: number;
  createdAt: number;
  lastLoginAt: number | undefined;
}

export type UserChange = Partial<Pick<User, 'fullName' | 'role' | 'contentAllowed' | 'language' | 'enabled'>>;

export interface Users {
  all(): User[];
  byId(id: string): User | undefined;
  byName(name: string): User | undefined;
  /** Throws NOT_FOUND. */
  must(id: string): User;
  /** `field`: where the form has the password, for the error. */
  create(user: NewUser, options: { field: string }): Promise<User>;
  update(id: string, change: UserChange): User;
  setPassword(id: string, password: string, options: { field: string; mustChange: boolean }): Promise<void>;
  remove(id: string): void;
  loggedIn(id: string): void;
  setTotp(id: string, totp: { pending?: string | null; secret?: string | null; counter?: number }): void;
  newRecoveryCodes(id: string): string[];
  /** True once for each code. */
  useRecoveryCode(id: string, typed: string): boolean;
}

export interface NewUser {
  name: string;
  fullName: string;
  role: Role;
  contentAllowed: boolean;
  language: Language;
  password: string;
  mustChangePassword: boolean;
}

const RECOVERY_CODES = 10;

export function createUsers(store: AdminDatabase, now: () => number): Users {
  const { database } = store;
  const all = (): User[] => database.prepare('SELECT * FROM users ORDER BY name').all().map(userOf);
  const find = (column: 'id' | 'name', value: string): User | undefined => {
    const row = database.prepare(`SELECT * FROM users WHERE ${column} = ?`).get(value);
    return row === undefined ? undefined : userOf(row);
  };
  const must = (id: string): User => {
    const user = find('id', id);
    if (user === undefined) throw new SekishoError('NOT_FOUND', `There is no user "${id}"`);
    return user;
  };
  const set = (id: string, values: Record<string, SQLInputValue>): void => {
    const names = Object.keys(values);
    if (names.length === 0) return;
    database
      .prepare(`UPDATE users SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE id = ?`)
      .run(...Object.values(values), id);
  };
  const keepAnAdmin = (without: string): void => {
    if (all().some(({ id, role, enabled }) => id !== without && role === 'admin' && enabled)) return;
    throw new SekishoError('LAST_ADMIN', 'This is the last admin', {
      remedy: 'Make somebody else an admin first',
    });
  };
  return {
    all,
    byId: (id) => find('id', id),
    byName: (name) => find('name', name),
    must,
    create: async (user, { field }) => {
      mustBeGood(user.password, user.name, field);
      const hash = await hashPassword(user.password);
      if (find('name', user.name) !== undefined)
        throw new SekishoError('NAME_TAKEN', `There is a user "${user.name}" already`);
      const id = makeId();
      database
        .prepare(
          'INSERT INTO users (id, name, full_name, role, content_allowed, language, enabled, password, must_change, created_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?)',
        )
        .run(
          id,
          user.name,
          user.fullName,
          user.role,
          Number(user.contentAllowed),
          user.language,
          hash,
          Number(user.mustChangePassword),
          now(),
        );
      return must(id);
    },
    update: (id, change) => {
      const before = must(id);
      const loses = before.role === 'admin' && before.enabled;
      if (loses && ((change.role ?? 'admin') !== 'admin' || change.enabled === false)) keepAnAdmin(id);
      set(id, columnsOf(change));
      return must(id);
    },
    setPassword: async (id, password, { field, mustChange }) => {
      mustBeGood(password, must(id).name, field);
      const hash = await hashPassword(password);
      set(id, { password: hash, must_change: Number(mustChange) });
    },
    remove: (id) => {
      must(id);
      keepAnAdmin(id);
      database.prepare('DELETE FROM users WHERE id = ?').run(id);
    },
    loggedIn: (id) => set(id, { last_login_at: now() }),
    setTotp: (id, { pending, secret, counter }) => {
      set(id, {
        ...(pending === undefined ? {} : { totp_pending: pending }),
        ...(secret === undefined ? {} : { totp_secret: secret }),
        ...(counter === undefined ? {} : { totp_counter: counter }),
      });
      if (secret === null) database.prepare('DELETE FROM recovery_codes WHERE user_id = ?').run(id);
    },
    newRecoveryCodes: (id) => {
      const codes = Array.from({ length: RECOVERY_CODES }, () => makeCode(10));
      store.inTransaction(() => {
        database.prepare('DELETE FROM recovery_codes WHERE user_id = ?').run(id);
        const insert = database.prepare('INSERT INTO recovery_codes (user_id, hash) VALUES (?, ?)');
        for (const code of codes) insert.run(id, digest(readCode(code)));
      });
      return codes;
    },
    useRecoveryCode: (id, typed) => {
      const hash = digest(readCode(typed));
      return database.prepare('DELETE FROM recovery_codes WHERE user_id = ? AND hash = ?').run(id, hash).changes === 1;
    },
  };
}

function mustBeGood(password: string, name: string, field: string): void {
  const trouble = passwordTrouble(password, name);
  if (trouble !== undefined)
    throw new ApiProblem(422, 'PASSWORD_WEAK', { fields: [{ path: field, message: trouble }] });
}

function columnsOf(change: UserChange): Record<string, SQLInputValue> {
  return {
    ...(change.fullName === undefined ? {} : { full_name: change.fullName }),
    ...(change.role === undefined ? {} : { role: change.role }),
    ...(change.contentAllowed === undefined ? {} : { content_allowed: Number(change.contentAllowed) }),
    ...(change.language === undefined ? {} : { language: change.language }),
    ...(change.enabled === undefined ? {} : { enabled: Number(change.enabled) }),
  };
}

function userOf(row: Record<string, unknown>): User {
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    id: String(row['id']),
    name: String(row['name']),
    fullName: String(row['full_name']),
    role: String(row['role']) as Role,
    contentAllowed: row['content_allowed'] === 1,
    language: String(row['language']) as Language,
    enabled: row['enabled'] === 1,
    password: String(row['password']),
    mustChangePassword: row['must_change'] === 1,
    totpSecret: text(row['totp_secret']),
    totpPending: text(row['totp_pending']),
    totpCounter: Number(row['totp_counter']),
    createdAt: Number(row['created_at']),
    lastLoginAt: row['last_login_at'] === null ? undefined : Number(row['last_login_at']),
  };
}
