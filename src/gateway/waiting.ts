/**
 * Looks over what waits, in order of arrival, by what is known without reading a file: of a million messages only those are
 * read that are shown. In slices, with the loop let go in between, so that a look over a long queue holds up no mail.
 */
import { endOfTurn } from '../base/turn.ts';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import { routeKey } from '../deliver/route.ts';
import { parseDomain } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { BARE_DOMAIN, type Folder, type Sketch, type Spool, type WaitKind } from '../spool/api.ts';

/** Messages passed in one turn of the loop: a few milliseconds. */
export const SLICE = 10_000;

export interface Waiting {
  id: QueueId;
  sketch: Sketch;
}

/** What may be wanted; a message whose kind is not known without reading may be anything. */
export interface WaitFilter {
  state?: 'active' | 'deferred';
  /** The next hop that was tried, or that it waits for. */
  hop?: string;
  /** Of a recipient that is not settled yet. */
  domain?: string;
}

/** Those that match, a slice at a time; some slices are empty. */
export async function* lookOver(
  spool: Pick<Spool, 'page' | 'sketch'>,
  options: {
    folders: readonly Folder[];
    after?: QueueId | undefined;
    slice?: number;
    matches?: (sketch: Sketch) => boolean;
  },
): AsyncGenerator<Waiting[]> {
  const { folders, matches = () => true, slice = SLICE } = options;
  let { after } = options;
  while (true) {
    const ids = spool.page(folders, { limit: slice, ...(after === undefined ? {} : { after }) });
    const found: Waiting[] = [];
    for (const id of ids) {
      const sketch = spool.sketch(id);
      if (sketch !== undefined && matches(sketch)) found.push({ id, sketch });
    }
    yield found;
    after = ids.at(-1);
    if (ids.length < slice || after === undefined) return;
    await endOfTurn();
  }
}

/** One answer a kind: a long queue has few of them. */
export function matcherOf(filter: WaitFilter, parts: { config: Config; clock: Clock }): (sketch: Sketch) => boolean {
  const { state, hop, domain } = filter;
  const known = new Map<WaitKind, boolean>();
  const isMeant = (kind: WaitKind): boolean =>
    (domain === undefined || kind.domains.includes(domain)) && (hop === undefined || goesBy(kind, hop, parts.config));
  return ({ kind, due }) => {
    if (state !== undefined && (isDeferred({ due }, parts.clock) ? 'deferred' : 'active') !== state) return false;
    if (kind === undefined || (domain === undefined && hop === undefined)) return true;
    let meant = known.get(kind);
    if (meant === undefined) {
      meant = isMeant(kind);
      known.set(kind, meant);
    }
    return meant;
  };
}

export function goesBy(kind: WaitKind, hop: string, config: Config): boolean {
  return kind.hops.includes(hop) || hopsOf(kind, config).includes(hop);
}

/** The hops it waits for, as status names them. */
export function hopsOf({ domains, via }: WaitKind, config: Config): string[] {
  return domains.map((each) => {
    const domain = each === BARE_DOMAIN ? parseDomain(config.domains[0]?.name ?? '') : each;
    return routeKey(domain ?? '', config, via);
  });
}

export function isDeferred({ due }: Pick<Sketch, 'due'>, clock: Clock): boolean {
  return due * 1_000 > clock.monotonic();
}
