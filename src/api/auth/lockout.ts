/**
 * Slows down guessing without locking anybody out for good. Failures are counted for each pair of account and client
 * address (IPv6: /64), or, where the browser carries the mark of an earlier login to that account, for that mark: somebody
 * else's guesses, even from behind the same address, then cost its owner nothing. Besides, each address has a budget over all
 * accounts. Five failures are free; then the pause doubles from 30 s up to 15 min. Kept over restarts; a pause longer than any
 * we make was counted by a clock that has been set back since, and is over.
 */
import type { AdminDatabase } from '../store/database.ts';

const FREE = 5;
const FREE_ADDRESS = 30;
const FIRST_MS = 30_000;
const MOST_MS = 900_000;
const FORGET_MS = 86_400_000;

export interface Lockout {
  /** Milliseconds until the next try counts; 0: now. */
  waitMs(buckets: readonly string[]): number;
  failed(buckets: readonly string[]): void;
  /** A failure that was counted in advance was none. */
  forgive(buckets: readonly string[]): void;
  succeeded(buckets: readonly string[]): void;
}

/** `known`: the mark of this browser's earlier login to the account. */
export function bucketsOf(user: string, address: string, known?: string): string[] {
  return known === undefined ? [`pair:${user}:${address}`, `address:${address}`] : [`mark:${user}:${known}`];
}

export function createLockout(store: AdminDatabase, now: () => number): Lockout {
  const { database } = store;
  const read = database.prepare('SELECT * FROM failures WHERE bucket = ?');
  const write = database.prepare(
    'INSERT OR REPLACE INTO failures (bucket, count, last_at, locked_until) VALUES (?, ?, ?, ?)',
  );
  const remove = database.prepare('DELETE FROM failures WHERE bucket = ?');
  const sweep = database.prepare('DELETE FROM failures WHERE last_at < ?');
  const take = database.prepare('UPDATE failures SET count = max(0, count - 1), locked_until = 0 WHERE bucket = ?');
  return {
    waitMs: (buckets) => {
      const waits = buckets.map((bucket) => Number(read.get(bucket)?.['locked_until'] ?? 0) - now());
      return Math.max(0, ...waits.filter((wait) => wait <= MOST_MS));
    },
    failed: (buckets) => {
      sweep.run(now() - FORGET_MS);
      for (const bucket of buckets) {
        const count = Number(read.get(bucket)?.['count'] ?? 0) + 1;
        const over = count - (bucket.startsWith('address:') ? FREE_ADDRESS : FREE);
        const pause = over < 0 ? 0 : Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(over, 10));
        write.run(bucket, count, now(), pause === 0 ? 0 : now() + pause);
      }
    },
    forgive: (buckets) => {
      for (const bucket of buckets) take.run(bucket);
    },
    succeeded: (buckets) => {
      // the address keeps its count: one good account must not buy guesses at the others
      for (const bucket of buckets) if (!bucket.startsWith('address:')) remove.run(bucket);
    },
  };
}
