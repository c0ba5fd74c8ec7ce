/** Pure pieces of delivery: how it stands (one pass over the jobs in memory), which jobs are meant, when domains are due. */
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { QueuedMessage, Spool } from '../spool/api.ts';
import type { DeliveryOptions, DeliveryStatus, HopStatus, RetryFilter } from './api.ts';
import type { Detours } from './detours.ts';
import type { Hop, HopJob } from './hop.ts';
import { type RouteKey, routeKey, routingDomain, type TargetOptions } from './route.ts';
import { type Heap, remainingWait } from './schedule.ts';

export function deliveryStatus(
  hops: Iterable<Hop>,
  state: { later: { size: number; values(): Iterable<HopJob> }; now: Milliseconds; halted: string | undefined },
): DeliveryStatus {
  const { later, now, halted } = state;
  const born = new Map<Hop, Milliseconds>();
  for (const { hop, born: at } of later.values())
    if (at < (born.get(hop) ?? Number.POSITIVE_INFINITY)) born.set(hop, at);
  let due = 0;
  const rows = [...hops].map((hop): HopStatus => {
    due += hop.ready.size;
    // the first of those that are due came first: a queue id begins with its sequence number
    const first = Math.min(hop.ready.peek()?.born ?? now, born.get(hop) ?? now);
    return {
      key: hop.key,
      state: hop.state,
      active: hop.active,
      waiting: hop.ready.size + hop.later,
      limit: hop.limit,
      ...(hop.lastError === undefined ? {} : { lastError: hop.lastError }),
      oldestMs: Math.max(0, now - first),
    };
  });
  return { hops: rows, due, waiting: later.size, ...(halted === undefined ? {} : { halted }) };
}

/** Takes out the later jobs that are meant; `count`: these and those that are due already; `hops`: where all of them stand. */
export function takeMeant(
  all: Iterable<Hop>,
  later: Heap<HopJob>,
  filter: RetryFilter,
): { count: number; hops: Set<Hop>; taken: HopJob[] } {
  const hops = new Set<Hop>();
  let count = 0;
  for (const hop of all) {
    const here = hop.ready.values().filter((job) => isMeant(job, filter));
    if (here.length > 0) hops.add(hop);
    for (const job of here) job.asked = true;
    count += here.length;
  }
  const taken = later.take((job) => isMeant(job, filter));
  for (const job of taken) {
    hops.add(job.hop);
    job.asked = true;
    job.hop.later -= 1;
  }
  return { count: count + taken.length, hops, taken };
}

function isMeant(job: HopJob, filter: RetryFilter): boolean {
  return (
    (filter.id === undefined || job.id === filter.id) &&
    (filter.hop === undefined || job.hop.key === filter.hop) &&
    (filter.domain === undefined || job.domain === filter.domain.toLowerCase())
  );
}

/** Takes out the jobs that stand where nobody means them any more: a domain, or the message, was sent elsewhere, or held. */
export function takeMisplaced(
  hops: Iterable<Hop>,
  later: Heap<HopJob>,
  { config, detours, spool }: { config: Config; detours: Detours; spool: Pick<Spool, 'folderOf'> },
): HopJob[] {
  const usual = new Map<string, RouteKey>(); // a queue has many messages and few domains
  const keyOf = ({ domain, id }: HopJob): RouteKey => {
    const own = detours.of(id);
    if (own !== undefined) return routeKey(domain, config, own);
    const known = usual.get(domain) ?? routeKey(domain, config);
    usual.set(domain, known);
    return known;
  };
  const stray = (job: HopJob): boolean => keyOf(job) !== job.hop.key || spool.folderOf(job.id) !== 'queue';
  const taken = [...hops].flatMap((hop) => hop.ready.take(stray));
  const waiting = later.take(stray);
  for (const job of waiting) job.hop.later -= 1;
  return [...taken, ...waiting];
}

/** What finding a server needs of what delivery was given. */
export function targetOptions(options: DeliveryOptions, random: () => number): TargetOptions {
  const { resolver, tuning, policies } = options;
  return {
    config: options.config(),
    resolver,
    random,
    ...(tuning?.mxPort === undefined ? {} : { mxPort: tuning.mxPort }),
    ...(tuning?.submissionsPort === undefined ? {} : { submissionsPort: tuning.submissionsPort }),
    ...(policies === undefined ? {} : { policies }),
  };
}

/** Recipient domain → milliseconds until its first recipient is due. */
export function waitsByDomain(
  message: QueuedMessage,
  { config, clock }: { config: Config; clock: Clock },
): Map<string, Milliseconds> {
  const due = new Map<string, Milliseconds>();
  for (const recipient of message.recipients) {
    const domain = routingDomain(recipient.address, config) ?? '';
    const wait = remainingWait(recipient, clock);
    due.set(domain, Math.min(wait, due.get(domain) ?? Number.POSITIVE_INFINITY));
  }
  return due;
}
