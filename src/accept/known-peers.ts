/**
 * Networks (/24, /64) whose mail was good: when sessions run out, the last tenth of the places is theirs, so that a flood of
 * strangers does not shut out the people the office writes with. Known-good is a network with three clean mails or more within
 * 30 days, the first of them an hour ago or more (a flood's own clients are not). An address that was sent away has to do
 * without for a day; its neighbours have not. Bounded to 50,000 networks, the longest silent goes first; kept over restarts
 * (`<data>/known-peers.json`, without a file in memory only). While nobody is known no place is kept back.
 */
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { neighbourhoodOf } from '../base/network.ts';
import type { Observe } from '../observe/events.ts';
import { KeptFile } from './kept-file.ts';

const CLEAN_MAILS = 3;
const WITHIN_MS = 30 * 86_400_000;
const KNOWN_AFTER_MS = 3_600_000;
const DISMISSED_MS = 86_400_000;
export const NETWORKS_MAX = 50_000;
const DISMISSED_MAX = 10_000;

/** Monotonic, negative: before the boot. */
interface Peer {
  first: number;
  /** Of the latest clean mails, at most CLEAN_MAILS; oldest first. */
  times: number[];
}

const savedSchema = z.strictObject({
  /** Longest silent first: network, age of the first mail, ages of the latest clean mails, in seconds. */
  networks: z.array(z.tuple([z.string().max(64), z.number().min(0), z.array(z.number().min(0)).max(CLEAN_MAILS)])),
});

export class KnownPeers {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #file: KeptFile | undefined;
  /** Longest silent first. */
  readonly #peers = new Map<string, Peer>();
  /** Address → when; oldest first. */
  readonly #dismissed = new Map<string, number>();

  constructor(clock: Clock, options: { file?: string; observe?: Observe; max?: number } = {}) {
    const { file, observe } = options;
    this.#clock = clock;
    this.#max = options.max ?? NETWORKS_MAX;
    if (file === undefined || observe === undefined) return;
    const content = (): Record<string, unknown> => ({ networks: this.#snapshot() });
    this.#file = new KeptFile({ file, clock, observe, what: 'known networks', content });
  }

  static async open(options: { clock: Clock; observe: Observe; file: string; max?: number }): Promise<KnownPeers> {
    const known = new KnownPeers(options.clock, options);
    await known.#file?.load((saved, ago) => known.#restore(saved, ago));
    return known;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** A message of this client was taken, and nothing was found in it. */
  taken(address: string): void {
    const now = this.#clock.monotonic();
    const network = neighbourhoodOf(address);
    const { first, times } = this.#current(network) ?? { first: now, times: [] };
    this.#keep(network, { first, times: [...times, now].slice(-CLEAN_MAILS) });
    this.#file?.changed();
  }

  /** It misbehaved: no privilege for this address for a day. */
  dismissed(address: string): void {
    this.#dismissed.delete(address);
    this.#dismissed.set(address, this.#clock.monotonic());
    if (this.#dismissed.size > DISMISSED_MAX) dropFirst(this.#dismissed);
  }

  knows(address: string): boolean {
    const now = this.#clock.monotonic();
    const peer = this.#current(neighbourhoodOf(address));
    if (peer === undefined || now - peer.first < KNOWN_AFTER_MS) return false;
    const [oldest] = peer.times;
    if (peer.times.length < CLEAN_MAILS || oldest === undefined || now - oldest >= WITHIN_MS) return false;
    const dismissed = this.#dismissed.get(address);
    return dismissed === undefined || now - dismissed >= DISMISSED_MS;
  }

  /** How many of so many places to keep back. */
  reserve(places: number): number {
    return this.#peers.size === 0 ? 0 : Math.floor(places / 10);
  }

  /** Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.save();
  }

  #current(network: string): Peer | undefined {
    const peer = this.#peers.get(network);
    const last = peer?.times.at(-1);
    if (peer === undefined || last === undefined) return undefined;
    if (this.#clock.monotonic() - last < WITHIN_MS) return peer;
    this.#peers.delete(network);
    return undefined;
  }

  #keep(network: string, peer: Peer): void {
    this.#peers.delete(network); // it goes to the young end
    this.#peers.set(network, peer);
    if (this.#peers.size > this.#max) dropFirst(this.#peers);
  }

  #snapshot(): unknown[] {
    const now = this.#clock.monotonic();
    const age = (at: number): number => Math.max(0, Math.round((now - at) / 1_000));
    return [...this.#peers].map(([network, { first, times }]) => [network, age(first), times.map(age)]);
  }

  #restore(saved: Record<string, unknown>, ago: number): void {
    const now = this.#clock.monotonic();
    const time = (age: number): number => now - ago - age * 1_000;
    for (const [network, first, times] of savedSchema.parse(saved).networks)
      this.#keep(network, { first: time(first), times: times.map(time) });
  }
}

function dropFirst(map: Map<string, unknown>): void {
  const [first] = map.keys();
  if (first !== undefined) map.delete(first);
}
