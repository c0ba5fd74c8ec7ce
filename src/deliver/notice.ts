/**
 * The notices we write ourselves (RFC 3464): to whom one may go, its envelope and its text. A notice answers a message that
 * somebody vouched for, goes out with a null reverse-path, and carries the original's header, or all of it where RET=FULL asks for that and it is small. Nothing is
 * stored here; throws what reading the original throws.
 */
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Clock, stampOf } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import { domainOf, type ForwardPath, needsSmtpUtf8, parseForwardPath } from '../mail/address.ts';
import { canReturn, composeDsn, type DsnRecipient } from '../mail/dsn.ts';
import type { Transaction } from '../mail/envelope.ts';
import type { Inspection } from '../mail/finding.ts';
import { findHeaderEnd } from '../mail/header.ts';
import { readsJapanese } from '../mail/reads-japanese.ts';
import type { Spool, StoredMessage } from '../spool/api.ts';
import { relayDomainOf } from './route.ts';

/** Of the original's header, at most this much goes into a DSN. */
export const MAX_RETURNED_HEADER = 65_536;
/** A message larger than this is never returned whole. */
export const MAX_RETURNED = 1_048_576;

export interface NoticeOptions {
  spool: Spool;
  clock: Clock;
  config: Config;
  /** Unguessable text for boundary and Message-ID. */
  token: () => string;
}

/** The notice for these recipients, ready for the spool. */
export async function writeNotice(
  message: StoredMessage,
  options: NoticeOptions & { recipients: readonly DsnRecipient[] },
): Promise<{ transaction: Transaction; message: Buffer }> {
  const { envelope, arrival } = message.preamble;
  const transaction = dsnTransaction(message, options);
  const originalHeader = await readHeader(options.spool.openBody(message));
  const original = await readWhole(message, options);
  const text = composeDsn({
    // in Japanese means: and in English below it
    language: readsJapanese(originalHeader) ? 'ja' : options.config.language,
    hostname: options.config.hostname,
    queueId: message.id,
    reversePath: envelope.reversePath,
    ...(envelope.envid === undefined ? {} : { envid: envelope.envid }),
    arrival: new Date(arrival.wall),
    now: new Date(options.clock.wall()),
    recipients: options.recipients,
    originalHeader,
    ...(original === undefined ? {} : { original }),
    token: options.token(),
  });
  if (text.some((octet) => octet > 127)) transaction.envelope.eightBit = true;
  return { transaction, message: text };
}

/** What envelope and record know of a recipient, as a notice says it. */
export function knownOf(
  message: StoredMessage,
  address: ForwardPath,
): Pick<DsnRecipient, 'address' | 'orcpt' | 'lastAttempt'> {
  const orcpt = message.preamble.envelope.recipients.find((each) => each.address === address)?.dsn?.orcpt;
  const last = message.progress.recipients.find((each) => each.address === address)?.lastAttempt;
  return {
    address,
    ...(orcpt === undefined ? {} : { orcpt }),
    ...(last === undefined ? {} : { lastAttempt: new Date(last.wall) }),
  };
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

function dsnTransaction(message: StoredMessage, options: NoticeOptions): Transaction {
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

/**
 * The original, where its sender wants it back: RFC 3461 §4.3: RET=FULL speaks of failures only, and less may be returned:
 * nothing large, nothing that had a virus in it, nothing that could not stand in a notice.
 */
async function readWhole(
  message: StoredMessage,
  options: NoticeOptions & { recipients: readonly DsnRecipient[] },
): Promise<Buffer | undefined> {
  const { envelope } = message.preamble;
  const failed = options.recipients.some(({ outcome }) => outcome === 'bounced' || outcome === 'expired');
  if (envelope.ret !== 'FULL' || !failed || message.trailer.size > MAX_RETURNED) return undefined;
  if (message.trailer.inspection?.findings.some(({ kind }) => kind === 'virus') === true) return undefined;
  const original = await buffer(options.spool.openBody(message));
  return canReturn(original) ? original : undefined;
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
