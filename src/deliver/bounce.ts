/**
 * What becomes of recipients that cannot be served any more. Exactly one of: a DSN to a verified reverse-path, durable with
 * the settlement; settled in silence (NOTIFY without FAILURE; a DSN or `<>` that failed itself); or held as *undeliverable*
 * because the reverse-path may be forged. Never backscatter, never lost. Throws what the spool throws.
 */
import type { Readable } from 'node:stream';
import { type Clock, stampOf } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import { domainOf, type ForwardPath, needsSmtpUtf8, parseForwardPath } from '../mail/address.ts';
import { composeDsn, type DsnRecipient } from '../mail/dsn.ts';
import type { RecipientDsn, Transaction } from '../mail/envelope.ts';
import type { Inspection } from '../mail/finding.ts';
import { findHeaderEnd } from '../mail/header.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { SettledRecipient, Spool, StoredMessage } from '../spool/api.ts';
import { relayDomainOf } from './route.ts';

/** Of the original's header, at most this much goes into a DSN. */
export const MAX_RETURNED_HEADER = 65_536;

export interface FailedRecipient {
  address: ForwardPath;
  outcome: 'bounced' | 'expired';
  status: string;
  reply: string;
  /** For the record: `host[address]:port` or the hop's key. */
  nextHop: string;
  /** Set when a peer said `reply`. */
  remoteMta?: string;
}

export interface FailureOptions {
  spool: Spool;
  observe: Observe;
  clock: Clock;
  config: Config;
  /** Unguessable text for boundary and Message-ID. */
  token: () => string;
  /** Runs the work while no recipient of the message is being served: its file is about to be split. */
  alone: (id: QueueId, work: () => Promise<void>) => Promise<void>;
}

export async function settleFailed(
  message: StoredMessage,
  failed: readonly FailedRecipient[],
  options: FailureOptions,
): Promise<void> {
  if (failed.length === 0) return;
  const { envelope, kind } = message.preamble;
  // RFC 5321 §6.1: nothing answers a null reverse-path.
  if (kind === 'dsn' || envelope.reversePath === '') return doubleBounce(message, failed, options);
  const dsnOf = new Map(envelope.recipients.map((recipient) => [recipient.address, recipient.dsn]));
  const quiet = failed.filter((each) => !wantsNotice(dsnOf.get(each.address)));
  const loud = failed.filter((each) => wantsNotice(dsnOf.get(each.address)));
  if (quiet.length > 0) {
    await options.spool.settle(message.id, quiet.map(settled));
    tell(message.id, quiet, options);
  }
  if (loud.length === 0) return;
  if (isReversePathVerified(message)) await sendDsn(message, loud, options);
  else await options.alone(message.id, () => holdUndeliverable(message, loud, options));
}

/** RFC 3461 §4.1: without NOTIFY a failure is told; with it only if FAILURE is on the list. */
function wantsNotice(dsn: RecipientDsn | undefined): boolean {
  return dsn?.notify === undefined || dsn.notify.includes('FAILURE');
}

/**
 * May a DSN go to this reverse-path? Only if somebody vouched for it: our own networks, SPF for that very domain, or an
 * aligned DKIM signature of an author's domain that the reverse-path belongs to.
 */
export function isReversePathVerified(message: Pick<StoredMessage, 'preamble' | 'trailer'>): boolean {
  const { origin, envelope } = message.preamble;
  if (origin.listener !== 'mx') return true;
  const domain = domainOf(envelope.reversePath);
  const inspection = message.trailer.inspection;
  if (domain === undefined || inspection === undefined) return false;
  return hasSpfPass(inspection, domain) || hasAuthorsSignature(inspection, domain);
}

function hasSpfPass(inspection: Inspection, domain: string): boolean {
  return inspection.findings.some(
    (finding) => finding.kind === 'spf' && finding.result === 'pass' && finding.domain.toLowerCase() === domain,
  );
}

function hasAuthorsSignature(inspection: Inspection, domain: string): boolean {
  const signed = inspection.findings.some(
    (finding) => finding.kind === 'dkim' && finding.result === 'pass' && finding.aligned,
  );
  if (!signed) return false;
  return inspection.findings.some((finding) => {
    if (finding.kind !== 'from' || finding.malformed || finding.domains.length !== 1) return false;
    const author = finding.domains[0];
    return author !== undefined && author !== '' && (domain === author || domain.endsWith(`.${author}`));
  });
}

async function sendDsn(
  message: StoredMessage,
  failed: readonly FailedRecipient[],
  options: FailureOptions,
): Promise<void> {
  const { spool, clock } = options;
  const transaction = dsnTransaction(message, options);
  const originalHeader = await readHeader(spool.openBody(message));
  const text = composeDsn({
    language: options.config.language,
    hostname: options.config.hostname,
    queueId: message.id,
    reversePath: message.preamble.envelope.reversePath,
    ...(message.preamble.envelope.envid === undefined ? {} : { envid: message.preamble.envelope.envid }),
    arrival: new Date(message.preamble.arrival.wall),
    now: new Date(clock.wall()),
    recipients: failed.map((each) => dsnRecipient(message, each)),
    originalHeader,
    token: options.token(),
  });
  // The number names the DSN (`….d2`). Each DSN settles somebody, so one more than the settled is new every time, and
  // the same again when a power cut undid the step.
  const attempt = 1 + message.progress.recipients.filter((each) => each.outcome !== undefined).length;
  const id = await spool.bounce(message.id, failed.map(settled), { attempt, transaction, message: text });
  options.observe.emit({ event: 'derived', id, parent: message.id, why: 'dsn' });
  tell(message.id, failed, options, id);
}

function dsnTransaction(message: StoredMessage, options: FailureOptions): Transaction {
  const { reversePath } = message.preamble.envelope;
  const address = parseForwardPath(reversePath);
  if (address === undefined) throw new TypeError(`Reverse-path ${JSON.stringify(reversePath)} is no forward-path`);
  const inbound = relayDomainOf(domainOf(address) ?? '', options.config) !== undefined;
  const utf8 = needsSmtpUtf8(address);
  return {
    origin: {
      direction: inbound ? 'inbound' : 'outbound',
      listener: 'local',
      sessionId: '',
      clientAddress: '',
      helo: options.config.hostname,
      protocol: 'LOCAL',
    },
    // RFC 3464 §2: null reverse-path, and nobody wants to hear of its own failure (RFC 3461 §6.2 NOTIFY=NEVER).
    envelope: {
      reversePath: '' as Transaction['envelope']['reversePath'],
      recipients: [{ address, dsn: { notify: ['NEVER'] } }],
      smtpUtf8: utf8,
      eightBit: utf8,
    },
    arrival: stampOf(options.clock),
  };
}

function dsnRecipient(message: StoredMessage, failed: FailedRecipient): DsnRecipient {
  const orcpt = message.preamble.envelope.recipients.find((each) => each.address === failed.address)?.dsn?.orcpt;
  const last = message.progress.recipients.find((each) => each.address === failed.address)?.lastAttempt;
  return {
    address: failed.address,
    ...(orcpt === undefined ? {} : { orcpt }),
    outcome: failed.outcome,
    // RFC 3463 §3.5 X.4.7: the delivery time expired; "failed" needs class 5 (RFC 3464 §2.3.4).
    status: failed.outcome === 'expired' ? '5.4.7' : failed.status,
    ...(failed.remoteMta === undefined ? {} : { remoteMta: failed.remoteMta }),
    diagnostic: failed.reply,
    ...(last === undefined ? {} : { lastAttempt: new Date(last.wall) }),
  };
}

/** The header section without the empty line, whole lines only, at most MAX_RETURNED_HEADER octets. */
export async function readHeader(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MAX_RETURNED_HEADER + 4 || findHeaderEnd(Buffer.concat(chunks)) >= 0) break;
    }
  } finally {
    body.destroy();
  }
  const octets = Buffer.concat(chunks);
  const end = findHeaderEnd(octets);
  const header = end < 0 ? octets : octets.subarray(0, Math.max(0, end - 2));
  if (header.length <= MAX_RETURNED_HEADER) return header;
  const lastLine = header.lastIndexOf('\r\n', MAX_RETURNED_HEADER - 2);
  return header.subarray(0, lastLine < 0 ? MAX_RETURNED_HEADER : lastLine + 2);
}

async function doubleBounce(
  message: StoredMessage,
  failed: readonly FailedRecipient[],
  options: FailureOptions,
): Promise<void> {
  await options.spool.settle(message.id, failed.map(settled));
  tell(message.id, failed, options);
  const words = failed.map((each) => `<${each.address}> ${each.reply}`).join('; ');
  options.observe.raise('undeliverable', message.id, `Double bounce: a notice could not be delivered: ${words}`);
  options.observe.log('warn', 'Double bounce', { id: message.id, recipients: failed.map((each) => each.address) });
}

async function holdUndeliverable(
  message: StoredMessage,
  failed: readonly FailedRecipient[],
  { spool, observe }: FailureOptions,
): Promise<void> {
  const recipients = failed.map((each) => each.address);
  // Ends the attempt on record, or the file could not be moved; and the last reply is there for whoever looks at it.
  await spool.defer(
    message.id,
    failed.map(({ address, reply, nextHop }) => ({ address, reply, nextHop, wait: 0 })),
  );
  const id = await spool.move(message.id, 'held', { recipients, why: 'undeliverable' });
  if (id !== message.id) observe.emit({ event: 'derived', id, parent: message.id, why: 'undeliverable', recipients });
  observe.emit({ event: 'held', id, why: 'undeliverable', by: 'gateway' });
  const words = failed.map((each) => `<${each.address}> ${each.reply}`).join('; ');
  const from = message.preamble.envelope.reversePath;
  observe.raise(
    'undeliverable',
    id,
    `Held: nobody vouches for the reverse-path <${from}>, so no DSN was sent: ${words}`,
  );
}

function settled(failed: FailedRecipient): SettledRecipient {
  return { address: failed.address, outcome: failed.outcome, reply: failed.reply, nextHop: failed.nextHop };
}

/** One event for each next hop and reply, so that each trail says what was said about it. */
function tell(id: QueueId, failed: readonly FailedRecipient[], options: FailureOptions, dsn?: QueueId): void {
  const groups = Map.groupBy(failed, (each) => `${each.outcome}\n${each.nextHop}\n${each.reply}`);
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const recipients = group.map((each) => each.address);
    const common = { id, recipients, reply: first.reply, ...(dsn === undefined ? {} : { dsn }) };
    if (first.outcome === 'expired') options.observe.emit({ event: 'expired', ...common });
    else options.observe.emit({ event: 'bounced', ...common, nextHop: first.nextHop });
  }
}
