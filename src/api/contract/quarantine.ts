/** The quarantine: triage, release, delete with undo. What is written in a mail is GET /messages/{id}/content. */
import { z } from 'zod';
import { client, decision, finding, quarantineEntry } from '../../control/shapes.ts';
import { operation } from './operation.ts';
import { bulkResult, byQueueId, count, cursor, ids, inLanguage, limit, mailAddress, word } from './shapes.ts';

export const QUARANTINE_OPERATIONS = {
  'quarantine.list': operation('GET', '/quarantine', {
    summary: { ja: '隔離（新しい順）', en: 'The quarantine, newest first' },
    access: 'mail.search',
    query: z.strictObject({
      text: word.exactOptional(),
      sender: word.exactOptional(),
      recipient: word.exactOptional(),
      limit,
      cursor,
    }),
    response: z.object({ entries: z.array(quarantineEntry), total: count, cursor: z.string().optional() }),
  }),
  'quarantine.show': operation('GET', '/quarantine/{id}', {
    summary: { ja: '隔離されたメールの詳細', en: 'One quarantined message: why it is here' },
    access: 'mail.search',
    params: byQueueId,
    query: inLanguage,
    response: quarantineEntry.extend({
      client,
      messageId: z.string(),
      decisions: z.array(decision),
      findings: z.array(finding),
      /** Why, in sentences. */
      lines: z.array(z.string()),
      /** Release asks for `force`: a virus, or nobody could look. */
      needsForce: z.boolean(),
    }),
  }),
  'quarantine.release': operation('POST', '/quarantine/release', {
    summary: { ja: '解放して配送する', en: 'Release: deliver after all' },
    access: 'mail.release',
    deadlineMs: 120_000,
    body: z.strictObject({
      ids,
      /** Of one message only; without it: all. */
      recipients: z.array(mailAddress).min(1).max(500).exactOptional(),
      /** Needed for a virus, and for mail nobody looked into; for people who may change settings only. */
      force: z.boolean().default(false),
    }),
    response: bulkResult,
  }),
  'quarantine.delete': operation('POST', '/quarantine/delete', {
    summary: { ja: '削除する（10 分間は取り消せる）', en: 'Delete, with ten minutes to undo' },
    access: 'mail.release',
    deadlineMs: 120_000,
    body: z.strictObject({ ids }),
    response: bulkResult,
  }),
  'quarantine.undelete': operation('POST', '/quarantine/undelete', {
    summary: { ja: '削除を取り消す', en: 'Undo a deletion' },
    access: 'mail.release',
    body: z.strictObject({ ids }),
    response: bulkResult,
  }),
} as const;
