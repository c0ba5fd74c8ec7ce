/**
 * The audit: who changed what, who read whose mail, who tried to log in. Append-only (triggers refuse the rest); each entry
 * carries the hash of the one before, so that a change by other hands shows at the entry where it was made. An entry is on
 * the disk before the answer goes out; when it cannot be written the operation is refused (AUDIT_UNAVAILABLE): no deed
 * without its record.
 */
import { createHash } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import { SekishoError } from '../../base/errors.ts';
import { safeText } from '../../mail/safe-text.ts';
import type { AdminDatabase } from '../store/database.ts';

export const OUTCOMES = ['ok', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof OUTCOMES)[number];

export interface AuditRecord {
  actor: string;
  address: string;
  action: string;
  target: string;
  outcome: AuditOutcome;
  detail: Record<string, unknown>;
}

export interface AuditEntry extends AuditRecord {
  n: number;
  /** Wall clock, ms. */
  at: number;
  hash: string;
}

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  target?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
}

export interface Audit {
  write(record: AuditRecord): void;
  list(
    filter: AuditFilter,
    page: { limit: number; before?: number },
  ): { entries: AuditEntry[]; total: number; next?: number };
  /** Oldest first, in pages of bounded size. */
  each(filter: AuditFilter): Generator<AuditEntry>;
  verify(): { ok: boolean; entries: number; head: string; firstBad?: number };
}

const GENESIS = '0'.repeat(64);
const MOST_DETAIL = 4_000;
const EXPORT_PAGE = 500;

export function createAudit(store: AdminDatabase, now: () => number): Audit {
  const { database } = store;
  const last = database.prepare('SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1');
  const insert = database.prepare(
    'INSERT INTO audit (n, at, actor, address, action, target, outcome, detail, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  function write(record: AuditRecord): void {
    const row = {
      at: now(),
      actor: safeText(record.actor, 200),
      address: record.address,
      action: record.action,
      target: safeText(record.target, 500),
      outcome: record.outcome,
      detail: clip(record.detail),
    };
    try {
      store.inTransaction(() => {
        const before = last.get();
        const n = Number(before?.['n'] ?? 0) + 1;
        const previous = String(before?.['hash'] ?? GENESIS);
        const values = [row.at, row.actor, row.address, row.action, row.target, row.outcome, row.detail] as const;
        insert.run(n, ...values, previous, hashOf([previous, n, ...values]));
      });
    } catch (error) {
      throw new SekishoError('AUDIT_UNAVAILABLE', 'The audit cannot be written', {
        retryable: true,
        cause: error,
        remedy: 'Look at the disk that holds the data of admin; nothing was done',
      });
    }
  }
  return {
    write,
    list: (filter, { limit, before }) => {
      const { sql, values } = where(filter);
      const total = Number(database.prepare(`SELECT count(*) AS c FROM audit WHERE ${sql}`).get(...values)?.['c'] ?? 0);
      const rows = database
        .prepare(`SELECT * FROM audit WHERE ${sql} AND n < ? ORDER BY n DESC LIMIT ?`)
        .all(...values, before ?? Number.MAX_SAFE_INTEGER, limit + 1);
      const entries = rows.slice(0, limit).map(entryOf);
      const next = rows.length > limit ? entries.at(-1)?.n : undefined;
      return { entries, total, ...(next === undefined ? {} : { next }) };
    },
    *each(filter) {
      const { sql, values } = where(filter);
      const read = database.prepare(`SELECT * FROM audit WHERE ${sql} AND n > ? ORDER BY n LIMIT ${EXPORT_PAGE}`);
      for (let after = 0; ; ) {
        const page = read.all(...values, after).map(entryOf);
        yield* page;
        if (page.length < EXPORT_PAGE) return;
        after = page.at(-1)?.n ?? after;
      }
    },
    verify: () => verifyChain(database.prepare('SELECT * FROM audit ORDER BY n').iterate()),
  };
}

function verifyChain(rows: Iterable<Record<string, unknown>>): ReturnType<Audit['verify']> {
  let head = GENESIS;
  let entries = 0;
  for (const row of rows) {
    entries += 1;
    const { n, at, actor, address, action, target, outcome, detail, previous, hash } = row;
    const expected = hashOf([previous, n, at, actor, address, action, target, outcome, detail]);
    if (Number(n) !== entries || previous !== head || hash !== expected)
      return { ok: false, entries, head, firstBad: Number(n) };
    head = String(hash);
  }
  return { ok: true, entries, head };
}

/** JSON keeps the borders between the parts: no two different rows give one text. */
function hashOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function where(filter: AuditFilter): { sql: string; values: SQLInputValue[] } {
  const parts: Array<[string, SQLInputValue]> = [];
  if (filter.actor !== undefined) parts.push(['instr(lower(actor), lower(?)) > 0', filter.actor]);
  if (filter.action !== undefined) parts.push(['instr(action, ?) > 0', filter.action]);
  if (filter.target !== undefined) parts.push(['instr(lower(target), lower(?)) > 0', filter.target]);
  if (filter.from !== undefined) parts.push(['at >= ?', filter.from]);
  if (filter.to !== undefined) parts.push(['at <= ?', filter.to]);
  return { sql: ['1 = 1', ...parts.map(([sql]) => sql)].join(' AND '), values: parts.map(([, value]) => value) };
}

function entryOf(row: Record<string, unknown>): AuditEntry {
  return {
    n: Number(row['n']),
    at: Number(row['at']),
    actor: String(row['actor']),
    address: String(row['address']),
    action: String(row['action']),
    target: String(row['target']),
    outcome: String(row['outcome']) as AuditOutcome,
    detail: JSON.parse(String(row['detail'])) as Record<string, unknown>,
    hash: String(row['hash']),
  };
}

function clip(detail: Record<string, unknown>): string {
  const text = JSON.stringify(detail);
  return text.length <= MOST_DETAIL ? text : JSON.stringify({ cut: `${text.slice(0, MOST_DETAIL)}…` });
}
