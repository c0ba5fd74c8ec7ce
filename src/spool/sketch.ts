/**
 * What a list must know of a waiting message to pass it over without reading it: where to, by which server, since when, until
 * when, why. Kept in memory for each message, so it is small: messages that wait alike share one `Kind`, and times are whole
 * seconds (a small integer costs nothing, a fraction an object). The entry is the record; this follows it. Pure.
 */
import { ageOf, type Clock } from '../base/clock.ts';
import { domainOf, type ForwardPath } from '../mail/address.ts';
import { BARE_DOMAIN, type Folder, type Sketch, type Via, type WaitKind } from './api.ts';
import type { Entry } from './entry.ts';

/** Where one message lies, its octets, and how it waits. */
export interface Place extends Sketch {
  folder: Folder;
  tries: number;
  size: number;
  kind: Kind | undefined;
  arrived: number;
  due: number;
}

export interface Kind extends WaitKind {
  readonly key: string;
  /** Messages of this kind. */
  messages: number;
}

/** A file was found, or is being made; nothing else is known of it yet. */
export function placeOf(place: { folder: Folder; size: number; tries?: number }): Place {
  return { folder: place.folder, tries: place.tries ?? 0, size: place.size, kind: undefined, arrived: 0, due: 0 };
}

/** All kinds there are now. A kind without messages is forgotten: replies and domains come and go for years. */
export class Kinds {
  readonly #kinds = new Map<string, Kind>();

  get size(): number {
    return this.#kinds.size;
  }

  /** Says in `place` how this message waits. `others`: an *incoming* message's recipients stand in no entry yet. */
  describe(place: Place, entry: Entry, options: { clock: Clock; others?: readonly ForwardPath[] }): void {
    const { clock, others = [] } = options;
    const before = place.kind;
    const waits = waitsOf(entry);
    const domains = entry.recipients.length === 0 ? domainsOf(others) : waits.domains;
    place.kind = domains === '' ? undefined : this.#kind({ ...waits, domains });
    place.arrived = Math.floor(entry.arrival.wall / 1_000);
    place.due = dueOf(entry, clock);
    if (place.kind !== undefined) place.kind.messages += 1;
    if (before !== undefined) this.#less(before);
  }

  /** The message is no longer here. */
  forget(place: Place): void {
    const { kind } = place;
    place.kind = undefined;
    if (kind !== undefined) this.#less(kind);
  }

  #less(kind: Kind): void {
    kind.messages -= 1;
    if (kind.messages === 0 && this.#kinds.get(kind.key) === kind) this.#kinds.delete(kind.key);
  }

  #kind(waits: Waits): Kind {
    const key = `${waits.domains}\n${waits.hops}\n${waits.via}\n${waits.reason}`;
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    // strings of its own: what is cut out of an entry would keep the whole entry in memory
    const [domains = '', hops = '', via = '', reason = ''] = Buffer.from(key).toString().split('\n');
    const kind: Kind = {
      key: Buffer.from(key).toString(),
      domains: domains.split(' '),
      hops: hops === '' ? [] : hops.split('\t'),
      ...(via === '' ? {} : { via: JSON.parse(via) as Via }),
      reason,
      messages: 0,
    };
    this.#kinds.set(kind.key, kind);
    return kind;
  }
}

interface Waits {
  /** Joined by spaces; the domain of the bare `postmaster` is `-`. */
  domains: string;
  /** Joined by tabs: a hop's name may have spaces. */
  hops: string;
  via: string;
  reason: string;
}

function waitsOf(entry: Entry): Waits {
  const { via } = entry;
  const open = entry.recipients.filter(({ outcome }) => outcome === undefined);
  const reply = open.find(({ lastReply }) => lastReply !== undefined)?.lastReply;
  return {
    domains: domainsOf(open.map(({ address }) => address)),
    hops: joined(
      open.flatMap(({ nextHop }) => (nextHop === undefined ? [] : [nextHop])),
      '\t',
    ),
    via: via === undefined ? '' : JSON.stringify(via),
    reason: reply === undefined ? '' : reasonOf(reply),
  };
}

function domainsOf(addresses: readonly ForwardPath[]): string {
  return joined(
    addresses.map((address) => domainOf(address) ?? BARE_DOMAIN),
    ' ',
  );
}

function joined(words: readonly string[], between: string): string {
  if (words.length < 2) return words[0] ?? '';
  return [...new Set(words)].sort().join(between);
}

/** Replies differ in ids and addresses; what they mean stands in their codes. */
function reasonOf(reply: string): string {
  return /^\d{3}(?: \d\.\d+\.\d+)?/.exec(reply)?.[0] ?? reply.slice(0, 60).replaceAll('\n', ' ');
}

/** When the first of its recipients is due; 0: at once. */
function dueOf(entry: Entry, clock: Clock): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { outcome, lastAttempt, wait } of entry.recipients) {
    if (outcome !== undefined) continue;
    if (lastAttempt === undefined || wait <= 0) return 0;
    least = Math.min(least, wait - ageOf(lastAttempt, clock));
  }
  return least > 0 && least < Number.POSITIVE_INFINITY ? Math.ceil((clock.monotonic() + least) / 1_000) : 0;
}
