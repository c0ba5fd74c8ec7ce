/**
 * What the verbs of the control sockets talk about: plain JSON with stable names. Times are ISO 8601 in UTC, ages and spans
 * milliseconds, sizes octets. Answers carry exactly these fields: what a handler adds is dropped, what it forgets is a bug.
 */
import { z } from 'zod';
import { LANGUAGES } from '../base/i18n.ts';
import { ACTIONS, REASONS } from '../mail/decision.ts';
import { DIRECTIONS } from '../mail/envelope.ts';
import type { Finding } from '../mail/finding.ts';

/** `2026-11-21T09:30:00.000Z` */
export const time = z.string().min(1);
export const count = z.number().int().min(0);
export const language = z.enum(LANGUAGES);
/** A text in both languages. */
export const text = z.object({ ja: z.string(), en: z.string() });

/** STYLE "Words": where a message is. retired: all recipients settled, known from history only. */
export const MESSAGE_STATES = [
  'incoming',
  'active',
  'deferred',
  'held',
  'quarantined',
  'corrupt',
  'retired',
  'rejected',
] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];
export const messageState = z.enum(MESSAGE_STATES);

/** A finding as in mail/finding.ts, passed through whole. */
export const finding = z.custom<Finding>(
  (value) => typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string',
  'A finding has a kind',
);

export const decision = z.object({
  recipient: z.string(),
  action: z.enum(ACTIONS),
  reason: z.enum(REASONS),
});

export const engine = z.object({
  inspector: z.string(),
  engine: z.string(),
  state: z.enum(['starting', 'up', 'slow', 'down', 'off']),
  version: z.string(),
  misses: count,
  lastError: z.string().optional(),
});
export type EngineAnswer = z.output<typeof engine>;

export const recipient = z.object({
  address: z.string(),
  /** Absent while unsettled. */
  outcome: z.string().optional(),
  attempts: count,
  lastAttemptAt: time.optional(),
  /** When it is tried again; absent when settled or not queued. */
  nextAttemptAt: time.optional(),
  lastReply: z.string().optional(),
  nextHop: z.string().optional(),
});
export type RecipientAnswer = z.output<typeof recipient>;

export const queueEntry = z.object({
  id: z.string(),
  state: messageState,
  kind: z.enum(['mail', 'dsn']),
  direction: z.enum(DIRECTIONS),
  arrivedAt: time,
  size: count,
  /** Empty: the null reverse-path. */
  reversePath: z.string(),
  /** Unsettled ones. */
  recipients: z.array(recipient),
  /** The earliest of its recipients. */
  nextAttemptAt: time.optional(),
  /** Marked for deletion; until this moment `undelete` brings it back. */
  deletedUntil: time.optional(),
});
export type QueueEntry = z.output<typeof queueEntry>;

export const client = z.object({
  listener: z.string(),
  address: z.string(),
  name: z.string().optional(),
  helo: z.string(),
  protocol: z.string(),
  tls: z.string().optional(),
});

export const messageDetails = queueEntry.extend({
  /** All, settled ones too. */
  recipients: z.array(recipient),
  sha256: z.string(),
  client,
  decisions: z.array(decision),
  findings: z.array(finding),
  /** Who could not look, and why. */
  missing: z.array(z.object({ inspector: z.string(), reason: z.string(), detail: z.string() })),
  hold: z.object({ reason: z.string(), until: time.optional() }).optional(),
  /** Where an operator sends it instead of its usual way: `192.0.2.9:25`. */
  route: z.string().optional(),
  parent: z.string().optional(),
});
export type MessageDetails = z.output<typeof messageDetails>;

export const quarantineEntry = z.object({
  id: z.string(),
  arrivedAt: time,
  size: count,
  direction: z.enum(DIRECTIONS),
  reversePath: z.string(),
  recipients: z.array(z.string()),
  /** As decoded, for people. */
  subject: z.string(),
  from: z.string(),
  reason: z.enum(REASONS),
  expiresAt: time.optional(),
  deletedUntil: time.optional(),
  /** Recipients who asked for it by their own page. */
  askedBy: z.array(z.string()).optional(),
});
export type QuarantineEntry = z.output<typeof quarantineEntry>;

/** As its recipient may see it. `right`: what he may do. */
export const ownEntry = z.object({
  id: z.string(),
  arrivedAt: time,
  size: count,
  from: z.string(),
  subject: z.string(),
  reason: z.object({ ja: z.string(), en: z.string() }),
  right: z.enum(['release', 'ask', 'asked']),
  expiresAt: time.optional(),
});
export type OwnEntry = z.output<typeof ownEntry>;

export const quarantineDetails = quarantineEntry.extend({
  client,
  messageId: z.string(),
  /** In their order, unfolded and decoded. */
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  preview: z.object({ text: z.string(), cut: z.boolean() }),
  decisions: z.array(decision),
  findings: z.array(finding),
});
export type QuarantineDetails = z.output<typeof quarantineDetails>;

/** The words of observe's history (`HISTORY_STATES`): queued, delivered, bounced, quarantined, refused, … */
const historyState = z.string().min(1);

export const historyEntry = z.object({
  /** Absent for a refused session. */
  id: z.string().optional(),
  arrivedAt: time,
  direction: z.enum(DIRECTIONS),
  state: historyState,
  reversePath: z.string(),
  /** The first 20 of `recipientCount`. */
  recipients: z.array(z.string()),
  recipientCount: count,
  subject: z.string(),
  /** Header From as a person reads it. */
  from: z.string(),
  messageId: z.string(),
  size: count,
  client: z.string(),
  reason: z.string(),
});
export type HistoryEntry = z.output<typeof historyEntry>;

export const trace = z.object({
  id: z.string(),
  state: historyState,
  arrivedAt: time,
  direction: z.enum(DIRECTIONS),
  /** Address of the SMTP client; empty for what we wrote ourselves. */
  client: z.string(),
  reversePath: z.string(),
  from: z.string(),
  subject: z.string(),
  messageId: z.string(),
  size: count,
  /** What the client was told. */
  reply: z.string(),
  findings: z.array(finding),
  decisions: z.array(decision),
  /** Of the message and the parts it was split into. */
  recipients: z.array(
    z.object({
      /** The part this recipient is at. */
      id: z.string(),
      address: z.string(),
      state: historyState,
      reason: z.string(),
      reply: z.string(),
      nextHop: z.string(),
      updatedAt: time,
    }),
  ),
  /** The other members of the family: root, split, release, dsn, undeliverable. */
  related: z.array(z.object({ id: z.string(), relation: z.string(), state: historyState })),
  /** In order of time: what happened, in the language asked for. */
  steps: z.array(z.object({ at: time, id: z.string(), event: z.string(), text: z.string() })),
});
export type TraceAnswer = z.output<typeof trace>;

export const explanation = z.object({
  id: z.string(),
  /** The story in the language asked for, a sentence or two a line. */
  lines: z.array(z.string()),
  decisions: z.array(decision),
  findings: z.array(finding),
});
export type ExplainAnswer = z.output<typeof explanation>;

export const alarm = z.object({
  name: z.string(),
  /** Which engine, which host. */
  key: z.string(),
  detail: z.string(),
  since: time,
  lastAt: time,
  times: count,
  title: text,
  remedy: text,
});
export type AlarmAnswer = z.output<typeof alarm>;

export const configProblem = z.object({
  path: z.string(),
  found: z.string().optional(),
  message: text,
  allowed: text.optional(),
  remedy: text,
});
export type ConfigProblemAnswer = z.output<typeof configProblem>;

/** `ok` false: nothing was changed, and why. */
export const configChange = z.object({
  ok: z.boolean(),
  generation: count.optional(),
  changed: z.array(z.string()).optional(),
  problems: z.array(configProblem),
});
export type ConfigChangeAnswer = z.output<typeof configChange>;

export const generation = z.object({
  generation: count,
  at: time,
  by: z.string(),
  why: z.string(),
  changed: z.array(z.string()),
});

export const difference = z.object({
  path: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});

export const job = z.object({
  /** `expire-quarantine` */
  name: z.string(),
  /** As in crontab(5), in the box's time zone. */
  schedule: z.string(),
  running: z.boolean(),
  nextAt: time.optional(),
  /** Newest first; without `endedAt`: under way, or cut off by a stop. */
  runs: z.array(
    z.object({ startedAt: time, endedAt: time.optional(), ok: z.boolean(), detail: z.string().optional() }),
  ),
});
export const probe = z.object({
  ok: z.boolean(),
  id: z.string().optional(),
  elapsedMs: count,
  steps: z.array(z.object({ name: z.enum(['entered', 'inspected', 'left']), ok: z.boolean(), detail: z.string() })),
});
export type JobAnswer = z.output<typeof job>;

export const status = z.object({
  version: z.string(),
  state: z.enum(['starting', 'running', 'stopping', 'faulted']),
  hostname: z.string(),
  startedAt: time,
  uptimeMs: count,
  listeners: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      port: count,
      open: z.boolean(),
      sessions: count,
      detail: z.string().optional(),
    }),
  ),
  spool: z.object({
    counts: z.object({ incoming: count, queue: count, held: count, quarantine: count, corrupt: count }),
    octets: count,
    freeOctets: count,
    floorOctets: count,
    fault: z.string().optional(),
    recovery: z.object({
      cleanStop: z.boolean(),
      elapsedMs: z.number().min(0),
      files: count,
      dropped: count,
      requeued: count,
      lost: count,
      corrupt: count,
      databaseRebuilt: z.boolean(),
    }),
  }),
  /** Next hops with mail waiting, or known to be down. */
  hops: z.array(
    z.object({
      hop: z.string(),
      state: z.enum(['up', 'down', 'unknown']),
      waiting: count,
      active: count,
      since: time.optional(),
      detail: z.string().optional(),
    }),
  ),
  engines: z.array(engine),
  alarms: z.array(alarm),
  config: z.object({
    file: z.string(),
    generation: count,
    /** Why the file as it stands is not what runs; empty when it is. */
    problems: z.array(configProblem),
  }),
});
export type StatusAnswer = z.output<typeof status>;
