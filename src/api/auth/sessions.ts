/**
 * Sessions of the pages: an opaque random cookie, of which only the hash is kept. Idle for 15 minutes or 8 hours old it is
 * over; it ends at once when its user is disabled, deleted, or gets another password. A login always makes a new one, so
 * that no session that somebody planted before can be taken over (fixation).
 */
import type { AdminDatabase } from '../store/database.ts';
import { digest, makeId, makeSecret } from './secrets.ts';
import type { User, Users } from './users.ts';

export const IDLE_MS = 15 * 60_000;
export const TOTAL_MS = 8 * 3_600_000;
/** How long one confirmation of the password holds. */
export const CONFIRM_MS = 5 * 60_000;
/** A step of the idle clock that is worth a write. */
const SEEN_STEP_MS = 10_000;
const MOST_PER_USER = 20;
/** A clock may be set back by so much under a session. One from further ahead would never grow idle: it is over. */
const AHEAD_MS = 5 * 60_000;

export interface Session {
  id: string;
  userId: string;
  createdAt: number;
  seenAt: number;
  confirmedUntil: number;
  address: string;
  userAgent: string;
}

export interface Sessions {
  /** The cookie's value is given this once. */
  begin(user: User, from: { address: string; userAgent: string }): { session: Session; cookie: string };
  /** Living ones only. `touch`: somebody is there; background refreshing is nobody. */
  find(cookie: string, options: { touch: boolean }): { session: Session; user: User } | undefined;
  ofUser(userId: string): Session[];
  confirm(id: string): Session | undefined;
  /** True when there was one. */
  end(userId: string, id: string): boolean;
  /** How many ended. */
  endAll(userId: string, options?: { except?: string }): number;
}

export function createSessions(store: AdminDatabase, users: Users, now: () => number): Sessions {
  const { database } = store;
  const alive = (): [number, number, number] => [now() - IDLE_MS, now() - TOTAL_MS, now() + AHEAD_MS];
  const living = 'seen_at > ? AND created_at > ? AND seen_at <= ?';
  const sweep = (): void => void database.prepare(`DELETE FROM sessions WHERE NOT (${living})`).run(...alive());
  const ofUser = (userId: string): Session[] =>
    database
      .prepare(`SELECT * FROM sessions WHERE user_id = ? AND ${living} ORDER BY seen_at DESC`)
      .all(userId, ...alive())
      .map(sessionOf);
  return {
    begin: (user, { address, userAgent }) => {
      sweep();
      const cookie = makeSecret();
      const session: Session = {
        id: makeId(),
        userId: user.id,
        createdAt: now(),
        seenAt: now(),
        confirmedUntil: now() + CONFIRM_MS,
        address,
        userAgent: userAgent.slice(0, 300),
      };
      for (const old of ofUser(user.id).slice(MOST_PER_USER - 1))
        database.prepare('DELETE FROM sessions WHERE id = ?').run(old.id);
      database
        .prepare(
          'INSERT INTO sessions (id, hash, user_id, created_at, seen_at, confirmed_until, address, user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        )
        .run(
          session.id,
          digest(cookie),
          user.id,
          session.createdAt,
          session.seenAt,
          session.confirmedUntil,
          address,
          session.userAgent,
        );
      return { session, cookie };
    },
    find: (cookie, { touch }) => {
      const row = database
        .prepare(`SELECT * FROM sessions WHERE hash = ? AND ${living}`)
        .get(digest(cookie), ...alive());
      if (row === undefined) return undefined;
      const session = sessionOf(row);
      const user = users.byId(session.userId);
      if (user === undefined || !user.enabled) return undefined;
      if (touch && now() - session.seenAt > SEEN_STEP_MS) {
        session.seenAt = now();
        database.prepare('UPDATE sessions SET seen_at = ? WHERE id = ?').run(session.seenAt, session.id);
      }
      return { session, user };
    },
    ofUser,
    confirm: (id) => {
      database.prepare('UPDATE sessions SET confirmed_until = ? WHERE id = ?').run(now() + CONFIRM_MS, id);
      const row = database.prepare('SELECT * FROM sessions WHERE id = ?').get(id);
      return row === undefined ? undefined : sessionOf(row);
    },
    end: (userId, id) =>
      database.prepare('DELETE FROM sessions WHERE user_id = ? AND id = ?').run(userId, id).changes === 1,
    endAll: (userId, { except = '' } = {}) =>
      Number(database.prepare('DELETE FROM sessions WHERE user_id = ? AND id <> ?').run(userId, except).changes),
  };
}

function sessionOf(row: Record<string, unknown>): Session {
  return {
    id: String(row['id']),
    userId: String(row['user_id']),
    createdAt: Number(row['created_at']),
    seenAt: Number(row['seen_at']),
    confirmedUntil: Number(row['confirmed_until']),
    address: String(row['address']),
    userAgent: String(row['user_agent']),
  };
}
