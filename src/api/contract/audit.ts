/** The audit: who changed what, who read whose mail. Append-only, each entry chained to the one before. */
import { z } from 'zod';
import { operation } from './operation.ts';
import { count, cursor, instant, limit, time, word } from './shapes.ts';

export const auditEntry = z.object({
  n: count,
  at: time,
  /** A user's name (for a login: whose was tried), `token NAME of USER`, `anonymous`. */
  actor: z.string(),
  address: z.string(),
  /** An operation's id, or `login.failed`, `setup.code` and the like. */
  action: z.string(),
  /** What it was done to: a queue id, a user, a setting's path. */
  target: z.string(),
  outcome: z.enum(['ok', 'refused', 'failed']),
  /** What was asked, secrets hidden. */
  detail: z.record(z.string(), z.unknown()),
  hash: z.string(),
});

const filters = {
  actor: word.exactOptional(),
  action: word.exactOptional(),
  target: word.exactOptional(),
  from: instant.exactOptional(),
  to: instant.exactOptional(),
};

export const AUDIT_OPERATIONS = {
  'audit.list': operation('GET', '/audit', {
    summary: { ja: '監査記録', en: 'The audit, newest first' },
    access: 'audit.read',
    query: z.strictObject({ ...filters, limit, cursor }),
    response: z.object({ entries: z.array(auditEntry), total: count, cursor: z.string().optional() }),
  }),
  'audit.verify': operation('GET', '/audit/verify', {
    summary: { ja: '改ざんがないか確かめる', en: 'Check the chain from the first entry to the last' },
    access: 'audit.read',
    deadlineMs: 60_000,
    /** `firstBad`: the first entry that does not fit the one before. */
    response: z.object({ ok: z.boolean(), entries: count, head: z.string(), firstBad: count.optional() }),
  }),
  'audit.export': operation('GET', '/audit/export', {
    summary: { ja: '監査記録を書き出す', en: 'The audit as JSON lines or CSV' },
    access: 'audit.read',
    query: z.strictObject({ ...filters, format: z.enum(['jsonl', 'csv']).default('jsonl') }),
    deadlineMs: 120_000,
    media: 'application/x-ndjson',
    response: z.string(),
  }),
} as const;
