/** The queue and the quarantine: lists, and deeds on many messages at once. */
import type { Principal, Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { eachOf } from './bulk.ts';
import { mustBe } from './parts.ts';

type QueueIds =
  `queue.${'list' | 'summary' | 'show' | 'retry' | 'hold' | 'unhold' | 'hold-domain' | 'unhold-domain' | 'route' | 'delete' | 'undelete'}`;
type QuarantineIds = `quarantine.${'list' | 'show' | 'release' | 'delete' | 'undelete'}`;

/** Pages of a domain's mail that one request works through. */
const MOST_PAGES = 20;

export function queueHandlers(): Some<QueueIds> {
  return {
    'queue.list': ({ gateway, query }) => gateway.call('queue.list', query),
    'queue.summary': async ({ gateway }) => {
      const { total, destinations, ages, reasons } = await gateway.call('queue.summary', {});
      return { total, counted: total, destinations, ages, reasons };
    },
    'queue.show': ({ gateway, params }) => gateway.call('queue.show', params),
    'queue.retry': async ({ gateway, body, signal }) => {
      if (!('ids' in body)) return gateway.call('queue.retry', body);
      const { results } = await eachOf(body.ids, signal, async (id) => {
        await gateway.call('queue.retry', { id });
        return {};
      });
      const refused = results.find(({ ok }) => !ok);
      if (refused !== undefined && results.length === 1)
        throw new ApiProblem(
          404,
          refused.code ?? 'NOT_FOUND',
          refused.message === undefined ? {} : { message: refused.message },
        );
      return { count: results.filter(({ ok }) => ok).length };
    },
    'queue.hold': ({ gateway, body, signal }) =>
      eachOf(body.ids, signal, async (id) => {
        await gateway.call('queue.hold', { id });
        return {};
      }),
    'queue.unhold': ({ gateway, body, signal }) =>
      eachOf(body.ids, signal, async (id) => {
        await gateway.call('queue.unhold', { id, force: body.force });
        return {};
      }),
    'queue.hold-domain': ({ gateway, body }) =>
      throughPages((cursor) => gateway.call('queue.hold-domain', { domain: body.domain, ...cursor })),
    'queue.unhold-domain': ({ gateway, body }) =>
      throughPages((cursor) => gateway.call('queue.unhold-domain', { domain: body.domain, ...cursor })),
    'queue.route': ({ gateway, body }) => gateway.call('queue.route', body),
    'queue.delete': ({ gateway, body, signal }) =>
      eachOf(body.ids, signal, async (id) => {
        const { deletedUntil } = await gateway.call('queue.delete', { id });
        return { deletedUntil };
      }),
    'queue.undelete': ({ gateway, body, signal }) =>
      eachOf(body.ids, signal, async (id) => {
        await gateway.call('queue.undelete', { id });
        return {};
      }),
  };
}

export function quarantineHandlers(): Some<QuarantineIds> {
  return {
    'quarantine.list': ({ gateway, query }) => gateway.call('quarantine.list', query),
    'quarantine.show': async ({ gateway, params, query }) => {
      const [shown, told] = await Promise.all([
        gateway.call('quarantine.show', params),
        gateway.call('explain', { id: params.id, language: query.language }),
      ]);
      return { ...shown, lines: told.lines, needsForce: needsForce(shown.findings) };
    },
    'quarantine.release': ({ gateway, body, signal, who }) => {
      const { ids, recipients, force } = body;
      if (recipients !== undefined && ids.length > 1)
        throw new ApiProblem(400, 'INVALID_REQUEST', {
          fields: [
            {
              path: 'body.recipients',
              message: {
                ja: '宛先を選べるのは 1 通のときだけです',
                en: 'Recipients can be chosen for one message only',
              },
            },
          ],
        });
      mayForce(force, who);
      return eachOf(ids, signal, async (id) => {
        const released = await gateway.call('quarantine.release', {
          id,
          force,
          ...(recipients === undefined ? {} : { recipients }),
        });
        return { queuedAs: released.queuedAs, already: released.already };
      });
    },
    'quarantine.delete': ({ gateway, body, signal }) =>
      eachOf(body.ids, signal, async (id) => {
        const { deletedUntil } = await gateway.call('quarantine.delete', { id });
        return { deletedUntil };
      }),
    'quarantine.undelete': ({ gateway, body, signal }) =>
      eachOf(body.ids, signal, async (id) => {
        await gateway.call('quarantine.undelete', { id });
        return {};
      }),
  };
}

/** A virus is let through by somebody who could have changed the rule. */
export function mayForce(force: boolean | undefined, who: Principal | undefined): void {
  if (force === true && !mustBe(who).permissions.has('config.change')) throw new ApiProblem(403, 'NOT_ALLOWED');
}

/** As the gateway's quarantine says it: a virus, or nothing that says that nobody found one. */
export function needsForce(findings: ReadonlyArray<{ kind: string }>): boolean {
  return findings.length === 0 || findings.some(({ kind }) => kind === 'virus' || kind === 'poison');
}

async function throughPages(
  page: (cursor: { cursor?: string }) => Promise<{ count: number; busy: number; cursor?: string | undefined }>,
): Promise<{ count: number; busy: number; more: boolean }> {
  const sum = { count: 0, busy: 0, more: false };
  let cursor: { cursor?: string } = {};
  for (let turn = 0; turn < MOST_PAGES; turn += 1) {
    const answer = await page(cursor);
    sum.count += answer.count;
    sum.busy += answer.busy;
    if (answer.cursor === undefined) return sum;
    cursor = { cursor: answer.cursor };
  }
  return { ...sum, more: true };
}
