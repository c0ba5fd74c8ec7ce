/** What all sessions of one listener share, handed in by `acceptor.ts`: stages, clock, and the memory about clients. Types only. */
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { Observe } from '../observe/events.ts';
import type { Pipeline, RecipientDirectory } from './api.ts';
import type { ClientNamer } from './client-name.ts';
import type { ConnectionGuard } from './connection-guard.ts';
import type { Blocklists } from './dnsbl.ts';
import type { HarvestBrake } from './harvest-brake.ts';
import type { KnownPeers } from './known-peers.ts';

export interface SessionContext {
  config(): Config;
  listener: 'mx' | 'relay';
  pipeline: Pipeline;
  directory: RecipientDirectory;
  observe: Observe;
  clock: Clock;
  guard: ConnectionGuard;
  nameOf: ClientNamer;
  blocklists: Blocklists;
  brake: HarvestBrake;
  known: KnownPeers;
  /** Resolves after so long, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  stopping(): boolean;
  /** Deadlines towards our own stages. */
  deadlines: { recipientMs: number; beginMs: number; writeMs: number; finishExtraMs: number };
  /** Work that outlives the connection (a finish, an abort), so that a stop can wait for it. */
  track(work: Promise<unknown>): void;
}
