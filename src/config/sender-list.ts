/** An allow or block list: any spelling of an entry goes in, the one of mail/sender-list comes out. */
import { z } from 'zod';
import { parseListMatch } from '../mail/sender-list.ts';
import { ADVICE } from './advice.ts';

const MOST_ENTRIES = 5_000;

const match = z
  .string()
  .min(1)
  .max(320)
  .transform((text, context): string => {
    const spelled = parseListMatch(text);
    if (spelled !== undefined) return spelled;
    context.addIssue({ code: 'custom', message: ADVICE.listMatch.en });
    return z.NEVER;
  })
  .meta({ advice: ADVICE.listMatch });

export const senderList = z
  .array(z.strictObject({ match, note: z.string().max(200).default('') }))
  .max(MOST_ENTRIES)
  .default([]);
