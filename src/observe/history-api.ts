/**
 * What the history knows and answers: one row a message (or refused session), one a recipient, one an event. A view for
 * people, never the only record: the spool decides, the history may lag by a moment, and may lose rows (counted, alarmed).
 */
import type { ForwardPath, ReversePath } from '../mail/address.ts';
import type { Direction } from '../mail/envelope.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { MailEvent } from './events.ts';
import type { Forgotten, PersonPage } from './history-person.ts';
import type { HistoryReport, ReportQuery, Watched } from './history-report.ts';

/**
 * Where a recipient's copy is. not-taken: the client was told 4xx and keeps it · moved: it lives on in a part of a split ·
 * refused: there never was a message. The order is that of attention: a message shows the first that any recipient has.
 */
export const HISTORY_STATES = [
  'corrupt',
  'incoming',
  'held',
  'quarantined',
  'deferred',
  'queued',
  'bounced',
  'expired',
  'rejected',
  'not-taken',
  'refused',
  'discarded',
  'deleted',
  'delivered',
  'moved',
] as const;
export type HistoryState = (typeof HISTORY_STATES)[number];

/** States in which we still have the message: these outlive the days of the history. */
export const OPEN_STATES = ['corrupt', 'incoming', 'held', 'quarantined', 'deferred', 'queued'] as const;

export interface HistoryRow {
  /** Undefined for a refused session. */
  id?: QueueId;
  /** Wall clock, ms since 1970. */
  arrived: number;
  direction: Direction;
  state: HistoryState;
  reversePath: ReversePath;
  /** Header From as a person reads it. */
  from: string;
  subject: string;
  /** Without the angle brackets. */
  messageId: string;
  size: number;
  client: string;
  /** Recipients in all; `recipients` names the first 20. */
  recipientCount: number;
  recipients: string[];
  /** The reason of the decision that stands for the message, or the stage and reply of a refusal. */
  reason: string;
}

export interface HistoryRecipient {
  /** The message (or part of a split) this recipient is at. */
  id: QueueId;
  address: ForwardPath;
  state: HistoryState;
  reason: string;
  /** The other server's last reply, or our own word. */
  reply: string;
  nextHop: string;
  updated: number;
}

export interface Trail {
  message: HistoryRow & { id: QueueId };
  /** Of the message and the parts it was split into; not those of its DSNs. */
  recipients: HistoryRecipient[];
  /** Of the whole family, in order of time. */
  events: Array<{ id: QueueId; at: number; event: MailEvent }>;
  /** The other members of the family. */
  related: Array<{
    id: QueueId;
    why: 'root' | 'split' | 'release' | 'dsn' | 'undeliverable' | 'resend';
    state: HistoryState;
  }>;
}

export interface HistorySearch {
  /** Words, each found anywhere in subject, header From or addresses: two characters are enough. A queue id finds itself. */
  text?: string;
  /** A whole address, `@domain`, or a fragment; reverse-path or header From. */
  sender?: string;
  /** A whole address, `@domain`, or a fragment. */
  recipient?: string;
  /** A queue id; finds the whole family. */
  id?: string;
  messageId?: string;
  client?: string;
  /** Wall clock, ms; both ends included. */
  from?: number;
  to?: number;
  state?: HistoryState;
  direction?: Direction;
  /** 1 … 500, default 100. */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
}

export interface HistoryPage {
  /** Newest first. */
  rows: HistoryRow[];
  /** Set when there is more. */
  next?: string;
}

export interface HistoryStatus {
  state: 'up' | 'retrying' | 'closed';
  /** Events waiting to be written. */
  waiting: number;
  written: number;
  /** Lost: the queue was full, or the batch could not be written. */
  dropped: number;
  /** Refused sessions beyond what one client, or all, may write a minute. */
  skipped: number;
  /** Worker threads begun after the first. */
  restarts: number;
  /** The database is full beyond its floor, damaged, …: the last trouble, while it lasts. */
  fault?: string;
  messages: number;
  octets: number;
}

export interface HistorySettings {
  days: number;
  /** False: subjects are neither stored nor searched. */
  subjects: boolean;
  /** Free octets on the disk below which nothing is written. */
  floorOctets: number;
}

export interface History {
  /** Never throws, never waits. `at`: wall clock, ms. */
  record(event: MailEvent, at: number): void;
  /** What was recorded before the call is found. Rejects with SekishoError HISTORY_UNAVAILABLE. */
  search(query: HistorySearch): Promise<HistoryPage>;
  /** Undefined when nothing is known of it. Rejects likewise. */
  trail(id: QueueId): Promise<Trail | undefined>;
  /** Figures of a span of time. Rejects likewise. */
  report(query: ReportQuery): Promise<HistoryReport>;
  /** What watching only would have stopped. Rejects likewise. */
  watched(query: ReportQuery): Promise<Watched[]>;
  /** Spam scores since then (wall clock, ms). Rejects likewise. */
  scores(from: number): Promise<number[]>;
  /** All that is kept of one address, a page at a time; `after`: `next` of the page before. Rejects likewise. */
  person(address: string, after: number): Promise<PersonPage>;
  /** Writes the pseudonym in the place of the address, a page at a time. Rejects likewise. */
  forget(address: string, by: { after: number; pseudonym: string }): Promise<Forgotten>;
  /** Forgets what is older than the days; returns how many messages went. Does nothing while the clock is not synchronised. */
  expire(): Promise<number>;
  status(): HistoryStatus;
  configure(settings: Partial<HistorySettings>): void;
  /** Resolves once all that was recorded is written, or after `deadlineMs` (5 s); true when all is written. */
  flush(deadlineMs?: number): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}
