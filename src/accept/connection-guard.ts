/**
 * How many sessions may stand open: in all, for one client, for its neighbourhood (/24, /64). Counted by session id, so that
 * leaving twice or leaving without having come changes nothing. Answers at once; keeps no memory of who left.
 */
import { neighbourhoodOf } from '../base/network.ts';
import { type Reply, reply } from '../mail/reply.ts';

export interface SessionLimits {
  total: number;
  perAddress?: number;
  perNetwork?: number;
}

export class ConnectionGuard {
  readonly #sessions = new Map<string, string>();
  readonly #addresses = new Map<string, number>();
  readonly #networks = new Map<string, number>();

  get size(): number {
    return this.#sessions.size;
  }

  /** Lets the session in (undefined) or says why not. A session that was refused holds no place. */
  enter(id: string, address: string, limits: SessionLimits): Reply | undefined {
    if (this.#sessions.has(id)) return undefined;
    if (this.#sessions.size >= limits.total) return reply(421, '4.3.2', 'Too many sessions, please try again later');
    const network = neighbourhoodOf(address);
    if ((this.#addresses.get(address) ?? 0) >= (limits.perAddress ?? Number.POSITIVE_INFINITY))
      return reply(421, '4.7.0', 'Too many sessions from your address, please try again later');
    if ((this.#networks.get(network) ?? 0) >= (limits.perNetwork ?? Number.POSITIVE_INFINITY))
      return reply(421, '4.7.0', 'Too many sessions from your network, please try again later');
    this.#sessions.set(id, address);
    add(this.#addresses, address, 1);
    add(this.#networks, network, 1);
    return undefined;
  }

  leave(id: string): void {
    const address = this.#sessions.get(id);
    if (address === undefined) return;
    this.#sessions.delete(id);
    add(this.#addresses, address, -1);
    add(this.#networks, neighbourhoodOf(address), -1);
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
}
