/**
 * A page of the queue. Filters are judged by what is known without reading, and what is shown is read: a page of 50 reads 50
 * files, of a hundred messages as of a million. What is not known without reading (it was *incoming* when we started) is read
 * to be judged, so many a call; the cursor then goes on from there.
 */
import type { GatewayHandlers, VerbAnswer } from '../control/contract.ts';
import { domainOf } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { Folder, Sketch, StoredMessage } from '../spool/api.ts';
import type { HandlerParts } from './handlers.ts';
import { iso, queueEntry, stateOf } from './views.ts';
import { lookOver, matcherOf } from './waiting.ts';

type Request = Parameters<GatewayHandlers['queue.list']>[0];
type Entry = VerbAnswer<'queue.list'>['entries'][number];

/** Files read for one page that are not shown on it. */
const MOST_IN_VAIN = 500;

export async function listQueue(parts: HandlerParts, request: Request): Promise<VerbAnswer<'queue.list'>> {
  const { spool, store, clock } = parts;
  const { state, hop, limit, cursor } = request;
  const domain = request.domain?.toLowerCase();
  const folders = foldersFor(state);
  const matches = matcherOf(
    {
      ...(state === 'active' || state === 'deferred' ? { state } : {}),
      ...(hop === undefined ? {} : { hop }),
      ...(domain === undefined ? {} : { domain }),
    },
    { config: store.current(), clock },
  );
  const filtered = domain !== undefined || hop !== undefined || state === 'active' || state === 'deferred';
  const look = lookOver(spool, {
    folders,
    after: cursor as QueueId | undefined,
    matches,
    ...(filtered ? {} : { slice: limit + 1 }),
  });
  const entries: Entry[] = [];
  let last: QueueId | undefined;
  let vain = 0;
  let more = false;
  for await (const found of look) {
    for (const { id, sketch } of found) {
      more = entries.length === limit || vain === MOST_IN_VAIN;
      if (more) break;
      last = id;
      const entry = await entryOf(parts, { id, sketch, filter: { domain, hop } });
      if (entry === undefined) vain += 1;
      else entries.push(entry);
    }
    if (more) break;
  }
  const total = folders.reduce((sum, folder) => sum + spool.count(folder), 0);
  return { entries, total, ...(more && last !== undefined ? { cursor: last } : {}) };
}

async function entryOf(
  { spool, clock }: HandlerParts,
  options: { id: QueueId; sketch: Sketch; filter: { domain: string | undefined; hop: string | undefined } },
): Promise<Entry | undefined> {
  const { id, sketch, filter } = options;
  const { folder } = sketch;
  const message = await spool.read(id);
  if (message !== undefined) {
    const isHere = message.folder === folder && stateOf(message, clock) !== 'retired'; // it may be gone by now
    return isHere && (sketch.kind !== undefined || isMeant(message, filter)) ? queueEntry(message, clock) : undefined;
  }
  // A damaged file tells nothing about itself, but it is there, and somebody must see it.
  if (spool.folderOf(id) !== 'corrupt' || filter.domain !== undefined || filter.hop !== undefined) return undefined;
  return damagedEntry(id, spool.sketch(id) ?? sketch);
}

/** An *incoming* message waits for no hop yet. */
function isMeant(
  { preamble }: StoredMessage,
  filter: { domain: string | undefined; hop: string | undefined },
): boolean {
  if (filter.hop !== undefined) return false;
  const { recipients } = preamble.envelope;
  return filter.domain === undefined || recipients.some(({ address }) => domainOf(address) === filter.domain);
}

/** What the record, or the file itself, still tells. */
function damagedEntry(id: QueueId, { arrived, size }: Sketch): Entry {
  return {
    id,
    state: 'corrupt',
    kind: 'mail',
    direction: 'inbound',
    arrivedAt: iso(arrived * 1_000),
    size,
    reversePath: '',
    recipients: [],
  };
}

function foldersFor(state: Request['state']): Folder[] {
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
