/**
 * The live feed of the pages. While somebody looks, the gateway is asked every two seconds for its counts and the newest
 * messages, once for all readers; what changed goes out as events. A reader hears `bye` when its session ends. Nobody looks:
 * nothing is asked.
 */
import type { Milliseconds } from '../../base/brand.ts';
import type { ControlClient } from '../../control/client.ts';
import type { HistoryEntry, StatusAnswer } from '../../control/shapes.ts';
import type { Call } from '../server/call.ts';
import { EventFeed } from '../server/call.ts';
import { ApiProblem, briefOf } from '../server/problems.ts';

const STEP_MS = 2_000;
const NEWEST = 50;
const MOST_READERS = 100;
const MOST_PER_USER = 8;

export interface LiveFeed {
  follow(call: Call<'events.stream'>): EventFeed;
  /** Something was changed by way of the pages: told with the next step, even when it looks as before (done and undone). */
  changed: () => void;
  close(): void;
}

interface Reader {
  user: string;
  mail: boolean;
  send: (event: string, data: unknown) => void;
  /** Still logged in? */
  alive: () => boolean;
}

export interface LiveFeedOptions {
  gateway: ControlClient;
  alive: (call: Call<'events.stream'>) => () => boolean;
  stepMs?: Milliseconds;
}

export function createLiveFeed(options: LiveFeedOptions): LiveFeed {
  const readers = new Set<Reader>();
  let timer: NodeJS.Timeout | undefined;
  let asking = false;
  let changes = 0;
  let counts = '';
  let alarms = '';
  /** What each of the newest messages was like when last seen. */
  let seen: Map<string, string> | undefined;

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
    counts = '';
    alarms = '';
    seen = undefined;
  }

  function drop(reader: Reader): void {
    readers.delete(reader);
    if (readers.size === 0) stop();
  }

  async function step(): Promise<void> {
    if (asking) return;
    asking = true;
    try {
      for (const reader of readers) {
        if (reader.alive()) continue;
        reader.send('bye', { code: 'SESSION_ENDED' });
        drop(reader);
      }
      const status = await options.gateway.call('status', {});
      // before the counts go out: with its first counts a newcomer loads anew, and nothing lies between that and this look
      if ([...readers].some(({ mail }) => mail))
        tellMessages((await options.gateway.call('history.search', { limit: NEWEST })).entries);
      tellStatus(status);
    } catch (error) {
      tellCounts({ gateway: briefOf(error) });
    } finally {
      asking = false;
    }
  }

  function tellStatus(status: StatusAnswer): void {
    const { spool, listeners, config, state } = status;
    const sessions = listeners.reduce((sum, listener) => sum + listener.sessions, 0);
    const down = status.hops.filter((hop) => hop.state === 'down').map(({ hop, waiting }) => ({ hop, waiting }));
    const engines = status.engines.map(({ engine, state: now }) => ({ engine, state: now }));
    tellCounts({
      state,
      counts: spool.counts,
      sessions,
      alarms: status.alarms.length,
      generation: config.generation,
      engines,
      down,
      changes,
    });
    const said = JSON.stringify(status.alarms.map(({ name, key }) => [name, key]));
    if (said === alarms) return;
    alarms = said;
    for (const reader of readers) reader.send('alarms', { alarms: status.alarms });
  }

  function tellCounts(next: unknown): void {
    const said = JSON.stringify(next);
    if (said === counts) return;
    counts = said;
    for (const reader of readers) reader.send('counts', next);
  }

  function tellMessages(entries: HistoryEntry[]): void {
    const before = seen;
    seen = new Map(entries.map((entry) => [keyOf(entry), JSON.stringify(entry)]));
    if (before === undefined) return; // what was there when somebody came is on the page already
    for (const entry of entries.toReversed()) {
      if (before.get(keyOf(entry)) === seen.get(keyOf(entry))) continue;
      for (const reader of readers) if (reader.mail) reader.send('message', entry);
    }
  }

  return {
    follow: (call) => {
      const user = call.who?.user.id ?? '';
      const own = [...readers].filter((reader) => reader.user === user).length;
      if (readers.size >= MOST_READERS || own >= MOST_PER_USER) throw new ApiProblem(503, 'BUSY');
      return new EventFeed((send, gone) => {
        const reader: Reader = {
          user,
          mail: call.who?.permissions.has('mail.search') === true,
          send,
          alive: options.alive(call),
        };
        readers.add(reader);
        gone.addEventListener('abort', () => drop(reader), { once: true });
        // a newcomer hears everything once
        counts = '';
        alarms = '';
        timer ??= setInterval(() => void step(), options.stepMs ?? STEP_MS);
        void step();
      });
    },
    changed: () => void (changes += 1),
    close: () => {
      for (const reader of readers) reader.send('bye', { code: 'STOPPING' });
      readers.clear();
      stop();
    },
  };
}

function keyOf(entry: HistoryEntry): string {
  return entry.id ?? `${entry.arrivedAt} ${entry.client} ${entry.reason}`;
}
