/** What the pages ask besides the operators' verbs: the octets of a message, figures of the history. */
import { configKeys } from '../config/reference.ts';
import type { GatewayHandlers } from '../control/contract.ts';
import type { PAGE_VERBS } from '../control/page-verbs.ts';
import type { HandlerParts } from './handlers.ts';
import { summaries } from './queue-summary.ts';
import { asQueueId, mustRead } from './views.ts';

export function pageHandlers(parts: HandlerParts): Pick<GatewayHandlers, keyof typeof PAGE_VERBS> {
  const { spool, history, samples } = parts;
  return {
    'queue.summary': summaries(parts),
    'message.body': async ({ id, offset, limit }) => {
      const message = await mustRead(spool, asQueueId(id));
      const { size } = message.trailer;
      const end = Math.min(size, offset + limit);
      const parts: Buffer[] = [];
      let at = 0;
      const body = spool.openBody(message);
      for await (const chunk of body as AsyncIterable<Buffer>) {
        if (at + chunk.length > offset) parts.push(chunk.subarray(Math.max(0, offset - at), end - at));
        at += chunk.length;
        // of the last part everything is read: the spool checks the hash at the end
        if (at >= end && end < size) break;
      }
      return { base64: Buffer.concat(parts).toString('base64'), size, ...(end < size ? { next: end } : {}) };
    },
    'history.report': async (query) => {
      const { delays, ...rest } = await history.report(query);
      return { ...rest, ...(delays === undefined ? {} : { delays }) };
    },
    'config.reference': () => ({
      keys: configKeys().map(({ path, kind, default: usual, choices, words }) => ({
        path,
        type: kind,
        ...(usual === undefined ? {} : { default: usual }),
        ...(choices.length === 0 ? {} : { values: choices.map(String) }),
        text: words ?? { ja: path, en: path },
      })),
    }),
    'history.watched': async (query) => ({ groups: await history.watched(query) }),
    'history.person': async ({ address, after }) => {
      const { entries, next } = await history.person(address, after);
      return { entries: entries.map((entry) => ({ ...entry })), ...(next === undefined ? {} : { next }) };
    },
    'history.forget': async ({ address, pseudonym, after }) => {
      const { ids, ...told } = await history.forget(address, { after, pseudonym });
      return { ...told, samples: await samples.forget(ids) };
    },
    'history.scores': async ({ from }) => ({ scores: await history.scores(from) }),
  };
}
