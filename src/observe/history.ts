/**
 * The history as the mail path sees it: `record` puts a row into a bounded queue and returns; a worker thread writes in
 * batches. Never throws, never waits, never fails a message. Rows are lost only when the queue is full (counted, told by
 * `onFault`) or the process is killed (at most what came since the last batch, ≤ 250 ms). A worker that dies is started anew,
 * its last batch sent again and written once.
 */
import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { MailEvent } from './events.ts';
import type { History, HistoryPage, HistorySettings, Trail } from './history-api.ts';
import type { Batch } from './history-database.ts';
import type { Forgotten, PersonPage } from './history-person.ts';
import type { HistoryReport, Watched } from './history-report.ts';
import { createFaults, createRefusalBrake } from './history-faults.ts';
import type { Ask, Figures, FromWorker, ToWorker, WorkerStart } from './history-worker.ts';

export interface HistoryOptions {
  file: string;
  days: number;
  subjects: boolean;
  clock: Clock;
  /** The trouble that stands, or undefined when it is over. Told on each change. */
  onFault: (detail: string | undefined) => void;
  /** Default 64 MiB. */
  floorOctets?: number;
  /** Rows that may wait; default 20,000 (and 32 Mi characters). */
  maxWaiting?: number;
  batchMs?: number;
  retryMs?: number;
  /** How long a search may take, a thread that must be started first included; default 10 s. */
  askMs?: number;
  /** How the thread is begun; default: a Worker of history-worker.ts. */
  startWorker?: (start: WorkerStart) => Worker;
}

type Row = Batch['rows'][number];

const BATCH_ROWS = 500;
const MAX_WAITING_CHARACTERS = 32 * 1024 * 1024;
const MAX_RETRY_MS = 30_000;
const ASK_MS = 10_000;
const STARTING_MS = 5_000;
const REPORT_MS = 50_000;
const EXPIRE_MS = 600_000;
const DAY_MS = 86_400_000;

export function createHistory(options: HistoryOptions): History {
  const { clock } = options;
  const maxWaiting = options.maxWaiting ?? 20_000;
  const batchMs = options.batchMs ?? 250;
  const firstRetryMs = options.retryMs ?? 1_000;
  const askMs = options.askMs ?? ASK_MS;
  const run = randomUUID();
  const settings: HistorySettings = {
    days: options.days,
    subjects: options.subjects,
    floorOctets: options.floorOctets ?? 67_108_864,
  };
  const faults = createFaults(options.onFault, clock);
  const allowRefused = createRefusalBrake(clock);
  let figures: Figures = { messages: 0, octets: 0 };
  let waiting: Row[] = [];
  let characters = 0;
  let inFlight: (Batch & { crashes: number }) | undefined;
  let worker: Worker | undefined;
  let ready = false;
  let closing = false;
  let timer: NodeJS.Timeout | undefined;
  let retryMs = firstRetryMs;
  let batches = 0;
  let serials = 0;
  const counts = { recorded: 0, settled: 0, written: 0, dropped: 0, skipped: 0, restarts: 0 };
  const asks = new Map<
    number,
    { ask: Ask; posted: boolean; resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  let waiters: Array<{ upTo: number; done: () => void }> = [];

  function post(message: ToWorker): void {
    worker?.postMessage(message);
  }

  function begin(): void {
    const mine = (options.startWorker ?? startWorker)({ file: options.file, settings: { ...settings } });
    worker = mine;
    mine.unref(); // a process that forgets to dispose of the history still ends
    let cause = '';
    mine.on('error', (error) => {
      cause = describeError(error);
    });
    mine.on('message', (message: FromWorker) => heard(message));
    mine.on('exit', (code) => ended(cause === '' ? `exit code ${code}` : cause));
  }

  function ended(cause: string): void {
    worker = undefined;
    ready = false;
    for (const [serial, ask] of asks) {
      if (!ask.posted) continue;
      asks.delete(serial);
      ask.reject(unavailable(`History worker ended: ${cause}`));
    }
    if (closing) return;
    faults.set('worker', `History worker ended: ${cause}`);
    if (inFlight !== undefined) {
      inFlight.crashes += 1;
      if (inFlight.crashes >= 2) settle({ written: 0, dropped: inFlight.rows.length }); // it kills whoever takes it
    }
    counts.restarts += 1;
    clearTimeout(timer);
    timer = setTimeout(begin, retryMs).unref();
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
  }

  function heard(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        ready = true;
        timer = undefined;
        post({ type: 'settings', settings: { ...settings } });
        if (inFlight !== undefined) post({ type: 'batch', batch: inFlight });
        else if (waiting.length === 0) faults.clear('worker');
        // first what waits, then what is asked about it
        pump(asks.size > 0);
        for (const [serial, ask] of asks) send(serial, ask);
        return undefined;
      case 'written':
        if (message.number !== inFlight?.number) return undefined;
        retryMs = firstRetryMs;
        faults.clear('write');
        faults.clear('worker');
        if (message.lost > 0) faults.set('rows', `History could not take ${message.lost} rows`);
        settle({ written: inFlight.rows.length - message.lost, dropped: message.lost });
        return pump();
      case 'failed':
        faults.set('write', message.detail);
        clearTimeout(timer);
        timer = setTimeout(() => {
          timer = undefined;
          if (ready && inFlight !== undefined) post({ type: 'batch', batch: inFlight });
        }, retryMs).unref();
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
        return undefined;
      case 'damaged':
        return faults.set(
          'damaged',
          `History was damaged (${message.detail}), set aside as "${message.aside}" and begun anew`,
        );
      case 'answer':
        asks.get(message.serial)?.resolve(message.value);
        return void asks.delete(message.serial);
      case 'refusal':
        asks.get(message.serial)?.reject(unavailable(message.detail));
        return void asks.delete(message.serial);
      case 'figures':
        figures = message.figures;
        return undefined;
    }
  }

  function settle(counted: { written: number; dropped: number }): void {
    counts.settled += inFlight?.rows.length ?? 0;
    counts.written += counted.written;
    counts.dropped += counted.dropped;
    inFlight = undefined;
    if (waiting.length <= maxWaiting / 2) faults.clear('overflow');
    const done = waiters.filter((waiter) => waiter.upTo <= counts.settled);
    waiters = waiters.filter((waiter) => waiter.upTo > counts.settled);
    for (const waiter of done) waiter.done();
  }

  /** Sends the next batch when it is worth it or time is up. */
  function pump(now = false): void {
    if (!ready || inFlight !== undefined || waiting.length === 0) return;
    if (!now && waiters.length === 0 && waiting.length < BATCH_ROWS) {
      timer ??= setTimeout(() => {
        timer = undefined;
        pump(true);
      }, batchMs).unref();
      return;
    }
    clearTimeout(timer);
    timer = undefined;
    const rows = waiting.slice(0, BATCH_ROWS);
    waiting = waiting.slice(BATCH_ROWS);
    for (const row of rows) characters -= row.json.length;
    batches += 1;
    inFlight = { run, number: batches, rows, crashes: 0 };
    post({ type: 'batch', batch: inFlight });
  }

  function record(event: MailEvent, at: number): void {
    if (event.event === 'refused' && !allowRefused(event.origin.clientAddress)) {
      counts.skipped += 1;
      return;
    }
    const json = JSON.stringify(event);
    if (closing || waiting.length >= maxWaiting || characters + json.length > MAX_WAITING_CHARACTERS) {
      counts.dropped += 1;
      if (!closing) faults.set('overflow', `History is behind: ${waiting.length} rows wait, new ones are not kept`);
      return;
    }
    waiting.push({ at, json });
    characters += json.length;
    counts.recorded += 1;
    pump();
  }

  async function flush(deadlineMs = 5_000): Promise<boolean> {
    const upTo = counts.recorded;
    if (counts.settled >= upTo) return true;
    return new Promise((resolve) => {
      const waiter = {
        upTo,
        done: () => {
          clearTimeout(giveUp);
          resolve(true);
        },
      };
      const giveUp = setTimeout(() => {
        waiters = waiters.filter((other) => other !== waiter);
        resolve(false);
      }, deadlineMs);
      waiters.push(waiter);
      pump();
    });
  }

  function send(serial: number, ask: { ask: Ask; posted: boolean }): void {
    ask.posted = true;
    post({ type: 'ask', serial, ask: ask.ask });
  }

  async function asked<T>(ask: Ask, ms: number): Promise<T> {
    if (closing) throw unavailable('History is closed');
    // a thread that is still starting answers nobody before; one in trouble is not waited for
    await flush(ready ? 1_000 : STARTING_MS);
    serials += 1;
    const serial = serials;
    try {
      return await withDeadline('History query', { ms }, () => {
        return new Promise<T>((resolve, reject) => {
          const entry = { ask, posted: false, resolve: resolve as (value: unknown) => void, reject };
          asks.set(serial, entry);
          if (ready) send(serial, entry);
        });
      });
    } catch (error) {
      throw error instanceof SekishoError && error.code === 'HISTORY_UNAVAILABLE'
        ? error
        : unavailable('History gives no answer', error);
    } finally {
      asks.delete(serial);
    }
  }

  begin();
  return {
    record: (event, at) => {
      try {
        record(event, at);
      } catch (error) {
        counts.dropped += 1;
        faults.set('rows', `History could not take a row: ${describeError(error)}`);
      }
    },
    search: (query) => asked<HistoryPage>({ kind: 'search', query }, askMs),
    report: (query) => asked<HistoryReport>({ kind: 'report', query }, REPORT_MS),
    watched: (query) => asked<Watched[]>({ kind: 'watched', query }, REPORT_MS),
    person: (address, after) => asked<PersonPage>({ kind: 'person', address, after }, REPORT_MS),
    forget: (address, by) => asked<Forgotten>({ kind: 'forget', address, ...by }, REPORT_MS),
    scores: (from) => asked<number[]>({ kind: 'scores', from }, REPORT_MS),
    trail: (id) => asked<Trail | undefined>({ kind: 'trail', id }, askMs),
    expire: async () => {
      // A clock that may be years off must not forget years (DESIGN: nothing expires before it is synchronised)
      if (!clock.synchronised()) return 0;
      return asked<number>({ kind: 'expire', cutoff: clock.wall() - settings.days * DAY_MS }, EXPIRE_MS);
    },
    status: () => {
      const fault = faults.standing();
      const state = closing ? 'closed' : ready && faults.isUp() ? 'up' : 'retrying';
      const { written, dropped, skipped, restarts } = counts;
      const behind = waiting.length + (inFlight?.rows.length ?? 0);
      return {
        state,
        waiting: behind,
        written,
        dropped,
        skipped,
        restarts,
        ...figures,
        ...(fault === undefined ? {} : { fault }),
      };
    },
    configure: (wanted) => {
      Object.assign(settings, wanted);
      if (ready) post({ type: 'settings', settings: { ...settings } });
    },
    flush,
    [Symbol.asyncDispose]: async () => {
      if (closing) return;
      await flush();
      closing = true;
      clearTimeout(timer);
      const ending = worker;
      if (ending === undefined) return;
      const exited = new Promise<void>((resolve) => void ending.once('exit', () => resolve()));
      post({ type: 'close' });
      await withDeadline('Closing the history', { ms: 5_000 }, () => exited).catch(() => ending.terminate());
    },
  };
}

function startWorker(start: WorkerStart): Worker {
  return new Worker(new URL('./history-worker.ts', import.meta.url), {
    workerData: start,
    name: 'history',
    // The environment is passed on: with NODE_COMPILE_CACHE in it the thread costs 11 MiB, without it 36 (measured)
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 192 },
  });
}

function unavailable(detail: string, cause?: unknown): SekishoError {
  return new SekishoError('HISTORY_UNAVAILABLE', detail, {
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
