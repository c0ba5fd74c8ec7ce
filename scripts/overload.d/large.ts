/**
 * A small mail beside large ones: how long its 250 takes alone, and while three mails of 50 MB arrive at a time, with both
 * engines. Who sends and who measures are threads of their own (`large-lane.ts`), and the mail server behind is this one:
 * what is measured is the gateway, not the test's own loop copying 50 MB about.
 */
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { atMost, type Item, type ItemOptions, type Mark, percentile, reported } from './item.ts';
import { type Lane, outcomesSchema } from './large-lane.ts';
import { type Site, standing } from './site.ts';

const LARGE_AT_ONCE = 3;
/** After its final dot is its 250 due; the RFC allows ten minutes, a person who waits for a mail does not. */
const MOST_P95_MS = 2_000;
const THREAD_MS = 300_000;

export const LARGE: readonly Item[] = [
  {
    name: 'small-beside-large',
    what: 'the 250 of a small mail, alone and while three mails of 50 MB arrive at a time',
    run: besideLarge,
  },
];

async function besideLarge({ site: open, short }: ItemOptions & { site: () => Promise<Site> }): Promise<Mark[]> {
  const site = await open();
  const port = site.world.gateway.mxPort;
  const seconds = short ? 3 : 20;
  const alone = await startLane({ kind: 'small', port, seconds, first: 500_000 }).outcomes;
  // base64 makes four octets of three; the limit for a message stands at 50 MiB
  const octets = short ? 3_000_000 : 37_000_000;
  const lanes = Array.from({ length: LARGE_AT_ONCE }, (_, at) => startLane({ kind: 'large', port, octets, at }));
  const beside = await startLane({ kind: 'small', port, seconds, first: 600_000 }).outcomes;
  for (const lane of lanes) lane.end();
  const large = (await Promise.all(lanes.map(({ outcomes }) => outcomes))).flat();
  const slow = percentile(timesOf(beside), 0.95);
  return [
    reported('alone: 250 after, p50 / p95 / p99', figures(alone)),
    reported('beside: 250 after, p50 / p95 / p99', figures(beside)),
    atMost('beside: 250 after, p95', slow, { limit: MOST_P95_MS, unit: ' ms' }),
    reported(
      'large ones: 250 after, p50 / p95 / p99',
      `${figures(large)}, heard ${large.map(({ code }) => code).join(', ')}`,
    ),
    atMost('small ones not taken', [...alone, ...beside].filter(({ code }) => code !== 250).length, { limit: 0 }),
    ...standing(site.world),
  ];
}

type Outcomes = z.output<typeof outcomesSchema>;

function startLane(lane: Lane): { outcomes: Promise<Outcomes>; end: () => void } {
  const thread = new Worker(path.join(import.meta.dirname, 'large-lane.ts'), { workerData: lane });
  const outcomes = (async () => {
    const late = setTimeout(() => void thread.terminate(), THREAD_MS);
    try {
      const [said] = (await Promise.race([
        once(thread, 'message'),
        once(thread, 'exit').then(() => [[]]),
      ])) as unknown[];
      return outcomesSchema.parse(said);
    } finally {
      clearTimeout(late);
    }
  })();
  return { outcomes, end: () => thread.postMessage('end') };
}

function timesOf(outcomes: Outcomes): number[] {
  return outcomes.filter(({ code }) => code === 250).map(({ ms }) => ms);
}

function figures(outcomes: Outcomes): string {
  const times = timesOf(outcomes);
  return `${[0.5, 0.95, 0.99].map((share) => percentile(times, share).toFixed(0)).join(' / ')} ms of ${outcomes.length}`;
}
