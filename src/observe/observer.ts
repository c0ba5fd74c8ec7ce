/**
 * One call for one thing that happened: log line, counter, history row, and whoever watches live. Never throws and never
 * waits: a part that fails costs its share of the record, not the mail. Alarms are logged when they begin and when they end;
 * raised again they are counted.
 */
import type { Clock } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import { type AlarmRow, createAlarmBoard } from './alarms.ts';
import { isProbe } from '../mail/probe.ts';
import type { QueueId } from '../mail/queue-id.ts';
import { levelOf, lineOf } from './event-line.ts';
import type { AlarmName, MailEvent, Observe } from './events.ts';
import type { History } from './history-api.ts';
import type { Log, LogLevel } from './log.ts';
import type { Metrics } from './metrics.ts';
import { Stumbles } from './stumbles.ts';

export interface RecentEvent {
  /** Rises by one; a reader asks for what came after the one it has. */
  serial: number;
  /** Wall clock, ms. */
  at: number;
  event: MailEvent;
}

export interface Observer extends Observe {
  /** Standing now, oldest first. */
  alarms(): AlarmRow[];
  /** The last 100 that ended, newest first. */
  pastAlarms(): AlarmRow[];
  /** Of the last 500 events, those after `after`, oldest first. */
  recentEvents(options?: { after?: number; limit?: number }): RecentEvent[];
  /** Each event as it happens; the returned function ends it. A listener that throws is only noted. */
  subscribe(listener: (event: RecentEvent) => void): () => void;
  setLogLevel(level: LogLevel): void;
}

const KEPT_EVENTS = 500;
const KEPT_PROBES = 20;
const MAX_DETAIL = 2_000;

export function createObserver(options: {
  log: Log;
  metrics: Metrics;
  /** With `status` its figures are metrics too. */
  history: Pick<History, 'record'> & Partial<Pick<History, 'status'>>;
  clock: Clock;
}): Observer {
  const { log, metrics, history, clock } = options;
  const board = createAlarmBoard();
  const recent: RecentEvent[] = [];
  const listeners = new Set<(event: RecentEvent) => void>();
  const probes: QueueId[] = [];
  let serial = 0;

  /** Observing must not cost what it observes. */
  function safely(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      log.write('error', 'Observing failed', { what, error: describeError(error) });
    }
  }

  /** The box's mails to itself: in log, history and live page, not in the figures. */
  function isOfProbe(event: MailEvent): boolean {
    if (!('id' in event)) return false;
    if (event.event === 'received' && isProbe(event.recipients)) probes.push(event.id);
    if (probes.length > KEPT_PROBES) probes.shift();
    return probes.includes(event.id);
  }

  function watch(event: MailEvent, at: number): void {
    serial += 1;
    const entry: RecentEvent = { serial, at, event };
    recent.push(entry);
    if (recent.length > KEPT_EVENTS) recent.shift();
    for (const listener of listeners) safely('listener', () => listener(entry));
  }

  metrics.gauge('log_lines_lost', 'Log lines lost because nobody read them, or the disk was full', () => log.dropped());
  if (history.status !== undefined) {
    const { status } = history;
    metrics.gauges('history_rows', 'Rows of the history since the start; waiting: now', {
      label: 'state',
      read: () => {
        const { waiting, written, dropped, skipped } = status();
        return { waiting, written, dropped, skipped };
      },
    });
    metrics.gauge('history_octets', 'Size of the history on disk', () => status().octets);
  }

  function clear(alarm: AlarmName, key: string): void {
    safely('alarm', () => {
      const ended = board.clear(alarm, key, clock.wall());
      metrics.alarm(alarm, board.count(alarm));
      if (ended === undefined) return;
      const lastedMs = Math.max(0, (ended.cleared ?? ended.last) - ended.first);
      log.write('info', `Alarm over: ${ended.title.en}`, { alarm, key: ended.key, count: ended.count, lastedMs });
    });
  }
  const stumbles = new Stumbles({ clock, over: clear });

  return {
    emit: (event) => {
      const at = clock.wall();
      if (log.writes(levelOf(event)))
        safely('log', () => {
          const { level, message, facts } = lineOf(event);
          log.write(level, message, facts);
        });
      if (!isOfProbe(event)) safely('metrics', () => metrics.event(event));
      safely('history', () => history.record(event, at));
      safely('recent', () => watch(event, at));
    },
    raise: (alarm, key, told) => {
      safely('alarm', () => {
        const detail = told.length > MAX_DETAIL ? `${told.slice(0, MAX_DETAIL)}…` : told;
        const begun = board.raise(alarm, key, { detail, at: clock.wall() });
        stumbles.raised(alarm, key);
        metrics.alarm(alarm, board.count(alarm));
        if (begun === undefined) return;
        const level = alarm === 'engine-starting' || alarm === 'spool-recovered' ? 'warn' : 'error';
        log.write(level, `Alarm: ${begun.title.en}`, { alarm, key: begun.key, detail, remedy: begun.remedy.en });
      });
    },
    clear,
    inspected: (inspector, ms, result) => safely('metrics', () => metrics.inspected(inspector, ms, result)),
    log: (level, message, facts) => safely('log', () => log.write(level, message, facts)),
    alarms: () => board.active(),
    pastAlarms: () => board.past(),
    recentEvents: ({ after = 0, limit = KEPT_EVENTS } = {}) =>
      recent.filter((entry) => entry.serial > after).slice(-Math.max(0, limit)),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    setLogLevel: (level) => log.setLevel(level),
  };
}
