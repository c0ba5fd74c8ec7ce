/**
 * The disk under the gateway is full: a small tmpfs in a mount namespace of this process' own, filled by a stranger's file,
 * or by a stranger's thousand empty ones (inodes), at random moments under load, a few octets short of full or to the last
 * one. Whoever would restart the gateway on a box does so here. Only 4xx may be said, nothing acknowledged may be lost, and
 * mail must be taken again within 30 s after there is room, without help.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld, type World } from '../e2e/world.ts';
import { until } from '../support/process.ts';
import { type Load, startLoad } from './load.ts';
import { Book, randomFrom, Samples } from './outside.ts';
import { type RefusingSink, startRefusingSink } from './refusing-sink.ts';

export interface DiskReport {
  seed: number;
  rounds: { space: number; inodes: number };
  accepted: number;
  acceptedWhileFull: number;
  /** Transactions begun and answered 4xx, or not let in, while it was full. */
  turnedAway: number;
  /** Times the gateway ended itself (exit 75) to be verified by a new process. */
  ended: number;
  backMs: number[];
  lost: string[];
  altered: number[];
  refused: string[];
  extra: number;
  extraAllowed: number;
  problems: string[];
}

const SIZE = '240m';
const INODES = 3_000;
/** A hang guard in the test command; `scripts/crash-test` judges 30 s. */
const BACK_GUARD_MS = 150_000;
const CHILD_MINUTES = 60;

/** Runs `diskRounds` in a child that has mounts of its own. Throws where the machine forbids them. */
export async function diskLayer(options: { rounds: number; seed: number }): Promise<DiskReport> {
  const child = spawn(
    'unshare',
    [
      '--mount',
      '--propagation',
      'private',
      process.execPath,
      path.join(import.meta.dirname, 'disk-child.ts'),
      JSON.stringify(options),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const guard = setTimeout(() => child.kill('SIGKILL'), CHILD_MINUTES * 60_000);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearTimeout(guard);
  const report = output.trimEnd().split('\n').at(-1) ?? '';
  if (code !== 0 || !report.startsWith('{'))
    throw new Error(`The disk layer ended with ${code}; root and unshare(1) are needed: ${output}`);
  return JSON.parse(report) as DiskReport; // written by disk-child.ts, our own
}

export async function diskRounds(options: { rounds: number; seed: number }): Promise<DiskReport> {
  const rig = await DiskRig.start(options.seed);
  try {
    return await rig.run(options.rounds);
  } finally {
    await rig[Symbol.asyncDispose]();
  }
}

class DiskRig {
  readonly #seed: number;
  readonly #random: () => number;
  readonly #book: Book;
  readonly #office: RefusingSink;
  readonly #world: World;
  readonly #load: Load;
  readonly #stack: AsyncDisposableStack;
  readonly #disk: string;
  #ended = 0;
  #allowed = 0;
  #stopping = false;

  static async start(seed: number): Promise<DiskRig> {
    const stack = new AsyncDisposableStack();
    const book = new Book();
    const random = randomFrom(seed);
    try {
      const office = stack.use(
        await startRefusingSink({
          share: { rcpt: 0, dot: 0.1 },
          random,
          onMessage: (to, bytes) => book.arrived(to, bytes),
        }),
      );
      const outside = stack.use(
        await startRefusingSink({ share: { rcpt: 0, dot: 0 }, random, onMessage: (_to, bytes) => book.bounced(bytes) }),
      );
      const disk = mkdtempSync(path.join(os.tmpdir(), 'sekisho-disk-'));
      stack.defer(() => rmSync(disk, { recursive: true, force: true }));
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},nr_inodes=${INODES}`, 'sekisho-crash', disk]);
      stack.defer(() => void execFileSync('umount', ['--lazy', disk]));
      const world = stack.use(
        await startWorld({
          officePort: async () => office.port,
          config: async (dir) => {
            mkdirSync(path.join(dir, 'gateway'));
            symlinkSync(disk, path.join(dir, 'gateway', 'data'));
            return {
              outbound: { smarthost: { host: '127.0.0.1', port: outside.port } },
              delivery: { retryMs: [300, 600], probeMs: 300 },
            };
          },
        }),
      );
      return new DiskRig({ stack, book, office, world, random, seed, disk });
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  constructor(parts: {
    stack: AsyncDisposableStack;
    book: Book;
    office: RefusingSink;
    world: World;
    random: () => number;
    seed: number;
    disk: string;
  }) {
    this.#stack = parts.stack;
    this.#book = parts.book;
    this.#office = parts.office;
    this.#world = parts.world;
    this.#random = parts.random;
    this.#seed = parts.seed;
    this.#disk = parts.disk;
    this.#load = startLoad({
      port: parts.world.gateway.mxPort,
      sessions: 12,
      book: parts.book,
      samples: new Samples(parts.seed),
      random: parts.random,
      pauseMs: 100,
    });
  }

  async run(rounds: number): Promise<DiskReport> {
    const supervising = this.#supervise();
    const backMs: number[] = [];
    const done = { space: 0, inodes: 0 };
    let acceptedWhileFull = 0;
    let turnedAway = 0;
    this.#load.resume();
    await this.#taken(40);
    for (let round = 0; round < rounds; round += 1) {
      const what = round % 2 === 0 ? 'space' : 'inodes';
      const before = this.#book.accepted;
      const begun = this.#load.begun();
      const hog = what === 'space' ? this.#fillSpace() : this.#fillInodes();
      await sleep(500 + this.#random() * 3_500);
      acceptedWhileFull += this.#book.accepted - before;
      turnedAway += this.#load.begun() - begun - (this.#book.accepted - before);
      rmSync(hog, { recursive: true });
      const room = performance.now();
      const accepted = this.#book.accepted;
      await until(
        'mail to be taken again',
        { ms: BACK_GUARD_MS, every: 10 },
        () => this.#book.accepted > accepted || undefined,
      );
      backMs.push(performance.now() - room);
      done[what] += 1;
      await this.#taken(20);
    }
    this.#load.pause();
    await this.#load.stop();
    this.#office.calm();
    const { gateway } = this.#world;
    await until('an empty queue', { ms: 180_000, every: 300 }, async () => {
      const answer = await gateway.call('queue.list', { limit: 500 }).catch(() => undefined);
      return answer?.entries.every(({ state }) => state === 'held') || undefined;
    });
    const lost = await this.#lost();
    this.#stopping = true;
    await gateway.stop();
    await supervising;
    const report: DiskReport = {
      seed: this.#seed,
      rounds: done,
      accepted: this.#book.accepted,
      acceptedWhileFull,
      turnedAway,
      ended: this.#ended,
      backMs,
      lost,
      altered: this.#book.altered,
      refused: this.#book.refused,
      extra: this.#book.extra,
      extraAllowed: this.#allowed,
      problems: [],
    };
    report.problems = diskProblems(report);
    return report;
  }

  async #taken(more: number): Promise<void> {
    const wanted = this.#book.accepted + more;
    await until('mail to flow', { ms: BACK_GUARD_MS, every: 20 }, () => this.#book.accepted >= wanted || undefined);
  }

  /** As systemd does: whoever ends is started again. */
  async #supervise(): Promise<void> {
    const { gateway } = this.#world;
    while (!this.#stopping) {
      await gateway.child().ended;
      // what it was delivering is not on record; whose final dot was unanswered is sent again
      this.#allowed += 20 + this.#load.stages().dot;
      if (this.#stopping) return;
      this.#ended += 1;
      await gateway.start().catch(() => undefined); // ended again before it was ready
    }
  }

  /** To the last octet, or a little less. */
  #fillSpace(): string {
    const file = path.join(this.#disk, 'stranger');
    const fd = openSync(file, 'w');
    const block = Buffer.alloc(1_048_576);
    for (let size = block.length; size >= 1; size = Math.floor(size / 4)) {
      try {
        for (;;) writeSync(fd, block, 0, size);
      } catch {
        // no room for so much: less, then
      }
    }
    closeSync(fd);
    return file;
  }

  #fillInodes(): string {
    const folder = path.join(this.#disk, 'strangers');
    mkdirSync(folder);
    const spare = Math.floor(this.#random() * 6);
    try {
      for (let at = 0; ; at += 1) writeFileSync(path.join(folder, String(at)), '');
    } catch {
      // none left
    }
    for (const name of readdirSync(folder).slice(0, spare)) rmSync(path.join(folder, name));
    return folder;
  }

  async #lost(): Promise<string[]> {
    const { gateway } = this.#world;
    const kept = new Set<string>();
    for (let cursor: string | undefined; ; ) {
      const page = await gateway.call('quarantine.list', { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
      for (const entry of page.entries) for (const address of entry.recipients) kept.add(address);
      ({ cursor } = page);
      if (cursor === undefined) break;
    }
    const { entries } = await gateway.call('queue.list', { limit: 500 });
    for (const entry of entries) for (const { address } of entry.recipients) kept.add(address);
    return this.#book.open().flatMap((number) => {
      const page = this.#book.pages.get(number);
      return (page?.recipients ?? []).filter(
        (one) => page?.served.has(one) !== true && page?.bounced.has(one) !== true && !kept.has(one),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await this.#load.stop();
    await this.#stack.disposeAsync();
  }
}

function diskProblems(report: DiskReport): string[] {
  const problems = [
    ...report.lost.slice(0, 20).map((recipient) => `${recipient} is lost`),
    ...report.refused.slice(0, 20).map((reply) => `refused for good: ${reply}`),
    ...report.altered.slice(0, 20).map((number) => `message ${number} was altered`),
  ];
  if (report.extra > report.extraAllowed)
    problems.push(`${report.extra} extra copies, allowed are ${report.extraAllowed}`);
  if (report.turnedAway === 0) problems.push('nobody was turned away: the disk was not full');
  return problems;
}

export function diskLines(report: DiskReport): string[] {
  return [
    `seed ${report.seed}: full of octets ${report.rounds.space} times, of inodes ${report.rounds.inodes} times; ${report.accepted} messages with a 250, ${report.acceptedWhileFull} of them while it filled; ${report.turnedAway} turned away by 4xx`,
    `lost ${report.lost.length}, altered ${report.altered.length}, 5xx of our own ${report.refused.length}, extra copies ${report.extra} (allowed ${report.extraAllowed}); the gateway ended itself ${report.ended} times`,
    `from room to the next 250: most ${Math.max(...report.backMs).toFixed(0)} ms, each ${report.backMs.map((ms) => ms.toFixed(0)).join(' ')}`,
  ];
}
