/**
 * The process tree of the gateway is killed (SIGKILL) at random moments under load, again and again, on one data folder.
 * After each cut, with the load running again: every message that had its 250 was delivered, is listed, or its sender has
 * a DSN. At the end, with the queue drained: every recipient, octet for octet, extra copies no more than promise 2 allows.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld, type World } from '../e2e/world.ts';
import { until } from '../support/process.ts';
import { type Deeds, type Load, operate, type Stage, STAGES, startLoad } from './load.ts';
import { Book, isAccountedFor, randomFrom, Samples } from './outside.ts';
import { type RefusingSink, startRefusingSink } from './refusing-sink.ts';

export interface KillReport {
  seed: number;
  cuts: number;
  /** Messages with a 250, how many a second while the gateway was up, and what the sink refused of what it was asked. */
  accepted: number;
  perSecond: number;
  refusedShare: number;
  recipients: number;
  deeds: Deeds;
  dsns: number;
  expired: number;
  /** Cuts with at least one transaction open; the mean and the least of open ones; sessions by stage, over all cuts. */
  cutsInTransaction: number;
  openMean: number;
  openLeast: number;
  stages: Record<Stage, number>;
  /** What must be nothing. */
  lost: string[];
  altered: number[];
  refused: string[];
  extraWithoutCut: number;
  extra: number;
  extraAllowed: number;
  /** Milliseconds from the first transaction or 250 of a life to its kill. */
  lifeMs: { least: number; mean: number; most: number };
  /** Milliseconds from the kill to the next 220, and the recovery's own part of it. */
  backMs: { mean: number; most: number };
  recoveryMs: { most: number };
  left: { held: number; quarantined: number };
}

const SESSIONS = 40;
/** With 40 sessions: about 100 messages a second, most of the sessions in a transaction. */
const PAUSE_MS = 200;
/** The kill falls this long after the first transaction of a life, every other time after its first 250: on any machine. */
const SOONEST_MS = 200;
const LATEST_MS = 1_500;
const LOOKED_MS = 120_000;
/** A look that takes longer than this stops the load until it has ended: a list that grows faster than it is read tells nothing. */
const LOOK_ALONE_MS = 500;
/** Whole looks at least, whatever the time: what moves from one list to the other while both are read is in neither. */
const LOOKS = 5;
const READY = 'Gateway is ready';
const EXPIRE_MS = 6_000;
const EXPIRED = /^Status: 5\.4\.7\r$/m;

export async function killRig(options: {
  cuts: number;
  seed: number;
  tell?: (text: string) => void;
  /** No cut is begun after this moment (performance.now()). */
  until?: number;
}): Promise<KillReport> {
  const rig = await KillRig.start(options.seed);
  try {
    return await rig.run(options);
  } catch (error) {
    throw new Error(`After "${rig.lastTroubles().join('" and "')}"`, { cause: error });
  } finally {
    await rig[Symbol.asyncDispose]();
  }
}

class KillRig {
  readonly #book = new Book();
  readonly #random: () => number;
  readonly #deeds: Deeds = { released: 0, parted: 0, deleted: 0, held: 0, unheld: 0 };
  readonly #stack: AsyncDisposableStack;
  readonly #office: RefusingSink;
  readonly #outside: RefusingSink;
  readonly #world: World;
  readonly #load: Load;
  #dsns = 0;
  #expired = 0;

  static async start(seed: number): Promise<KillRig> {
    const stack = new AsyncDisposableStack();
    const rig: { made?: KillRig } = {};
    const random = randomFrom(seed);
    const office = stack.use(
      await startRefusingSink({
        share: { rcpt: 0.2, dot: 0.1 },
        random,
        onMessage: (to, bytes) => rig.made?.arrived(to, bytes),
      }),
    );
    const outside = stack.use(
      await startRefusingSink({
        share: { rcpt: 0, dot: 0.05 },
        random,
        onMessage: (_to, bytes) => rig.made?.reported(bytes),
      }),
    );
    try {
      const cache = await mkdtemp(path.join(tmpdir(), 'sekisho-kill-'));
      stack.defer(() => rm(cache, { recursive: true, force: true }));
      const world = stack.use(
        await startWorld({
          env: { NODE_COMPILE_CACHE: cache }, // as everywhere it runs: a start is not the compiler's
          officePort: async () => office.port,
          config: {
            outbound: { smarthost: { host: '127.0.0.1', port: outside.port } },
            delivery: { retryMs: [200, 400, 800], probeMs: 300, expireInboundMs: EXPIRE_MS },
          },
        }),
      );
      rig.made = new KillRig({ stack, office, outside, world, random, seed });
      return rig.made;
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  constructor(parts: {
    stack: AsyncDisposableStack;
    office: RefusingSink;
    outside: RefusingSink;
    world: World;
    random: () => number;
    seed: number;
  }) {
    this.#stack = parts.stack;
    this.#office = parts.office;
    this.#outside = parts.outside;
    this.#world = parts.world;
    this.#random = parts.random;
    this.#load = startLoad({
      port: parts.world.gateway.mxPort,
      sessions: SESSIONS,
      book: this.#book,
      samples: new Samples(parts.seed),
      random: parts.random,
      pauseMs: PAUSE_MS,
    });
  }

  arrived(to: readonly string[], bytes: Buffer): void {
    this.#book.arrived(to, bytes);
  }

  reported(bytes: Buffer): void {
    this.#dsns += 1;
    if (EXPIRED.test(bytes.toString('latin1'))) this.#expired += 1;
    this.#book.bounced(bytes);
  }

  async run(options: {
    cuts: number;
    seed: number;
    tell?: (text: string) => void;
    until?: number;
  }): Promise<KillReport> {
    const { gateway } = this.#world;
    const stages = Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<Stage, number>;
    const opens: number[] = [];
    const backs: number[] = [];
    const lives: number[] = [];
    const lost: string[] = [];
    let allowed = 0;
    let upMs = 0;
    let up = performance.now();
    this.#load.resume();
    await until('the load to run', { ms: 300_000, every: 20 }, () => this.#book.accepted > 100 || undefined);
    const extraWithoutCut = this.#book.extra;
    let cuts = 0;
    let looked: Promise<string[]> = Promise.resolve([]);
    while (cuts < options.cuts && performance.now() < (options.until ?? Number.POSITIVE_INFINITY)) {
      const hands = new AbortController();
      const operator = operate({
        gateway,
        book: this.#book,
        random: this.#random,
        deeds: this.#deeds,
        signal: hands.signal,
      });
      const before = this.#book.accepted;
      const runs = (): boolean => (cuts % 2 === 0 ? openOf(this.#load.stages()) > 0 : this.#book.accepted > before);
      await until('the load to run again', { ms: 300_000, every: 2 }, () => runs() || undefined);
      const first = performance.now();
      await sleep(SOONEST_MS + this.#random() * (LATEST_MS - SOONEST_MS));
      // what the last cut owed is looked for while the load runs, and before the next one
      lost.push(...(await this.#seen(looked)).map((what) => `cut ${cuts}: ${what}`));
      // all in one turn of the loop: what is counted is what the kill met
      const at = this.#load.stages();
      const open = openOf(at);
      allowed += at.dot + this.#office.inFlight() + this.#outside.inFlight();
      const owed = this.#book.open();
      const down = performance.now();
      await gateway.kill();
      cuts += 1;
      upMs += down - up;
      lives.push(down - first);
      opens.push(open);
      for (const stage of STAGES) stages[stage] += at[stage];
      hands.abort();
      await operator;
      await gateway.start();
      up = performance.now();
      backs.push(up - down);
      this.#forget();
      looked = this.#missing(owed);
      looked.catch(() => undefined); // told at the next turn
      if (cuts % 10 === 0) options.tell?.(this.#line(cuts, lost.length, allowed));
    }
    upMs += performance.now() - up;
    const accepted = this.#book.accepted;
    lost.push(...(await looked).map((what) => `cut ${cuts}: ${what}`));
    await this.#load.stop();
    lost.push(...(await this.#drain()));
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const asked = { all: this.#office.asked.all, refused: this.#office.asked.refused };
    const left = await this.#listed();
    return {
      seed: options.seed,
      cuts,
      accepted,
      perSecond: accepted / (upMs / 1_000),
      refusedShare: asked.refused / asked.all,
      recipients: [...this.#book.pages.values()].reduce((sum, page) => sum + page.served.size, 0),
      deeds: this.#deeds,
      dsns: this.#dsns,
      expired: this.#expired,
      cutsInTransaction: opens.filter((count) => count > 0).length,
      openMean: mean(opens),
      openLeast: Math.min(...opens),
      stages,
      lost,
      altered: this.#book.altered,
      refused: this.#book.refused,
      extraWithoutCut,
      extra: this.#book.extra,
      extraAllowed: allowed,
      lifeMs: { least: Math.min(...lives), mean: mean(lives), most: Math.max(...lives) },
      backMs: { mean: mean(backs), most: Math.max(...backs) },
      recoveryMs: { most: this.#recoveries() },
      left: { held: left.held, quarantined: left.quarantined },
    };
  }

  /** What a look found missing; the load waits for one that is slow, and then runs again until somebody is in a transaction. */
  async #seen(looked: Promise<string[]>): Promise<string[]> {
    const slow = setTimeout(() => this.#load.pause(), LOOK_ALONE_MS);
    try {
      return await looked;
    } finally {
      clearTimeout(slow);
      this.#load.resume();
      await until(
        'the load to run again',
        { ms: 300_000, every: 2 },
        () => openOf(this.#load.stages()) > 0 || undefined,
      );
    }
  }

  /**
   * Nothing may be missing from everywhere. What is on its way between two lists is looked for again; on a machine without
   * time for us a list may take longer than its deadline, and is asked for again too.
   */
  async #missing(numbers: readonly number[]): Promise<string[]> {
    let missing = [...numbers];
    const end = performance.now() + LOOKED_MS;
    for (let looks = 0; missing.length > 0 && (looks < LOOKS || performance.now() < end); ) {
      const listed = await this.#listed().catch((error: unknown) => {
        if (performance.now() > end + LOOKED_MS) throw error;
      });
      if (listed !== undefined) {
        looks += 1;
        missing = missing.filter((number) => !listed.has(number));
      }
      if (missing.length > 0) await sleep(100);
    }
    return missing.map((number) => this.#described(number));
  }

  #described(number: number): string {
    const page = this.#book.pages.get(number);
    const open = page?.recipients.filter((one) => !page.served.has(one) && !page.bounced.has(one));
    return `message ${number} (${page?.ids.join(', ') ?? ''}) for ${open?.join(', ') ?? ''}`;
  }

  /** What the gateway says it has, over its control socket. */
  async #listed(): Promise<{ has: (number: number) => boolean; queued: number; held: number; quarantined: number }> {
    const { gateway } = this.#world;
    const recipients = new Set<string>();
    const whole = new Set<string>();
    const counts = { queued: 0, held: 0, quarantined: 0 };
    // the quarantine first: what is released meanwhile is then found in the queue
    for (let cursor: string | undefined; ; ) {
      const page = await gateway.call('quarantine.list', { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
      for (const entry of page.entries) for (const address of entry.recipients) recipients.add(address);
      counts.quarantined += page.entries.length;
      ({ cursor } = page);
      if (cursor === undefined) break;
    }
    for (let cursor: string | undefined; ; ) {
      const page = await gateway.call('queue.list', { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
      for (const entry of page.entries) {
        // done with, says the list: then the book must know each of its recipients as served
        if (entry.state !== 'retired') for (const { address } of entry.recipients) recipients.add(address);
        // a DSN stands for the recipients it tells of; who is not decided yet is in the envelope only
        if (entry.kind === 'dsn' || entry.state === 'incoming') whole.add(entry.id.split('.')[0] ?? '');
        counts[entry.state === 'held' ? 'held' : 'queued'] += 1;
      }
      ({ cursor } = page);
      if (cursor === undefined) break;
    }
    const has = (number: number): boolean => {
      const page = this.#book.pages.get(number);
      if (page === undefined || isAccountedFor(page)) return true;
      return page.recipients.every(
        (address) =>
          page.served.has(address) ||
          page.bounced.has(address) ||
          recipients.has(address) ||
          page.ids.some((id) => whole.has(id)),
      );
    };
    return { has, ...counts };
  }

  /** The sinks calm down, the queue empties; then everybody must be accounted for. */
  async #drain(): Promise<string[]> {
    this.#office.calm();
    this.#outside.calm();
    await until('an empty queue', { ms: 600_000, every: 500 }, async () =>
      (await this.#listed().catch(() => undefined))?.queued === 0 ? true : undefined,
    );
    return (await this.#missing(this.#book.open())).map((what) => `at the end: ${what}`);
  }

  /** What the gateway itself complained of last. */
  lastTroubles(): string[] {
    const lines = this.#world.gateway.lines.filter((line) => line.level === 'error' || line.level === 'fatal');
    return lines.slice(-5).map((line) => JSON.stringify(line));
  }

  /** A long run must not keep every line of a thousand lives. */
  #forget(): void {
    const { lines } = this.#world.gateway;
    const kept = lines.filter(({ level, msg }) => level === 'error' || level === 'fatal' || msg === READY);
    lines.splice(0, lines.length, ...kept);
  }

  #recoveries(): number {
    const said = this.#world.gateway.lines
      .filter((line) => line.msg === READY)
      .map((line) => (line['spool'] as { elapsedMs?: number } | undefined)?.elapsedMs ?? 0);
    return Math.max(...said);
  }

  #line(cuts: number, lost: number, allowed: number): string {
    const { accepted, extra, pages } = this.#book;
    return `${cuts} cuts: ${accepted} accepted, ${pages.size} begun, ${extra} extra copies of ${allowed} allowed, ${lost} lost`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load.stop();
    await this.#stack.disposeAsync();
  }
}

function openOf(at: Record<Stage, number>): number {
  return at.envelope + at.data + at.dot;
}

/** What breaks a promise, or means that the run proved nothing. No times: a slow machine is no loss. */
export function problemsOf(report: KillReport): string[] {
  const { cuts, stages } = report;
  const problems = [
    ...report.lost.slice(0, 20),
    ...report.refused.slice(0, 20).map((reply) => `refused for good: ${reply}`),
    ...report.altered.slice(0, 20).map((number) => `message ${number} was altered`),
  ];
  const must = (fine: boolean, problem: string): void => {
    if (!fine) problems.push(problem);
  };
  must(report.extraWithoutCut === 0, `${report.extraWithoutCut} extra copies before the first cut`);
  must(report.extra <= report.extraAllowed, `${report.extra} extra copies, allowed are ${report.extraAllowed}`);
  must(report.cutsInTransaction >= 0.9 * cuts, `only ${report.cutsInTransaction} of ${cuts} cuts met a transaction`);
  must(report.openMean >= 10, `only ${report.openMean.toFixed(1)} transactions were open at a cut`);
  must(stages.envelope > 0 && stages.data > 0 && stages.dot > 0, 'the cuts met not every stage of a transaction');
  must(report.refusedShare > 0.15, `the sink refused only ${(report.refusedShare * 100).toFixed(1)} %`);
  const { released, parted, deleted, held, unheld } = report.deeds;
  must(Math.min(released, parted, deleted, held, unheld) > 0, 'the operator did not do everything');
  must(report.dsns > 0 && report.expired > 0, `${report.dsns} DSNs, ${report.expired} of them for expired mail`);
  return problems;
}

/** For people. */
export function killReport(report: KillReport): string[] {
  const { stages, deeds } = report;
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const sessions = STAGES.reduce((sum, stage) => sum + stages[stage], 0);
  const spread = STAGES.map((stage) => `${stage} ${percent(stages[stage] / sessions)}`).join(', ');
  return [
    `seed ${report.seed}: ${report.cuts} kills, ${report.accepted} messages with a 250 (${report.perSecond.toFixed(0)}/s while up), ${report.recipients} recipients served`,
    `${report.cutsInTransaction} of ${report.cuts} cuts in a transaction; open at a cut: mean ${report.openMean.toFixed(1)}, least ${report.openLeast}; sessions stood: ${spread}`,
    `the sink refused ${percent(report.refusedShare)}; DSNs ${report.dsns}, of them for expired mail ${report.expired}; released ${deeds.released}, one of several released ${deeds.parted}, deleted ${deeds.deleted}, held ${deeds.held}, let go ${deeds.unheld}; left held ${report.left.held}, quarantined ${report.left.quarantined}`,
    `lost ${report.lost.length}, altered ${report.altered.length}, 5xx of our own ${report.refused.length}, extra copies ${report.extra} (allowed ${report.extraAllowed}), without a cut ${report.extraWithoutCut}`,
    `killed after the first transaction or the first 250 of a life: least ${ms(report.lifeMs.least)}, mean ${ms(report.lifeMs.mean)}, most ${ms(report.lifeMs.most)}`,
    `from the kill to taking mail again: mean ${ms(report.backMs.mean)}, most ${ms(report.backMs.most)}; recovery most ${report.recoveryMs.most} ms`,
  ];
}
