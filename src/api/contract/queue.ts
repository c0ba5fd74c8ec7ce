/** The queue: what waits, where to, since when, why; and what an operator does about it. */
import { z } from 'zod';
import { messageDetails, queueEntry } from '../../control/shapes.ts';
import { operation } from './operation.ts';
import { bulkResult, byQueueId, configChange, count, cursor, ids, limit, time, word } from './shapes.ts';

/** `busy`: being delivered at this moment, left alone. `more`: call again, it goes on. */
const domainResult = z.object({ count, busy: count, more: z.boolean() });

export const QUEUE_OPERATIONS = {
  'queue.list': operation('GET', '/queue', {
    summary: { ja: 'キュー', en: 'The queue' },
    access: 'mail.search',
    query: z.strictObject({
      /** all: everything but the quarantine. */
      state: z.enum(['all', 'incoming', 'active', 'deferred', 'held', 'corrupt']).default('all'),
      hop: word.exactOptional(),
      /** Of a recipient. */
      domain: word.exactOptional(),
      limit,
      cursor,
    }),
    response: z.object({ entries: z.array(queueEntry), total: count, cursor: z.string().optional() }),
  }),
  'queue.summary': operation('GET', '/queue/summary', {
    summary: { ja: 'キューの内訳', en: 'The queue by destination, age and reason' },
    access: 'mail.search',
    response: z.object({
      total: count,
      /** Of `total`, how many were looked at: all of them. */
      counted: count,
      destinations: z.array(
        z.object({
          domain: z.string(),
          messages: count,
          octets: count,
          oldestAt: time,
          nextAttemptAt: time.optional(),
          state: z.enum(['up', 'down', 'unknown']),
          /** The last reply that was heard, as it came. */
          lastReply: z.string().optional(),
        }),
      ),
      ages: z.array(
        z.object({ /** Younger than this; the last has none. */ belowMs: count.optional(), messages: count }),
      ),
      reasons: z.array(z.object({ reason: z.string(), messages: count })),
    }),
  }),
  'queue.show': operation('GET', '/queue/{id}', {
    summary: { ja: 'キューのメールの詳細', en: 'One message of the queue' },
    access: 'mail.search',
    params: byQueueId,
    response: messageDetails,
  }),
  'queue.retry': operation('POST', '/queue/retry', {
    summary: { ja: '今すぐ再試行する', en: 'Try again now' },
    access: 'queue.operate',
    /** Exactly one of them. */
    body: z.union([
      z.strictObject({ ids }),
      z.strictObject({ hop: word }),
      z.strictObject({ domain: word }),
      z.strictObject({ all: z.literal(true) }),
    ]),
    response: z.object({ count }),
  }),
  'queue.hold': operation('POST', '/queue/hold', {
    summary: { ja: '保留する', en: 'Hold' },
    access: 'queue.operate',
    body: z.strictObject({ ids }),
    response: bulkResult,
  }),
  'queue.unhold': operation('POST', '/queue/unhold', {
    summary: { ja: '保留を解く', en: 'Let go what was held' },
    access: 'queue.operate',
    /** `force`: needed for mail that was held because nobody could look into it. */
    body: z.strictObject({ ids, force: z.boolean().default(false) }),
    response: bulkResult,
  }),
  'queue.hold-domain': operation('POST', '/queue/hold-domain', {
    summary: { ja: '宛先ドメインごとに保留する', en: 'Hold all that waits for a domain' },
    access: 'queue.operate',
    deadlineMs: 70_000,
    body: z.strictObject({ domain: word }),
    response: domainResult,
  }),
  'queue.unhold-domain': operation('POST', '/queue/unhold-domain', {
    summary: { ja: '宛先ドメインごとに保留を解く', en: 'Let go all that was held for a domain' },
    access: 'queue.operate',
    deadlineMs: 70_000,
    body: z.strictObject({ domain: word }),
    response: domainResult,
  }),
  'queue.route': operation('POST', '/queue/route', {
    summary: { ja: '一時的に別の経路で送る', en: 'Send a domain’s mail another way until further notice' },
    access: 'queue.operate',
    /** Without `to`: the usual way again. */
    body: z.strictObject({
      domain: word,
      to: word.exactOptional(),
      protocol: z.enum(['smtp', 'lmtp']).exactOptional(),
    }),
    response: configChange.extend({ count }),
  }),
  'queue.delete': operation('POST', '/queue/delete', {
    summary: { ja: '削除する（10 分間は取り消せる）', en: 'Delete, with ten minutes to undo' },
    access: 'queue.operate',
    body: z.strictObject({ ids }),
    response: bulkResult,
  }),
  'queue.undelete': operation('POST', '/queue/undelete', {
    summary: { ja: '削除を取り消す', en: 'Undo a deletion' },
    access: 'queue.operate',
    body: z.strictObject({ ids }),
    response: bulkResult,
  }),
} as const;
