/**
 * One next hop: its waiting jobs (oldest first), how many transactions it bears at once (learned), whether it is up, and
 * the sessions that stay open for the next message. State only; who drives it is delivery.ts. Concurrency starts at 5,
 * grows by one for each round of successes, shrinks by one for each strain (Postfix: default_destination_concurrency_*).
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Session } from './connect.ts';
import { Pace } from './pace.ts';
import { isOwnServer, type RouteKey } from './route.ts';
import { type Heap, type Job, readyHeap } from './schedule.ts';

export type HopState = 'up' | 'probing' | 'down';

/** Postfix: initial_destination_concurrency. */
export const INITIAL_CONCURRENCY = 5;
/** Messages over one session (nodemailer's pool and Postfix's habit). */
export const MAX_TRANSACTIONS = 100;
/** How long an idle session is kept (RFC 5321 lets the peer wait 5 min; 30 s is polite). */
export const IDLE_SESSION_MS = 30_000;

export interface HopJob extends Job {
  hop: Hop;
}

export class Hop {
  readonly key: RouteKey;
  state: HopState = 'up';
  readonly ready: Heap<HopJob> = readyHeap<HopJob>();
  /** Jobs of this hop in the heap of later ones. */
  later = 0;
  active = 0;
  limit = INITIAL_CONCURRENCY;
  lastError: string | undefined;
  /** Failures in a row, for the pause of an MX hop that is down. */
  failures = 0;
  /** The next probe or the end of the pause. */
  timer: NodeJS.Timeout | undefined;
  /** Messages a minute, and the timer that wakes the hop when the next may go. */
  readonly pace = new Pace();
  paceTimer: NodeJS.Timeout | undefined;
  readonly pool: SessionPool;
  /** Sessions that work at this moment. */
  readonly inUse = new Set<Session>();
  /** Sessions being opened. */
  opening = 0;
  readonly #probed: boolean;
  readonly #names = new Map<string, string>();
  #successes = 0;

  constructor(key: RouteKey, options: { ceiling: number; idleMs: Milliseconds; onIdleEnd: () => void }) {
    this.key = key;
    this.#probed = isOwnServer(key);
    this.limit = Math.min(INITIAL_CONCURRENCY, options.ceiling);
    this.pool = new SessionPool(options);
  }

  /** May another job be started now? What is probed gets none, what is tried with mail gets one at a time. */
  get open(): boolean {
    if (this.ready.size === 0 || this.state === 'down') return false;
    if (this.state === 'up') return this.active < this.limit;
    return !this.#probed && this.active < 1;
  }

  /** What is next: a message's jobs that are due here, one for each domain; a double is dropped beside its twin. */
  next(): [HopJob, ...HopJob[]] | undefined {
    const first = this.ready.pop();
    if (first === undefined) return undefined;
    if (this.ready.peek()?.id !== first.id) return [first];
    const others = new Map<string, HopJob>();
    // the heap is by id: whoever is due with it is next
    for (let beside = this.ready.peek(); beside?.id === first.id; beside = this.ready.peek()) {
      this.ready.pop();
      const twin = beside.domain === first.domain ? first : others.get(beside.domain);
      if (twin === undefined) others.set(beside.domain, beside);
      else if (beside.asked === true) twin.asked = true;
    }
    return [first, ...others.values()];
  }

  get unused(): boolean {
    return this.ready.size === 0 && this.later === 0 && this.active === 0 && this.pool.size === 0;
  }

  /** Undefined: it is not away. */
  get awayBecause(): string | undefined {
    return this.state === 'up' ? undefined : (this.lastError ?? 'it is being probed');
  }

  /** One string for all jobs of a domain: what is cut out of an address would keep the whole address in memory. */
  nameOf(domain: string): string {
    const known = this.#names.get(domain);
    if (known !== undefined) return known;
    const own = Buffer.from(domain).toString();
    this.#names.set(own, own);
    return own;
  }

  /** It answered: everything flows again, from the starting concurrency on. */
  up(ceiling: number): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.state = 'up';
    this.failures = 0;
    this.lastError = undefined;
    this.#successes = 0;
    this.limit = Math.min(INITIAL_CONCURRENCY, ceiling);
  }

  down(detail: string): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.state = 'down';
    this.failures += 1;
    this.lastError = detail;
    this.#successes = 0;
  }

  succeeded(ceiling: number): void {
    this.#successes += 1;
    if (this.limit > ceiling) this.limit = ceiling; // the setting was lowered
    if (this.#successes < this.limit || this.limit >= ceiling) return;
    this.limit += 1;
    this.#successes = 0;
  }

  /** Did a session fail while others work, wait in the pool, or are on their way? Then the hop may be full, not away. */
  get alive(): boolean {
    return this.inUse.size + this.pool.size + this.opening > 0;
  }

  /** It refuses one more session than it has: that many it bears. */
  crowded(): void {
    this.#successes = 0;
    this.limit = Math.max(1, this.inUse.size + this.pool.size + this.opening);
  }

  /** Sessions opened by what was said before serve nobody any more; who works over one may finish. */
  renew(): void {
    for (const session of this.inUse) session.transactions = MAX_TRANSACTIONS;
    void this.pool.close();
  }

  strained(): void {
    this.#successes = 0;
    this.limit = Math.max(1, this.limit - 1);
  }
}

/** Sessions that wait for the next message, the most recently used first. */
export class SessionPool {
  readonly #idle: Array<{ session: Session; timer: NodeJS.Timeout }> = [];
  /** Whose loss we hear of: once for a session, however often it comes back. */
  readonly #heard = new WeakSet<Session>();
  readonly #options: { idleMs: Milliseconds; onIdleEnd: () => void };

  constructor(options: { idleMs: Milliseconds; onIdleEnd: () => void }) {
    this.#options = options;
  }

  get size(): number {
    return this.#idle.length;
  }

  take(): Session | undefined {
    for (let entry = this.#idle.pop(); entry !== undefined; entry = this.#idle.pop()) {
      clearTimeout(entry.timer);
      if (!entry.session.lost.aborted) return entry.session;
    }
    return undefined;
  }

  /** Keeps the session, or says goodbye when it has served enough. Never waits. */
  give(session: Session): void {
    if (session.lost.aborted) return;
    if (session.transactions >= MAX_TRANSACTIONS) {
      void session.quit();
      return;
    }
    const timer = setTimeout(() => {
      this.#drop(session);
      void session.quit();
      this.#options.onIdleEnd();
    }, this.#options.idleMs);
    timer.unref();
    this.#idle.push({ session, timer });
    if (this.#heard.has(session)) return;
    this.#heard.add(session);
    session.lost.addEventListener('abort', () => this.#drop(session), { once: true });
  }

  async close(): Promise<void> {
    const entries = this.#idle.splice(0);
    for (const entry of entries) clearTimeout(entry.timer);
    await Promise.all(entries.map((entry) => entry.session.quit()));
  }

  #drop(session: Session): void {
    const at = this.#idle.findIndex((entry) => entry.session === session);
    if (at < 0) return;
    clearTimeout(this.#idle[at]?.timer);
    this.#idle.splice(at, 1);
  }
}
