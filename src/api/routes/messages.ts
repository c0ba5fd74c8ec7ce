/** Messages: search, and the whole story of one. */
import { SekishoError } from '../../base/errors.ts';
import type { Answer } from '../contract/client.ts';
import type { Permission } from '../contract/access.ts';
import type { MESSAGE_ACTIONS } from '../contract/messages.ts';
import type { Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { mustBe } from './parts.ts';
import { mayForce, needsForce } from './queue.ts';

type Action = (typeof MESSAGE_ACTIONS)[number];
type Stored = NonNullable<Answer<'messages.show'>['stored']>;

export function messageHandlers(): Some<`messages.${'search' | 'show' | 'resend' | 'report'}`> {
  return {
    'messages.search': ({ gateway, query }) => gateway.call('history.search', query),
    'messages.show': async ({ gateway, params, query, who }) => {
      const { id } = params;
      const [trace, explanation, stored] = await Promise.all([
        unlessUnknown(gateway.call('trace', { id, ...query })),
        unlessUnknown(gateway.call('explain', { id, ...query })),
        unlessUnknown(gateway.call('queue.show', { id })),
      ]);
      if (trace === undefined && stored === undefined) throw new ApiProblem(404, 'NOT_FOUND');
      const kept =
        stored?.state === 'quarantined' ? await unlessUnknown(gateway.call('quarantine.show', { id })) : undefined;
      return {
        id,
        ...(trace === undefined ? {} : { trace }),
        ...(explanation === undefined ? {} : { explanation }),
        ...(stored === undefined ? {} : { stored }),
        actions: stored === undefined ? [] : actionsOf(stored, mustBe(who).permissions),
        needsForce: stored !== undefined && needsForce(stored.findings),
        askedBy: kept?.askedBy ?? [],
      };
    },
    'messages.resend': async ({ gateway, params, body, who, note }) => {
      mayForce(body.force, who);
      const { queuedAs, recipients } = await gateway.call('message.resend', { ...params, ...body });
      note(params.id, { queuedAs });
      return { queuedAs, recipients };
    },
    'messages.report': async ({ gateway, params, body }) => {
      const { learned, samples, text } = await gateway.call('message.report', { ...params, ...body });
      return { learned, samples, text };
    },
  };
}

/** Undefined where nothing is known of it: the history may have forgotten what the spool has, and the other way round. */
async function unlessUnknown<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof SekishoError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function actionsOf(stored: Stored, permissions: ReadonlySet<Permission>): Action[] {
  const may = (permission: Permission, ...actions: Action[]): Action[] => (permissions.has(permission) ? actions : []);
  if (stored.deletedUntil !== undefined)
    return stored.state === 'quarantined' ? may('mail.release', 'undelete') : may('queue.operate', 'undelete');
  switch (stored.state) {
    case 'quarantined':
      return may('mail.release', 'release', 'delete', 'resend', 'report');
    case 'held':
      return [...may('queue.operate', 'unhold', 'delete'), ...may('mail.release', 'resend', 'report')];
    case 'active':
    case 'deferred':
      return [...may('queue.operate', 'retry', 'hold', 'delete'), ...may('mail.release', 'resend', 'report')];
    case 'corrupt':
      return may('queue.operate', 'delete');
    case 'incoming':
    case 'retired':
    case 'rejected':
      return [];
  }
}
