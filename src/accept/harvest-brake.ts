/**
 * Slows down who guesses addresses. The first few unknown recipients are typos and cost nothing; from then on each answer
 * "no such mailbox" comes after a pause that doubles, counted in the session and, so that a new session buys nothing, in the
 * client's neighbourhood, where one guess is forgotten each minute. Only that answer waits: a recipient who exists is
 * answered at once, whoever asks. Bounded memory; monotonic time.
 */
import type { Clock } from '../base/clock.ts';
import { neighbourhoodOf } from '../base/network.ts';

/** Typos. */
const FREE = 3;
const PAUSE_MAX_MS = 15_000;
const FORGET_MS = 60_000;
/** A neighbourhood that guessed this often gets no more than the free ones in a session. */
const NOTORIOUS = 50;
const SCORE_MAX = 200;
const NETWORKS_MAX = 10_000;

export interface Braking {
  /** Before the answer. */
  pauseMs: number;
  /** The session has had enough: 421. */
  enough: boolean;
}

export class HarvestBrake {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #networks = new Map<string, { score: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One more unknown recipient; `inSession` counts it already. */
  guessed(address: string, options: { inSession: number; limit: number }): Braking {
    const score = this.#add(neighbourhoodOf(address));
    const over = Math.max(options.inSession, Math.floor(score)) - FREE;
    const limit = score >= NOTORIOUS ? Math.min(FREE, options.limit) : options.limit;
    return {
      pauseMs: over <= 0 ? 0 : Math.min(PAUSE_MAX_MS, 500 * 2 ** (over - 1)),
      enough: options.inSession > limit,
    };
  }

  #add(network: string): number {
    const now = this.#clock.monotonic();
    const kept = this.#networks.get(network);
    const left = kept === undefined ? 0 : Math.max(0, kept.score - (now - kept.at) / FORGET_MS);
    const score = Math.min(SCORE_MAX, left + 1);
    this.#networks.delete(network); // it goes to the young end
    this.#networks.set(network, { score, at: now });
    if (this.#networks.size > NETWORKS_MAX) {
      const [oldest] = this.#networks.keys();
      if (oldest !== undefined) this.#networks.delete(oldest);
    }
    return score;
  }
}
