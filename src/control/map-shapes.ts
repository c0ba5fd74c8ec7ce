/** What the verbs about the spam filter's lists talk about: where an owner's lists come from, and how the last look went. */
import { z } from 'zod';
import { count, time } from './shapes.ts';

export const SPAM_MAPS = ['link-domains', 'sender-domains'] as const;
export type SpamMap = (typeof SPAM_MAPS)[number];

export const mapSettings = z.strictObject({
  /** A folder on a web server; each list is a file of its name below it. Empty: off. */
  source: z.union([
    z.literal(''),
    z
      .url({ protocol: /^https?$/ })
      .max(500)
      .regex(/^[\x21-\x7e]+$/),
  ]),
  /** Those that have to be there. */
  maps: z.array(z.enum(SPAM_MAPS)).max(SPAM_MAPS.length),
});
export type MapSettings = z.output<typeof mapSettings>;

export const spamMaps = z.object({
  settings: mapSettings,
  /** In use, with the number of entries. */
  current: z.array(z.object({ name: z.enum(SPAM_MAPS), entries: count })),
  changedAt: time.optional(),
  lastFetch: z.object({ at: time, ok: z.boolean(), detail: z.string() }).optional(),
});
export type SpamMapsAnswer = z.output<typeof spamMaps>;
