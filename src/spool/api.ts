/**
 * The spool's contract: the durable store of every message between its 250 and its last settled recipient.
 *
 * Durable when it returns: `Draft.commit`, `settle`, `bounce`, `move`, `remove`, `reroute`, `decide`. Recorded but lost with
 * the power (never with a kill): `recordAttempt`, `defer`. Every method throws SekishoError: `SPOOL_FULL` (452),
 * `SPOOL_FAULT` (a sync failed: the process must stop and start anew), `NOT_FOUND`, `WRONG_STATE` (someone was faster).
 */
import type { Readable } from 'node:stream';
import type { Stamp } from '../base/clock.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { Decision } from '../mail/decision.ts';
import type { Envelope, Origin, Transaction } from '../mail/envelope.ts';
import type { Inspection } from '../mail/finding.ts';
import type { QueueId } from '../mail/queue-id.ts';

/** The folder a message file lies in is its state. */
export const FOLDERS = ['incoming', 'queue', 'held', 'quarantine', 'corrupt'] as const;
export type Folder = (typeof FOLDERS)[number];

/** Written once, at the head of the file. */
export interface Preamble {
  version: 1;
  id: QueueId;
  kind: 'mail' | 'dsn';
  envelope: Envelope;
  origin: Origin;
  arrival: Stamp;
  /** Set in a file that is part `part` of `of` of a split, or the DSN of an attempt. */
  parent?: { id: QueueId; part: number; of: number } | { id: QueueId; attempt: number };
}

/** How the message goes out to these recipients: prefix + body without the cut ranges (RFC 5321 trace fields stand first). */
export interface Variant {
  recipients: ForwardPath[];
  /** Complete header fields, CRLF ends, may be empty. */
  prefix: string;
  /** Octet ranges of the original body left out, ascending, not overlapping. */
  cuts: Array<[start: number, end: number]>;
}

/** Written once, behind the body. An *incoming* file has no decisions and no variants. */
export interface Trailer {
  decidedAt?: Stamp;
  decisions: Decision[];
  inspection?: Inspection;
  variants: Variant[];
  /** Why it is held, and until when (wall, ms) if by time. */
  hold?: { reason: string; until?: number };
  /** Of the original body. */
  size: number;
  /** SHA-256 of the original body, hex. */
  sha256: string;
}

export const OUTCOMES = ['delivered', 'bounced', 'expired', 'discarded', 'deleted', 'replaced'] as const;
/** The final word on one recipient. `replaced`: it lives on in a part of a split. */
export type Outcome = (typeof OUTCOMES)[number];

export interface RecipientProgress {
  address: ForwardPath;
  /** Set once settled, never changed. */
  outcome?: Outcome;
  attempts: number;
  lastAttempt?: Stamp;
  /** The next hop's reply or our own word about the last attempt, one line. */
  lastReply?: string;
  nextHop?: string;
  /** When to try again: due `wait` ms after `lastAttempt` (or at once). */
  wait: number;
  /** Sent a delay notice. */
  delayNotified?: boolean;
}

/** Where an operator sends one message instead of its usual way. */
export interface Via {
  /** A name or a numeric address. */
  host: string;
  port: number;
  protocol?: 'smtp' | 'lmtp';
}

export interface Progress {
  recipients: RecipientProgress[];
  /** Marked for deletion: the file goes 10 minutes after this stamp. */
  deleted?: Stamp;
  /** Why it was moved to the folder it is in, when somebody said. */
  why?: string;
  via?: Via;
  /** When it was let go, had it been held or in quarantine: the time it is tried for begins then. */
  letGo?: Stamp;
}

export interface StoredMessage {
  id: QueueId;
  folder: Folder;
  preamble: Preamble;
  trailer: Trailer;
  progress: Progress;
}

export interface SettledRecipient {
  address: ForwardPath;
  outcome: Outcome;
  reply?: string;
  nextHop?: string;
}

export interface DeferredRecipient {
  address: ForwardPath;
  reply: string;
  nextHop?: string;
  /** Milliseconds until the next attempt. */
  wait: number;
  delayNotified?: boolean;
}

/** The bytes of a message that is not committed yet: what the inspectors read. Never altered after `seal`. */
export interface BodySource {
  readonly size: number;
  readonly sha256: string;
  /** The first octets (the whole message when it is small): enough for the header, ≤ 256 KiB. */
  readonly head: Buffer;
  /** All of it, when it is in memory: read only. */
  readonly pieces?: readonly Buffer[];
  /** A new stream from the first octet on; any number of times, until commit or abort. */
  stream(): Readable;
}

/** A message on its way out. */
export interface BodyOctets extends AsyncIterable<Buffer> {
  /** Nothing that was given so far is looked at any more, by nobody: its memory may be used again. Need not be said. */
  taken?(): void;
}

/** What was decided for some recipients, or for all. */
export interface DecidedPart {
  folder: 'queue' | 'held' | 'quarantine';
  trailer: Omit<Trailer, 'size' | 'sha256'>;
}

/** A message on its way in. Exactly one of `commit` and `abort` ends it. */
export interface Draft {
  readonly id: QueueId;
  /** Keeps nothing of `chunk` when it returns. A promise: more may come when it resolves; it rejects with SPOOL_FULL, SPOOL_FAULT. */
  write(chunk: Buffer): Promise<void> | undefined;
  /** The last octet was written; the source is readable until the draft ends. */
  seal(): Promise<BodySource>;
  /** Durable when it resolves: the 250 may go out. */
  commit(
    folder: 'incoming' | 'queue' | 'held' | 'quarantine',
    trailer: Omit<Trailer, 'size' | 'sha256'>,
  ): Promise<void>;
  abort(): Promise<void>;
}

/** What the scheduler needs to know of a queued message without reading its file. */
export interface QueuedMessage {
  id: QueueId;
  /** When it arrived, or was let go. */
  since: Stamp;
  kind: 'mail' | 'dsn';
  via?: Via;
  /** Not settled ones only. */
  recipients: Array<{ address: ForwardPath; attempts: number; wait: number; lastAttempt?: Stamp }>;
}

/** In a `WaitKind`: the domain of the bare `postmaster`. */
export const BARE_DOMAIN = '-';

/** Messages that wait alike. */
export interface WaitKind {
  /** Of the recipients that are not settled yet. */
  readonly domains: readonly string[];
  /** Next hops that were tried. */
  readonly hops: readonly string[];
  /** Where an operator sends them. */
  readonly via?: Via;
  /** What the last reply means: its codes, or its first words; empty: none was heard. */
  readonly reason: string;
}

/** What is known of a message without reading it. */
export interface Sketch {
  readonly folder: Folder;
  readonly size: number;
  /** Undefined: not known without reading its file (damaged, or *incoming* when we started). */
  readonly kind: Readonly<WaitKind> | undefined;
  /** Seconds since 1970. */
  readonly arrived: number;
  /** Monotonic seconds, rounded up: when the first of its recipients is due; 0: at once. */
  readonly due: number;
}

export interface SpoolListEntry {
  id: QueueId;
  folder: Folder;
  arrival: Stamp;
  size: number;
  deleted: boolean;
}

export interface PageOptions {
  after?: QueueId;
  limit?: number;
  newestFirst?: boolean;
}

export interface Spool {
  /** Throws SPOOL_FULL when space is below the floor for `announcedSize` more octets; `belowFloor`: what the box itself has to say. */
  begin(transaction: Transaction, options?: { belowFloor?: boolean }): Promise<Draft>;
  /** Room for this many more octets? Cheap; for MAIL SIZE= (RFC 1870). */
  hasRoom(octets: number): boolean;

  /** Undefined when no folder holds it. */
  read(id: QueueId): Promise<StoredMessage | undefined>;
  /** In order of arrival, or against it with `newestFirst`; `after`: the last of the page before. */
  list(folder: Folder, options?: PageOptions): Promise<SpoolListEntry[]>;
  /** The ids alone, of several folders in one order: a look over a long queue reads nothing. */
  page(folders: readonly Folder[], options: { after?: QueueId; limit: number }): QueueId[];
  /** Of memory; undefined when no folder holds it. */
  sketch(id: QueueId): Sketch | undefined;
  /** Without what was deleted and waits its ten minutes for an undo; so in `status`. */
  count(folder: Folder): number;
  /** Where it lies, also when it cannot be read. */
  folderOf(id: QueueId): Folder | undefined;
  /**
   * The octets that go out to the recipients of variant `variant`. The hash of the whole original body is checked before
   * the last chunk is emitted; on a mismatch the stream errors with code `CORRUPT` (cut the connection) and the file moves
   * to corrupt/.
   */
  openVariant(message: StoredMessage, variant: number): BodyOctets;
  /** The original octets (for release previews, export, re-inspection), verified likewise. */
  openBody(message: StoredMessage): Readable;

  /** Called for each message that becomes queued (new, released, split, DSN), and for each at start. */
  onQueued(listener: (message: QueuedMessage) => void): void;
  /** Called for each *incoming* message waiting for inspection, and for each at start. */
  onIncoming(listener: (id: QueueId) => void): void;
  /**
   * An incoming message was decided: the decided file is in its folder when this resolves, the incoming one is gone. Where
   * recipients part, one new file for each part, all of them or none. Returns the ids, in the order of the parts.
   */
  decide(id: QueueId, parts: readonly DecidedPart[]): Promise<QueueId[]>;
  /** Durably counts a try to inspect an incoming message before it is made (in the file name); returns the new count. */
  countTry(id: QueueId): Promise<number>;
  /** The try ended in order (an engine could not look): it does not count against the message. Not synced. */
  forgetTries(id: QueueId): Promise<void>;
  /** How often the inspection of an incoming message was begun and never ended. */
  tries(id: QueueId): number;

  /** On record before the attempt is made. */
  recordAttempt(id: QueueId, recipients: readonly ForwardPath[], nextHop: string): Promise<void>;
  defer(id: QueueId, recipients: readonly DeferredRecipient[]): Promise<void>;
  /**
   * Durable: the delivery slot may be used again. The file goes once every recipient is settled. Given up (`bounced`, `expired`;
   * so with `bounce`) is only what is queued: WRONG_STATE when it was held or deleted meanwhile.
   */
  settle(id: QueueId, recipients: readonly SettledRecipient[]): Promise<void>;
  /**
   * The DSN's file first, then one synced batch {recipients settled → DSN}; only then is the DSN due. A delay notice settles
   * nobody: it marks those it tells of (`delayNotified`) in that same batch. Its name has the number `attempt`, or a higher one.
   */
  bounce(
    id: QueueId,
    recipients: readonly SettledRecipient[],
    dsn: { attempt: number; transaction: Transaction; message: Buffer; delayNotified?: readonly ForwardPath[] },
  ): Promise<QueueId>;
  /** Parts ways: recipients listed go to `folder` as a new file, the rest stay where they were. All of them = a rename. */
  move(
    id: QueueId,
    folder: 'queue' | 'held' | 'quarantine',
    options?: { recipients?: readonly ForwardPath[]; why?: string },
  ): Promise<QueueId>;
  /** Held, quarantined, queued: gone in 10 minutes, until then `undelete` brings it back. Outcome on record. */
  remove(id: QueueId, outcome: 'deleted' | 'discarded' | 'expired'): Promise<void>;
  undelete(id: QueueId): Promise<void>;
  /**
   * Queued or held: goes by this server, or its usual way again (undefined); the parts of a split inherit it. Durable in the
   * entry: only a lost database forgets it, and then the message goes its usual way.
   */
  reroute(id: QueueId, via: Via | undefined): Promise<void>;

  /** Figures for status, metrics and alarms. */
  status(): SpoolStatus;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface SpoolStatus {
  counts: Record<Folder, number>;
  /** Octets in the message files of all folders. */
  octets: number;
  freeOctets: number;
  floorOctets: number;
  /** Set when the spool can no longer be trusted in this process. */
  fault?: string;
  /** How the last start went. */
  recovery: SpoolRecovery;
}

export interface SpoolRecovery {
  cleanStop: boolean;
  elapsedMs: number;
  files: number;
  /** Drafts of transactions that had no 250. */
  dropped: number;
  /** Files without an entry: queued anew; recipients already served may be served again. */
  requeued: number;
  /** Entries without a file. */
  lost: number;
  corrupt: number;
  databaseRebuilt: boolean;
}
