/** The queue by control socket: lists over all folders but the quarantine, retry, hold, delete with undo. */
import type { GatewayHandlers } from '../control/contract.ts';
import type { HandlerParts } from './handlers.ts';
import { listQueue } from './queue-list.ts';
import { asQueueId, deletedUntil, iso, messageDetails, mustRead, stateOf } from './views.ts';

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
    'queue.list': (request) => listQueue(parts, request),
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
