/**
 * The thread that owns the history's file, so that no query and no slow disk ever holds the mail path. It opens the file when
 * it can, sets a damaged one aside, and answers every message; what it cannot write it says so, and is sent again. Its death
 * is the other side's to notice (history.ts).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { assertNever } from '../base/brand.ts';
import { systemClock } from '../base/clock.ts';
import { describeError, errorCode } from '../base/errors.ts';
import type { QueueId } from '../mail/queue-id.ts';
import type { HistorySearch, HistorySettings } from './history-api.ts';
import type { ReportQuery } from './history-report.ts';
import { type Batch, type HistoryDatabase, isDamage, openHistoryDatabase, setAside } from './history-database.ts';

export interface WorkerStart {
  file: string;
  settings: HistorySettings;
}

export type Ask =
  | { kind: 'search'; query: HistorySearch }
  | { kind: 'trail'; id: QueueId }
  | { kind: 'report'; query: ReportQuery }
  | { kind: 'watched'; query: ReportQuery }
  | { kind: 'person'; address: string; after: number }
  | { kind: 'forget'; address: string; after: number; pseudonym: string }
  | { kind: 'scores'; from: number }
  /** Forget what arrived before this wall-clock time. */
  | { kind: 'expire'; cutoff: number };

export type ToWorker =
  | { type: 'batch'; batch: Batch }
  | { type: 'ask'; serial: number; ask: Ask }
  | { type: 'settings'; settings: HistorySettings }
  | { type: 'close' };

export interface Figures {
  messages: number;
  octets: number;
}

export type FromWorker =
  | { type: 'ready' }
  | { type: 'written'; number: number; lost: number }
  | { type: 'failed'; number: number; detail: string }
  | { type: 'damaged'; detail: string; aside: string }
  | { type: 'answer'; serial: number; value: unknown }
  | { type: 'refusal'; serial: number; detail: string }
  | { type: 'figures'; figures: Figures };

const FIGURES_EVERY_MS = 30_000;

function answerOf(database: HistoryDatabase, ask: Exclude<Ask, { kind: 'expire' }>): unknown {
  switch (ask.kind) {
    case 'search':
      return database.search(ask.query);
    case 'trail':
      return database.trail(ask.id);
    case 'report':
      return database.report(ask.query);
    case 'watched':
      return database.watched(ask.query);
    case 'person':
      return database.person(ask.address, ask.after);
    case 'forget':
      return database.forget(ask.address, ask);
    case 'scores':
      return database.scores(ask.from);
    default:
      return assertNever(ask);
  }
}

/** `port` undefined: somebody imported this for its types. */
function serve(port: NonNullable<typeof parentPort>, start: WorkerStart): void {
  let settings = start.settings;
  let database: HistoryDatabase | undefined;
  let figuresAt = Number.NEGATIVE_INFINITY;
  const tell = (message: FromWorker): void => port.postMessage(message);

  function opened(): HistoryDatabase {
    if (database !== undefined) return database;
    try {
      database = openHistoryDatabase(start.file, settings);
    } catch (error) {
      if (!isDamage(error)) throw error;
      putAside(error);
      database = openHistoryDatabase(start.file, settings);
    }
    return database;
  }

  function putAside(error: unknown): void {
    try {
      database?.close();
    } catch {
      // It is damaged: how it closes matters no more
    }
    database = undefined;
    tell({ type: 'damaged', detail: describeError(error), aside: setAside(start.file, systemClock().wall()) });
  }

  /** Once more on a new file when the old one turns out damaged. */
  function withDatabase<T>(work: (database: HistoryDatabase) => T): T {
    try {
      return work(opened());
    } catch (error) {
      if (!isDamage(error)) throw error;
      putAside(error);
      return work(opened());
    }
  }

  function write(batch: Batch): void {
    try {
      const { lost } = withDatabase((found) => found.apply(batch));
      tell({ type: 'written', number: batch.number, lost });
      if (performance.now() - figuresAt > FIGURES_EVERY_MS) figures();
    } catch (error) {
      // After "disk full" or an I/O error the handle is not trusted again
      if (errorCode(error) !== 'HISTORY_FULL') reopenLater();
      tell({ type: 'failed', number: batch.number, detail: describeError(error) });
    }
  }

  function reopenLater(): void {
    try {
      database?.close();
    } catch {
      // Said already by the failed batch
    }
    database = undefined;
  }

  function figures(): void {
    figuresAt = performance.now();
    tell({ type: 'figures', figures: withDatabase((found) => found.figures()) });
  }

  function answer(serial: number, ask: Ask): void {
    try {
      if (ask.kind === 'expire') expire(serial, { cutoff: ask.cutoff, gone: 0 });
      else tell({ type: 'answer', serial, value: withDatabase((found) => answerOf(found, ask)) });
    } catch (error) {
      tell({ type: 'refusal', serial, detail: describeError(error) });
    }
  }

  /** In steps, other messages between them. */
  function expire(serial: number, so: { cutoff: number; gone: number }): void {
    try {
      const step = withDatabase((found) => found.expireStep(so.cutoff));
      const gone = so.gone + step.messages;
      if (!step.done) return void setImmediate(() => expire(serial, { cutoff: so.cutoff, gone }));
      figures();
      tell({ type: 'answer', serial, value: gone });
    } catch (error) {
      tell({ type: 'refusal', serial, detail: describeError(error) });
    }
  }

  port.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'batch':
        return write(message.batch);
      case 'ask':
        return answer(message.serial, message.ask);
      case 'settings':
        settings = message.settings;
        return database?.configure(settings);
      case 'close':
        reopenLater();
        return port.close();
    }
  });
  try {
    figures();
  } catch {
    // The file cannot be had yet: the first batch will say why
  }
  tell({ type: 'ready' });
}

if (parentPort !== null) serve(parentPort, workerData as WorkerStart);
