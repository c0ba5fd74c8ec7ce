/**
 * Looks through what waits, once a minute: mail of a hop that is away is never attempted, so its age is looked at here; and
 * whoever waits for long has the sender told of it. In bounded steps, one sweep at a time; nothing is judged by age before
 * the machine knows the time. Never throws: trouble goes to `trouble`, for the job it befell.
 */
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { AttemptContext } from './attempt.ts';
import { tellDelay } from './delay.ts';
import { expireWaiting, isGone } from './give-up.ts';
import type { Hop, HopJob } from './hop.ts';
import { expiryOf, isInboundHop } from './route.ts';
import type { Heap } from './schedule.ts';

/** Messages looked at for a delay notice in one sweep: 500 a minute is more than any office writes. */
const MOST_TOLD = 500;

export interface SweepOptions {
  clock: Clock;
  config: () => Config;
  hops: () => Iterable<Hop>;
  later: Heap<HopJob>;
  /** Delivery is started and trusts its spool. */
  running: () => boolean;
  context: (hop: Hop) => AttemptContext;
  /** Back to where it waited. */
  ready: (job: HopJob) => void;
  trouble: (job: HopJob, error: unknown) => void;
}

export class Sweeper {
  readonly #options: SweepOptions;
  #busy = false;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  async sweep(): Promise<void> {
    if (this.#busy || !this.#options.running() || !this.#options.clock.synchronised()) return;
    this.#busy = true;
    try {
      for (const job of this.#expired()) await this.#expire(job);
      for (const job of this.#late()) await this.#tell(job);
    } finally {
      this.#busy = false;
    }
  }

  #expired(): HopJob[] {
    const now = this.#options.clock.monotonic();
    const config = this.#options.config();
    const old: HopJob[] = [];
    for (const hop of this.#options.hops()) {
      if (hop.state === 'up') continue;
      // a hundred thousand may be over at once: too many to be arguments of one call
      const isOver = (job: HopJob): boolean => now - job.born >= expiryOf({ kind: job.kind, key: hop.key }, config);
      for (const job of hop.ready.take(isOver)) old.push(job);
    }
    return old;
  }

  async #expire(job: HopJob): Promise<void> {
    if (!this.#options.running()) return; // the spool tells of it again at the next start
    const reply = job.hop.lastError ?? 'The mail server cannot be reached';
    try {
      const end = await expireWaiting(job, reply, this.#options.context(job.hop));
      if (end === 'younger') this.#options.ready(job);
    } catch (error) {
      this.#options.trouble(job, error);
    }
  }

  #late(): HopJob[] {
    const { delayNoticeMs } = this.#options.config().delivery;
    if (delayNoticeMs === 0) return [];
    const now = this.#options.clock.monotonic();
    const late: HopJob[] = [];
    const see = (job: HopJob): void => {
      if (late.length >= MOST_TOLD || job.delayTold === true || job.kind === 'dsn') return;
      if (now - job.born >= delayNoticeMs && !isInboundHop(job.hop.key)) late.push(job);
    };
    for (const hop of this.#options.hops()) for (const job of hop.ready.values()) see(job);
    for (const job of this.#options.later.values()) see(job);
    return late;
  }

  /** The job itself stays where it waits; a failure here must not place it a second time. */
  async #tell(job: HopJob): Promise<void> {
    if (!this.#options.running()) return;
    const context = this.#options.context(job.hop);
    try {
      const done = await tellDelay(job, { ...context, lastError: job.hop.lastError });
      if (done) job.delayTold = true;
    } catch (error) {
      if (isGone(error)) return;
      const code = errorCode(error) ?? 'INTERNAL';
      context.observe.log('warn', 'A delay notice could not be written', { id: job.id, code, detail: String(error) });
    }
  }
}
