/**
 * What the pipeline asks of the inspectors: all at once, each with its own deadline; findings back, and who could not look.
 * Never throws for a message or an engine: trouble is `missing`. A worker's death on a message is told by `suspect`, and a
 * second one by a `poison` finding.
 */
import type { Bytes, Milliseconds } from '../base/brand.ts';
import type { Transaction } from '../mail/envelope.ts';
import type { Inspection, InspectorName } from '../mail/finding.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Readable } from 'node:stream';

/** The octets of a message. */
export interface MessageOctets {
  size: Bytes;
  /** A new stream of the whole message from its first octet, each time it is called. */
  stream: () => Readable;
  /** The same, when all of it is in memory: read only. */
  pieces?: readonly Buffer[] | undefined;
}

export interface InspectRequest extends MessageOctets {
  id: QueueId;
  transaction: Transaction;
  /** From a client that is known to be good: before all others where places at an engine are short. */
  precedence?: boolean;
  /** From the final dot: everything must have answered by then. */
  deadlineMs: Milliseconds;
}

export const ENGINE_STATES = ['starting', 'up', 'slow', 'down', 'off'] as const;
/** slow: missed a deadline, not yet three times. off: switched off by the owner. */
export type EngineState = (typeof ENGINE_STATES)[number];

export interface EngineHealth {
  inspector: InspectorName;
  engine: string;
  state: EngineState;
  /** Version and age of data, for people: `ClamAV 1.4.6/27500`, `starter signatures only`. */
  version: string;
  misses: number;
  lastError?: string;
}

export interface Inspectors {
  inspect(request: InspectRequest): Promise<Inspection>;
  /** Any engine down (not merely starting or slow): new mail gets 451. */
  health(): EngineHealth[];
  /** The antivirus counts as starting for so long: what it would say is not to be trusted now. 0 ends it. */
  holdAntivirus(ms: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}
