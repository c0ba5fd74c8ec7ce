/** Lists of addresses and domains: any spelling of an entry goes in, the one of mail/sender-list comes out. */
import { z } from 'zod';
import { listKind, parseListMatch } from '../mail/sender-list.ts';
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

const recipient = z
  .string()
  .min(1)
  .max(320)
  .transform((text, context): string => {
    const spelled = parseListMatch(text);
    if (spelled !== undefined && listKind(spelled) !== 'network') return spelled;
    context.addIssue({ code: 'custom', message: ADVICE.recipientMatch.en });
    return z.NEVER;
  })
  .meta({ advice: ADVICE.recipientMatch });

/** Limits of their own for some recipients; what a row leaves out is as for everybody. */
export const spamFor = z
  .array(
    z.strictObject({
      recipients: z.array(recipient).min(1).max(1_000),
      tag: z.number().exactOptional(),
      quarantine: z.number().exactOptional(),
      reject: z.number().exactOptional(),
      subjectTag: z.string().max(40).exactOptional(),
    }),
  )
  .max(200)
  .default([]);

export const senderList = z
  .array(z.strictObject({ match, note: z.string().max(200).default('') }))
  .max(MOST_ENTRIES)
  .default([]);
