/**
 * The delay notice: mail outward that has not arrived after `delivery.delayNoticeMs` is told to its sender, once for each
 * recipient, in the sender's language. Only to a verified reverse-path, never for a notice, and only where NOTIFY allows it
 * (RFC 3461 §4.1: without NOTIFY a delay may be told). Notice and mark are one durable step of the spool. Throws what the
 * spool throws; then nothing was told, and the next sweep tries again.
 */
import type { ForwardPath } from '../mail/address.ts';
import type { DsnRecipient } from '../mail/dsn.ts';
import type { StoredMessage } from '../spool/api.ts';
import type { AttemptContext } from './attempt.ts';
import { parseHopReply } from './classify.ts';
import { triedSince } from './give-up.ts';
import { isReversePathVerified, knownOf, writeNotice } from './notice.ts';
import { expiryOf, isInboundHop, routeKey, routingDomain } from './route.ts';
import type { Job } from './schedule.ts';

/** Above every number a bounce of the same message can have: an id is never used twice while its file may still be going. */
const FIRST_NUMBER = 1_001;

/** True when this job needs no more looking at; false: some of its recipients were being served, look again. */
export async function tellDelay(
  job: Job,
  context: AttemptContext & { lastError: string | undefined },
): Promise<boolean> {
  let done = true;
  await context.inFlight.inTurn(job.id, async () => {
    const message = await context.spool.read(job.id);
    if (message === undefined || message.folder !== 'queue' || message.progress.deleted !== undefined) return;
    const { kind, envelope } = message.preamble;
    if (kind === 'dsn' || envelope.reversePath === '' || !isReversePathVerified(message)) return;
    const late = lateRecipients(message, context);
    const idle = late.filter((address) => !context.inFlight.isClaimed(job.id, address));
    done = idle.length === late.length;
    if (idle.length > 0) await send(message, idle, context);
  });
  return done;
}

function lateRecipients(message: StoredMessage, { config }: AttemptContext): ForwardPath[] {
  const notify = new Map(message.preamble.envelope.recipients.map((each) => [each.address, each.dsn?.notify]));
  return message.progress.recipients
    .filter((each) => {
      if (each.outcome !== undefined || each.delayNotified === true) return false;
      // The way to our own mail servers is watched by the gateway itself (alarm), and kept for a week.
      if (isInboundHop(routeKey(routingDomain(each.address, config) ?? '', config))) return false;
      return notify.get(each.address)?.includes('DELAY') ?? true;
    })
    .map((each) => each.address);
}

async function send(
  message: StoredMessage,
  late: readonly ForwardPath[],
  context: AttemptContext & { lastError: string | undefined },
): Promise<void> {
  const recipients = late.map((address) => delayed(message, address, context));
  const notice = await writeNotice(message, { ...context, recipients });
  const told = message.progress.recipients.filter((each) => each.delayNotified === true).length;
  const attempt = FIRST_NUMBER + told;
  const id = await context.spool.bounce(message.id, [], { attempt, ...notice, delayNotified: late });
  context.observe.emit({ event: 'derived', id, parent: message.id, why: 'dsn' });
  context.observe.log('info', 'Told the sender of a delay', { id: message.id, notice: id, recipients: late });
}

function delayed(
  message: StoredMessage,
  address: ForwardPath,
  context: AttemptContext & { lastError: string | undefined },
): DsnRecipient {
  const { config, lastError } = context;
  const record = message.progress.recipients.find((each) => each.address === address);
  const reply = record?.lastReply ?? lastError ?? '4.4.1 Not tried yet';
  const { code, enhanced } = parseHopReply(reply);
  const own = /^[245]\.(\d{1,3}\.\d{1,3})(?: |$)/.exec(reply)?.[1];
  const key = routeKey(routingDomain(address, config) ?? '', config);
  // What a server said names the server; our own words (no connection, DNS) name nobody.
  const host = /^([^[]+)\[/.exec(record?.nextHop ?? '')?.[1];
  return {
    ...knownOf(message, address),
    outcome: 'delayed',
    // RFC 3464 §2.3.4: a delay is of class 4.
    status: `4.${enhanced?.slice(2) ?? own ?? '0.0'}`,
    ...(code === 0 || host === undefined ? {} : { remoteMta: host }),
    diagnostic: reply,
    retryUntil: new Date(triedSince(message).wall + expiryOf({ kind: 'mail', key }, config)),
  };
}
