/**
 * One engine behind its limits: so many pieces of work at once, a deadline for each, and a health that is asked before any
 * work is begun. Never throws: what could not be done comes back as `missing`. A probe runs every few seconds while the
 * engine is not up, and now and then while it idles, so that a dead engine is known before mail comes.
 */
import type { Milliseconds } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { pause, withDeadline } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import { Limiter } from '../base/limiter.ts';
import type { MissingReason } from '../mail/finding.ts';
import type { Observe } from '../observe/events.ts';
import type { EngineState } from './api.ts';
import { type Health, type HealthEvent, nextHealth, startingHealth } from './health.ts';

/** The engine answered, but not with a verdict on this message; its health is not in question. */
export const DECLINED = 'ENGINE_DECLINED';

const PROBE_WHILE_STARTING_MS = 500;
const PROBE_WHILE_DOWN_MS = 3_000;
const PROBE_WHILE_IDLE_MS = 10_000;
const PROBE_DEADLINE_MS = 8_000;
/** A message that comes while the very first probe runs waits for it this long. */
const FIRST_PROBE_WAIT_MS = 3_000;

export interface EngineOptions {
  name: string;
  /** Throws when the engine does not do its work. Returns its version, for people. */
  probe: (signal: AbortSignal) => Promise<string>;
  concurrency: number;
  startingMs: () => Milliseconds;
  clock: Clock;
  observe: Observe;
}

export type EngineOutcome<T> =
  | { ok: true; value: T; elapsed: Milliseconds }
  | { ok: false; reason: MissingReason; detail: string; elapsed: Milliseconds };

export class Engine {
  readonly name: string;
  version = '';
  readonly #options: EngineOptions;
  readonly #limiter: Limiter;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  readonly #firstProbe: Promise<void>;
  #firstProbeDone: () => void;
  #wake = new AbortController();
  #health: Health;
  #lastSuccess: Milliseconds;

  constructor(options: EngineOptions) {
    this.name = options.name;
    this.#options = options;
    this.#limiter = new Limiter(options.concurrency);
    this.#health = startingHealth(options.clock.monotonic());
    this.#lastSuccess = options.clock.monotonic();
    const first = Promise.withResolvers<void>();
    this.#firstProbe = first.promise;
    this.#firstProbeDone = first.resolve;
    this.#loop = this.#probeLoop();
  }

  get state(): EngineState {
    return this.#health.state;
  }

  get misses(): number {
    return this.#health.misses;
  }

  get lastError(): string | undefined {
    return this.#health.lastError;
  }

  /** `ms`: from now, waiting for a free place included. The work must end when its signal aborts. */
  async run<T>(ms: Milliseconds, work: (signal: AbortSignal) => Promise<T>): Promise<EngineOutcome<T>> {
    const begin = this.#options.clock.monotonic();
    const elapsed = (): Milliseconds => this.#options.clock.monotonic() - begin;
    if (this.#health.state === 'starting') await this.#awaitFirstProbe(ms);
    const before = this.#health;
    if (before.state === 'starting' || before.state === 'down') {
      const detail = before.lastError ?? `${this.name} has not answered yet`;
      return { ok: false, reason: before.state, detail, elapsed: elapsed() };
    }
    try {
      const value = await withDeadline(
        this.name,
        { ms: Math.max(1, ms - elapsed()), signal: this.#stop.signal },
        (signal) => this.#limiter.run(() => (signal.aborted ? Promise.reject(signal.reason as Error) : work(signal))),
      );
      this.#lastSuccess = this.#options.clock.monotonic();
      this.#feed({ type: 'success' });
      return { ok: true, value, elapsed: elapsed() };
    } catch (error) {
      const detail = describeError(error);
      const code = errorCode(error);
      if (code !== DECLINED && code !== 'ABORTED') {
        this.#feed({ type: 'miss', error: detail });
        this.#wake.abort();
      }
      return { ok: false, reason: code === 'DEADLINE' ? 'timeout' : 'error', detail, elapsed: elapsed() };
    }
  }

  async #awaitFirstProbe(ms: Milliseconds): Promise<void> {
    const wait = new AbortController();
    try {
      await Promise.race([this.#firstProbe, pause(Math.min(ms, FIRST_PROBE_WAIT_MS), wait.signal)]);
    } finally {
      wait.abort();
    }
  }

  async #probeLoop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#probe();
      this.#firstProbeDone();
      await this.#pauseUntilDue();
    }
  }

  async #pauseUntilDue(): Promise<void> {
    this.#wake = new AbortController();
    const wakeOrStop = AbortSignal.any([this.#wake.signal, this.#stop.signal]);
    switch (this.#health.state) {
      case 'starting':
        return pause(PROBE_WHILE_STARTING_MS, wakeOrStop);
      case 'down':
        return pause(PROBE_WHILE_DOWN_MS, this.#stop.signal);
      case 'up':
      case 'slow':
        for (;;) {
          const idle = this.#options.clock.monotonic() - this.#lastSuccess;
          await pause(Math.max(PROBE_WHILE_IDLE_MS - idle, 250), wakeOrStop);
          const due = this.#options.clock.monotonic() - this.#lastSuccess >= PROBE_WHILE_IDLE_MS;
          if (wakeOrStop.aborted || due) return;
        }
    }
  }

  async #probe(): Promise<void> {
    try {
      const work = (signal: AbortSignal): Promise<string> => this.#options.probe(signal);
      const limits = { ms: PROBE_DEADLINE_MS, signal: this.#stop.signal };
      this.version = await withDeadline(`The probe of ${this.name}`, limits, work);
      this.#lastSuccess = this.#options.clock.monotonic();
      this.#feed({ type: 'probe-passed' });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#feed({ type: 'probe-failed', error: describeError(error) });
    }
  }

  #feed(event: HealthEvent): void {
    const { clock, observe } = this.#options;
    const before = this.#health;
    this.#health = nextHealth(before, event, { now: clock.monotonic(), startingMs: this.#options.startingMs() });
    const { state, lastError } = this.#health;
    if (state === 'starting' && event.type === 'probe-failed') {
      observe.raise('engine-starting', this.name, lastError ?? 'Not ready yet');
    }
    if (state === before.state) return;
    observe.log(state === 'down' ? 'error' : 'info', `Engine "${this.name}" is ${state}`, { lastError });
    if (before.state === 'starting') observe.clear('engine-starting', this.name);
    if (state === 'down') observe.raise('engine-down', this.name, lastError ?? 'No answer');
    else observe.clear('engine-down', this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SekishoError('ABORTED', `${this.name} is being stopped`));
    await this.#loop;
  }
}
