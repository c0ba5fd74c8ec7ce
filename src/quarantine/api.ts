/**
 * What quarantine offers the entries (CLI, later API and pages): plain values. Subject, author, HELO and preview are escaped for
 * display; addresses, decisions and findings are as they are, for programs: escape them before a person sees them.
 * Every method throws SekishoError: `NOT_FOUND`, `WRONG_STATE`, `UNKNOWN_RECIPIENT`, `RELEASE_NEEDS_FORCE`,
 * `RELEASE_INCOMPLETE`, and what the spool throws (`SPOOL_FAULT`).
 */
import type { Stamp } from '../base/clock.ts';
import type { ForwardPath, ReversePath } from '../mail/address.ts';
import type { Decision, Reason } from '../mail/decision.ts';
import type { Direction } from '../mail/envelope.ts';
import type { Inspection } from '../mail/finding.ts';
import type { Preview } from '../mail/preview.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Folder, Spool, Variant } from '../spool/api.ts';

/** As much of the spool as quarantine uses. */
export type QuarantineSpool = Pick<Spool, 'read' | 'list' | 'openBody' | 'move' | 'remove' | 'undelete'>;

export interface QuarantineEntry {
  id: QueueId;
  folder: Folder;
  arrival: Stamp;
  size: number;
  direction: Direction;
  reversePath: ReversePath;
  /** Those whose outcome is still open. */
  recipients: ForwardPath[];
  /** As a person reads them; empty when the message has none or was not inspected. */
  subject: string;
  from: string;
  reason: Reason;
  /** Why it is held, for held mail. */
  hold?: string;
  /** Marked for deletion: gone 10 minutes after the mark. */
  deleted: boolean;
  deletedAt?: Stamp;
  /** Release asks for `force`: a virus was found, or nobody looked for one. */
  needsForce: boolean;
}

export interface QuarantineDetail extends QuarantineEntry {
  clientAddress: string;
  helo: string;
  decisions: Decision[];
  inspection?: Inspection;
  variants: Variant[];
  /** Header fields and the beginning of the text; undefined with `previewProblem` when the body cannot be read. */
  preview?: Preview;
  previewProblem?: string;
}

export interface ReleaseResult {
  /** It was released before; nothing was done now. */
  already: boolean;
  /** Under which id it goes out now. */
  id: QueueId;
  /** Released now; empty when `already`. */
  recipients: ForwardPath[];
}

export interface ExpiryResult {
  expired: number;
  /** There may be more: call again. */
  more: boolean;
  /** Nothing was done because the clock is not known to be right. */
  clockUnsure: boolean;
}

export interface Quarantine {
  /** Oldest first unless `newestFirst`. `next` is the cursor of the following page, absent at the end. At most 200 a page (default 50). */
  list(options?: {
    folder?: 'quarantine' | 'held';
    after?: QueueId;
    limit?: number;
    newestFirst?: boolean;
  }): Promise<{ entries: QuarantineEntry[]; next?: QueueId }>;
  /** Quarantined, held or queued mail. */
  show(id: QueueId): Promise<QuarantineDetail>;
  /**
   * To all open recipients, or to those named, in the variant made for them. Once is once: a second release answers
   * `already`. Durable when it resolves.
   */
  release(
    id: QueueId,
    options: { by: string; recipients?: readonly ForwardPath[]; force?: boolean },
  ): Promise<ReleaseResult>;
  /** Quarantined, held or queued: gone in 10 minutes, until then `undelete` brings it back. */
  delete(id: QueueId, options: { by: string }): Promise<{ already: boolean }>;
  undelete(id: QueueId, options: { by: string }): Promise<{ already: boolean }>;
  /** Queued mail stops going out until `unhold`; held mail never expires. */
  hold(
    id: QueueId,
    options: { by: string; why: string; recipients?: readonly ForwardPath[] },
  ): Promise<{ already: boolean; id: QueueId }>;
  unhold(id: QueueId, options: { by: string; force?: boolean }): Promise<ReleaseResult>;
  /** One bounded batch (default 500 messages). `days` default: config.quarantine.days. */
  expire(options?: { days?: number; batch?: number }): Promise<ExpiryResult>;
}
