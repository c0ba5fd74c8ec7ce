/**
 * An exported message: `<id>.eml`, the octets as they came in, and `<id>.json`, what the envelope said and what was decided
 * for those who still wait. Made to be read by people and other software as well as by `sekisho spool import`.
 */
import { z } from 'zod';
import { parseForwardPath, parseReversePath } from '../../mail/address.ts';
import { DIRECTIONS } from '../../mail/envelope.ts';
import { parseQueueId } from '../../mail/queue-id.ts';
import type { Preamble, Trailer } from '../api.ts';

export const EXPORT_FORMAT = 'sekisho-message-1';
/** Damaged messages leave as they lie, for whoever wants to dig in them. */
export const EXPORTED_FOLDERS = ['incoming', 'queue', 'held', 'quarantine'] as const;
export type ExportedFolder = (typeof EXPORTED_FOLDERS)[number];

export interface ExportedMessage {
  format: typeof EXPORT_FORMAT;
  folder: ExportedFolder;
  /** Recipients that still wait only. */
  preamble: Preamble;
  trailer: Trailer;
  /** What became of the others. */
  settled: Array<{ address: string; outcome: string; reply?: string }>;
}

const stamp = z.object({ wall: z.number(), mono: z.number(), boot: z.string(), synchronised: z.boolean() });
const forwardPath = z.string().refine((text) => parseForwardPath(text) !== undefined, 'No address');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The envelope decides where mail goes and is checked; what was found and decided is kept as it was written. */
const schema = z.looseObject({
  format: z.literal(EXPORT_FORMAT),
  folder: z.enum(EXPORTED_FOLDERS),
  preamble: z.looseObject({
    version: z.literal(1),
    id: z.string().refine((text) => parseQueueId(text) !== undefined, 'No queue id'),
    kind: z.enum(['mail', 'dsn']),
    envelope: z.looseObject({
      reversePath: z.string().refine((text) => parseReversePath(text) !== undefined, 'No address'),
      recipients: z.array(z.looseObject({ address: forwardPath })).min(1),
      smtpUtf8: z.boolean(),
      eightBit: z.boolean(),
    }),
    origin: z.looseObject({ direction: z.enum(DIRECTIONS), listener: z.enum(['mx', 'relay', 'local']) }),
    arrival: stamp,
  }),
  trailer: z.looseObject({
    decisions: z.array(z.looseObject({ recipient: forwardPath, action: z.string(), reason: z.string() })),
    variants: z.array(
      z.looseObject({
        recipients: z.array(forwardPath),
        prefix: z.string(),
        cuts: z.array(z.tuple([z.number(), z.number()])),
      }),
    ),
    size: z.number().int().min(0),
    sha256,
  }),
  settled: z.array(z.looseObject({ address: z.string(), outcome: z.string() })),
});

/** Undefined when it is none of ours, or was changed in a way that does not hold together. */
export function parseExported(text: string): ExportedMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const checked = schema.safeParse(value);
  if (!checked.success) return undefined;
  const message = checked.data as unknown as ExportedMessage;
  // A decided message says for each of its recipients how it goes out to him; an incoming one for none.
  const decided = message.trailer.variants.flatMap((variant) => variant.recipients).length;
  const expected = message.folder === 'incoming' ? 0 : message.preamble.envelope.recipients.length;
  return decided === expected ? message : undefined;
}
