/** Is mail flowing, and what needs somebody: the first page, the state of the gateway, and the live feed. */
import { z } from 'zod';
import { alarm, engine, status } from '../../control/shapes.ts';
import { operation } from './operation.ts';
import { card, count, text, time } from './shapes.ts';

export const counters = z.object({
  received: count,
  delivered: count,
  quarantined: count,
  /** By what was found, whatever was done about it. */
  spam: count,
  virus: count,
  rejected: count,
  /** Sessions that never got as far as a message. */
  refused: count,
  deferred: count,
  bounced: count,
  octets: count,
});

export const flow = z.object({
  state: z.enum(['flowing', 'degraded', 'stopped', 'starting']),
  /** What it means, in a sentence. */
  text,
  since: time.optional(),
  /** When the newest message that was delivered came in; absent when there is none. */
  lastDelivered: time.optional(),
});

export const OVERVIEW_OPERATIONS = {
  'overview.show': operation('GET', '/overview', {
    summary: { ja: '概要', en: 'The first page, in one call' },
    access: 'status.read',
    /** Each card stands or fails by itself. */
    response: z.object({
      at: time,
      flow: card(flow),
      engines: card(z.array(engine)),
      alarms: card(z.array(alarm)),
      queue: card(
        z.object({
          incoming: count,
          active: count,
          deferred: count,
          held: count,
          quarantine: count,
          corrupt: count,
          /** Of the oldest message that is neither held nor quarantined. */
          oldestMs: count.optional(),
          hopsDown: z.array(z.object({ hop: z.string(), waiting: count, detail: z.string().optional() })),
        }),
      ),
      /** Since midnight in the box's zone; `hours` one entry each, the oldest first. */
      today: card(
        z.object({
          totals: counters,
          yesterday: counters,
          hours: z.array(
            counters.pick({ delivered: true, spam: true, virus: true, rejected: true }).extend({ at: time }),
          ),
        }),
      ),
      disk: card(z.object({ freeOctets: count, floorOctets: count, spoolOctets: count })),
      /** What watch-only mode would have stopped; absent unless it is on. */
      watch: card(
        z
          .object({
            since: time,
            wouldHaveBlocked: count,
            wouldReject: count,
            wouldQuarantine: count,
            /** The most frequent first. */
            byReason: z.array(z.object({ reason: z.string(), messages: count })),
            /** One entry a day since then (the last 31), the oldest first. */
            days: z.array(z.object({ at: time, messages: count })),
            /** It was watched for a week. */
            offerSwitch: z.boolean(),
          })
          .optional(),
      ),
      /** What somebody should do now, the most urgent first. `page` is where to do it. */
      needs: z.array(
        z.object({
          kind: z.string(),
          level: z.enum(['urgent', 'soon', 'hint']),
          title: text,
          remedy: text,
          page: z.string(),
        }),
      ),
    }),
  }),
  'status.show': operation('GET', '/status', {
    summary: { ja: '動作状態', en: 'State of the gateway' },
    access: 'status.read',
    response: status,
  }),
  'engines.list': operation('GET', '/engines', {
    summary: { ja: '検査エンジン', en: 'Engines' },
    access: 'status.read',
    response: z.object({ engines: z.array(engine) }),
  }),
  'alarms.list': operation('GET', '/alarms', {
    summary: { ja: '警報', en: 'Alarms' },
    access: 'status.read',
    response: z.object({ alarms: z.array(alarm) }),
  }),
  'events.stream': operation('GET', '/events', {
    summary: { ja: 'ライブ更新', en: 'Live updates (server-sent events)' },
    access: 'status.read',
    media: 'text/event-stream',
    /**
     * Events, each with a JSON object in `data`: `counts` {queue counts, sessions, alarms, version of config} whenever they
     * change, `message` (a history entry; with mail.search only) for each message that is new or changed its state, `alarms`
     * {alarms}, `session` {endsAt}, `bye` {code} before the server ends the stream. A comment each 15 s keeps it alive.
     */
    response: z.string(),
  }),
} as const;
