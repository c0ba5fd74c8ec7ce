/**
 * The queue by destination: hold and unhold all mail to a domain, send a domain's mail, or one message, elsewhere. Bounded: one call handles
 * at most a page and answers with a cursor; each message is one durable step of its own, so a call that is cut short has
 * done what it has done and may be repeated. Undo of hold is unhold, of a route the route without `to`.
 */
import { isIPv6 } from 'node:net';
import { errorCode, SekishoError } from '../base/errors.ts';
import type { GatewayHandlers, VerbAnswer } from '../control/contract.ts';
import { type Domain, domainOf, type ForwardPath, parseDomain } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { mailServer } from '../config/schema-parts.ts';
import { showVia } from '../deliver/route.ts';
import type { StoredMessage, Via } from '../spool/api.ts';
import type { HandlerParts } from './handlers.ts';
import { asQueueId, mustRead, stateOf } from './views.ts';
import { lookOver } from './waiting.ts';

/** Messages read in one call: a second or two of reading and moving. */
const PAGE = 500;

type BulkVerbs = 'queue.hold-domain' | 'queue.unhold-domain' | 'queue.route' | 'queue.reroute';

export function queueBulkHandlers(parts: HandlerParts): Pick<GatewayHandlers, BulkVerbs> {
  const { quarantine, delivery, store, spool, clock, observe } = parts;
  return {
    'queue.hold-domain': ({ domain, cursor }, { by }) =>
      eachTo(parts, { domain, cursor, folder: 'queue' }, async (message, recipients) => {
        await quarantine.hold(message.id, { by, why: 'operator', recipients });
        return true;
      }),
    'queue.unhold-domain': ({ domain, cursor }, { by }) =>
      eachTo(parts, { domain, cursor, folder: 'held' }, async (message, recipients) => {
        // Undeliverable, poison, too old to be inspected: those wait for a decision about each of them.
        // And what somebody held by its id, with recipients elsewhere, goes by its id.
        const open = message.progress.recipients.filter((each) => each.outcome === undefined);
        if (message.progress.why !== 'operator' || open.length > recipients.length) return false;
        await quarantine.unhold(message.id, { by });
        return true;
      }),
    'queue.route': async ({ domain, to, protocol }, { by }) => {
      const name = mustBeDomain(domain);
      const others = store.current().delivery.overrides.filter((each) => each.domain !== name);
      const server = to === undefined ? [] : [{ domain: name, ...parseServer(to), ...(protocol ? { protocol } : {}) }];
      const result = await store.set('delivery.overrides', [...others, ...server], { by });
      if (!result.ok) return { ok: false, problems: result.problems, count: 0 };
      const count = delivery.retryNow({ domain: name });
      return { ok: true, generation: result.generation, changed: result.changed, problems: [], count };
    },
    'queue.reroute': async ({ id: given, to, protocol }, { by }) => {
      const id = asQueueId(given);
      const via = to === undefined ? undefined : mustBeServer(to, protocol);
      await mustRead(spool, id);
      await spool.reroute(id, via);
      observe.emit({ event: 'rerouted', id, by, ...(via === undefined ? {} : { via: showVia(via) }) });
      const count = delivery.reroute(id, via);
      const message = await spool.read(id); // a quick one may be gone by now
      return {
        id,
        state: message === undefined ? 'retired' : stateOf(message, clock),
        ...(via === undefined ? {} : { route: showVia(via) }),
        count,
      };
    },
  };
}

async function eachTo(
  { spool }: HandlerParts,
  where: { domain: string; cursor: string | undefined; folder: 'queue' | 'held' },
  work: (message: StoredMessage, recipients: ForwardPath[]) => Promise<boolean>,
): Promise<VerbAnswer<'queue.hold-domain'>> {
  const domain = mustBeDomain(where.domain);
  const look = lookOver(spool, {
    folders: [where.folder],
    after: where.cursor as QueueId | undefined,
    matches: ({ kind }) => kind === undefined || kind.domains.includes(domain),
  });
  let count = 0;
  let busy = 0;
  let looked = 0;
  let last: QueueId | undefined;
  const one = async (id: QueueId): Promise<void> => {
    const message = await spool.read(id);
    if (message === undefined || message.folder !== where.folder || message.progress.deleted !== undefined) return;
    const recipients = message.progress.recipients
      .filter((each) => each.outcome === undefined && domainOf(each.address) === domain)
      .map((each) => each.address);
    if (recipients.length === 0) return;
    try {
      if (await work(message, recipients)) count += 1;
    } catch (error) {
      // Delivered or taken elsewhere meanwhile is no trouble; anything else ends the call with its words.
      const code = errorCode(error);
      if (code === 'BUSY') busy += 1;
      else if (code !== 'NOT_FOUND' && code !== 'WRONG_STATE') throw error;
    }
  };
  for await (const found of look)
    for (const { id } of found) {
      if (looked === PAGE && last !== undefined) return { count, busy, cursor: last };
      looked += 1;
      last = id;
      await one(id);
    }
  return { count, busy };
}

function mustBeDomain(text: string): Domain {
  const domain = parseDomain(text);
  if (domain !== undefined) return domain;
  throw new SekishoError('INVALID', `"${text}" is no domain`, { remedy: 'Give a domain like "office.example"' });
}

function mustBeServer(text: string, protocol: Via['protocol']): Via {
  const { host, port } = parseServer(text);
  const checked = mailServer.pick({ host: true, port: true }).safeParse({ host, port });
  if (checked.success) return { ...checked.data, ...(protocol === undefined ? {} : { protocol }) };
  throw new SekishoError('INVALID', `"${text}" is no server`, { remedy: 'Give it like "192.0.2.9:25"' });
}

/** `host`, `host:25`, `192.0.2.9:25`, `[2001:db8::9]:25`, `2001:db8::9`; the schema judges host and port. */
export function parseServer(text: string): { host: string; port: number } {
  if (isIPv6(text)) return { host: text, port: 25 };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined) return { host, port: port === undefined ? 25 : Number(port) };
  throw new SekishoError('INVALID', `"${text}" is no server`, { remedy: 'Give it like "192.0.2.9:25"' });
}
