/**
 * The wall clock is wrong while mail flows: 1970, ten years ahead, an hour back, each stepped to under load, kept over a
 * SIGKILL and a new start, and stepped back. The gateway's process tree alone lives in that time (libfaketime; the monotonic
 * clock goes on as it does on a real machine). Nothing may expire, nothing may stick, nothing may be lost or doubled.
 */
import { writeFile } from 'node:fs/promises';
import { globSync } from 'node:fs';
import path from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld } from '../e2e/world.ts';
import { peersPrefix } from '../support/peers.ts';
import { until } from '../support/process.ts';
import { startLoad } from './load.ts';
import { Book, isAccountedFor, randomFrom, Samples } from './outside.ts';
import { startRefusingSink } from './refusing-sink.ts';

export const CLOCKS = [
  { name: '1970', set: '@1970-01-01 09:00:00' },
  { name: 'ten years ahead', set: '+10y' },
  { name: 'an hour back', set: '-1h' },
] as const;

export interface ClockReport {
  accepted: number;
  /** Messages that arrived under each clock. */
  flowed: Record<string, number>;
  expired: number;
  /** Owed, and not there within five minutes. */
  stuck: string[];
  altered: number[];
  refused: string[];
  extra: number;
  extraAllowed: number;
  quarantined: { expected: number; found: number };
  drainMs: number;
  problems: string[];
}

const STUCK_AFTER_MS = 300_000;
const RIGHT = '+0';
const UNDER_EACH_MS = 900;

export async function clockLayer(options: { seed: number }): Promise<ClockReport> {
  const library = globSync('usr/lib/*/faketime/libfaketime.so.1', { cwd: peersPrefix() })[0];
  if (library === undefined) throw new Error(`libfaketime is not below "${peersPrefix()}"`);
  const stack = new AsyncDisposableStack();
  const dir = await mkdtemp(path.join(os.tmpdir(), 'sekisho-clock-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'time');
  await writeFile(file, RIGHT);
  try {
    const book = new Book();
    const random = randomFrom(options.seed);
    let expired = 0;
    const office = stack.use(
      await startRefusingSink({
        share: { rcpt: 0.1, dot: 0.1 },
        random,
        onMessage: (to, bytes) => book.arrived(to, bytes),
      }),
    );
    const outside = stack.use(
      await startRefusingSink({
        share: { rcpt: 0, dot: 0 },
        random,
        onMessage: (_to, bytes) => {
          if (/^Status: 5\.4\.7\r$/m.test(bytes.toString('latin1'))) expired += 1;
          book.bounced(bytes);
        },
      }),
    );
    const world = stack.use(
      await startWorld({
        officePort: async () => office.port,
        env: {
          LD_PRELOAD: path.join(peersPrefix(), library),
          FAKETIME_TIMESTAMP_FILE: file,
          FAKETIME_NO_CACHE: '1',
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
          DONT_FAKE_MONOTONIC: '1',
        },
        config: {
          outbound: { smarthost: { host: '127.0.0.1', port: outside.port } },
          delivery: { retryMs: [300, 600], probeMs: 300 },
        },
      }),
    );
    const { gateway } = world;
    const load = startLoad({
      port: gateway.mxPort,
      sessions: 12,
      book,
      samples: new Samples(options.seed),
      random,
      pauseMs: 100,
    });
    stack.defer(() => load.stop());
    const flowed: Record<string, number> = {};
    const arrivedSoFar = (): number => [...book.pages.values()].reduce((sum, page) => sum + page.served.size, 0);
    const flow = async (name: string): Promise<void> => {
      const before = arrivedSoFar();
      await until(
        `mail to flow in ${name}`,
        { ms: STUCK_AFTER_MS, every: 50 },
        () => arrivedSoFar() > before + 20 || undefined,
      );
      await sleep(UNDER_EACH_MS);
      flowed[name] = (flowed[name] ?? 0) + arrivedSoFar() - before;
    };
    let allowed = 0;
    load.resume();
    await flow('the right time');
    for (const { name, set } of CLOCKS) {
      await writeFile(file, set);
      await flow(name);
      allowed += load.stages().dot + office.inFlight() + outside.inFlight();
      await gateway.kill();
      await gateway.start();
      await flow(`${name}, after a new start`);
      await writeFile(file, RIGHT);
      await flow('the right time');
    }
    load.pause();
    await load.stop();
    office.calm();
    const begun = performance.now();
    await until('an empty queue', { ms: STUCK_AFTER_MS, every: 200 }, async () => {
      const { entries } = await gateway.call('queue.list', { limit: 500 });
      return entries.every(({ state }) => state === 'held') || undefined;
    }).catch(() => undefined);
    const drainMs = performance.now() - begun;
    const { entries: held } = await gateway.call('queue.list', { limit: 500 });
    const { total } = await gateway.call('quarantine.list', { limit: 500 });
    const inQuarantine = (number: number): boolean => number % 12 === 5;
    const heldFor = new Set(
      held.filter(({ state }) => state === 'held').flatMap((one) => one.recipients.map((each) => each.address)),
    );
    const stuck: string[] = [];
    for (const number of book.open()) {
      const page = book.pages.get(number);
      if (page === undefined || inQuarantine(number) || isAccountedFor(page)) continue;
      const waits = page.recipients.filter(
        (one) => !page.served.has(one) && !page.bounced.has(one) && !heldFor.has(one),
      );
      stuck.push(...waits);
    }
    const expected = [...book.pages].reduce(
      (sum, [number, page]) => sum + (inQuarantine(number) ? page.ids.length : 0),
      0,
    );
    const report: ClockReport = {
      accepted: book.accepted,
      flowed,
      expired,
      stuck,
      altered: book.altered,
      refused: book.refused,
      extra: book.extra,
      extraAllowed: allowed,
      quarantined: { expected, found: total },
      drainMs,
      problems: [],
    };
    report.problems = clockProblems(report);
    return report;
  } finally {
    await stack.disposeAsync();
  }
}

function clockProblems(report: ClockReport): string[] {
  const problems = [
    ...report.stuck.slice(0, 20).map((recipient) => `${recipient} is stuck or lost`),
    ...report.refused.slice(0, 20).map((reply) => `refused for good: ${reply}`),
    ...report.altered.slice(0, 20).map((number) => `message ${number} was altered`),
  ];
  if (report.expired > 0) problems.push(`${report.expired} messages expired by a wrong clock`);
  if (report.extra > report.extraAllowed)
    problems.push(`${report.extra} extra copies, allowed are ${report.extraAllowed}`);
  // one more for each final dot whose answer a kill took away
  const { expected, found } = report.quarantined;
  if (found < expected) problems.push(`${found} messages are in quarantine, ${expected} were accepted for it`);
  return problems;
}

export function clockLines(report: ClockReport): string[] {
  const flowed = Object.entries(report.flowed).map(([name, count]) => `${name} ${count}`);
  return [
    `${report.accepted} messages with a 250; recipients served in: ${flowed.join('; ')}`,
    `expired ${report.expired}, stuck ${report.stuck.length}, altered ${report.altered.length}, 5xx of our own ${report.refused.length}, extra copies ${report.extra} (allowed ${report.extraAllowed}), in quarantine ${report.quarantined.found} of ${report.quarantined.expected}; queue empty after ${report.drainMs.toFixed(0)} ms`,
  ];
}
