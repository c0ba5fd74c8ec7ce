/**
 * The supervisor of the inspect workers. A worker that crashes or stalls is ended and replaced, with a pause that grows while
 * that happens quickly. Its messages are suspects: each runs again, alone in a fresh worker. The one that kills that one too
 * is *poison*; the others come back as if nothing had been. A worker that dies before it said "ready" accuses nobody.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { pause } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Observe } from '../observe/events.ts';
import type { MessageOctets } from './api.ts';
import type { WorkerJob } from './protocol.ts';
import { compiledProgram, copyFor } from './worker-cache.ts';
import { type RunOptions, WORKER_DIED, WorkerProcess, type WorkerResult } from './worker-process.ts';

export interface WorkerPoolOptions {
  entry: string;
  execPath: string;
  /** Each worker gets a private folder in it, gone with the worker. */
  runDir: string;
  /** Where compiled code is kept over starts; without it a worker compiles its own. */
  compileCache?: string | undefined;
  /** The socket of the workers' own unit; without it they are children. */
  unitSocket?: string | undefined;
  settings: () => { workers: number; memoryMiB: number; timeoutMs: Milliseconds };
  resolver: Resolver;
  clock: Clock;
  observe: Observe;
}

export type PoolResult = { poison: false; result: WorkerResult } | { poison: true; detail: string };

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 15_000;
/** A worker that lived this long had no trouble starting. */
const QUIET_MS = 30_000;
/** A retired worker is looked at this often. */
const RETIRE_MS = 250;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: Array<Promise<WorkerProcess> | undefined> = [];
  readonly #living = new Set<WorkerProcess>();
  /** Replaced by a setting: they finish what they have and get nothing new. */
  readonly #retired = new Set<WorkerProcess>();
  readonly #cleaning = new Set<Promise<void>>();
  /** Suspects are heard one after the other: a machine on its knees is not helped by many fresh workers. */
  readonly #alone = new Limiter(2);
  readonly #stop = new AbortController();
  #compiled: Promise<string | undefined> | undefined;
  #deaths = 0;
  #lastDeath = Number.NEGATIVE_INFINITY;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Rejects with WORKER_DIED only when no worker could be had; `signal` is the deadline. */
  async run(facts: WorkerJob, octets: MessageOctets, options: RunOptions): Promise<PoolResult> {
    const { signal } = options;
    const worker = await this.#available(signal);
    try {
      return { poison: false, result: await worker.run(facts, octets, options) };
    } catch (error) {
      if (errorCode(error) !== WORKER_DIED || this.#stop.signal.aborted) throw error;
      this.#options.observe.log('warn', 'A message was in work when its worker died: it runs again alone', {
        cause: describeError(error),
      });
      return await this.#alone.run(() => this.#runAlone(facts, octets, options));
    }
  }

  async #runAlone(facts: WorkerJob, octets: MessageOctets, options: RunOptions): Promise<PoolResult> {
    const { signal } = options;
    if (signal.aborted) throw signal.reason;
    const worker = await this.#spawn();
    try {
      await untilReady(worker, signal);
      return { poison: false, result: await worker.run(facts, octets, options) };
    } catch (error) {
      if (errorCode(error) !== WORKER_DIED || !worker.wasReady || this.#stop.signal.aborted) throw error;
      return { poison: true, detail: describeError(error).slice(0, 800) };
    } finally {
      await worker.kill('is no longer needed');
    }
  }

  /** The loop of every worker turns. Starts what is missing; throws when a worker does not come up. */
  async ping(signal: AbortSignal): Promise<string> {
    const worker = await this.#available(signal);
    await worker.ping(signal);
    return worker.version;
  }

  /** For tests and the status: the shared workers' process ids. */
  pids(): number[] {
    return [...this.#living].flatMap((worker) => (worker.pid === undefined ? [] : [worker.pid]));
  }

  async #available(signal: AbortSignal): Promise<WorkerProcess> {
    const wanted = this.#options.settings().workers;
    for (const surplus of this.#workers.splice(wanted)) if (surplus !== undefined) this.#retire(surplus);
    let best: WorkerProcess | undefined;
    for (let slot = 0; slot < wanted; slot += 1) {
      const worker = await Promise.race([this.#inSlot(slot), aborted(signal)]);
      if (worker.dead !== undefined) continue;
      if (best === undefined || worker.load < best.load) best = worker;
    }
    if (best === undefined)
      throw new SekishoError('WORKER_MISSING', 'No inspect worker could be started', { retryable: true });
    await untilReady(best, signal);
    return best;
  }

  async #inSlot(slot: number): Promise<WorkerProcess> {
    const held = (this.#workers[slot] ??= this.#replace(slot));
    const worker = await held;
    if (worker.dead === undefined && this.#isSized(worker)) return worker;
    if (worker.dead !== undefined) await worker.gone();
    else if (this.#workers[slot] === held) {
      this.#workers[slot] = undefined; // whoever is first replaces it, the others find the new one
      this.#retire(held);
    }
    return await (this.#workers[slot] ??= this.#replace(slot));
  }

  /** Has it the memory that is set now? A unit of its own has what its unit file says. */
  #isSized(worker: WorkerProcess): boolean {
    return this.#options.unitSocket !== undefined || worker.memoryMiB === this.#options.settings().memoryMiB;
  }

  /** Ends a worker that a setting has made superfluous, once it has been without work for a moment. */
  #retire(held: Promise<WorkerProcess>): void {
    const leave = async (): Promise<void> => {
      const worker = await held;
      this.#retired.add(worker);
      for (let idle = 0; idle < 2 && worker.dead === undefined; idle = worker.load === 0 ? idle + 1 : 0)
        await pause(RETIRE_MS, this.#stop.signal);
      if (!this.#stop.signal.aborted) await worker.kill('is no longer needed');
    };
    leave().catch(() => undefined); // one that never came up has nothing to finish
  }

  /** Fills the slot; empties it again when the worker dies, so that the next message or probe starts another. */
  async #replace(slot: number): Promise<WorkerProcess> {
    try {
      await pause(this.#pauseBeforeStart(), this.#stop.signal);
      if (this.#stop.signal.aborted) throw new SekishoError('ABORTED', 'The inspect workers are being stopped');
      const worker = await this.#spawn();
      void worker.gone().then(() => {
        if (this.#stop.signal.aborted || this.#retired.delete(worker)) return;
        this.#workers[slot] = undefined;
        const now = this.#options.clock.monotonic();
        this.#deaths = now - this.#lastDeath < QUIET_MS ? this.#deaths + 1 : 1;
        this.#lastDeath = now;
        this.#options.observe.log('error', 'An inspect worker is gone', { cause: describeError(worker.dead) });
      });
      return worker;
    } catch (error) {
      this.#workers[slot] = undefined;
      throw error;
    }
  }

  /** The first death costs nothing (one bad message), the next ones in a row 100 ms, 200 ms … 15 s. */
  #pauseBeforeStart(): Milliseconds {
    if (this.#options.clock.monotonic() - this.#lastDeath >= QUIET_MS || this.#deaths <= 1) return 0;
    return Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#deaths - 2, 20));
  }

  async #spawn(): Promise<WorkerProcess> {
    const { entry, execPath, runDir, unitSocket, resolver, settings } = this.#options;
    await mkdir(runDir, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(path.join(runDir, 'worker-'));
    const compiled = unitSocket === undefined ? await this.#compiledFor(folder) : undefined;
    const worker = new WorkerProcess({
      entry,
      execPath,
      folder,
      memoryMiB: settings().memoryMiB,
      compiled,
      unitSocket,
      resolver,
      // A stall must be noticed, and the suspect heard alone, both within the inspector's own deadline.
      stallMs: () => Math.max(1_000, Math.min(10_000, settings().timeoutMs / 3)),
    });
    this.#living.add(worker);
    const cleaning = worker.gone().then(async () => {
      this.#living.delete(worker);
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      this.#cleaning.delete(cleaning);
    });
    this.#cleaning.add(cleaning);
    return worker;
  }

  async #compiledFor(folder: string): Promise<string | undefined> {
    const { compileCache, entry, execPath } = this.#options;
    if (compileCache === undefined) return undefined;
    this.#compiled ??= compiledProgram(compileCache, { entry, execPath });
    return await copyFor(folder, await this.#compiled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#workers.filter((worker) => worker !== undefined));
    await Promise.all([...this.#living].map((worker) => worker.kill('is being stopped')));
    await Promise.all(this.#cleaning);
  }
}

async function untilReady(worker: WorkerProcess, signal: AbortSignal): Promise<void> {
  await Promise.race([worker.ready, aborted(signal)]);
}

/** Rejects when the signal aborts. The listener goes with the signal, which lives as long as one message. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  const stop = (): void => reject(signal.reason as Error);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return promise;
}
