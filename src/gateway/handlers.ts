/**
 * What the verbs of the control sockets do: each joins the stages it needs and answers in the contract's shapes. Trouble is
 * a SekishoError with a remedy; anything else is a bug and is told as such. Every change is durable before it is answered.
 */
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { ChangeResult, ConfigStore } from '../config/store.ts';
import type { GatewayHandlers, VerbAnswer } from '../control/contract.ts';
import type { JobAnswer } from '../control/shapes.ts';
import type { Delivery } from '../deliver/api.ts';
import type { Inspectors } from '../inspect/api.ts';
import type { History } from '../observe/history-api.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Observer } from '../observe/observer.ts';
import type { Quarantine } from '../quarantine/api.ts';
import type { OwnQuarantine } from '../quarantine/own.ts';
import type { Spool } from '../spool/api.ts';
import { backupHandlers } from './backup-handlers.ts';
import { certificateHandlers } from './certificate-handlers.ts';
import type { Doors } from './doors.ts';
import { messageHandlers } from './message-handlers.ts';
import type { ProbeMail } from './probe-mail.ts';
import { ownHandlers } from './own-handlers.ts';
import { pageHandlers } from './page-handlers.ts';
import { quarantineHandlers } from './quarantine-handlers.ts';
import { queueBulkHandlers } from './queue-bulk.ts';
import { queueHandlers } from './queue-handlers.ts';
import { createSamples, type Samples } from './samples.ts';
import { storyHandlers } from './story-handlers.ts';
import { alarmRows, iso, VERSION } from './views.ts';

export interface HandlerParts {
  store: ConfigStore;
  spool: Spool;
  inspectors: Inspectors;
  delivery: Delivery;
  quarantine: Quarantine;
  own: OwnQuarantine;
  history: History;
  observe: Observer;
  metrics: Metrics;
  clock: Clock;
  doors: Doors;
  probes: Pick<ProbeMail, 'run'>;
  log: Log;
  jobs: { list(): JobAnswer[]; runNow(name: string): Promise<void> };
  /** Wall clock, ms. */
  startedAt: number;
  /** The data folder. */
  data: string;
  samples: Samples;
}

export function createHandlers(given: Omit<HandlerParts, 'samples'>): GatewayHandlers {
  const parts = { ...given, samples: createSamples(path.join(given.data, 'samples')) };
  return {
    ...stateHandlers(parts),
    ...queueHandlers(parts),
    ...queueBulkHandlers(parts),
    ...quarantineHandlers(parts),
    ...ownHandlers(parts),
    ...pageHandlers(parts),
    ...messageHandlers(parts),
    ...certificateHandlers(parts),
    ...backupHandlers(parts),
    ...storyHandlers(parts),
    ...configHandlers(parts),
    ...jobHandlers(parts),
    'antivirus.hold': ({ ms }) => {
      parts.inspectors.holdAntivirus(ms);
      return {};
    },
    'probe.run': () => parts.probes.run(parts.doors.state().find(({ name, open }) => name === 'mx' && open)),
  };
}

function jobHandlers({ jobs }: HandlerParts): Pick<GatewayHandlers, 'jobs.list' | 'jobs.run'> {
  return {
    'jobs.list': () => ({ jobs: jobs.list() }),
    'jobs.run': async ({ name }) => {
      const known = (): JobAnswer | undefined => jobs.list().find((job) => job.name === name);
      if (known() === undefined) throw new SekishoError('NOT_FOUND', `There is no job "${name}"`);
      await jobs.runNow(name);
      const after = known();
      if (after === undefined) throw new SekishoError('NOT_FOUND', `There is no job "${name}"`);
      return after;
    },
  };
}

function stateHandlers(
  parts: HandlerParts,
): Pick<GatewayHandlers, 'status' | 'engines.list' | 'alarms.list' | 'metrics.text' | 'log.level'> {
  const { store, spool, inspectors, delivery, observe, clock, doors, metrics, log } = parts;
  const alarms = (): VerbAnswer<'alarms.list'>['alarms'] => alarmRows(observe);
  return {
    status: () => {
      const config = store.current();
      const figures = spool.status();
      return {
        version: VERSION,
        state: figures.fault === undefined ? 'running' : 'faulted',
        hostname: config.hostname,
        startedAt: iso(parts.startedAt),
        uptimeMs: Math.max(0, clock.wall() - parts.startedAt),
        listeners: doors.state(),
        spool: {
          ...figures,
          floorOctets: Math.round(figures.floorOctets),
          freeOctets: Math.round(figures.freeOctets),
        },
        hops: delivery.status().hops.map((hop) => ({
          hop: hop.key,
          state: hop.state === 'up' ? ('up' as const) : ('down' as const),
          waiting: hop.waiting,
          active: hop.active,
          ...(hop.lastError === undefined ? {} : { detail: hop.lastError }),
        })),
        engines: inspectors.health(),
        alarms: alarms(),
        config: { file: store.file, generation: store.generation(), problems: [...store.refusal()] },
      };
    },
    'engines.list': () => ({ engines: inspectors.health() }),
    'alarms.list': () => ({ alarms: alarms() }),
    'metrics.text': async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
    'log.level': ({ level }) => {
      if (level !== undefined) observe.setLogLevel(level);
      return { level: log.level() };
    },
  };
}

function configHandlers({
  store,
  doors,
}: HandlerParts): Pick<
  GatewayHandlers,
  | 'config.show'
  | 'config.check'
  | 'config.set'
  | 'config.change'
  | 'config.unset'
  | 'config.reload'
  | 'config.generations'
  | 'config.diff'
  | 'config.rollback'
> {
  const answer = (result: ChangeResult): VerbAnswer<'config.set'> =>
    result.ok
      ? { ok: true, generation: result.generation, changed: result.changed, problems: [] }
      : { ok: false, problems: result.problems };
  return {
    'config.show': ({ path }) => ({ file: store.file, generation: store.generation(), value: store.show(path) }),
    'config.check': ({ candidate }) => {
      const { ok, problems } = store.check(candidate);
      return { ok, problems };
    },
    'config.set': async ({ path, value }, { by }) => answer(await store.set(path, value, { by })),
    'config.change': async ({ settings }, { by }) =>
      answer(
        await store.change(
          settings.map(({ path, value }) => [path, value]),
          { by },
        ),
      ),
    'config.unset': async ({ path }, { by }) => answer(await store.unset(path, { by })),
    'config.reload': async (_request, { by }) => {
      const result = await store.reload({ by });
      if (result.ok) await doors.renew();
      return answer(result);
    },
    'config.generations': async () => ({
      current: store.generation(),
      generations: (await store.generations()).map((row) => ({
        ...row,
        at: typeof row.at === 'number' ? iso(row.at) : row.at,
        why: row.why ?? '',
      })),
    }),
    'config.diff': async ({ from, to }) => ({ differences: await store.diff(from, to) }),
    'config.rollback': async ({ generation }, { by }) => answer(await store.rollback(generation, { by })),
  };
}
