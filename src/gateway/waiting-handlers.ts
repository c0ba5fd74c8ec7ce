/**
 * While the gateway waits for its spool somebody must be able to ask why: status and alarms, and nothing that would need
 * mail. Everything else is answered 501 until the real handlers stand.
 */
import type { Clock } from '../base/clock.ts';
import type { ConfigStore } from '../config/store.ts';
import type { GatewayHandlers } from '../control/contract.ts';
import type { Observer } from '../observe/observer.ts';
import { alarmRows, iso, VERSION } from './views.ts';

export function waitingHandlers(parts: {
  store: ConfigStore;
  observe: Observer;
  clock: Clock;
  startedAt: number;
}): Partial<GatewayHandlers> {
  const { store, observe, clock, startedAt } = parts;
  const { mx, relay } = store.current().listeners;
  return {
    status: () => ({
      version: VERSION,
      state: 'starting',
      hostname: store.current().hostname,
      startedAt: iso(startedAt),
      uptimeMs: Math.max(0, clock.wall() - startedAt),
      listeners: [
        { name: 'mx', address: mx.address, port: mx.port, open: false, sessions: 0, detail: '421' },
        { name: 'relay', address: relay.address, port: relay.port, open: false, sessions: 0, detail: '421' },
      ],
      spool: {
        counts: { incoming: 0, queue: 0, held: 0, quarantine: 0, corrupt: 0 },
        octets: 0,
        freeOctets: 0,
        floorOctets: 0,
        fault: 'The spool is not open yet',
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
      alarms: alarmRows(observe),
      config: { file: store.file, generation: store.generation(), problems: [...store.refusal()] },
    }),
    'alarms.list': () => ({ alarms: alarmRows(observe) }),
    'engines.list': () => ({ engines: [] }),
    'config.show': ({ path }) => ({ file: store.file, generation: store.generation(), value: store.show(path) }),
  };
}
