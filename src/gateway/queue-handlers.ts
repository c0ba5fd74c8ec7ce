/** The queue by control socket: lists over all folders but the quarantine, retry, hold, delete with undo. */
import type { GatewayHandlers, VerbAnswer } from '../control/contract.ts';
import { domainOf } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Folder, SpoolListEntry, StoredMessage } from '../spool/api.ts';
import type { HandlerParts } from './handlers.ts';
import { asQueueId, deletedUntil, iso, messageDetails, mustRead, queueEntry, stateOf } from './views.ts';

/** Files looked at for one page: a filter that matches little must not read the whole spool in one call. */
const MOST_LOOKED_AT = 5_000;
const PAGE = 200;
const UNDO_MS = 600_000;

type QueueVerbs =
  | 'queue.list'
  | 'queue.show'
  | 'queue.retry'
  | 'queue.hold'
  | 'queue.unhold'
  | 'queue.delete'
  | 'queue.undelete';

export function queueHandlers(parts: HandlerParts): Pick<GatewayHandlers, QueueVerbs> {
  const { spool, delivery, quarantine, clock } = parts;
  return {
    'queue.list': async ({ state, hop, domain, limit, cursor }) => {
      const folders = foldersFor(state);
      const wanted = (message: StoredMessage): boolean =>
        (state === 'all' || stateOf(message, clock) === state) &&
        (hop === undefined || message.progress.recipients.some(({ nextHop }) => nextHop === hop)) &&
        (domain === undefined ||
          message.preamble.envelope.recipients.some(({ address }) => domainOf(address) === domain.toLowerCase()));
      const entries = [];
      let after = cursor as QueueId | undefined;
      let looked = 0;
      let more = true;
      while (entries.length < limit && looked < MOST_LOOKED_AT && more) {
        const next = await nextRows(parts, { folders, after, limit: PAGE });
        more = next.length === PAGE;
        for (const row of next) {
          const { id } = row;
          after = id;
          looked += 1;
          const message = await spool.read(id);
          if (message !== undefined && wanted(message)) entries.push(queueEntry(message, clock));
          // A damaged file tells nothing about itself, but it is there, and somebody must see it.
          if (message === undefined && spool.folderOf(id) === 'corrupt' && hop === undefined && domain === undefined)
            entries.push(damagedEntry(row));
          if (entries.length < limit) continue;
          more = true;
          break;
        }
      }
      const total = folders.reduce((sum, folder) => sum + spool.count(folder), 0);
      return { entries, total, ...(more && after !== undefined ? { cursor: after } : {}) };
    },
    'queue.show': async ({ id }) => messageDetails(await mustRead(spool, asQueueId(id)), clock),
    'queue.retry': async (request) => {
      if (request.id !== undefined) {
        await mustRead(spool, asQueueId(request.id));
        return { count: delivery.retryNow({ id: asQueueId(request.id) }) };
      }
      if (request.hop !== undefined) return { count: delivery.retryNow({ hop: request.hop }) };
      if (request.domain !== undefined) return { count: delivery.retryNow({ domain: request.domain }) };
      return { count: delivery.retryNow({}) };
    },
    'queue.hold': async ({ id }, { by }) => {
      const held = await quarantine.hold(asQueueId(id), { by, why: 'operator' });
      return { id: held.id, state: 'held' };
    },
    'queue.unhold': async ({ id, force }, { by }) => {
      const released = await quarantine.unhold(asQueueId(id), { by, force: force === true });
      return { id: released.id, state: 'active' };
    },
    'queue.delete': async ({ id }, { by }) => {
      if (spool.folderOf(asQueueId(id)) === 'corrupt') {
        await spool.remove(asQueueId(id), 'deleted');
        parts.observe.emit({ event: 'deleted', id: asQueueId(id), by, why: 'operator' });
        return { id, deletedUntil: iso(clock.wall() + UNDO_MS) };
      }
      await quarantine.delete(asQueueId(id), { by });
      const { progress } = await mustRead(spool, asQueueId(id));
      return { id, deletedUntil: deletedUntil(progress.deleted).deletedUntil ?? iso(clock.wall() + UNDO_MS) };
    },
    'queue.undelete': async ({ id }, { by }) => {
      if (spool.folderOf(asQueueId(id)) === 'corrupt') {
        await spool.undelete(asQueueId(id));
        return { id, state: 'corrupt' };
      }
      await quarantine.undelete(asQueueId(id), { by });
      return { id, state: stateOf(await mustRead(spool, asQueueId(id)), clock) };
    },
  };
}

/** What the record, or the file itself, still tells. */
function damagedEntry({ id, arrival, size }: SpoolListEntry): VerbAnswer<'queue.list'>['entries'][number] {
  return {
    id,
    state: 'corrupt',
    kind: 'mail',
    direction: 'inbound',
    arrivedAt: iso(arrival.wall),
    size,
    reversePath: '',
    recipients: [],
  };
}

function foldersFor(state: 'all' | 'incoming' | 'active' | 'deferred' | 'held' | 'corrupt'): Folder[] {
  switch (state) {
    case 'all':
      return ['incoming', 'queue', 'held', 'corrupt'];
    case 'active':
    case 'deferred':
      return ['queue'];
    case 'incoming':
    case 'held':
    case 'corrupt':
      return [state];
  }
}

/** The next messages of several folders in order of arrival. */
async function nextRows(
  { spool }: HandlerParts,
  options: { folders: readonly Folder[]; after: QueueId | undefined; limit: number },
): Promise<SpoolListEntry[]> {
  const after = options.after === undefined ? {} : { after: options.after };
  const lists = await Promise.all(
    options.folders.map((folder) => spool.list(folder, { ...after, limit: options.limit })),
  );
  return lists
    .flat()
    .toSorted((one, other) => (one.id < other.id ? -1 : 1))
    .slice(0, options.limit);
}
