/**
 * Settles what a next hop took. Who asked for NOTIFY=SUCCESS is told "relayed" when that hop sends no notices itself (RFC
 * 3461 §5.2.2), in the same durable step as the settlement. A notice that cannot be written never stands in the way of the
 * settlement: what was delivered must not go out twice. Throws what the spool throws at the settlement.
 */
import { describeError, errorCode } from '../base/errors.ts';
import type { SettledRecipient, StoredMessage } from '../spool/api.ts';
import type { AttemptContext } from './attempt.ts';
import type { Classified } from './classify.ts';
import { isReversePathVerified, knownOf, writeNotice } from './notice.ts';

export type Taken = Pick<Classified, 'status' | 'reply'> & { address: SettledRecipient['address'] };

export async function settleTaken(
  message: StoredMessage,
  taken: readonly Taken[],
  context: AttemptContext & { nextHop: string; remoteMta: string; passesDsn: boolean },
): Promise<void> {
  const { nextHop, spool } = context;
  const outcomes = (some: readonly Taken[]): SettledRecipient[] =>
    some.map(({ address, reply }) => ({ address, reply, nextHop, outcome: 'delivered' as const }));
  const asked = context.passesDsn ? [] : taken.filter((each) => wantsSuccess(message, each));
  const rest = taken.filter((each) => !asked.includes(each));
  if (rest.length > 0) await spool.settle(message.id, outcomes(rest));
  if (asked.length > 0 && !(await tellRelayed(message, asked, context)))
    await spool.settle(message.id, outcomes(asked));
}

function wantsSuccess(message: StoredMessage, { address }: Taken): boolean {
  const { envelope, kind } = message.preamble;
  const said = envelope.recipients.find((each) => each.address === address)?.dsn?.notify;
  if (said?.includes('SUCCESS') !== true || kind === 'dsn' || envelope.reversePath === '') return false;
  return isReversePathVerified(message);
}

/** False: nothing was settled. */
async function tellRelayed(
  message: StoredMessage,
  asked: readonly Taken[],
  context: AttemptContext & { nextHop: string; remoteMta: string },
): Promise<boolean> {
  const { nextHop, remoteMta, spool, observe } = context;
  const recipients = asked.map(({ address, status, reply }) => ({
    ...knownOf(message, address),
    outcome: 'relayed' as const,
    status,
    remoteMta,
    diagnostic: reply,
  }));
  try {
    const notice = await writeNotice(message, { ...context, recipients });
    const fresh = (await spool.read(message.id)) ?? message;
    // As with a bounce: it settles somebody, so the number is new every time.
    const attempt = 1 + fresh.progress.recipients.filter((each) => each.outcome !== undefined).length;
    const settled = asked.map(({ address, reply }) => ({ address, reply, nextHop, outcome: 'delivered' as const }));
    const id = await spool.bounce(message.id, settled, { attempt, ...notice });
    observe.emit({ event: 'derived', id, parent: message.id, why: 'dsn' });
    return true;
  } catch (error) {
    if (errorCode(error) === 'SPOOL_FAULT') throw error;
    observe.log('warn', 'A relayed notice could not be written', { id: message.id, detail: describeError(error) });
    return false;
  }
}
