/**
 * The end of trying: whose time is up, and the one way in which recipients that failed for good are settled, always on the
 * newest state of the message. Throws what the spool throws, except when someone else took the message away.
 */
import { ageOf, type Stamp } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { StoredMessage } from '../spool/api.ts';
import type { AttemptContext } from './attempt.ts';
import { type FailedRecipient, type FailureOptions, settleFailed } from './bounce.ts';
import { expiryOf, routeKey, routingDomain } from './route.ts';
import type { Job } from './schedule.ts';

/** Settles, with DSN, hold or silence, on the newest state of the message; one such step at a time for each message. */
export async function failRecipients(
  id: QueueId,
  failed: readonly FailedRecipient[],
  context: Pick<AttemptContext, 'spool' | 'inFlight'> & Omit<FailureOptions, 'alone'>,
): Promise<void> {
  await context.inFlight.inTurn(id, async () => {
    const fresh = await context.spool.read(id);
    if (!isOurs(fresh)) return;
    const open = new Set(
      fresh.progress.recipients.filter((each) => each.outcome === undefined).map((each) => each.address),
    );
    const still = failed.filter((each) => open.has(each.address));
    try {
      await settleFailed(fresh, still, { ...context, alone: (which, work) => context.inFlight.alone(which, work) });
    } catch (error) {
      if (!isGone(error)) throw error;
      // Someone was faster, or nothing happened at all; in the latter case the job must come back.
      if (isOurs(await context.spool.read(id))) throw error;
    }
  });
}

/** Neither held, nor marked for deletion, nor gone: then somebody else is in charge of it. */
function isOurs(message: StoredMessage | undefined): message is StoredMessage {
  return message !== undefined && message.folder === 'queue' && message.progress.deleted === undefined;
}

/** Older than its time, by clocks that can be trusted: nothing expires before the machine knows the time. */
export function isExpired(
  job: Job,
  message: StoredMessage,
  context: Pick<AttemptContext, 'clock' | 'config' | 'key'>,
): boolean {
  const { clock } = context;
  if (!clock.synchronised()) return false;
  // Within this run the monotonic age holds even when the arrival's own stamp cannot be compared.
  const age = Math.max(ageOf(triedSince(message), clock), clock.monotonic() - job.born);
  return age >= expiryOf({ kind: message.preamble.kind, key: context.key }, context.config);
}

/** What was kept for long, and let go by a person, has its whole time before it. */
export function triedSince({ preamble, progress }: StoredMessage): Stamp {
  return progress.letGo ?? preamble.arrival;
}

/** Someone was faster (released, deleted, held): normal, and theirs. */
export function isGone(error: unknown): boolean {
  return ['NOT_FOUND', 'WRONG_STATE'].includes(errorCode(error) ?? '');
}

/**
 * For a job that waits for a hop which is away and is never attempted. `younger`: back to where it waited (its exact age is
 * less than the guess, or a changed configuration sends it elsewhere).
 */
export async function expireWaiting(
  job: Job,
  lastReply: string,
  context: AttemptContext,
): Promise<'expired' | 'younger' | 'gone'> {
  const { spool, config, key, detours } = context;
  const message = await spool.read(job.id);
  if (!isOurs(message)) return 'gone';
  if (routeKey(job.domain, config, detours.of(job.id)) !== key || !isExpired(job, message, context)) return 'younger';
  const failed = message.progress.recipients
    .filter((each) => each.outcome === undefined && (routingDomain(each.address, config) ?? '') === job.domain)
    .filter((each) => !context.inFlight.isClaimed(job.id, each.address))
    .map(({ address }) => ({ address, outcome: 'expired' as const, status: '5.4.7', reply: lastReply, nextHop: key }));
  await failRecipients(job.id, failed, context);
  return 'expired';
}
