/**
 * The one contract of the control sockets: which verbs there are, what each takes and gives, and who may call it. Server,
 * client, CLI and API are typed by this table. How it goes over the
 * wire stands in verb.ts. There is one socket per caller.
 */
import { z } from 'zod';
import { DIRECTIONS } from '../mail/envelope.ts';
import { BACKUP_VERBS } from './backup-verbs.ts';
import { CERTIFICATE_VERBS } from './certificate-verbs.ts';
import { MESSAGE_VERBS } from './message-verbs.ts';
import { PAGE_VERBS } from './page-verbs.ts';
import * as shape from './shapes.ts';
import { type HandlersOf, verb } from './verb.ts';

export const CALLERS = ['cli', 'admin', 'console', 'portal'] as const;
export type Caller = (typeof CALLERS)[number];

/** As in observe/history-api.ts, which control may not import; the gateway's handler is where the compiler compares them. */
export const HISTORY_STATES = [
  'corrupt',
  'incoming',
  'held',
  'quarantined',
  'deferred',
  'queued',
  'bounced',
  'expired',
  'rejected',
  'not-taken',
  'refused',
  'discarded',
  'deleted',
  'delivered',
  'moved',
] as const;

const OPERATORS = ['cli', 'admin', 'console'] as const;
const PEOPLE = ['cli', 'admin'] as const;

/** Typed by hand: either case, spaces around. Its shape is mail/queue-id.ts's; an id nobody has is the handler's NOT_FOUND. */
const queueId = z
  .string()
  .max(100)
  .transform((text) => lowerDsnMark(text.trim().toUpperCase()))
  .pipe(
    z
      .string()
      .regex(
        /^[0-9A-HJKMNP-TV-Z]{7}-[0-9A-HJKMNP-TV-Z]{13}(?:\.d?\d{1,4}){0,8}$/,
        'Give a queue id like "0000K3M-7Q2ABCDEFGHJK"',
      ),
  );
/** Query parameters come as text. */
const wholeNumber = z.union([
  z.number(),
  z
    .string()
    .regex(/^\d{1,15}$/, 'Give a whole number')
    .transform(Number),
]);
const limit = wholeNumber.pipe(z.number().int().min(1).max(500)).default(50);
const generationNumber = wholeNumber.pipe(z.number().int().min(1));
const cursor = z.string().min(1).max(500).exactOptional();
const word = z.string().min(1).max(320);
/** ISO 8601 or milliseconds since 1970; handlers get milliseconds. */
const instant = z.union([wholeNumber, z.string().max(40)]).transform((value, context): number => {
  const ms = typeof value === 'number' ? value : Date.parse(value);
  if (Number.isFinite(ms)) return ms;
  context.addIssue({ code: 'custom', message: 'Give a time like "2026-11-21T09:00:00Z"' });
  return z.NEVER;
});

const ticket = z.string().min(1).max(1_000);

/** Anything JSON can say, but not nothing at all. */
const jsonValue = z.unknown().refine((value) => value !== undefined, 'Give a value');

const nothing = z.strictObject({});
const byId = z.strictObject({ id: queueId });
const inLanguage = z.strictObject({ id: queueId, language: shape.language.default('en') });
const stateAnswer = z.object({ id: z.string(), state: shape.messageState });
const deleteAnswer = z.object({ id: z.string(), deletedUntil: shape.time });

/** `busy`: being delivered at this moment, left alone. */
const bulkAnswer = z.object({ count: shape.count, busy: shape.count, cursor: z.string().optional() });

/** Which messages to try again at once: exactly one way to name them. */
const retryRequest = z
  .strictObject({
    id: queueId.exactOptional(),
    hop: word.exactOptional(),
    domain: word.exactOptional(),
    all: z.literal(true).exactOptional(),
  })
  .refine((request) => Object.keys(request).length === 1, 'Name exactly one of id, hop, domain, all');

export const VERBS = {
  status: verb('GET', '/v1/status', { callers: OPERATORS, request: nothing, response: shape.status }),
  'engines.list': verb('GET', '/v1/engines', {
    callers: OPERATORS,
    request: nothing,
    response: z.object({ engines: z.array(shape.engine) }),
  }),
  'alarms.list': verb('GET', '/v1/alarms', {
    callers: OPERATORS,
    request: nothing,
    response: z.object({ alarms: z.array(shape.alarm) }),
  }),

  'queue.list': verb('GET', '/v1/queue/list', {
    callers: PEOPLE,
    request: z.strictObject({
      /** all: everything but the quarantine. */
      state: z.enum(['all', 'incoming', 'active', 'deferred', 'held', 'corrupt']).default('all'),
      hop: word.exactOptional(),
      /** Of a recipient. */
      domain: word.exactOptional(),
      limit,
      cursor,
    }),
    response: z.object({ entries: z.array(shape.queueEntry), total: shape.count, cursor: z.string().optional() }),
  }),
  'queue.show': verb('GET', '/v1/queue/show', { callers: PEOPLE, request: byId, response: shape.messageDetails }),
  'queue.retry': verb('POST', '/v1/queue/retry', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: retryRequest,
    /** How many messages are due now. */
    response: z.object({ count: shape.count }),
  }),
  'queue.hold': verb('POST', '/v1/queue/hold', { callers: PEOPLE, request: byId, response: stateAnswer }),
  'queue.unhold': verb('POST', '/v1/queue/unhold', {
    callers: PEOPLE,
    /** `force`: needed for mail that was held because nobody could look into it. */
    request: z.strictObject({ id: queueId, force: z.boolean().exactOptional() }),
    response: stateAnswer,
  }),
  /** What is queued to a domain now (mail that comes later goes its way). A page a call: call again with `cursor`. */
  'queue.hold-domain': verb('POST', '/v1/queue/hold-domain', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({ domain: word, cursor }),
    response: bulkAnswer,
  }),
  /** Lets go what an operator held; never what the gateway held for a reason of its own. */
  'queue.unhold-domain': verb('POST', '/v1/queue/unhold-domain', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({ domain: word, cursor }),
    response: bulkAnswer,
  }),
  /** Sends a domain's mail to another server until further notice (a configuration change); without `to`: the usual way. */
  'queue.route': verb('POST', '/v1/queue/route', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({
      domain: word,
      /** `host`, `host:port`, `[address]:port`. */
      to: word.exactOptional(),
      protocol: z.enum(['smtp', 'lmtp']).exactOptional(),
    }),
    /** `count`: messages that are due now. */
    response: shape.configChange.extend({ count: shape.count }),
  }),
  /** The same for one message, queued or held; on record with the message. `count`: how many of its shares are due now. */
  'queue.reroute': verb('POST', '/v1/queue/reroute', {
    callers: PEOPLE,
    request: z.strictObject({
      id: queueId,
      to: word.exactOptional(),
      protocol: z.enum(['smtp', 'lmtp']).exactOptional(),
    }),
    response: stateAnswer.extend({ route: z.string().optional(), count: shape.count }),
  }),
  'queue.delete': verb('POST', '/v1/queue/delete', { callers: PEOPLE, request: byId, response: deleteAnswer }),
  'queue.undelete': verb('POST', '/v1/queue/undelete', { callers: PEOPLE, request: byId, response: stateAnswer }),

  /** Newest first: what came in since the last look stands above. */
  'quarantine.list': verb('GET', '/v1/quarantine/list', {
    callers: PEOPLE,
    request: z.strictObject({
      limit,
      cursor,
      text: word.exactOptional(),
      sender: word.exactOptional(),
      recipient: word.exactOptional(),
    }),
    response: z.object({ entries: z.array(shape.quarantineEntry), total: shape.count, cursor: z.string().optional() }),
  }),
  'quarantine.show': verb('GET', '/v1/quarantine/show', {
    callers: PEOPLE,
    request: byId,
    response: shape.quarantineDetails,
  }),
  'quarantine.release': verb('POST', '/v1/quarantine/release', {
    callers: PEOPLE,
    /** Without recipients: to all. */
    request: z.strictObject({
      id: queueId,
      recipients: z.array(word).min(1).max(1_000).exactOptional(),
      /** Needed for a virus, and for mail nobody looked into. */
      force: z.boolean().exactOptional(),
    }),
    response: z.object({
      id: z.string(),
      /** The id under which it is queued: another one when only some recipients were released. */
      queuedAs: z.string(),
      /** It was released before; nothing was done now. */
      already: z.boolean(),
      released: z.array(z.string()),
      remaining: z.array(z.string()),
    }),
  }),
  'quarantine.delete': verb('POST', '/v1/quarantine/delete', {
    callers: PEOPLE,
    request: byId,
    response: deleteAnswer,
  }),
  'quarantine.undelete': verb('POST', '/v1/quarantine/undelete', {
    callers: PEOPLE,
    request: byId,
    response: stateAnswer,
  }),

  'history.search': verb('GET', '/v1/history', {
    callers: PEOPLE,
    request: z.strictObject({
      /** Words, each anywhere in subject, header From or addresses. */
      text: word.exactOptional(),
      sender: word.exactOptional(),
      recipient: word.exactOptional(),
      id: queueId.exactOptional(),
      from: instant.exactOptional(),
      to: instant.exactOptional(),
      messageId: word.exactOptional(),
      client: word.exactOptional(),
      state: z.enum(HISTORY_STATES).exactOptional(),
      direction: z.enum(DIRECTIONS).exactOptional(),
      limit,
      cursor,
    }),
    response: z.object({ entries: z.array(shape.historyEntry), cursor: z.string().optional() }),
  }),
  trace: verb('GET', '/v1/trace', { callers: PEOPLE, request: inLanguage, response: shape.trace }),
  explain: verb('GET', '/v1/explain', { callers: PEOPLE, request: inLanguage, response: shape.explanation }),

  'config.show': verb('GET', '/v1/config', {
    callers: OPERATORS,
    request: z.strictObject({ path: word.exactOptional() }),
    /** With all defaults, secrets hidden. `value` is absent when nothing stands at `path`. */
    response: z.object({ file: z.string(), generation: shape.count, value: z.unknown().optional() }),
  }),
  'config.check': verb('POST', '/v1/config/check', {
    callers: PEOPLE,
    request: z.strictObject({ candidate: jsonValue }),
    response: z.object({ ok: z.boolean(), problems: z.array(shape.configProblem) }),
  }),
  'config.set': verb('POST', '/v1/config/set', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({ path: word, value: jsonValue }),
    response: shape.configChange,
  }),
  /** All or none, in one generation; a setting without a value goes back to its default. */
  'config.change': verb('POST', '/v1/config/change', {
    callers: ['admin'],
    deadlineMs: 60_000,
    request: z.strictObject({
      settings: z.array(z.strictObject({ path: word, value: jsonValue.optional() })).max(500),
    }),
    response: shape.configChange,
  }),
  'config.unset': verb('POST', '/v1/config/unset', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({ path: word }),
    response: shape.configChange,
  }),
  'config.reload': verb('POST', '/v1/config/reload', {
    callers: OPERATORS,
    deadlineMs: 60_000,
    request: nothing,
    response: shape.configChange,
  }),
  'config.generations': verb('GET', '/v1/config/generations', {
    callers: PEOPLE,
    request: nothing,
    response: z.object({ current: shape.count, generations: z.array(shape.generation) }),
  }),
  'config.diff': verb('GET', '/v1/config/diff', {
    callers: PEOPLE,
    request: z.strictObject({ from: generationNumber, to: generationNumber }),
    response: z.object({ differences: z.array(shape.difference) }),
  }),
  'config.rollback': verb('POST', '/v1/config/rollback', {
    callers: OPERATORS,
    deadlineMs: 60_000,
    request: z.strictObject({ generation: generationNumber }),
    response: shape.configChange,
  }),

  /** The portal's: whoever has a ticket sees and does what its recipient may. */
  'own.list': verb('GET', '/v1/own/list', {
    callers: ['portal'],
    request: z.strictObject({ ticket }),
    response: z.object({
      recipient: z.string(),
      expiresAt: shape.time,
      language: shape.language,
      entries: z.array(shape.ownEntry),
      more: z.boolean(),
    }),
  }),
  'own.show': verb('GET', '/v1/own/show', {
    callers: ['portal'],
    request: z.strictObject({ ticket, id: queueId }),
    response: z.object({
      recipient: z.string(),
      language: shape.language,
      entry: shape.ownEntry,
      preview: z.object({ text: z.string(), cut: z.boolean() }),
    }),
  }),
  'own.release': verb('POST', '/v1/own/release', {
    callers: ['portal'],
    request: z.strictObject({ ticket, id: queueId }),
    response: z.object({ already: z.boolean() }),
  }),
  'own.ask': verb('POST', '/v1/own/ask', {
    callers: ['portal'],
    request: z.strictObject({ ticket, id: queueId }),
    response: z.object({ already: z.boolean() }),
  }),

  ...MESSAGE_VERBS,
  ...CERTIFICATE_VERBS,
  ...BACKUP_VERBS,
  ...PAGE_VERBS,

  'metrics.text': verb('GET', '/v1/metrics', {
    callers: PEOPLE,
    request: nothing,
    response: z.object({ contentType: z.string(), text: z.string() }),
  }),
  'jobs.list': verb('GET', '/v1/jobs', {
    callers: PEOPLE,
    request: nothing,
    response: z.object({ jobs: z.array(shape.job) }),
  }),
  /** Answers when the run has ended; a run under way is waited for, not doubled. */
  'jobs.run': verb('POST', '/v1/jobs/run', {
    callers: PEOPLE,
    deadlineMs: 300_000,
    request: z.strictObject({ name: word }),
    response: shape.job,
  }),
  /** Sends a mail by port 25 through both engines and out to a sink of ours; in the trail, not in statistics. */
  'probe.run': verb('POST', '/v1/probe', {
    callers: OPERATORS,
    deadlineMs: 150_000,
    request: nothing,
    response: shape.probe,
  }),
  /** New signatures are being proven: for so long mail waits as *incoming*, as while the antivirus loads. 0 ends it. */
  'antivirus.hold': verb('POST', '/v1/antivirus/hold', {
    callers: ['cli'],
    request: z.strictObject({ ms: z.number().int().min(0).max(600_000) }),
    response: nothing,
  }),
  'log.level': verb('POST', '/v1/log/level', {
    callers: PEOPLE,
    /** Without a level: only tells. Until the next start. */
    request: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).exactOptional() }),
    response: z.object({ level: z.enum(['debug', 'info', 'warn', 'error']) }),
  }),
} as const;

export type VerbName = keyof typeof VERBS;
export const VERB_NAMES = Object.keys(VERBS) as VerbName[];

/** What a caller gives. */
export type VerbInput<V extends VerbName> = z.input<(typeof VERBS)[V]['request']>;
/** What the handler gets: checked, defaults filled in. */
export type VerbRequest<V extends VerbName> = z.output<(typeof VERBS)[V]['request']>;
export type VerbAnswer<V extends VerbName> = z.output<(typeof VERBS)[V]['response']>;

/** What the gateway gives. */
export type GatewayHandlers = HandlersOf<typeof VERBS>;

/** Ids may be typed in either case; their one lower-case letter marks a DSN (`….d3`). */
function lowerDsnMark(id: string): string {
  return id.replaceAll(/\.D(?=\d)/g, '.d');
}
