/**
 * Everything that is kept of one address, and forgetting it. The history forgets by a pseudonym that nobody can compute back;
 * quarantined mail goes only when asked for; mail that waits, the audit and the owner's own settings stay as they are, and the
 * answer says how much that was. Asked twice, or cut in the midst, it is asked again: what is forgotten is not found any more.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ControlClient } from '../../control/client.ts';
import type { VerbAnswer } from '../../control/contract.ts';
import { addressPattern } from '../../mail/address.ts';
import { Content, type Some } from '../server/call.ts';
import { ApiProblem } from '../server/problems.ts';
import { iso, type RouteParts } from './parts.ts';

const PAGE = 200;

export function privacyHandlers({ audit, now }: RouteParts): Some<`privacy.${'export' | 'forget'}`> {
  return {
    'privacy.export': ({ gateway, body, signal, note }) => {
      const address = body.address.trim().toLowerCase();
      note(address);
      const lines = async function* (): AsyncGenerator<string> {
        yield line({ type: 'export', address, at: iso(now()) });
        for await (const entry of historyOf(gateway, address)) yield line({ type: 'history', ...entry });
        for await (const entry of quarantinedOf(gateway, address)) yield line({ type: 'quarantine', ...entry });
        const lists = await gateway.call('config.show', { path: 'policy.lists' });
        for (const entry of mentionsIn(lists.value, address)) yield line({ type: 'list', entry });
        for (const entry of audit.each({}))
          if (mentions(entry, address)) yield line({ type: 'audit', ...entry, at: iso(entry.at) });
        signal.throwIfAborted();
      };
      return new Content('application/x-ndjson', Readable.from(lines(), { objectMode: false }), {
        name: `sekisho-person-${iso(now()).slice(0, 10)}.jsonl`,
      });
    },
    'privacy.forget': async ({ gateway, body, note, signal }) => {
      const address = body.address.trim().toLowerCase();
      if (body.typed.trim().toLowerCase() !== address)
        throw new ApiProblem(400, 'INVALID_REQUEST', {
          fields: [
            {
              path: 'body.typed',
              message: { ja: '同じアドレスをもう一度入力してください', en: 'Type the same address once more' },
            },
          ],
        });
      const deleted = body.quarantine ? await deleteQuarantined(gateway, address) : 0;
      const pseudonym = `forgotten-${randomBytes(6).toString('hex')}@${address.slice(address.lastIndexOf('@') + 1)}`;
      const sum = { messages: 0, waiting: 0, deleted, samples: 0, pseudonym };
      for (let after: number | undefined = 0; after !== undefined; ) {
        signal.throwIfAborted();
        const page: VerbAnswer<'history.forget'> = await gateway.call('history.forget', { address, pseudonym, after });
        sum.messages += page.messages;
        sum.waiting += page.waiting;
        sum.samples += page.samples;
        after = page.next;
      }
      note(address, sum);
      return sum;
    },
  };
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

async function* historyOf(gateway: ControlClient, address: string): AsyncGenerator<Record<string, unknown>> {
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: VerbAnswer<'history.person'> = await gateway.call('history.person', { address, after });
    yield* page.entries;
    after = page.next;
  }
}

type Quarantined = Awaited<ReturnType<typeof listOf>>['entries'][number];

function listOf(gateway: ControlClient, cursor: string | undefined) {
  return gateway.call('quarantine.list', { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
}

/** As sender, author or recipient. */
async function* quarantinedOf(gateway: ControlClient, address: string): AsyncGenerator<Quarantined> {
  let cursor: string | undefined;
  do {
    const page = await listOf(gateway, cursor);
    for (const entry of page.entries)
      if (mentions([entry.reversePath, entry.from, entry.recipients], address)) yield entry;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** Only what nobody else waits for: from him, or to him alone. */
async function deleteQuarantined(gateway: ControlClient, address: string): Promise<number> {
  const ids: string[] = [];
  for await (const { id, reversePath, recipients, deletedUntil } of quarantinedOf(gateway, address)) {
    const his = [reversePath, ...(recipients.length === 1 ? recipients : [])].some(
      (one) => one.toLowerCase() === address,
    );
    if (his && deletedUntil === undefined) ids.push(id);
  }
  for (const id of ids) await gateway.call('quarantine.delete', { id });
  return ids.length;
}

function mentions(value: unknown, address: string): boolean {
  return addressPattern(address).test(JSON.stringify(value));
}

function mentionsIn(lists: unknown, address: string): unknown[] {
  if (typeof lists !== 'object' || lists === null) return [];
  return Object.values(lists)
    .flatMap((one: unknown) => (Array.isArray(one) ? (one as unknown[]) : []))
    .filter((entry) => mentions(entry, address));
}
