/**
 * The gateway after too many crashes: it holds its doors, says 421 and why, and does nothing that could crash again: no
 * spool, no engines, no delivery, no history. Senders keep their mail and come again; page and console stay alive and show
 * the reason. The host decides when this begins and ends (host/brake.ts) and leaves the reason in a file.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { describeError, errorCode } from '../base/errors.ts';
import type { ServiceNotifier } from '../base/service-notify.ts';
import { type Config, defaultConfig } from '../config/schema.ts';
import { openConfigStore } from '../config/store.ts';
import type { GatewayHandlers } from '../control/contract.ts';
import { type ControlLog, createControlServer } from '../control/server.ts';
import type { Log } from '../observe/log.ts';
import { closedDoor } from './closed-door.ts';
import { iso, VERSION } from './views.ts';

/** The gateway's watchdog is 20 s. */
const PING_MS = 5_000;

/** The reason, or undefined when the file is not there. A file that cannot be read is a reason too. */
export function degradedReason(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const record: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const detail = typeof record === 'object' && record !== null && 'detail' in record ? record.detail : undefined;
    return typeof detail === 'string' ? detail : 'The host says so';
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : 'The host says so, without a readable reason';
  }
}

export interface DegradedOptions {
  configFile: string;
  data: string;
  reason: string;
  fds: ReadonlyMap<string, number> | undefined;
  clock: Clock;
  log: Log;
  notify: ServiceNotifier;
}

/** Resolves once the doors speak; `close` ends it. */
export async function runDegraded(options: DegradedOptions): Promise<{ close(): Promise<void> }> {
  const { log, fds, reason, clock, notify } = options;
  const write: ControlLog = { log: (level, message, facts) => log.write(level, message, facts) };
  const config = await configOrDefaults(options);
  const door = await closedDoor(config, {
    observe: write,
    why: 'Service is being repaired, please try again later',
    ...(fds === undefined ? {} : { fds }),
  });
  mkdirSync(path.join(options.data, 'run'), { recursive: true, mode: 0o700 });
  const control = await createControlServer({
    socket: path.join(options.data, 'run', 'control.sock'),
    caller: 'cli',
    handlers: { status: () => statusOf(config, options), 'engines.list': () => ({ engines: [] }) },
    observe: write,
  });
  const ping = setInterval(() => notify.watchdog(), PING_MS);
  notify.ready();
  notify.status(`Degraded: ${reason}`);
  log.write('error', 'Gateway is degraded: it answers 421 only', { reason, at: iso(clock.wall()) });
  return {
    close: async () => {
      clearInterval(ping);
      await control.close();
      await door.close();
      for (const server of door.inherited.values()) server.close();
    },
  };
}

/** A broken configuration may be the very reason: then names and places come from the machine and the defaults. */
async function configOrDefaults({ configFile, clock, log }: DegradedOptions): Promise<Config> {
  try {
    const store = await openConfigStore({ file: configFile, clock, fallBack: true });
    return store.current();
  } catch (error) {
    log.write('error', 'The configuration cannot be read', { error: describeError(error) });
    return { ...defaultConfig(), hostname: hostname() };
  }
}

type Status = Awaited<ReturnType<GatewayHandlers['status']>>;

function statusOf(config: Config, { configFile, clock, reason }: DegradedOptions): Status {
  const { mx, relay } = config.listeners;
  const zero = { incoming: 0, queue: 0, held: 0, quarantine: 0, corrupt: 0 };
  return {
    version: VERSION,
    state: 'faulted',
    hostname: config.hostname,
    startedAt: iso(clock.wall()),
    uptimeMs: 0,
    listeners: [
      { name: 'mx', address: mx.address, port: mx.port, open: false, sessions: 0, detail: '421' },
      { name: 'relay', address: relay.address, port: relay.port, open: false, sessions: 0, detail: '421' },
    ],
    spool: {
      counts: zero,
      octets: 0,
      freeOctets: 0,
      floorOctets: 0,
      fault: `Degraded: ${reason}`,
      recovery: {
        cleanStop: false,
        elapsedMs: 0,
        files: 0,
        dropped: 0,
        requeued: 0,
        lost: 0,
        corrupt: 0,
        databaseRebuilt: false,
      },
    },
    hops: [],
    engines: [],
    alarms: [],
    config: { file: configFile, generation: 0, problems: [] },
  };
}
