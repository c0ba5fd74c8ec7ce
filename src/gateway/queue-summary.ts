/**
 * The queue at a glance: by state, destination, age and reason, every message counted. Nothing is read but one message of each
 * destination shown, for the words the other server said last.
 */
import type { VerbAnswer } from '../control/contract.ts';
import { domainOf } from '../mail/address.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { BARE_DOMAIN, type Sketch, type WaitKind } from '../spool/api.ts';
import type { HandlerParts } from './handlers.ts';
import { iso } from './views.ts';
import { hopsOf, isDeferred, lookOver, type Waiting } from './waiting.ts';

type Summary = VerbAnswer<'queue.summary'>;
type Destination = Summary['destinations'][number];

const FOLDERS = ['incoming', 'queue', 'held', 'corrupt'] as const;
const AGES_MS = [300_000, 3_600_000, 14_400_000, 86_400_000] as const;
const MOST_DESTINATIONS = 500;
const MOST_REASONS = 100;
/** From so many messages on a summary is kept, and for so long. */
const LONG = 20_000;
const KEPT_MS = 5_000;
/** Destinations whose last reply is read. */
const MOST_READ = 50;

/** Of messages that wait alike. */
interface Sum {
  messages: number;
  octets: number;
  /** Seconds since 1970. */
  oldest: number;
  /** Monotonic seconds; 0: none waits for a time. */
  due: number;
  /** The last of them. */
  sample: QueueId;
}

/**
 * For pages that ask again with every mail that moves: of a long queue, where a look costs a third of a second and a few
 * messages more or less are nothing, one look holds for a few seconds. A short one is looked over each time.
 */
export function summaries(parts: HandlerParts): () => Promise<Summary> {
  let kept: { at: number; answer: Summary } | undefined;
  return async () => {
    if (kept !== undefined && parts.clock.monotonic() - kept.at < KEPT_MS) return kept.answer;
    const answer = await summaryOf(parts);
    kept = answer.total > LONG ? { at: parts.clock.monotonic(), answer } : undefined;
    return answer;
  };
}

export async function summaryOf(parts: HandlerParts): Promise<Summary> {
  const { spool, clock } = parts;
  const now = Math.floor(clock.wall() / 1_000);
  const states = { incoming: 0, active: 0, deferred: 0, held: 0, corrupt: 0 };
  const ages = Array.from({ length: AGES_MS.length + 1 }, () => 0);
  const sums = new Map<WaitKind, Sum>();
  const reasons = new Map<string, number>();
  let oldest = Number.POSITIVE_INFINITY;
  let total = 0;
  const count = ({ id, sketch }: Waiting): void => {
    const { folder, kind, arrived } = sketch;
    total += 1;
    const state = folder === 'queue' ? (isDeferred(sketch, clock) ? 'deferred' : 'active') : (folder as 'held');
    states[state] += 1;
    if (kind === undefined || kind.reason === '') reasons.set(state, (reasons.get(state) ?? 0) + 1);
    if (kind !== undefined) add(sums, id, { sketch, kind });
    if (arrived === 0) return; // damaged: nothing is known of it
    if (folder === 'queue' || folder === 'incoming') oldest = Math.min(oldest, arrived);
    const step = AGES_MS.findIndex((below) => (now - arrived) * 1_000 < below);
    const at = step < 0 ? AGES_MS.length : step;
    ages[at] = (ages[at] ?? 0) + 1;
  };
  for await (const found of lookOver(spool, { folders: FOLDERS })) for (const each of found) count(each);
  for (const [{ reason }, { messages }] of sums)
    if (reason !== '') reasons.set(reason, (reasons.get(reason) ?? 0) + messages);
  return {
    total,
    states,
    ...(oldest === Number.POSITIVE_INFINITY ? {} : { oldestMs: Math.max(0, clock.wall() - oldest * 1_000) }),
    destinations: await destinationsOf(parts, sums),
    ages: ages.map((messages, step) => ({ messages, ...(step < AGES_MS.length ? { belowMs: AGES_MS[step] } : {}) })),
    reasons: [...reasons]
      .map(([reason, messages]) => ({ reason, messages }))
      .toSorted((a, b) => b.messages - a.messages)
      .slice(0, MOST_REASONS),
  };
}

function add(sums: Map<WaitKind, Sum>, id: QueueId, { sketch, kind }: { sketch: Sketch; kind: WaitKind }): void {
  const { size, arrived, due } = sketch;
  const sum = sums.get(kind);
  if (sum === undefined) {
    sums.set(kind, { messages: 1, octets: size, oldest: arrived, due, sample: id });
    return;
  }
  sum.messages += 1;
  sum.octets += size;
  sum.oldest = Math.min(sum.oldest, arrived);
  if (due > 0) sum.due = sum.due === 0 ? due : Math.min(sum.due, due);
  sum.sample = id;
}

async function destinationsOf(parts: HandlerParts, sums: Map<WaitKind, Sum>): Promise<Destination[]> {
  const { delivery, store, clock } = parts;
  const config = store.current();
  const down = new Set(delivery.status().hops.flatMap(({ key, state }) => (state === 'up' ? [] : [key])));
  const rows = new Map<string, { row: Destination; sample?: QueueId }>();
  for (const [kind, sum] of sums) {
    const isDown = [...kind.hops, ...hopsOf(kind, config)].some((hop) => down.has(hop));
    const heard = kind.reason !== '';
    const oldestAt = iso(sum.oldest * 1_000);
    const nextAttemptAt = sum.due === 0 ? undefined : iso(clock.wall() - clock.monotonic() + sum.due * 1_000);
    for (const domain of kind.domains) {
      const found = rows.get(domain) ?? {
        row: { domain, messages: 0, octets: 0, oldestAt, state: 'unknown' as const },
      };
      const { row } = found;
      row.messages += sum.messages;
      row.octets += sum.octets;
      if (oldestAt < row.oldestAt) row.oldestAt = oldestAt;
      if (nextAttemptAt !== undefined && nextAttemptAt < (row.nextAttemptAt ?? '9')) row.nextAttemptAt = nextAttemptAt;
      if (isDown) row.state = 'down';
      else if (row.state === 'unknown' && heard) row.state = 'up';
      if (heard) found.sample = sum.sample;
      rows.set(domain, found);
    }
  }
  const most = [...rows.values()]
    .toSorted((a, b) => b.row.messages - a.row.messages || (a.row.domain < b.row.domain ? -1 : 1))
    .slice(0, MOST_DESTINATIONS);
  await Promise.all(most.slice(0, MOST_READ).map((found) => readReply(parts, found)));
  return most.map(({ row }) => ({ ...row, domain: row.domain === BARE_DOMAIN ? '' : row.domain }));
}

async function readReply({ spool }: HandlerParts, found: { row: Destination; sample?: QueueId }): Promise<void> {
  if (found.sample === undefined) return;
  const message = await spool.read(found.sample); // undefined: it has gone meanwhile
  const { domain } = found.row;
  const reply = message?.progress.recipients.find(
    ({ address, lastReply }) => lastReply !== undefined && (domainOf(address) ?? BARE_DOMAIN) === domain,
  )?.lastReply;
  if (reply !== undefined) found.row.lastReply = reply;
}
