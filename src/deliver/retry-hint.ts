/**
 * What a temporary refusal says about when to come back ("Greylisted, try again in 300 seconds"). Pure. A hint, a stranger's
 * text: whoever uses it bounds it. Formats seen in the field: postgrey, sqlgrey, milter-greylist, rspamd, Exchange Online.
 */
import type { Milliseconds } from '../base/brand.ts';

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3_600 };

/** Undefined when it names no time. */
export function retryHint(text: string): Milliseconds | undefined {
  const said = /\b(?:gr[ea]y-?list(?:ed|ing)?|(?:try|come|call) (?:again|back)|retry|wait)\b(.{0,60})/is.exec(
    text,
  )?.[1];
  if (said === undefined) return undefined;
  const clock = /\b(\d{1,2}):(\d{2}):(\d{2})\b/.exec(said);
  if (clock !== null) return (Number(clock[1]) * 3_600 + Number(clock[2]) * 60 + Number(clock[3])) * 1_000;
  const plain = /\b(\d{1,6}) ?(s|m|h)(?:ec|econd|in|inute|r|our)?s?\b/i.exec(said);
  if (plain === null) return undefined;
  return Number(plain[1]) * (SECONDS[plain[2]?.toLowerCase() ?? ''] ?? 1) * 1_000;
}
