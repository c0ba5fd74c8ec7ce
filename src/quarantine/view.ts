/**
 * Quarantined and held mail as an operator sees it. Reads only; what is free text of strangers is escaped. A message that
 * vanishes or turns out damaged while a page is read is left out of it (the spool alarms for damage), the page stands.
 */
import type { Readable } from 'node:stream';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode } from '../base/errors.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { previewMessage } from '../mail/preview.ts';
import { safeText } from '../mail/safe-text.ts';
import type { Observe } from '../observe/events.ts';
import type { StoredMessage } from '../spool/api.ts';
import type { QuarantineDetail, QuarantineEntry, QuarantineSpool } from './api.ts';

/** As much of a message as the preview looks at. */
const PREVIEW_OCTETS = 131_072;
const PREVIEW_MS = 10_000;
const MOST_A_PAGE = 200;

export async function listEntries(
  parts: { spool: QuarantineSpool; observe: Observe },
  options: { folder?: 'quarantine' | 'held'; after?: QueueId; limit?: number; newestFirst?: boolean },
): Promise<{ entries: QuarantineEntry[]; next?: QueueId }> {
  const limit = Math.min(Math.max(1, options.limit ?? 50), MOST_A_PAGE);
  const folder = options.folder ?? 'quarantine';
  const found = await parts.spool.list(folder, {
    limit,
    newestFirst: options.newestFirst ?? false,
    ...(options.after === undefined ? {} : { after: options.after }),
  });
  const entries: QuarantineEntry[] = [];
  for (const { id } of found) {
    const message = await readOrSkip(parts, id);
    // Released or deleted since the page was made: no longer here.
    if (message !== undefined && message.folder === folder) entries.push(entryOf(message));
  }
  const last = found.at(-1);
  return last !== undefined && found.length >= limit ? { entries, next: last.id } : { entries };
}

async function readOrSkip(
  parts: { spool: QuarantineSpool; observe: Observe },
  id: QueueId,
): Promise<StoredMessage | undefined> {
  try {
    return await parts.spool.read(id);
  } catch (error) {
    if (errorCode(error) !== 'CORRUPT' && errorCode(error) !== 'NOT_FOUND') throw error;
    parts.observe.log('warn', 'A quarantined message could not be read', { id, error: describeError(error) });
    return undefined;
  }
}

export async function showMessage(spool: QuarantineSpool, message: StoredMessage): Promise<QuarantineDetail> {
  const { preamble, trailer } = message;
  const detail: QuarantineDetail = {
    ...entryOf(message),
    clientAddress: preamble.origin.clientAddress,
    helo: safeText(preamble.origin.helo, 255),
    decisions: trailer.decisions,
    variants: trailer.variants,
    ...(trailer.inspection === undefined ? {} : { inspection: trailer.inspection }),
  };
  try {
    const head = await withDeadline('Reading a message for its preview', { ms: PREVIEW_MS }, (signal) =>
      readHead(spool.openBody(message), signal),
    );
    return { ...detail, preview: previewMessage(head) };
  } catch (error) {
    return { ...detail, previewProblem: describeError(error) };
  }
}

export function entryOf(message: StoredMessage): QuarantineEntry {
  const { preamble, trailer, progress } = message;
  const summary = trailer.inspection?.findings.find((finding) => finding.kind === 'summary');
  const why = progress.why ?? trailer.hold?.reason;
  return {
    id: message.id,
    folder: message.folder,
    arrival: preamble.arrival,
    size: trailer.size,
    direction: preamble.origin.direction,
    reversePath: preamble.envelope.reversePath,
    recipients: openRecipients(message),
    subject: safeText(summary?.subject ?? ''),
    from: safeText(summary?.from ?? ''),
    reason: reasonOf(message),
    ...(why === undefined ? {} : { hold: safeText(why) }),
    ...(progress.deleted === undefined ? {} : { deletedAt: progress.deleted }),
    deleted: progress.deleted !== undefined,
    needsForce: needsForce(message) !== undefined,
  };
}

/** Why it is here: the reason of the first open recipient who was not simply to get it. */
function reasonOf({ trailer, progress }: StoredMessage): QuarantineEntry['reason'] {
  if (progress.why === 'undeliverable') return 'undeliverable';
  if (progress.why === 'operator') return 'operator';
  const settled = new Set(
    progress.recipients.filter(({ outcome }) => outcome !== undefined).map(({ address }) => address),
  );
  const open = trailer.decisions.filter(({ recipient }) => !settled.has(recipient));
  const kept = open.find(({ action }) => action !== 'deliver') ?? open[0] ?? trailer.decisions[0];
  if (kept !== undefined) return kept.action === 'deliver' && trailer.hold !== undefined ? 'operator' : kept.reason;
  return 'not-inspected';
}

export function openRecipients({ progress }: StoredMessage): ForwardPath[] {
  return progress.recipients.filter(({ outcome }) => outcome === undefined).map(({ address }) => address);
}

/** Why this message may leave only by force, or undefined. */
export function needsForce({ preamble, trailer }: StoredMessage): string | undefined {
  if (preamble.origin.listener === 'local') return undefined; // our own words: a DSN, a notice
  const { inspection } = trailer;
  const virus = inspection?.findings.find((finding) => finding.kind === 'virus');
  if (virus !== undefined) return `the virus "${safeText(virus.name, 80)}" was found in it`;
  if (trailer.decisions.some(({ reason }) => reason === 'virus')) return 'a virus was found in it';
  if (inspection === undefined) return 'it was not inspected';
  const unseen = inspection.missing.some(({ inspector }) => inspector === 'antivirus');
  return unseen ? 'it was not checked for viruses' : undefined;
}

/** The first octets; the stream is destroyed whatever happens, so that no file stays open. */
async function readHead(stream: Readable, signal: AbortSignal): Promise<Buffer> {
  const stop = (): void => {
    stream.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= PREVIEW_OCTETS) break; // leaving the loop destroys the stream
    }
    return Buffer.concat(chunks).subarray(0, PREVIEW_OCTETS);
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}
