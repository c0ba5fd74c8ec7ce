/**
 * One inspect worker: own socket, empty environment, capped heap, Node's permission model (reads the program, writes its
 * private folder, no network, no children); worker-launch tells where it comes from. Contract: `run` gives what the worker found, or rejects with
 * `WORKER_DIED` when it crashed, stalled or broke the protocol; then the process is gone. Nothing is durable.
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { assertNever, type Milliseconds } from '../base/brand.ts';
import { pause } from '../base/deadline.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { Resolver } from '../base/resolver.ts';
import type { Finding } from '../mail/finding.ts';
import { FIRST_OCTETS, mayHoldFile } from './first-look.ts';
import type { MessageOctets } from './api.ts';
import { encodeFrame, FrameReader, MAX_PAYLOAD } from './frames.ts';
import {
  type FromWorker,
  MAX_QUESTIONS,
  parseFromWorker,
  type ToWorker,
  WORKER_PARTS,
  type WorkerJob,
  type WorkerPart,
} from './protocol.ts';
import { type Launched, type LaunchOptions, launchWorker } from './worker-launch.ts';

export const WORKER_DIED = 'WORKER_DIED';
const CHUNK = 65_536;
const HEARTBEAT_MS = 500;

export interface WorkerOptions extends LaunchOptions {
  resolver: Resolver;
  /** Without a sign of life for this long while it has work, the worker is stalled. */
  stallMs: () => Milliseconds;
}

export interface PartResult {
  findings: Finding[];
  trouble?: string;
}

/** What the worker told until it was done, or until the caller's time was up. */
export type WorkerResult = Partial<Record<WorkerPart, PartResult>>;

export interface RunOptions {
  /** The deadline. */
  signal: AbortSignal;
  /** Called with each part as soon as it is known; a second time when the message runs again in another worker. */
  told?: ((part: WorkerPart, result: PartResult) => void) | undefined;
}

interface OpenJob {
  result: WorkerResult;
  questions: number;
  /** The worker wants the rest of a large message. */
  more: PromiseWithResolvers<void>;
  told: ((part: WorkerPart, result: PartResult) => void) | undefined;
  settled: PromiseWithResolvers<void>;
}

export class WorkerProcess {
  readonly ready: Promise<void>;
  version = '';
  readonly #options: WorkerOptions;
  readonly #body: Launched;
  readonly #socket: Duplex;
  readonly #jobs = new Map<number, OpenJob>();
  readonly #pings = new Map<number, () => void>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #counter = 0;
  #wasReady = false;
  #dead: SekishoError | undefined;
  #unanswered = 0;
  #heartbeat: NodeJS.Timeout;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#body = launchWorker(options);
    this.ready = this.#ready.promise;
    this.ready.catch(() => undefined);
    this.#socket = this.#body.socket;
    this.#body.onEnd((how) => this.#fail(how));
    void this.#body.gone.then(() => this.#gone.resolve());
    this.#socket.on('error', (error) => this.#fail(`lost its socket: ${describeError(error)}`));
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#listen();
  }

  get pid(): number | undefined {
    return this.#body.pid;
  }

  get memoryMiB(): number {
    return this.#options.memoryMiB;
  }

  get load(): number {
    return this.#jobs.size;
  }

  get dead(): SekishoError | undefined {
    return this.#dead;
  }

  /** Did it ever say that it can work? A death before that is no message's fault. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** Resolves when both parts are in, or with what there is when the signal aborts. */
  async run(facts: WorkerJob, octets: MessageOctets, { signal, told }: RunOptions): Promise<WorkerResult> {
    if (this.#dead !== undefined) throw this.#dead;
    const job = (this.#counter += 1);
    const open: OpenJob = {
      result: {},
      questions: 0,
      more: Promise.withResolvers<void>(),
      told,
      settled: Promise.withResolvers<void>(),
    };
    open.settled.promise.catch(() => undefined);
    this.#jobs.set(job, open);
    const stop = (): void => open.settled.resolve();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      const { pieces, size } = octets;
      if (pieces !== undefined && size <= MAX_PAYLOAD) this.#send({ type: 'message', job, facts }, pieces);
      else await Promise.race([this.#feed(job, octets, { open, facts }), open.settled.promise]);
      await open.settled.promise;
      return open.result;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#jobs.delete(job);
      // A whole answer ends the job there too; only one given up must be called off.
      const whole = WORKER_PARTS.every((part) => open.result[part] !== undefined);
      if (!whole && this.#dead === undefined) this.#send({ type: 'cancel', job });
    }
  }

  /** Resolves when the worker's loop turned; the caller brings the deadline. */
  async ping(signal: AbortSignal): Promise<void> {
    if (this.#dead !== undefined) throw this.#dead;
    const ping = (this.#counter += 1);
    const answered = Promise.withResolvers<void>();
    this.#pings.set(ping, answered.resolve);
    const stop = (): void => answered.reject(new SekishoError('DEADLINE', 'The inspect worker did not answer a ping'));
    signal.addEventListener('abort', stop, { once: true });
    try {
      this.#send({ type: 'ping', ping });
      await Promise.race([answered.promise, this.#gone.promise.then(() => Promise.reject(this.#dead as Error))]);
    } finally {
      signal.removeEventListener('abort', stop);
      this.#pings.delete(ping);
    }
  }

  /** Resolves when the process has ended. */
  gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Ends it at once, by its process id; resolves when it is gone. */
  async kill(why: string): Promise<void> {
    this.#fail(why);
    await this.#gone.promise;
  }

  /** Of a large message the beginning, and the rest when the worker asks for it. */
  async #feed(job: number, octets: MessageOctets, { open, facts }: { open: OpenJob; facts: WorkerJob }): Promise<void> {
    // Facts, a small body and its end leave in one write.
    this.#socket.cork();
    setImmediate(() => this.#socket.uncork());
    this.#send({ type: 'job', job, facts });
    let sent = 0;
    let asked = octets.size <= 2 * FIRST_OCTETS;
    const source = octets.stream();
    let beginning: Buffer | undefined;
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        beginning ??= Buffer.from(chunk.subarray(0, CHUNK));
        for (let at = 0; at < chunk.length; at += CHUNK) {
          if (!this.#jobs.has(job) || this.#dead !== undefined) return;
          const payload = chunk.subarray(at, at + CHUNK);
          sent += payload.length;
          if (!this.#send({ type: 'body', job }, [payload])) {
            // A socket that breaks here (EPIPE, ECONNRESET) is told to #fail as well: the job is settled with WORKER_DIED there
            await Promise.race([once(this.#socket, 'drain').catch(() => this.#gone.promise), this.#gone.promise]);
          }
          if (asked || sent < FIRST_OCTETS) continue;
          asked = true;
          if (await mayHoldFile(octets, beginning)) continue;
          this.#send({ type: 'first', job });
          const wanted = [open.more.promise.then(() => true), open.settled.promise.then(() => false)];
          if (!(await Promise.race(wanted))) return;
        }
      }
      if (this.#jobs.has(job)) this.#send({ type: 'end', job });
    } finally {
      source.destroy();
    }
  }

  /** In one write, the payload from where it lies; false when the socket wants a pause. */
  #send(message: ToWorker, payload: readonly Buffer[] = []): boolean {
    if (this.#socket.destroyed) return false;
    const octets = payload.reduce((sum, piece) => sum + piece.length, 0);
    this.#socket.cork();
    let room = this.#socket.write(encodeFrame(message, octets));
    for (const piece of payload) room = this.#socket.write(piece);
    this.#socket.uncork();
    return room;
  }

  #listen(): void {
    const reader = new FrameReader();
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        this.#fail(`broke off: ${describeError(error)}`);
      }
    };
    this.#socket.on('data', (chunk: Buffer) => {
      attempt(() => {
        for (const { message } of reader.take(chunk)) this.#take(message);
      });
    });
    this.#socket.once('end', () => {
      attempt(() => reader.end());
      this.#fail('closed its socket');
    });
  }

  #take(message: unknown): void {
    if (this.#dead !== undefined) return;
    const parsed = parseFromWorker(message);
    if (parsed === undefined) throw new SekishoError('FRAME', 'It does not speak the protocol');
    this.#unanswered = 0;
    this.#hear(parsed);
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.version = message.version;
        this.#wasReady = true;
        this.#ready.resolve();
        return;
      case 'pong':
        this.#pings.get(message.ping)?.();
        return;
      case 'more':
        this.#jobs.get(message.job)?.more.resolve();
        return;
      case 'ask':
        void this.#answer(message);
        return;
      case 'part': {
        const open = this.#jobs.get(message.job);
        if (open === undefined) return; // cancelled meanwhile
        const { findings, trouble } = message;
        const result = trouble === undefined ? { findings } : { findings, trouble };
        open.result[message.part] = result;
        open.told?.(message.part, result);
        if (WORKER_PARTS.every((part) => open.result[part] !== undefined)) open.settled.resolve();
        return;
      }
      default:
        assertNever(message);
    }
  }

  /** Never rejects; over the limit, or for a job that is over, the answer is "trouble" (a temperror, never a fail). */
  async #answer(ask: Extract<FromWorker, { type: 'ask' }>): Promise<void> {
    const { question } = ask;
    const open = this.#jobs.get(ask.job);
    if (open === undefined || open.questions >= MAX_QUESTIONS) {
      this.#send({ type: 'answer', question, outcome: 'trouble', records: [] });
      return;
    }
    open.questions += 1;
    try {
      const { exists, records } = await this.#options.resolver.query(ask.name, ask.recordType);
      const outcome = records.length > 0 ? 'found' : exists ? 'no-data' : 'no-name';
      this.#send({ type: 'answer', question, outcome, records: records.slice(0, 500) });
    } catch {
      this.#send({ type: 'answer', question, outcome: 'trouble', records: [] });
    }
  }

  /** Counts own turns, not the wall: when this process itself was held up, the worker is not to blame. */
  #beat(): void {
    if (this.#jobs.size === 0 || !this.#wasReady) {
      this.#unanswered = 0;
      return;
    }
    this.#unanswered += 1;
    const silent = (this.#unanswered - 1) * HEARTBEAT_MS;
    if (silent >= this.#options.stallMs()) {
      this.#fail(`stalled for ${silent} ms`);
      return;
    }
    this.#send({ type: 'ping', ping: (this.#counter += 1) });
  }

  #fail(why: string): void {
    if (this.#dead !== undefined) return;
    this.#dead = died(`${why}`);
    clearInterval(this.#heartbeat);
    this.#body.end();
    void this.#bury(why);
  }

  /** Waits (briefly) for the exit and the last words, then tells whoever has a message in this worker. */
  async #bury(why: string): Promise<void> {
    await Promise.race([this.#gone.promise, pause(1_000)]);
    this.#socket.destroy();
    const tail = this.#body.lastWords().trim().split('\n').slice(-12).join(' | ').slice(0, 600);
    const dead = died(tail === '' ? why : `${why} (${tail})`);
    this.#dead = dead;
    this.#ready.reject(dead);
    for (const open of this.#jobs.values()) open.settled.reject(dead);
  }
}

function died(how: string): SekishoError {
  return new SekishoError(WORKER_DIED, `The inspect worker ${how}`, { retryable: true });
}
