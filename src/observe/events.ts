/**
 * The closed list of what happens to mail. Each is told once, by `Observe.emit`: one log line, one counter, one history row.
 * Times are taken by the observer. Addresses are as in the envelope; free text never carries a body.
 */
import type { ForwardPath, ReversePath } from '../mail/address.ts';
import type { Action, Reason } from '../mail/decision.ts';
import type { Direction, Origin } from '../mail/envelope.ts';
import type { Finding, InspectorName } from '../mail/finding.ts';
import type { QueueId } from '../mail/queue-id.ts';

export type MailEvent =
  /** Refused before there was a message: at connect, MAIL, RCPT, DATA. */
  | {
      event: 'refused';
      stage: 'connect' | 'helo' | 'mail' | 'rcpt' | 'data';
      origin: Origin;
      reversePath?: ReversePath;
      recipient?: string;
      reply: string;
    }
  /** The message has a queue id and a decision; `reply` is what the client was told. */
  | {
      event: 'received';
      id: QueueId;
      direction: Direction;
      origin: Origin;
      reversePath: ReversePath;
      recipients: ForwardPath[];
      size: number;
      subject: string;
      messageId: string;
      from: string;
      findings: Finding[];
      decisions: Array<{ recipient: ForwardPath; action: Action; reason: Reason }>;
      /** While the owner only watches: what the normal level would have done. */
      would?: { action: 'reject' | 'quarantine'; reason: Reason };
      /** incoming: taken without inspection, decided later. */
      state: 'queue' | 'held' | 'quarantine' | 'incoming' | 'rejected' | 'deferred' | 'discarded';
      reply: string;
    }
  /** An incoming message was inspected after its 250. */
  | {
      event: 'decided';
      id: QueueId;
      findings: Finding[];
      decisions: Array<{ recipient: ForwardPath; action: Action; reason: Reason }>;
      /** While the owner only watches: what the normal level would have done. */
      would?: { action: 'reject' | 'quarantine'; reason: Reason };
      state: 'queue' | 'held' | 'quarantine' | 'incoming';
      subject: string;
      messageId: string;
      from: string;
    }
  | { event: 'attempt'; id: QueueId; nextHop: string; recipients: ForwardPath[] }
  | { event: 'delivered'; id: QueueId; recipients: ForwardPath[]; nextHop: string; reply: string; delayMs: number }
  | { event: 'deferred'; id: QueueId; recipients: ForwardPath[]; nextHop: string; reply: string; waitMs: number }
  | { event: 'bounced'; id: QueueId; recipients: ForwardPath[]; nextHop: string; reply: string; dsn?: QueueId }
  | { event: 'expired'; id: QueueId; recipients: ForwardPath[]; reply: string; dsn?: QueueId }
  | { event: 'held'; id: QueueId; why: string; by: string }
  /** A new message file came of another: part of a split, release of one of many, a DSN. */
  | {
      event: 'derived';
      id: QueueId;
      parent: QueueId;
      why: 'split' | 'release' | 'dsn' | 'undeliverable' | 'resend';
      /** Who went with it; the history shows them as moved in the parent (a copy sent again moves nobody). */
      recipients?: ForwardPath[];
    }
  | { event: 'released'; id: QueueId; recipients: ForwardPath[]; by: string }
  | { event: 'deleted'; id: QueueId; by: string; why: 'operator' | 'expired' | 'discarded' }
  | { event: 'undeleted'; id: QueueId; by: string }
  /** An operator sends it by this server; without `via`: its usual way again. */
  | { event: 'rerouted'; id: QueueId; by: string; via?: string }
  /** An operator sent a copy of it, under an id of its own. */
  | { event: 'resent'; id: QueueId; as: QueueId; recipients: ForwardPath[]; by: string }
  /** Somebody says that the verdict was wrong; `learned`: the spam engine took it as a lesson. */
  | { event: 'reported'; id: QueueId; as: 'spam' | 'ham'; learned: boolean; by: string }
  | { event: 'corrupt'; id: QueueId; detail: string };

export type EventName = MailEvent['event'];

/** Trouble of our own that an owner should know of, with its remedy. Raised again it is counted, not repeated. */
export const ALARMS = [
  'engine-down',
  'engine-starting',
  'disk-low',
  'spool-fault',
  'spool-recovered',
  'corrupt-message',
  'poison-message',
  'undeliverable',
  'mail-server-down',
  'smarthost-login',
  'inspection-late',
  'config-refused',
  'history-fault',
  'internal-error',
  'release-requested',
  'certificate-expiring',
  'signatures-old',
] as const;
export type AlarmName = (typeof ALARMS)[number];

export interface Observe {
  emit(event: MailEvent): void;
  /** `key` tells instances apart (which engine, which host). */
  raise(alarm: AlarmName, key: string, detail: string): void;
  clear(alarm: AlarmName, key: string): void;
  /** How long an inspector took, and how it ended. */
  inspected(inspector: InspectorName, ms: number, result: 'ok' | 'missing'): void;
  /** Free log lines for what is not an event of mail. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** Says nothing: for tests of stages that are not about observing. */
export const silentObserve: Observe = {
  emit: () => undefined,
  raise: () => undefined,
  clear: () => undefined,
  inspected: () => undefined,
  log: () => undefined,
};
