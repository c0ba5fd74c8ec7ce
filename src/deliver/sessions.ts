/** Which SMTP sessions are in use for which hop: taken from its pool or opened, given back, cut all at once at a stop. */
import type { Session } from './connect.ts';
import type { Hop } from './hop.ts';
import type { Reached } from './reach.ts';

export class Sessions {
  readonly #open = new Set<Session>();
  /** Whose loss we hear of: once for a session, however often it is used. */
  readonly #heard = new WeakSet<Session>();
  readonly #reach: (hop: Hop) => Promise<Reached>;
  readonly #isMeant: (hop: Hop, session: Session) => boolean;

  /** `isMeant`: may a kept session serve the next message? */
  constructor(reach: (hop: Hop) => Promise<Reached>, isMeant: (hop: Hop, session: Session) => boolean) {
    this.#reach = reach;
    this.#isMeant = isMeant;
  }

  /** A kept session of the hop, or a new one. */
  async acquire(hop: Hop): Promise<Reached> {
    const kept = this.#take(hop);
    const reached: Reached = kept === undefined ? await this.#connect(hop) : { session: kept };
    if ('session' in reached) {
      const { session } = reached;
      this.#open.add(session);
      hop.inUse.add(session);
      if (!this.#heard.has(session)) {
        this.#heard.add(session);
        session.lost.addEventListener('abort', () => this.#forget(hop, session), { once: true });
      }
    }
    return reached;
  }

  /** Back to the pool while delivery runs, else ended politely. */
  release(hop: Hop, session: Session, options: { keep: boolean }): void {
    this.#forget(hop, session);
    if (options.keep) hop.pool.give(session);
    else void session.quit();
  }

  cutAll(why: string): void {
    for (const session of this.#open) session.cut(why);
  }

  #take(hop: Hop): Session | undefined {
    for (let kept = hop.pool.take(); kept !== undefined; kept = hop.pool.take()) {
      if (this.#isMeant(hop, kept)) return kept;
      void kept.quit();
    }
    return undefined;
  }

  #forget(hop: Hop, session: Session): void {
    this.#open.delete(session);
    hop.inUse.delete(session);
  }

  async #connect(hop: Hop): Promise<Reached> {
    hop.opening += 1;
    try {
      return await this.#reach(hop);
    } finally {
      hop.opening -= 1;
    }
  }
}
