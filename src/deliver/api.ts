/**
 * What the entry needs of delivery: start, stop, status, "try it now", and the question whether a mailbox is there. Nothing
 * here is durable; the spool is the record.
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Config } from '../config/schema.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Observe } from '../observe/events.ts';
import type { Spool, Via } from '../spool/api.ts';
import type { RecipientAnswer } from './call-ahead.ts';
import type { HopState } from './hop.ts';
import type { RouteKey } from './route.ts';
import type { TlsPolicies } from './tls-policy.ts';

export interface HopStatus {
  key: RouteKey;
  state: HopState;
  active: number;
  /** Due and waiting for their turn, or for a later time. */
  waiting: number;
  limit: number;
  lastError?: string;
  /** Age of its oldest message. */
  oldestMs: Milliseconds;
}

export interface DeliveryStatus {
  hops: HopStatus[];
  /** Jobs that could go now, and those whose time has not come. */
  due: number;
  waiting: number;
  /** Why delivery stopped for good in this process. */
  halted?: string;
}

export interface Delivery {
  start(): void;
  /** No new attempts; those under way may end within `graceMs`, then their connections are cut (they are deferred). */
  stop(options: { graceMs: Milliseconds }): Promise<void>;
  status(): DeliveryStatus;
  /** Makes matching jobs due at once and their hops try again; a hop that is named does so over new sessions. Returns how many. */
  retryNow(filter: RetryFilter): number;
  /** This message goes by another server from now on, at once; undefined: its usual way. What is on the wire goes on. */
  reroute(id: QueueId, via: Via | undefined): number;
  checkRecipient(address: ForwardPath): Promise<RecipientAnswer>;
}

export interface RetryFilter {
  id?: QueueId;
  hop?: RouteKey;
  domain?: string;
}

export interface DeliveryOptions {
  /** Read anew for each step: a changed configuration needs no call. */
  config: () => Config;
  spool: Spool;
  resolver: Resolver;
  observe: Observe;
  clock: Clock;
  /** What domains outside demand about TLS; without it nobody is asked. */
  policies?: TlsPolicies;
  /** 0 ≤ x < 1: jitter and shuffling. */
  random?: () => number;
  /** For laboratories and tests. */
  tuning?: { mxPort?: number; submissionsPort?: number; idleMs?: Milliseconds; sweepMs?: Milliseconds };
}
