/**
 * Clients whose mail we took before: when sessions run out, the last tenth of the places is theirs, so that a flood of
 * strangers does not shut out the people the office writes with. Known is whose first message was taken an hour ago or more
 * (a flood's own clients are not), whose last within a week, and who was not sent away since. In memory, bounded, monotonic
 * time; after a start nobody is known, and nothing is kept back until somebody is.
 */
import type { Clock } from '../base/clock.ts';

const KNOWN_AFTER_MS = 3_600_000;
const FORGET_MS = 7 * 86_400_000;
const PEERS_MAX = 20_000;

export class KnownPeers {
  readonly #clock: Clock;
  /** Oldest first by the last message. */
  readonly #peers = new Map<string, { first: number; last: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A message of this client was taken. */
  taken(address: string): void {
    const now = this.#clock.monotonic();
    const first = this.#current(address)?.first ?? now;
    this.#peers.delete(address); // it goes to the young end
    this.#peers.set(address, { first, last: now });
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > PEERS_MAX && oldest !== undefined) this.#peers.delete(oldest);
  }

  /** It was sent away: it has to earn its place anew. */
  dismissed(address: string): void {
    this.#peers.delete(address);
  }

  knows(address: string): boolean {
    const peer = this.#current(address);
    return peer !== undefined && this.#clock.monotonic() - peer.first >= KNOWN_AFTER_MS;
  }

  /** How many of so many places to keep back. */
  reserve(places: number): number {
    return this.#peers.size === 0 ? 0 : Math.floor(places / 10);
  }

  #current(address: string): { first: number; last: number } | undefined {
    const peer = this.#peers.get(address);
    if (peer === undefined || this.#clock.monotonic() - peer.last < FORGET_MS) return peer;
    this.#peers.delete(address);
    return undefined;
  }
}
