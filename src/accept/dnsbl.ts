/**
 * What blocklists in the DNS say about a client (RFC 5782), as one sum of weights. Every list is asked at once, through our
 * own resolver, with one deadline for all; a list that does not answer, answers with trouble, or says "you may not ask"
 * (127.255.255.0/24) counts nothing: a broken list must never stop mail. Asks nobody unless a zone is configured.
 */
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import { inNetworks, reverseLabels } from '../base/network.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Config } from '../config/schema.ts';

export interface Listing {
  sum: number;
  /** The zones that list the client with a positive weight, heaviest first. */
  zones: string[];
}

export type Blocklists = (address: string, settings: Config['accept']['dnsbl']) => Promise<Listing>;

const NOT_LISTED: Listing = { sum: 0, zones: [] };
const ASKING_MAX = 100;
const WAITING_MAX = 1_000;
/** RFC 5782 §2.3 has answers in 127.0.0.0/8; lists refuse a resolver they dislike with the last of its networks. */
const ANSWERS = ['127.0.0.0/8'];
const REFUSALS = ['127.255.255.0/24'];

export function createBlocklists(options: {
  resolver: Resolver;
  deadlineMs: number;
  log: (message: string) => void;
}): Blocklists {
  const limiter = new Limiter(ASKING_MAX);
  /** Said once in the log, not with every client. */
  const silent = new Set<string>();

  async function lists(labels: string, zone: string): Promise<boolean> {
    if (limiter.waiting >= WAITING_MAX) return false;
    try {
      // the deadline counts from here: time in our own line is time the client waits
      const answers = await withDeadline(`Asking the blocklist "${zone}"`, { ms: options.deadlineMs }, () =>
        limiter.run(() => options.resolver.a(`${labels}.${zone}`)),
      );
      if (silent.delete(zone)) options.log(`Blocklist "${zone}" answers again`);
      return answers.some((answer) => inNetworks(answer, ANSWERS) && !inNetworks(answer, REFUSALS));
    } catch (error) {
      if (!silent.has(zone)) options.log(`Blocklist "${zone}" gives no answer: ${describeError(error)}`);
      silent.add(zone);
      return false;
    }
  }

  return async (address, { zones, allow }) => {
    const labels = reverseLabels(address);
    if (zones.length === 0 || labels === undefined || inNetworks(address, allow)) return NOT_LISTED;
    const answers = await Promise.all(zones.map(async (each) => ({ ...each, listed: await lists(labels, each.zone) })));
    const listed = answers.filter((each) => each.listed);
    const against = listed.filter((each) => each.weight > 0).sort((one, other) => other.weight - one.weight);
    return {
      sum: listed.reduce((sum, each) => sum + each.weight, 0),
      zones: against.map((each) => each.zone),
    };
  };
}
