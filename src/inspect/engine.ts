/**
 * One engine behind its limits: so many pieces of work at once, a deadline for each, and a health that is asked before any
 * work is begun. Never throws: what could not be done comes back as `missing`. A probe runs every few seconds while the
 * engine is not up, and now and then while it idles, so that a dead engine is known before mail comes. When a message misses
 * its deadline a probe decides whether that was the engine's fault or the message's own. It counts as too much for the engine only
 * when other mail, begun later, was done meanwhile: an engine that is slow for everybody is no reason to judge any message.
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

/** The engine took the message and closed the connection without a word: it crashed, was stopped, or something lies between. */
export const BROKE_OFF = 'ENGINE_CLOSED';

const PROBE_WHILE_STARTING_MS = 500;
const PROBE_WHILE_DOWN_MS = 3_000;
const PROBE_WHILE_IDLE_MS = 10_000;
const PROBE_DEADLINE_MS = 8_000;
/** Who works passes a probe at once; it has a connection of its own and does not wait for a place. */
const CONFIRM_DEADLINE_MS = 5_000;
/** A message that comes while the very first probe runs waits for it this long. */
const FIRST_PROBE_WAIT_MS = 3_000;

const HELD = 'New signatures are being proven';

export interface EngineOptions {
  name: string;
  /** Throws when the engine does not do its work. Returns its version, for people. */
  probe: (signal: AbortSignal) => Promise<string>;
  /** Read anew for each piece of work. */
  concurrency: () => number;
  startingMs: () => Milliseconds;
  clock: Clock;
  observe: Observe;
}

export type EngineOutcome<T> =
  | { ok: true; value: T; elapsed: Milliseconds }
  | {
      ok: false;
      reason: MissingReason;
      detail: string;
      elapsed: Milliseconds;
      /** Of a timeout: the message had its place for most of the time, the engine works, and other mail overtook it. Never rejects. */
      messageLate?: Promise<boolean>;
      /** The engine was reached and broke off over this message, as when it crashes. */
      broken?: boolean;
    };

export class Engine {
  readonly name: string;
  version = '';
  readonly #options: EngineOptions;
  readonly #limiter: Limiter;
  /** Half of the places: heavy messages never keep the others out. */
  readonly #heavyLimiter: Limiter;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  readonly #firstProbe: Promise<void>;
  #firstProbeDone: () => void;
  #wake = new AbortController();
  #health: Health;
  #lastSuccess: Milliseconds;
  #confirming: Promise<boolean> | undefined;
  /** How often real work succeeded. */
  #done = 0;
  /** Until then nothing is asked of it, and it counts as starting. */
  #heldUntil: Milliseconds = Number.NEGATIVE_INFINITY;
  /** When the youngest piece of real work that succeeded had got its place. */
  #youngestDone: Milliseconds = Number.NEGATIVE_INFINITY;

  constructor(options: EngineOptions) {
    this.name = options.name;
    this.#options = options;
    this.#limiter = new Limiter(options.concurrency);
    this.#heavyLimiter = new Limiter(() => Math.max(1, Math.floor(options.concurrency() / 2)));
    this.#health = startingHealth(options.clock.monotonic());
    this.#lastSuccess = options.clock.monotonic();
    const first = Promise.withResolvers<void>();
    this.#firstProbe = first.promise;
    this.#firstProbeDone = first.resolve;
    this.#loop = this.#probeLoop();
  }

  get state(): EngineState {
    return this.#held ? 'starting' : this.#health.state;
  }

  get #held(): boolean {
    return this.#options.clock.monotonic() < this.#heldUntil;
  }

  /** What it would say is not to be trusted for so long: its signatures are being changed. 0 ends it. */
  hold(ms: Milliseconds): void {
    this.#heldUntil = this.#options.clock.monotonic() + ms;
  }

  get misses(): number {
    return this.#health.misses;
  }

  get lastError(): string | undefined {
    return this.#health.lastError;
  }

  /**
   * `ms`: from now, waiting for a free place included. The work must end when its signal aborts. `heavy`: may take long for
   * what is in it, and has to wait while half of the places are held by its like. `precedence`: goes to the front of the line.
   */
  async run<T>(
    options: { ms: Milliseconds; heavy?: boolean; precedence?: boolean },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<EngineOutcome<T>> {
    const { clock } = this.#options;
    const begin = clock.monotonic();
    let placed: Milliseconds | undefined;
    const elapsed = (): Milliseconds => clock.monotonic() - begin;
    if (this.#held) return { ok: false, reason: 'starting', detail: HELD, elapsed: 0 };
    if (this.#health.state === 'starting') await this.#awaitFirstProbe(options.ms);
    const before = this.#health;
    if (before.state === 'starting' || before.state === 'down') {
      const detail = before.lastError ?? `${this.name} has not answered yet`;
      return { ok: false, reason: before.state, detail, elapsed: elapsed() };
    }
    try {
      const limits = { ms: Math.max(1, options.ms - elapsed()), signal: this.#stop.signal };
      const value = await withDeadline(this.name, limits, (signal) =>
        this.#inPlace(options, () => {
          if (signal.aborted) return Promise.reject(signal.reason as Error);
          placed = elapsed();
          return work(signal);
        }),
      );
      this.#lastSuccess = clock.monotonic();
      this.#done += 1;
      this.#youngestDone = Math.max(this.#youngestDone, begin + (placed ?? 0));
      this.#feed({ type: 'success' });
      return { ok: true, value, elapsed: elapsed() };
    } catch (error) {
      const detail = describeError(error);
      const failed = { ok: false, detail, elapsed: elapsed() } as const;
      if (errorCode(error) === 'DEADLINE') {
        const hadItsTime = placed !== undefined && placed < options.ms / 2;
        const overtaken = placed !== undefined && this.#youngestDone > begin + placed;
        const messageLate = this.#judgeLateness(detail).then((works) => works && hadItsTime && overtaken);
        return { ...failed, reason: 'timeout', messageLate };
      }
      if (errorCode(error) !== DECLINED && errorCode(error) !== 'ABORTED') this.#miss(detail);
      return { ...failed, reason: 'error', broken: errorCode(error) === BROKE_OFF };
    }
  }

  #inPlace<T>(options: { heavy?: boolean; precedence?: boolean }, work: () => Promise<T>): Promise<T> {
    const { heavy = false, precedence = false } = options;
    const run = (): Promise<T> => this.#limiter.run(work, { precedence });
    return heavy ? this.#heavyLimiter.run(run, { precedence }) : run();
  }

  #miss(error: string): void {
    this.#feed({ type: 'miss', error });
    this.#wake.abort();
  }

  /** True when the engine does its work for a probe just now. Messages that are late together share the probe. */
  async #judgeLateness(error: string): Promise<boolean> {
    const doneBefore = this.#done;
    this.#confirming ??= this.#confirm().finally(() => {
      this.#confirming = undefined;
    });
    const works = await this.#confirming;
    if (this.#stop.signal.aborted) return false;
    // Real work that was done meanwhile says more: without more mail the engine would be called slow for good
    if (works && this.#done > doneBefore) return works;
    if (works) this.#feed({ type: 'message-late', error });
    else this.#miss(error);
    return works;
  }

  async #confirm(): Promise<boolean> {
    try {
      const limits = { ms: CONFIRM_DEADLINE_MS, signal: this.#stop.signal };
      await withDeadline(`The probe of ${this.name}`, limits, (signal) => this.#options.probe(signal));
      return true;
    } catch {
      return false;
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
    await Promise.all([this.#loop, this.#confirming]);
  }
}
