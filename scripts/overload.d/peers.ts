/**
 * The known-good peers, in a process of their own so that the attackers' work does not delay them: mails offered at a fixed
 * rate, whether or not earlier ones are done, while the control socket is asked twice a second and the gateway's memory
 * read. One JSON line at the end. argv: the job as JSON.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { callVerb } from '../../test/support/gateway.ts';
import { deliver, type Outcome } from './client.ts';
import { cleanMail, OFFICE } from './mails.ts';

export const jobSchema = z.strictObject({
  port: z.number(),
  controlSocket: z.string(),
  pid: z.number(),
  perSecond: z.number(),
  seconds: z.number(),
  seed: z.number(),
});
export type Job = z.infer<typeof jobSchema>;

export const watchedSchema = z.object({
  offered: z.number(),
  accepted: z.number(),
  refusals: z.record(z.string(), z.number()),
  p50Ms: z.number(),
  p95Ms: z.number(),
  controlMs: z.number(),
  loopMs: z.number(),
  peakOctets: z.number(),
});
export type Watched = z.infer<typeof watchedSchema>;

/** TEST-NET-3 and neighbours: 20 networks that the site makes known. */
export function knownAddress(turn: number): string {
  return `203.0.${100 + (turn % 20)}.${1 + (turn % 200)}`;
}

const MAIL_MS = 60_000;
const CONTROL_EVERY_MS = 500;

if (import.meta.main) {
  const job = jobSchema.parse(JSON.parse(process.argv[2] ?? ''));
  process.stdout.write(`${JSON.stringify(await watch(job))}\n`);
  process.exit(0);
}

async function watch(job: Job): Promise<Watched> {
  const outcomes: Promise<Outcome>[] = [];
  const ask = { worst: 0, peak: 0, over: false };
  await loopDelayMs(job); // what was before this does not count
  const asking = keepAsking(job, ask);
  const begun = performance.now();
  const total = Math.round(job.perSecond * job.seconds);
  for (let turn = 0; turn < total; turn += 1) {
    await sleep(Math.max(0, begun + (turn * 1_000) / job.perSecond - performance.now()));
    const bytes = cleanMail(job.seed + turn);
    const from = 'hanako@nospf.example';
    outcomes.push(deliver({ port: job.port, address: knownAddress(turn), from, to: OFFICE, bytes, ms: MAIL_MS }));
  }
  const loopMs = await loopDelayMs(job);
  const settled = await Promise.all(outcomes);
  ask.over = true;
  await asking;
  const good = settled.filter(({ code }) => code === 250);
  const refusals: Record<string, number> = {};
  for (const { code } of settled) if (code !== 250) refusals[code] = (refusals[code] ?? 0) + 1;
  const times = good.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return {
    offered: total,
    accepted: good.length,
    refusals,
    p50Ms: times[Math.floor(times.length / 2)] ?? 0,
    p95Ms: times[Math.floor(times.length * 0.95)] ?? 0,
    controlMs: ask.worst,
    loopMs,
    peakOctets: ask.peak,
  };
}

async function keepAsking(job: Job, ask: { worst: number; peak: number; over: boolean }): Promise<void> {
  while (!ask.over) {
    const begun = performance.now();
    await callVerb(job.controlSocket, 'status', {}).catch(() => {
      ask.worst = Number.MAX_SAFE_INTEGER; // no answer is worse than a late one
    });
    ask.worst = Math.max(ask.worst, performance.now() - begun);
    ask.peak = Math.max(ask.peak, residentOf(job.pid));
    await sleep(CONTROL_EVERY_MS);
  }
}

/** p99 since it was last asked: reading resets it. */
async function loopDelayMs(job: Job): Promise<number> {
  const { text } = await callVerb(job.controlSocket, 'metrics.text', {});
  return Number(/^sekisho_event_loop_delay_seconds\{quantile="0\.99"\} (\S+)/m.exec(text)?.[1] ?? Number.NaN) * 1_000;
}

export function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024;
}
