/**
 * Delivery: what is queued goes out, to the right server, when it is due, at a pace that server bears. The spool is the
 * record and is asked anew before each attempt; here are only slim jobs, hops and timers. A mail server of ours that is
 * away is probed and its mail kept untouched; other destinations pause by the retry schedule. Own trouble never loses a
 * message: the job comes back later; only a settlement that cannot be recorded stops all of delivery (`halted`, alarm
 * spool-fault), because going on would send twice: the process must start anew.
 */
import { randomBytes } from 'node:crypto';
import type { Milliseconds } from '../base/brand.ts';
import { ageOf } from '../base/clock.ts';
import { describeError, errorCode } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import type { ForwardPath } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { QueuedMessage, Via } from '../spool/api.ts';
import type { Delivery, DeliveryOptions, DeliveryStatus, RetryFilter } from './api.ts';
import { type AttemptContext, type AttemptEnd, attemptJobs, SettlingFailed } from './attempt.ts';
import { callAhead, type RecipientAnswer } from './call-ahead.ts';
import { Detours } from './detours.ts';
import { Hop, type HopJob, IDLE_SESSION_MS } from './hop.ts';
import { InFlight } from './in-flight.ts';
import { LoginWatch } from './login.ts';
import { hopPause, probeHop } from './probe.ts';
import { type Reached, reachHop } from './reach.ts';
import {
  concurrencyCeiling,
  isOwnServer,
  isRouted,
  isStillMeant,
  paceOf,
  type RouteKey,
  routeKey,
  type TargetOptions,
} from './route.ts';
import { laterHeap, troublePause } from './schedule.ts';
import { Sessions } from './sessions.ts';
import { deliveryStatus, takeMeant, takeMisplaced, targetOptions, waitsByDomain } from './status.ts';
import { Sweeper } from './sweep.ts';

/** Transactions in all (Postfix: default_process_limit 100). */
export const MAX_ACTIVE = 100;
const MAX_CALL_AHEAD = 10; // recipients asked for at the same time
/** How often waiting mail is looked through for what has expired, or is late. */
const SWEEP_MS = 60_000;
const MAX_TIMER_MS = 3_600_000; // setTimeout's limit is 2^31−1 ms; waking once an hour costs nothing

export function createDelivery(options: DeliveryOptions): Delivery {
  const engine = new Engine(options);
  // Registered at once, so that nothing the spool tells at its start is missed, whoever starts first.
  options.spool.onQueued((message) => engine.queue(message));
  return engine;
}

class Engine implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #random: () => number;
  readonly #hops = new Map<RouteKey, Hop>();
  readonly #later = laterHeap<HopJob>();
  /** Hops that may start a job. */
  readonly #runnable = new Set<Hop>();
  readonly #inFlight = new InFlight();
  readonly #detours: Detours;
  readonly #working = new Set<Promise<void>>();
  readonly #sessions = new Sessions(
    (hop) => this.#reach(hop),
    (hop, { target }) => isStillMeant(hop.key, target, this.#options.config()),
  );
  readonly #logins: LoginWatch;
  readonly #stopping = new AbortController();
  readonly #callAheads = new Limiter(MAX_CALL_AHEAD);
  #active = 0;
  #started = false;
  #halted: string | undefined;
  #wake: NodeJS.Timeout | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  readonly #waiting: Sweeper;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#detours = new Detours(options.spool);
    this.#random = options.random ?? Math.random;
    this.#logins = new LoginWatch(options.observe);
    this.#waiting = new Sweeper({
      ...options,
      hops: () => this.#hops.values(),
      later: this.#later,
      running: () => this.#started && this.#halted === undefined,
      context: (hop) => this.#context(hop),
      ready: (job) => this.#stand(job),
      trouble: (job, error) => this.#ownTrouble([job], error),
    });
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#sweeper = setInterval(
      () => this.#track(this.#waiting.sweep().finally(() => this.#pump())),
      this.#options.tuning?.sweepMs ?? SWEEP_MS,
    );
    this.#pump();
  }

  async stop({ graceMs }: { graceMs: Milliseconds }): Promise<void> {
    this.#started = false;
    clearTimeout(this.#wake);
    clearInterval(this.#sweeper);
    for (const hop of this.#hops.values()) for (const each of [hop.timer, hop.paceTimer]) clearTimeout(each);
    const cut = setTimeout(() => {
      this.#stopping.abort();
      this.#sessions.cutAll('Stopping');
    }, graceMs);
    try {
      while (this.#working.size > 0) await Promise.allSettled(this.#working);
    } finally {
      clearTimeout(cut);
      this.#stopping.abort();
    }
    await Promise.all([...this.#hops.values()].map((hop) => hop.pool.close()));
  }

  status(): DeliveryStatus {
    const now = this.#options.clock.monotonic();
    return deliveryStatus(this.#hops.values(), { later: this.#later, now, halted: this.#halted });
  }

  retryNow(filter: RetryFilter): number {
    if (filter.hop !== undefined) this.#hops.get(filter.hop)?.renew();
    const { spool } = this.#options;
    const where = { config: this.#options.config(), detours: this.#detours, spool };
    for (const job of takeMisplaced(this.#hops.values(), this.#later, where)) {
      const before = job.hop;
      // held or gone: who lets it go again tells of it anew
      if (spool.folderOf(job.id) === 'queue') this.#place(job);
      this.#forget(before);
    }
    const { count, hops, taken } = takeMeant(this.#hops.values(), this.#later, filter);
    for (const job of taken) this.#ready(job);
    for (const hop of hops) if (hop.state === 'down') this.#tryHop(hop);
    this.#pump();
    return count;
  }

  reroute(id: QueueId, via: Via | undefined): number {
    this.#detours.set(id, via);
    return this.retryNow({ id });
  }

  checkRecipient(address: ForwardPath): Promise<RecipientAnswer> {
    return callAhead(address, {
      ...this.#targetOptions(),
      limiter: this.#callAheads,
      downBecause: (key) => this.#hops.get(key)?.awayBecause,
    });
  }

  /** One job for each recipient domain. */
  queue(message: QueuedMessage): void {
    const { clock } = this.#options;
    const { id, kind } = message;
    const config = this.#options.config();
    const waits = waitsByDomain(message, { config, clock });
    const now = clock.monotonic();
    const born = Math.floor(now - ageOf(message.since, clock));
    this.#detours.note(message);
    for (const [domain, wait] of waits) {
      const hop = this.#hopFor(domain, id);
      this.#place({ id, kind, domain: hop.nameOf(domain), born, due: Math.ceil(now + wait), hop });
    }
    this.#pump();
  }

  #targetOptions(): TargetOptions {
    return targetOptions(this.#options, this.#random);
  }

  async #reach(hop: Hop): Promise<Reached> {
    const reached = await reachHop(hop.key, { ...this.#targetOptions(), signal: this.#stopping.signal });
    this.#logins.reached(hop.key, reached);
    return reached;
  }

  #hopFor(domain: string, id: QueueId): Hop {
    const config = this.#options.config();
    const key = routeKey(domain, config, this.#detours.of(id));
    const known = this.#hops.get(key);
    if (known !== undefined) return known;
    const hop: Hop = new Hop(key, {
      ceiling: concurrencyCeiling(key, config),
      idleMs: this.#options.tuning?.idleMs ?? IDLE_SESSION_MS,
      onIdleEnd: () => this.#forget(hop),
    });
    this.#hops.set(key, hop);
    return hop;
  }

  /** Its hop may have gone, or be another one, since it was taken from it. */
  #place(job: HopJob): void {
    if (job.due <= this.#options.clock.monotonic()) return this.#stand(job);
    job.hop = this.#hopFor(job.domain, job.id);
    job.hop.later += 1;
    this.#later.push(job);
  }

  #stand(job: HopJob): void {
    job.hop = this.#hopFor(job.domain, job.id);
    this.#ready(job);
  }

  #ready(job: HopJob): void {
    job.hop.ready.push(job);
    if (job.hop.open) this.#runnable.add(job.hop);
  }

  #forget(hop: Hop): void {
    if (!hop.unused || this.#hops.get(hop.key) !== hop) return;
    for (const each of [hop.timer, hop.paceTimer]) clearTimeout(each);
    if (hop.state !== 'up') this.#options.observe.clear('mail-server-down', hop.key);
    this.#logins.forget(hop.key);
    this.#hops.delete(hop.key);
  }

  /** Starts what may start, one job of each hop in turn, so that a long queue never stands before a short one. */
  #pump(): void {
    if (!this.#started || this.#halted !== undefined) return;
    const now = this.#options.clock.monotonic();
    for (let next = this.#later.peek(); next !== undefined && next.due <= now; next = this.#later.peek()) {
      this.#later.pop();
      next.hop.later -= 1;
      this.#ready(next);
    }
    while (this.#runnable.size > 0 && this.#active < MAX_ACTIVE) {
      for (const hop of this.#runnable) {
        this.#runnable.delete(hop);
        const may = hop.open && this.#active < MAX_ACTIVE;
        if (may && this.#isPaced(hop, now)) continue; // its timer brings it back
        const jobs = may ? hop.next() : undefined;
        if (jobs !== undefined) this.#run(hop, jobs);
        if (hop.open) this.#runnable.add(hop); // behind the others
        if (this.#active >= MAX_ACTIVE) break;
      }
    }
    this.#arm(now);
  }

  /** Has this hop had its share of the minute? */
  #isPaced(hop: Hop, now: Milliseconds): boolean {
    const wait = hop.pace.claim(now, paceOf(hop.key, this.#options.config()));
    if (wait <= 0) return false;
    hop.paceTimer ??= setTimeout(() => {
      hop.paceTimer = undefined;
      if (hop.open) this.#runnable.add(hop);
      this.#pump();
    }, wait);
    return true;
  }

  #arm(now: Milliseconds): void {
    clearTimeout(this.#wake);
    const next = this.#later.peek();
    if (next === undefined) return;
    this.#wake = setTimeout(() => this.#pump(), Math.min(Math.max(next.due - now, 1), MAX_TIMER_MS));
  }

  #run(hop: Hop, jobs: [HopJob, ...HopJob[]]): void {
    this.#active += 1;
    hop.active += 1;
    this.#track(
      attemptJobs(jobs, this.#context(hop))
        .then((end) => this.#ended(hop, jobs, end))
        .catch((error: unknown) => this.#ownTrouble(jobs, error))
        .finally(() => {
          this.#active -= 1;
          hop.active -= 1;
          if (hop.open) this.#runnable.add(hop);
          this.#forget(hop);
          this.#pump();
        }),
    );
  }

  #track(work: Promise<void>): void {
    this.#working.add(work);
    void work.finally(() => this.#working.delete(work));
  }

  #ended(hop: Hop, jobs: readonly HopJob[], end: AttemptEnd): void {
    const now = this.#options.clock.monotonic();
    const { again, back = [], pauseMs = 0 } = end;
    const waits = new Map(again.map(({ domain, wait }) => [domain, wait]));
    const rest = jobs.filter(({ domain }) => back.includes(domain));
    for (const job of jobs) {
      const wait = waits.get(job.domain);
      if (wait !== undefined) this.#place(Object.assign(job, { asked: false, due: Math.ceil(now + wait) }));
    }
    if (end.trouble !== undefined) this.#ownTrouble(rest, end.trouble, pauseMs);
    else if (pauseMs > 0) for (const job of rest) this.#place(Object.assign(job, { due: Math.ceil(now + pauseMs) }));
    else for (const job of rest) this.#stand(job);
    if (end.unreachable !== undefined) this.#away(hop, end.unreachable);
  }

  #context(hop: Hop): AttemptContext {
    const { spool, observe, clock } = this.#options;
    return {
      spool,
      observe,
      clock,
      config: this.#options.config(),
      random: this.#random,
      token: () => randomBytes(15).toString('hex'),
      inFlight: this.#inFlight,
      detours: this.#detours,
      key: hop.key,
      acquire: () => this.#acquire(hop),
      release: (session) => this.#sessions.release(hop, session, { keep: this.#started }),
      onSent: (sent) => {
        this.#logins.sent(hop.key, sent);
        if (sent.strained) hop.strained();
        else hop.succeeded(concurrencyCeiling(hop.key, this.#options.config()));
      },
    };
  }

  async #acquire(hop: Hop): Promise<Reached> {
    const reached = await this.#sessions.acquire(hop);
    if ('session' in reached && hop.state !== 'up') this.#back(hop);
    return reached;
  }

  #away(hop: Hop, detail: string): void {
    // Others are served over there: it is full (421 at one connection too many). The last one to fail tells it is away.
    if (hop.alive) return hop.crowded();
    hop.lastError = detail;
    if (!this.#started || hop.state === 'down' || (hop.state === 'probing' && isOwnServer(hop.key))) return;
    const { observe } = this.#options;
    hop.down(detail);
    this.#runnable.delete(hop);
    observe.log('warn', 'Next hop is away', { hop: hop.key, detail, waiting: hop.ready.size + hop.later });
    if (isOwnServer(hop.key) && !this.#logins.refused(hop.key)) observe.raise('mail-server-down', hop.key, detail);
    this.#armHop(hop);
  }

  #armHop(hop: Hop): void {
    if (!this.#started) return;
    const { delivery } = this.#options.config();
    const pause = hopPause(hop, { delivery, random: this.#random, refused: this.#logins.refused(hop.key) });
    clearTimeout(hop.timer);
    hop.timer = setTimeout(() => this.#tryHop(hop), Math.min(pause, MAX_TIMER_MS));
  }

  /** A server of ours is probed; another destination is tried with its oldest message, one at a time. */
  #tryHop(hop: Hop): void {
    if (!this.#started || hop.state !== 'down') return;
    clearTimeout(hop.timer);
    hop.state = 'probing';
    if (isOwnServer(hop.key)) return this.#track(this.#probe(hop));
    if (hop.open) this.#runnable.add(hop);
    this.#pump();
  }

  async #probe(hop: Hop): Promise<void> {
    if (!isRouted(hop.key, this.#options.config())) return this.#back(hop); // its mail is routed anew, job by job
    const answer = await probeHop(() => this.#reach(hop));
    if (answer.back) return this.#back(hop);
    hop.down(answer.detail);
    this.#armHop(hop);
  }

  /** It is back: all of its mail becomes due at once, oldest first, from the starting concurrency on. */
  #back(hop: Hop): void {
    hop.up(concurrencyCeiling(hop.key, this.#options.config()));
    if (isOwnServer(hop.key)) {
      this.#options.observe.clear('mail-server-down', hop.key);
      const jobs = this.#later.take((job) => job.hop === hop);
      hop.later -= jobs.length;
      for (const job of jobs) this.#ready(Object.assign(job, { asked: true }));
    }
    this.#options.observe.log('info', 'Next hop is back', { hop: hop.key, waiting: hop.ready.size });
    if (hop.open) this.#runnable.add(hop);
    this.#forget(hop);
    this.#pump();
  }

  #ownTrouble(jobs: readonly HopJob[], error: unknown, pauseMs?: Milliseconds): void {
    const { observe, clock } = this.#options;
    const detail = describeError(error);
    if (error instanceof SettlingFailed || errorCode(error) === 'SPOOL_FAULT') {
      this.#halted ??= detail;
      observe.raise('spool-fault', 'delivery', `Delivery stopped, it would send twice: ${detail}`);
      return;
    }
    const [first] = jobs;
    observe.log('error', 'An attempt failed for a cause of our own', { id: first?.id, hop: first?.hop.key, detail });
    if (errorCode(error) === undefined) observe.raise('internal-error', 'delivery', detail);
    const wait = pauseMs ?? troublePause({ retryMs: this.#options.config().delivery.retryMs, random: this.#random });
    for (const job of jobs) this.#place(Object.assign(job, { due: Math.ceil(clock.monotonic() + wait) }));
    this.#pump();
  }
}
