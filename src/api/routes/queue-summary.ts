/** The queue at a glance: by destination, by age, by reason. Bounded: of a long queue the oldest messages are counted. */
import type { ControlClient } from '../../control/client.ts';
import type { QueueEntry } from '../../control/shapes.ts';
import type { Answer } from '../contract/client.ts';

type Summary = Answer<'queue.summary'>;
type Destination = Summary['destinations'][number];

const PAGE = 500;
const MOST_PAGES = 10;
const AGES_MS = [300_000, 3_600_000, 14_400_000, 86_400_000] as const;

/** `now`: wall clock, ms. */
export async function summaryOf(gateway: ControlClient, now: number): Promise<Summary> {
  const entries: QueueEntry[] = [];
  let cursor: string | undefined;
  let total = 0;
  for (let turn = 0; turn < MOST_PAGES; turn += 1) {
    const page = await gateway.call('queue.list', { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    entries.push(...page.entries);
    total = page.total;
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  const { hops } = await gateway.call('status', {});
  const down = hops.filter(({ state }) => state === 'down').map(({ hop }) => hop);
  return {
    total: Math.max(total, entries.length),
    counted: entries.length,
    destinations: destinationsOf(entries, down),
    ages: agesOf(entries, now),
    reasons: reasonsOf(entries),
  };
}

function destinationsOf(entries: readonly QueueEntry[], down: readonly string[]): Destination[] {
  const found = new Map<string, Destination>();
  for (const { recipients, size, arrivedAt } of entries) {
    const counted = new Set<string>();
    for (const { address, nextAttemptAt, lastReply, nextHop } of recipients) {
      const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase();
      const row = found.get(domain) ?? { domain, messages: 0, octets: 0, oldestAt: arrivedAt, state: 'unknown' };
      if (!counted.has(domain)) {
        row.messages += 1;
        row.octets += size;
      }
      counted.add(domain);
      if (arrivedAt < row.oldestAt) row.oldestAt = arrivedAt;
      if (nextAttemptAt !== undefined && nextAttemptAt < (row.nextAttemptAt ?? '9')) row.nextAttemptAt = nextAttemptAt;
      if (lastReply !== undefined) row.lastReply = lastReply;
      if (down.some((hop) => hop === nextHop || hop.includes(domain))) row.state = 'down';
      else if (row.state === 'unknown' && lastReply !== undefined) row.state = 'up';
      found.set(domain, row);
    }
  }
  return [...found.values()].toSorted((a, b) => b.messages - a.messages || a.domain.localeCompare(b.domain));
}

function agesOf(entries: readonly QueueEntry[], now: number): Summary['ages'] {
  const ages = entries.map(({ arrivedAt }) => now - Date.parse(arrivedAt));
  const steps = AGES_MS.map((belowMs, index) => ({
    belowMs,
    messages: ages.filter((age) => age < belowMs && age >= (AGES_MS[index - 1] ?? Number.NEGATIVE_INFINITY)).length,
  }));
  return [...steps, { messages: ages.filter((age) => age >= (AGES_MS.at(-1) ?? 0)).length }];
}

/** Replies differ in ids and addresses; what they mean stands in their codes. */
function reasonsOf(entries: readonly QueueEntry[]): Summary['reasons'] {
  const sums = new Map<string, number>();
  for (const { state, recipients } of entries) {
    const reply = recipients.find(({ lastReply }) => lastReply !== undefined)?.lastReply;
    const reason = reply === undefined ? state : (/^\d{3}(?: \d\.\d+\.\d+)?/.exec(reply)?.[0] ?? reply.slice(0, 60));
    sums.set(reason, (sums.get(reason) ?? 0) + 1);
  }
  return [...sums].map(([reason, messages]) => ({ reason, messages })).toSorted((a, b) => b.messages - a.messages);
}
