/** The audit: list with filters, check of the chain, export as JSON lines or CSV. */
import { Readable } from 'node:stream';
import type { AuditEntry, AuditFilter } from '../audit/audit.ts';
import { csvHead, csvLine } from './csv.ts';
import { Content, type Some } from '../server/call.ts';
import { iso, type RouteParts } from './parts.ts';

export function auditHandlers({ audit, now }: RouteParts): Some<`audit.${'list' | 'verify' | 'export'}`> {
  return {
    'audit.list': ({ query }) => {
      const { limit, cursor } = query;
      const before = cursor !== undefined && /^\d{1,15}$/.test(cursor) ? { before: Number(cursor) } : {};
      const { entries, total, next } = audit.list(filterOf(query), { limit, ...before });
      return { entries: entries.map(row), total, ...(next === undefined ? {} : { cursor: String(next) }) };
    },
    'audit.verify': () => audit.verify(),
    'audit.export': ({ query }) => {
      const day = iso(now()).slice(0, 10);
      const csv = query.format === 'csv';
      const lines = csv ? asCsv(audit.each(filterOf(query))) : asJson(audit.each(filterOf(query)));
      return new Content(csv ? 'text/csv' : 'application/x-ndjson', Readable.from(lines, { objectMode: false }), {
        name: `sekisho-audit-${day}.${query.format}`,
      });
    },
  };
}

function filterOf(query: {
  actor?: string;
  action?: string;
  target?: string;
  from?: string;
  to?: string;
}): AuditFilter {
  const { actor, action, target, from, to } = query;
  return {
    actor,
    action,
    target,
    from: from === undefined ? undefined : Date.parse(from),
    to: to === undefined ? undefined : Date.parse(to),
  };
}

function row(entry: AuditEntry): Omit<AuditEntry, 'at'> & { at: string } {
  return { ...entry, at: iso(entry.at) };
}

function* asJson(entries: Iterable<AuditEntry>): Generator<string> {
  for (const entry of entries) yield `${JSON.stringify(row(entry))}\n`;
}

function* asCsv(entries: Iterable<AuditEntry>): Generator<string> {
  yield csvHead(['n', 'at', 'actor', 'address', 'action', 'target', 'outcome', 'detail', 'hash']);
  for (const entry of entries) {
    const { n, at, actor, address, action, target, outcome, detail, hash } = row(entry);
    yield csvLine([n, at, actor, address, action, target, outcome, JSON.stringify(detail), hash]);
  }
}
