/** What the verbs about virus signatures talk about: where they come from, which are in use, and how much memory that takes. */
import { z } from 'zod';
import { count, time } from './shapes.ts';

const hostOrAddress = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/, 'Give a host name or an IP address');
const hour = z.number().int().min(0).max(23);

export const signatureSettings = z.strictObject({
  /** internet: ClamAV's own servers. mirror: one of the owner's. offline: only what is uploaded. */
  source: z.enum(['internet', 'mirror', 'offline']),
  mirror: z
    .url({ protocol: /^https?$/ })
    .max(500)
    .regex(/^[\x21-\x7e]+$/)
    .exactOptional(),
  proxy: z
    .strictObject({
      host: hostOrAddress,
      port: z.number().int().min(1).max(65_535),
      user: z
        .string()
        .regex(/^[\x21-\x7e]{1,64}$/)
        .exactOptional(),
      password: z
        .string()
        .regex(/^[\x21-\x7e]{1,128}$/)
        .exactOptional(),
    })
    .exactOptional(),
  /** Local hours in which signatures are changed where scanning stands still for it: from, to. */
  window: z.strictObject({ from: hour, to: hour }),
  /** auto: by the machine's memory. */
  mode: z.enum(['auto', 'two', 'one', 'small']),
});
export type SignatureSettings = z.output<typeof signatureSettings>;

export const SIGNATURE_PHASES = ['idle', 'fetching', 'proving', 'waiting', 'changing', 'rolling-back'] as const;

const set = z.object({
  number: count,
  /** False: it knows the test signatures only. */
  full: z.boolean(),
  files: z.array(z.object({ name: z.string(), octets: count, version: count.optional(), builtAt: time.optional() })),
});

export const signatures = z.object({
  /** False: the gateway asks an antivirus elsewhere, or none. */
  local: z.boolean(),
  /** Where the gateway reaches the antivirus of this machine: the value for `engines.clamd.socket`. */
  socket: z.string(),
  phase: z.enum(SIGNATURE_PHASES),
  mode: z.enum(['two', 'one', 'small']),
  memory: z.object({
    totalOctets: count,
    /** What the antivirus takes now, where it can be measured; with the full database; at the worst moment of a change. */
    usedOctets: count.optional(),
    fullOctets: count,
    peakOctets: count,
  }),
  current: set.optional(),
  /** When the set in use was proven on EICAR and on clean mail. */
  provenAt: time.optional(),
  /** Proven or tested by freshclam, and waiting for the quiet hours. */
  waiting: set.optional(),
  lastFetch: z.object({ at: time, ok: z.boolean(), detail: z.string() }).optional(),
  /** Newer signatures that were found unfit, and why. */
  lastRefused: z.object({ at: time, number: count, reason: z.string(), rolledBack: z.boolean() }).optional(),
  /** Never the proxy's password. */
  settings: signatureSettings,
});
export type SignaturesAnswer = z.output<typeof signatures>;
