/** What the verbs about known weaknesses talk about: what is known of the parts this system carries, and who looked when. */
import { z } from 'zod';
import { count, time } from './shapes.ts';

export const weakness = z.object({
  /** `CVE-2026-12345`, `GHSA-…` */
  id: z.string(),
  /** A source package of Debian's, or an npm package. */
  part: z.string(),
  carried: z.string(),
  /** The version that mends it, where there is one. */
  fixed: z.string().optional(),
  text: z.string(),
});
export type Weakness = z.output<typeof weakness>;

export const advisories = z.object({
  /**
   * off: no source of updates is set. never: not asked yet. current: the list speaks of this version. uncovered: it was made for
   * other versions only. failed: the last look failed (an older list may still be shown).
   */
  state: z.enum(['off', 'never', 'current', 'uncovered', 'failed']),
  /** When the box last looked, and why that failed. */
  checkedAt: time.optional(),
  detail: z.string().optional(),
  /** When the makers made the list, and of which kinds of parts it speaks. */
  publishedAt: time.optional(),
  looked: z.array(z.enum(['debian', 'npm'])),
  /** Parts of this system the list was held against. */
  parts: count,
  /** Mended elsewhere, or called serious by the makers: with them the alarm. */
  serious: z.array(weakness),
  /** Known, and not counted as serious. */
  others: count,
});
export type AdvisoriesAnswer = z.output<typeof advisories>;
