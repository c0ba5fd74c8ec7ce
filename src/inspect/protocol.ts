/**
 * What gateway and worker say to each other. The worker reads hostile mail: whatever comes from it is checked by schema
 * before anyone believes it. Types only towards the worker (it may believe the gateway).
 */
import { z } from 'zod';
import type { Milliseconds } from '../base/brand.ts';
import { RECORD_TYPES } from '../base/resolver.ts';
import type { Origin } from '../mail/envelope.ts';
import {
  ARC_RESULTS,
  ATTACHMENT_TRAITS,
  DKIM_RESULTS,
  DMARC_POLICIES,
  DMARC_RESULTS,
  type Finding,
  SPF_RESULTS,
} from '../mail/finding.ts';
import { parseDomain } from '../mail/address.ts';
import type { InspectLimits } from './settings.ts';

/** What the worker must know of a message besides its octets. */
export interface WorkerJob {
  listener: Origin['listener'];
  clientAddress: string;
  helo: string;
  reversePath: string;
  hostname: string;
  size: number;
  limits: InspectLimits;
  /** From the moment the worker has the whole message. */
  budgetMs: Milliseconds;
}

export const WORKER_PARTS = ['authentication', 'structure'] as const;
export type WorkerPart = (typeof WORKER_PARTS)[number];

/**
 * Gateway → worker. `message` carries the whole of a message as its payload. A larger one is a `job`, then octets as the payload
 * of each `body`, then `end`. `first`: what came so far is its beginning; the rest comes when the worker says `more`.
 */
export type ToWorker =
  | { type: 'message'; job: number; facts: WorkerJob }
  | { type: 'job'; job: number; facts: WorkerJob }
  | { type: 'body'; job: number }
  | { type: 'first'; job: number }
  | { type: 'end'; job: number }
  | { type: 'cancel'; job: number }
  | { type: 'answer'; question: number; outcome: 'found' | 'no-data' | 'no-name' | 'trouble'; records: unknown[] }
  | { type: 'ping'; ping: number };

/** A question about DNS; a message may ask this many. */
export const MAX_QUESTIONS = 200;

const text = (max: number) => z.string().max(max);
const domain = z
  .string()
  .max(253)
  .transform((value, context) => {
    const parsed = parseDomain(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: 'not a domain' });
    return z.NEVER;
  });
const explanation = text(1_000).optional();

const arcSet = z.strictObject({
  sealer: text(253),
  said: z
    .array(z.strictObject({ method: z.enum(['spf', 'dkim', 'dmarc']), result: text(20), domain: text(253) }))
    .max(20),
});

const findingSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('spf'),
    result: z.enum(SPF_RESULTS),
    domain: text(1_000),
    helo: text(1_000),
    explanation,
  }),
  z.strictObject({
    kind: z.literal('dkim'),
    result: z.enum(DKIM_RESULTS),
    domain,
    selector: text(1_000),
    aligned: z.boolean(),
    explanation,
  }),
  z.strictObject({
    kind: z.literal('dmarc'),
    result: z.enum(DMARC_RESULTS),
    policy: z.enum(DMARC_POLICIES),
    domain: text(1_000),
    explanation,
  }),
  z.strictObject({
    kind: z.literal('arc'),
    result: z.enum(ARC_RESULTS),
    chain: z.number().int().min(0).max(1_000),
    sealer: text(1_000).optional(),
    sets: z.array(arcSet).max(50).optional(),
  }),
  z.strictObject({
    kind: z.literal('from'),
    count: z.number().int().min(0),
    domains: z.array(text(253)).max(1_000),
    malformed: z.boolean(),
    text: text(2_000),
  }),
  z.strictObject({
    kind: z.literal('attachment'),
    name: text(2_000),
    inside: z.array(text(2_000)).max(100),
    declaredType: text(1_000),
    trueType: text(200).optional(),
    size: z.number().min(0),
    traits: z.array(z.enum(ATTACHMENT_TRAITS)).max(10),
  }),
  z.strictObject({
    kind: z.literal('structure'),
    problem: z.enum(['too-complex', 'malformed']),
    detail: text(1_000),
  }),
  z.strictObject({ kind: z.literal('summary'), subject: text(2_000), messageId: text(2_000), from: text(2_000) }),
]);

/** At most this many findings of one message; a message with more is *too complex* long before. */
export const MAX_FINDINGS = 2_000;

const fromWorkerSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), version: text(200) }),
  z.strictObject({ type: z.literal('pong'), ping: z.number().int() }),
  z.strictObject({ type: z.literal('more'), job: z.number().int() }),
  z.strictObject({
    type: z.literal('ask'),
    job: z.number().int(),
    question: z.number().int(),
    name: text(255),
    recordType: z.enum(RECORD_TYPES),
  }),
  z.strictObject({
    type: z.literal('part'),
    job: z.number().int(),
    part: z.enum(WORKER_PARTS),
    findings: z.array(findingSchema).max(MAX_FINDINGS),
    /** Set when this part could not be done. */
    trouble: text(1_000).optional(),
  }),
]);

type FromWorkerParsed = z.output<typeof fromWorkerSchema>;
export type FromWorker =
  | Exclude<FromWorkerParsed, { type: 'part' }>
  | { type: 'part'; job: number; part: WorkerPart; findings: Finding[]; trouble?: string };

/** Undefined when the worker does not speak the protocol. */
export function parseFromWorker(message: unknown): FromWorker | undefined {
  const parsed = fromWorkerSchema.safeParse(message);
  // JSON has no undefined, and zod adds none where an optional key is absent
  return parsed.success ? (parsed.data as FromWorker) : undefined;
}
