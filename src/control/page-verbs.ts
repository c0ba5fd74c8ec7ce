/**
 * Verbs of the pages: the octets of a message, figures of the history, the queue at a glance. Part of the gateway's table
 * (contract.ts).
 */
import { z } from 'zod';
import * as shape from './shapes.ts';
import { verb } from './verb.ts';

const ADMIN = ['admin'] as const;
const whole = z.union([
  z.number().int().min(0),
  z
    .string()
    .regex(/^\d{1,16}$/, 'Give a whole number')
    .transform(Number),
]);
const address = z.string().min(3).max(320).includes('@');
const named = z.array(z.object({ name: z.string(), messages: shape.count, octets: shape.count }));

/** Octets of one answer. */
export const MOST_BODY_PART = 4 * 1024 * 1024;

export const PAGE_VERBS = {
  /** All that waits, the quarantine not: how much, where to, since when, why. */
  'queue.summary': verb('GET', '/v1/queue/summary', {
    callers: ['cli', 'admin'],
    request: z.strictObject({}),
    response: z.object({
      total: shape.count,
      states: z.object({
        incoming: shape.count,
        active: shape.count,
        deferred: shape.count,
        held: shape.count,
        corrupt: shape.count,
      }),
      /** Of the oldest message on its way. */
      oldestMs: shape.count.optional(),
      /** The 500 with the most messages, those first. */
      destinations: z.array(
        z.object({
          /** Empty: the bare `postmaster`. */
          domain: z.string(),
          messages: shape.count,
          octets: shape.count,
          oldestAt: shape.time,
          nextAttemptAt: shape.time.optional(),
          state: z.enum(['up', 'down', 'unknown']),
          lastReply: z.string().optional(),
        }),
      ),
      /** Younger than `belowMs`; the last has none. */
      ages: z.array(z.object({ belowMs: shape.count.optional(), messages: shape.count })),
      reasons: z.array(z.object({ reason: z.string(), messages: shape.count })),
    }),
  }),
  /** The message as it came, a part at a time; `next`: where to go on. The hash is checked where the last part is read. */
  'message.body': verb('GET', '/v1/message/body', {
    callers: ADMIN,
    deadlineMs: 60_000,
    request: z.strictObject({
      id: z.string().min(1).max(100),
      offset: whole.default(0),
      limit: whole.pipe(z.number().min(1).max(MOST_BODY_PART)).default(MOST_BODY_PART),
    }),
    response: z.object({ base64: z.string(), size: shape.count, next: shape.count.optional() }),
  }),
  'history.report': verb('GET', '/v1/history/report', {
    callers: ADMIN,
    deadlineMs: 60_000,
    /** Wall clock, ms; `to` not included; at most 400 steps. */
    request: z
      .strictObject({ from: whole, to: whole, step: whole })
      .refine(({ from, to, step }) => to > from && step >= 60_000 && (to - from) / step <= 400, 'Give a span of time'),
    response: z.object({
      groups: z.array(
        z.object({
          step: z.number(),
          state: z.string(),
          reason: z.string(),
          messages: shape.count,
          octets: shape.count,
        }),
      ),
      senders: named,
      senderDomains: named,
      recipients: named,
      viruses: named,
      delays: z.object({ p50: shape.count, p90: shape.count, p99: shape.count, most: shape.count }).optional(),
      partial: z.boolean(),
    }),
  }),
  /** Every setting: what it is for, its kind and default. */
  'config.reference': verb('GET', '/v1/config/reference', {
    callers: ADMIN,
    request: z.strictObject({}),
    response: z.object({
      keys: z.array(
        z.object({
          path: z.string(),
          type: z.string(),
          default: z.unknown().optional(),
          values: z.array(z.string()).optional(),
          text: shape.text,
        }),
      ),
    }),
  }),
  /** What watching only would have stopped, by step of time. */
  'history.watched': verb('GET', '/v1/history/watched', {
    callers: ADMIN,
    request: z.strictObject({ from: whole, to: whole, step: whole }),
    response: z.object({
      groups: z.array(
        z.object({ step: z.number().int(), action: z.string(), reason: z.string(), messages: shape.count }),
      ),
    }),
  }),
  /** All that the history keeps of one address, a page at a time, as it stands there. */
  'history.person': verb('GET', '/v1/history/person', {
    callers: ADMIN,
    deadlineMs: 60_000,
    request: z.strictObject({ address, after: whole.default(0) }),
    response: z.object({ entries: z.array(z.record(z.string(), z.unknown())), next: shape.count.optional() }),
  }),
  /** A pseudonym in the place of the address, in all that the box has no message of any more; samples of it go. */
  'history.forget': verb('POST', '/v1/history/forget', {
    callers: ADMIN,
    deadlineMs: 60_000,
    request: z.strictObject({ address, pseudonym: address, after: whole.default(0) }),
    response: z.object({
      messages: shape.count,
      waiting: shape.count,
      samples: shape.count,
      next: shape.count.optional(),
    }),
  }),
  'history.scores': verb('GET', '/v1/history/scores', {
    callers: ADMIN,
    request: z.strictObject({ from: whole }),
    response: z.object({ scores: z.array(z.number()) }),
  }),
} as const;
