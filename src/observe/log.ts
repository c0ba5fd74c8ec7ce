/**
 * The log: one JSON object a line on stdout (pino), for journald and for people with jq. Field names are stable: `time`
 * (ISO, UTC), `level`, `msg`, then facts. `setLevel` works at run time. Writing never throws, blocks or fails the mail path:
 * see log-sink.ts. No bodies come here; addresses are logged as they are.
 */
import { pino, symbols } from 'pino';
import { describeError } from '../base/errors.ts';
import { createLogSink, type LogSink, writeTo } from './log-sink.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** pino's number: what is worse does not wait. */
const INFO = 30;

export interface Log {
  write(level: LogLevel, message: string, facts?: Readonly<Record<string, unknown>>): void;
  /** Would a line of this level be written? */
  writes(level: LogLevel): boolean;
  setLevel(level: LogLevel): void;
  level(): LogLevel;
  /** Lines lost because nobody read, or the disk was full. */
  dropped(): number;
  flush(deadlineMs?: number): Promise<void>;
}

/** sd-daemon(3): `<N>` before a line tells journald its priority. */
const PRIORITIES: Readonly<Record<number, string>> = { 20: '<7>', 30: '<6>', 40: '<4>', 50: '<3>' };

export function createLog(options: {
  level: LogLevel;
  /** Put `<N>` before each line (when journald reads). */
  journald?: boolean;
  /** Default: stdout. */
  sink?: LogSink;
  /** Added to every line: which process this is. */
  name?: string;
}): Log {
  const journald = options.journald ?? false;
  const lostLine = (lines: number): string =>
    `${journald ? '<4>' : ''}${JSON.stringify({ level: 'warn', time: new Date().toISOString(), msg: 'Log lines were lost', lines })}\n`;
  const sink = options.sink ?? createLogSink({ write: writeTo(1), lostLine });
  const destination = {
    [symbols.needsMetadataGsym]: true,
    lastLevel: 30,
    write(line: string): void {
      const said = journald ? `${PRIORITIES[destination.lastLevel] ?? '<6>'}${line}` : line;
      sink.write(said, destination.lastLevel > INFO);
    },
  };
  const logger = pino(
    {
      level: options.level,
      base: options.name === undefined ? null : { name: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      depthLimit: 6,
      edgeLimit: 100,
    },
    destination,
  );
  return {
    write: (level, message, facts) => {
      try {
        if (facts === undefined) logger[level](message);
        else logger[level](plain(facts), message);
      } catch (error) {
        // A fact whose own toJSON throws: the line goes out without its facts
        logger[level]({ factsLost: String(error) }, message);
      }
    },
    writes: (level) => logger.isLevelEnabled(level),
    setLevel: (level) => {
      logger.level = level;
    },
    level: () => logger.level as LogLevel,
    dropped: () => sink.dropped(),
    flush: (deadlineMs = 1_000) => sink.flush(deadlineMs),
  };
}

/** Errors have no JSON of their own: their message, causes included. */
function plain(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!Object.values(facts).some((value) => value instanceof Error)) return facts;
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [key, value instanceof Error ? describeError(value) : value]),
  );
}
