/**
 * Figures out of the history, for reports and forecasts: counts by step of time, state and reason, who wrote and got most,
 * names of viruses, delays of delivery, spam scores. Each is one walk over a range of the primary key; lists and samples are
 * bounded, the newest first. Reading only.
 */
import type { DatabaseSync } from 'node:sqlite';
import { PROBE_SENDER_DOMAIN } from '../mail/probe.ts';
import { PER_MILLISECOND } from './history-schema.ts';

export interface ReportQuery {
  /** Wall clock, ms; `to` not included. */
  from: number;
  to: number;
  /** Length of a step, ms. */
  step: number;
}

export interface HistoryReport {
  groups: Array<{ step: number; state: string; reason: string; messages: number; octets: number }>;
  senders: Named[];
  senderDomains: Named[];
  recipients: Named[];
  viruses: Named[];
  /** Milliseconds, of a sample of deliveries, ascending. */
  delays: { p50: number; p90: number; p99: number; most: number } | undefined;
  /** The sample was cut. */
  partial: boolean;
}

export interface Watched {
  step: number;
  action: string;
  reason: string;
  messages: number;
}

export interface Named {
  name: string;
  messages: number;
  octets: number;
}

/** The box's mails to itself are no mail of the office. */
const NO_PROBE = `substr(reverse_path, -${PROBE_SENDER_DOMAIN.length + 1}) <> '@${PROBE_SENDER_DOMAIN}'`;
const MOST_NAMED = 20;
const MOST_SAMPLE = 20_000;
const MOST_SCORES = 20_000;

export function reportHistory(database: DatabaseSync, query: ReportQuery): HistoryReport {
  const low = query.from * PER_MILLISECOND;
  const high = query.to * PER_MILLISECOND - 1;
  const groups = database
    .prepare(
      // what a number is bound as is real, and real division would make a step of each message
      `SELECT CAST((n - ?) / ? AS INTEGER) AS step, state, CASE WHEN id IS NULL THEN 'refused' ELSE reason END AS why,
              count(*) AS messages, sum(size) AS octets
         FROM messages WHERE n BETWEEN ? AND ? AND ${NO_PROBE} GROUP BY 1, 2, 3`,
    )
    .all(low, query.step * PER_MILLISECOND, low, high)
    .map((row) => ({
      step: Number(row['step']),
      state: String(row['state']),
      reason: String(row['why']),
      messages: Number(row['messages']),
      octets: Number(row['octets']),
    }));
  const top = (column: string): Named[] =>
    database
      .prepare(
        `SELECT ${column} AS name, count(*) AS messages, sum(size) AS octets FROM messages
          WHERE n BETWEEN ? AND ? AND id IS NOT NULL AND reverse_path <> '' AND ${NO_PROBE}
          GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${MOST_NAMED}`,
      )
      .all(low, high)
      .map(named);
  const recipients = database
    .prepare(
      `SELECT r.address AS name, count(*) AS messages, sum(m.size) AS octets
         FROM recipients r JOIN messages m ON m.n = r.n
        WHERE r.n BETWEEN ? AND ? AND m.id IS NOT NULL AND ${NO_PROBE} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${MOST_NAMED}`,
    )
    .all(low, high)
    .map(named);
  const { delays, cut } = delaysOf(database, low, high);
  return {
    groups,
    senders: top('reverse_path'),
    senderDomains: top("substr(reverse_path, instr(reverse_path, '@') + 1)"),
    recipients,
    viruses: virusesOf(database, low, high),
    delays,
    partial: cut,
  };
}

/** What watching only would have stopped, by step of time, action and reason. */
export function watchedIn(database: DatabaseSync, query: ReportQuery): Watched[] {
  const low = query.from * PER_MILLISECOND;
  return database
    .prepare(
      `SELECT CAST((n - ?) / ? AS INTEGER) AS step, would, count(*) AS messages
         FROM messages INDEXED BY messages_would WHERE would IS NOT NULL AND n BETWEEN ? AND ? GROUP BY 1, 2`,
    )
    .all(low, query.step * PER_MILLISECOND, low, query.to * PER_MILLISECOND - 1)
    .map((row) => {
      const [action = '', reason = ''] = String(row['would']).split(' ');
      return { step: Number(row['step']), action, reason, messages: Number(row['messages']) };
    });
}

/** Spam scores of the newest messages since `from`, as the engine gave them. */
export function scoresSince(database: DatabaseSync, from: number): number[] {
  return database
    .prepare(
      `SELECT (SELECT json_extract(f.value, '$.score') FROM json_each(e.json, '$.findings') f
                WHERE json_extract(f.value, '$.kind') = 'spam' LIMIT 1) AS score
         FROM messages m JOIN events e ON e.n = m.n
        WHERE m.n >= ? AND m.direction = 'inbound' AND ${NO_PROBE} AND e.kind IN ('received', 'decided')
        ORDER BY m.n DESC LIMIT ${MOST_SCORES}`,
    )
    .all(from * PER_MILLISECOND)
    .flatMap((row) => (typeof row['score'] === 'number' ? [row['score']] : []));
}

function named(row: Record<string, unknown>): Named {
  return { name: String(row['name']), messages: Number(row['messages']), octets: Number(row['octets']) };
}

function virusesOf(database: DatabaseSync, low: number, high: number): Named[] {
  return database
    .prepare(
      `SELECT json_extract(f.value, '$.name') AS name, count(DISTINCT m.n) AS messages, sum(m.size) AS octets
         FROM messages m JOIN events e ON e.n = m.n, json_each(e.json, '$.findings') f
        WHERE m.n BETWEEN ? AND ? AND m.reason = 'virus' AND e.kind IN ('received', 'decided')
          AND json_extract(f.value, '$.kind') = 'virus'
        GROUP BY 1 ORDER BY 2 DESC LIMIT ${MOST_NAMED}`,
    )
    .all(low, high)
    .map(named);
}

function delaysOf(
  database: DatabaseSync,
  low: number,
  high: number,
): { delays: HistoryReport['delays']; cut: boolean } {
  const found = database
    .prepare(
      `SELECT json_extract(e.json, '$.delayMs') AS ms FROM messages m JOIN events e ON e.n = m.n
        WHERE m.n BETWEEN ? AND ? AND e.kind = 'delivered' AND ${NO_PROBE} ORDER BY m.n DESC LIMIT ${MOST_SAMPLE}`,
    )
    .all(low, high)
    .map((row) => Math.max(0, Math.round(Number(row['ms']))))
    .toSorted((a, b) => a - b);
  if (found.length === 0) return { delays: undefined, cut: false };
  const at = (share: number): number => found[Math.min(found.length - 1, Math.floor(found.length * share))] ?? 0;
  const delays = { p50: at(0.5), p90: at(0.9), p99: at(0.99), most: found.at(-1) ?? 0 };
  return { delays, cut: found.length === MOST_SAMPLE };
}
