/**
 * What several operations of the API speak of: pages of lists, ids, errors, results of work on many. Times are ISO 8601 in
 * UTC, ages and spans milliseconds, sizes octets; a text for people comes in both languages.
 */
import { z } from 'zod';
import { configChange, configProblem, count, language, text, time } from '../../control/shapes.ts';

export { configChange, configProblem, count, language, text, time };

/** Query parameters come as text. */
export const wholeNumber = z.union([
  z.number().int(),
  z
    .string()
    .regex(/^\d{1,15}$/, 'Give a whole number')
    .transform(Number),
]);
export const limit = wholeNumber.pipe(z.number().int().min(1).max(500)).default(50);
/** `cursor` of the page before, unchanged. */
export const cursor = z.string().min(1).max(500).exactOptional();
export const word = z.string().min(1).max(320);
export const queueId = z
  .string()
  .regex(
    /^[0-9A-HJKMNP-TV-Z]{7}-[0-9A-HJKMNP-TV-Z]{13}(?:\.d?\d{1,4}){0,8}$/,
    'Give a queue id like "0000K3M-7Q2ABCDEFGHJK"',
  );
export const byQueueId = z.strictObject({ id: queueId });
export const inLanguage = z.strictObject({ language: language.default('en') });
/** Our own numbers: users, sessions, tokens. */
export const ownId = z.string().regex(/^[a-z0-9]{1,40}$/, 'Give an id as listed');
export const byOwnId = z.strictObject({ id: ownId });
/** ISO 8601, or a day like `2026-11-21`. */
export const instant = z
  .string()
  .max(40)
  // within what a calendar can say in every zone
  .refine((value) => Math.abs(Date.parse(value) - 4e12) < 4e12, 'Give a time like "2026-11-21T09:00:00Z"');
export const domainName = z.string().min(1).max(253);
/** A name that may stand in a certificate: letters, digits, hyphens, dots. */
export const hostName = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'Give a host name like "mail.office.example"');
export const mailAddress = z.string().min(3).max(320).includes('@');

/** RFC 9457 with our own members. `message` and `remedy` are for people, `code` is for programs. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  message: text,
  remedy: text.optional(),
  /** Where the trouble is, as `body.password`, `query.limit`: for the field of a form. */
  fields: z.array(z.object({ path: z.string(), message: text })).optional(),
  /** To quote when asking for help; in the log too. */
  requestId: z.string(),
  /** Seconds after which it may be tried again. */
  retryAfter: count.optional(),
});
export type Problem = z.output<typeof problem>;

/** Work on several: each has its own outcome, and one that fails does not stop the others. */
export const ids = z.array(queueId).min(1).max(500);
export const bulkResult = z.object({
  done: count,
  failed: count,
  results: z.array(
    z.object({
      id: z.string(),
      ok: z.boolean(),
      /** Which id it has now, when another. */
      queuedAs: z.string().optional(),
      /** It was so before; nothing was done. */
      already: z.boolean().optional(),
      deletedUntil: time.optional(),
      code: z.string().optional(),
      message: text.optional(),
    }),
  ),
});

/** A part of a page that may fail by itself. */
export function card<T extends z.ZodType>(value: T) {
  return z.union([
    z.object({ ok: z.literal(true), value }),
    z.object({ ok: z.literal(false), code: z.string(), message: text, remedy: text.optional() }),
  ]);
}

/** A step of a test that is shown as it goes: probes, round trips. */
export const STEP_STATES = ['waiting', 'running', 'ok', 'warning', 'failed', 'skipped'] as const;
export const step = z.object({
  name: z.string(),
  state: z.enum(STEP_STATES),
  text,
  /** What the other side said, as it came: text, never markup. */
  detail: z.string().optional(),
  remedy: text.optional(),
  tookMs: count.optional(),
});
