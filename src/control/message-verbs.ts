/**
 * Verbs about one stored message besides its state: send a copy again, say that its verdict was wrong. Part of the gateway's
 * table (contract.ts).
 */
import { z } from 'zod';
import * as shape from './shapes.ts';
import { verb } from './verb.ts';

const PEOPLE = ['cli', 'admin'] as const;
const id = z.string().min(1).max(100);

export const MESSAGE_VERBS = {
  /** A copy under a new id, to recipients it had or to addresses of own domains; the message itself stays as it is. */
  'message.resend': verb('POST', '/v1/message/resend', {
    callers: PEOPLE,
    deadlineMs: 120_000,
    request: z.strictObject({
      id,
      recipients: z.array(z.string().min(1).max(320)).min(1).max(100),
      /** Needed for a virus, and for mail nobody looked into. */
      force: z.boolean().exactOptional(),
    }),
    response: z.object({ id: z.string(), queuedAs: z.string(), recipients: z.array(z.string()) }),
  }),
  /** Kept as a sample; taught to the spam engine where `engines.rspamd.learnUrl` says how. */
  'message.report': verb('POST', '/v1/message/report', {
    callers: PEOPLE,
    deadlineMs: 60_000,
    request: z.strictObject({ id, as: z.enum(['spam', 'ham']) }),
    response: z.object({ id: z.string(), learned: z.boolean(), samples: shape.count, text: shape.text }),
  }),
} as const;
