/**
 * Quarantined mail goes when it is older than the owner's days; its outcome is on record (spool.remove). Held mail is never
 * touched. Nothing expires while the clock is not known to be right. One call is one bounded batch; what somebody releases
 * meanwhile is left alone.
 *
 * A message that came while the clock was wrong, before a reboot, has no age of its own (ageOf gives 0, which is no
 * reason to keep it for ever). Queue ids rise in order of arrival, so it is at least as old as any message behind it
 * in the list: once one of those is over age, so is it.
 */
import { ageOf, type Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { SpoolListEntry } from '../spool/api.ts';
import type { ExpiryResult, QuarantineSpool } from './api.ts';

interface ExpiryParts {
  spool: QuarantineSpool;
  observe: Observe;
  clock: Clock;
  exclusively: <T>(id: QueueId, work: () => Promise<T>) => Promise<T>;
}

const DAY_MS = 86_400_000;
const PAGE = 100;
/** Of messages that have no age of their own, waiting for one behind them that has. */
const MOST_PENDING = 1_000;

export async function expireBatch(
  parts: ExpiryParts,
  { days, batch }: { days: number; batch: number },
): Promise<ExpiryResult> {
  if (!parts.clock.synchronised()) return { expired: 0, more: false, clockUnsure: true };
  let expired = 0;
  let pending: QueueId[] = [];
  for await (const entry of entriesOf(parts.spool)) {
    if (entry.deleted) continue;
    if (!hasAge(entry, parts.clock)) {
      if (pending.length < MOST_PENDING) pending.push(entry.id);
      continue;
    }
    // In order of arrival: all that follow are younger.
    if (ageOf(entry.arrival, parts.clock) <= days * DAY_MS) break;
    for (const id of [...pending, entry.id]) {
      if (expired >= batch) return { expired, more: true, clockUnsure: false };
      if (await expireOne(parts, id)) expired += 1;
    }
    pending = [];
  }
  return { expired, more: false, clockUnsure: false };
}

function expireOne({ spool, observe, exclusively }: ExpiryParts, id: QueueId): Promise<boolean> {
  return exclusively(id, async () => {
    const message = await spool.read(id);
    if (message?.folder !== 'quarantine' || message.progress.deleted !== undefined) return false;
    try {
      await spool.remove(id, 'expired');
    } catch (error) {
      if (errorCode(error) === 'WRONG_STATE' || errorCode(error) === 'NOT_FOUND') return false;
      throw error;
    }
    observe.emit({ event: 'deleted', id, by: 'sekisho', why: 'expired' });
    return true;
  });
}

function hasAge({ arrival }: SpoolListEntry, clock: Clock): boolean {
  return arrival.boot === clock.bootId || arrival.synchronised;
}

async function* entriesOf(spool: QuarantineSpool): AsyncGenerator<SpoolListEntry> {
  let after: QueueId | undefined;
  for (;;) {
    const page = await spool.list('quarantine', after === undefined ? { limit: PAGE } : { after, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.id;
  }
}
