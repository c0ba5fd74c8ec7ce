/**
 * What the host's verbs do: each joins the parts it needs and answers in the contract's shapes. On a trial machine whatever
 * would change the machine is READ_ONLY; the claim works there too, so that the page can be tried from its first minute.
 */
import { hostname } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { HostHandlers, HostVerbAnswer, HostVerbName } from '../control/host-contract.ts';
import type { DegradedAnswer, FactsAnswer, HostStatus } from '../control/host-shapes.ts';
import { type AdvisoryWatch, advisoryTrouble } from './advisory-watch.ts';
import { fallbackTrouble, hostAlarms } from './alarms.ts';
import { watchdogState } from './boots.ts';
import { type Brake, recentCrashes, tryAfterMs } from './brake.ts';
import type { Bundles } from './bundle.ts';
import type { Claim } from './claim.ts';
import { describeResult, type RunCommand } from './command.ts';
import type { DataWatch } from './data-watch.ts';
import type { Diagnostics } from './diagnostics.ts';
import { diskHandlers, type DiskPlaces, diskState, diskTrouble } from './disk-handlers.ts';
import type { DiskKeyWatch } from './disk-key.ts';
import { sentenceOf } from './log-line.ts';
import { GATEWAY_UNIT, type Listeners } from './listeners.ts';
import { applyListeners, applyPortal, refillFilter } from './doors.ts';
import { applySources, mapHandlers } from './map-handlers.ts';
import type { Network } from './network.ts';
import { challengeSets } from './network-files.ts';
import type { OfficeTime } from './office-time.ts';
import type { OwnerMark } from './owner-mark.ts';
import type { PortalUnit } from './portal-unit.ts';
import type { RecordFile } from './record.ts';
import type { Services } from './services.ts';
import { applyAntivirus, signatureHandlers } from './signature-handlers.ts';
import { signatureTrouble } from './signature-trouble.ts';
import type { Signatures } from './signatures.ts';
import type { MachineTime } from './time.ts';
import type { SpamMaps } from './spam-maps.ts';
import type { Updates } from './update.ts';
import type { Ups } from './ups.ts';
import type { UpsUnits } from './ups-units.ts';
import type { UsbSticks } from './usb.ts';

export interface HostParts {
  mode: HostStatus['mode'];
  version: string;
  data: string;
  sys: string;
  startedAt: string;
  supportedUntil: string | undefined;
  record: RecordFile;
  clock: Clock;
  run: RunCommand;
  claim: Claim;
  brake: Brake;
  network: Network;
  listeners: Listeners;
  portal: PortalUnit;
  services: Services;
  time: MachineTime;
  officeTime: OfficeTime;
  facts: () => Promise<FactsAnswer>;
  diagnostics: Diagnostics;
  ups: Ups;
  upsUnits: UpsUnits;
  updates: Updates;
  bundles: Bundles;
  usb: UsbSticks;
  signatures: Signatures;
  advisories: AdvisoryWatch;
  maps: SpamMaps;
  disk: DiskPlaces;
  diskKey: DiskKeyWatch;
  dataWatch: DataWatch;
  ownerMark: OwnerMark;
  log: (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void;
}

/** The scheduler of src/jobs, which only the entry knows. */
export interface HostJobs {
  list(): HostVerbAnswer<'jobs.list'>['jobs'];
  runNow(name: string): Promise<void>;
}

/** What changes the machine itself. */
const CHANGES: readonly HostVerbName[] = [
  'network.set',
  'network.confirm',
  'network.revert',
  'time.set',
  'services.restart',
  'power.reboot',
  'power.off',
  'factory-reset',
  'disk.encrypt',
  'recovery-key.noted',
  'recovery-key.renew',
  'degraded.end',
  'ups.set',
  'update.check',
  'update.install',
  'update.set',
  'signatures.set',
  'signatures.install',
  'maps.set',
  'listeners.apply',
  'challenge.open',
  'challenge.close',
];

const DONE = { ok: true } as const;
const JOB_ANSWER_MS = 20_000;

export function createHostHandlers(parts: HostParts & { jobs: HostJobs }): HostHandlers {
  const handlers: HostHandlers = {
    'host.status': () => hostStatus(parts),
    facts: () => parts.facts(),
    ...networkHandlers(parts),
    ...machineHandlers(parts),
    ...claimHandlers(parts),
    ...helpHandlers(parts),
    ...mailHandlers(parts),
    ...jobHandlers(parts),
    ...signatureHandlers({ ...parts, sourcesChanged: () => applySources(parts) }),
    ...mapHandlers(parts),
    ...diskHandlers(parts),
    'advisories.show': () => parts.advisories.show(),
  };
  if (parts.mode === 'appliance') return handlers;
  const readOnly = (): never => {
    throw new SekishoError('READ_ONLY', 'This is a trial machine: the host shows it and changes nothing', {
      remedy: 'Change the machine with its own tools',
    });
  };
  return { ...handlers, ...Object.fromEntries(CHANGES.map((name) => [name, readOnly])) };
}

export function degradedAnswer(brake: Brake): DegradedAnswer | undefined {
  const record = brake.degraded();
  if (record === undefined) return undefined;
  const { since, cause, detail } = record;
  const after = tryAfterMs(record);
  const retry = after === undefined ? {} : { retryAt: new Date(since + after).toISOString() };
  return { since: new Date(since).toISOString(), cause, detail, ...retry };
}

async function hostStatus(parts: HostParts): Promise<HostStatus> {
  const { record, clock, brake, sys, startedAt } = parts;
  const watchdog = await watchdogState({ record, clock, sys, crashes: recentCrashes(await brake.ends(), clock) });
  const ups = parts.ups.show();
  const degraded = degradedAnswer(brake);
  const time = await parts.time.show();
  const update = await parts.updates.show();
  const { accessReset } = record.current();
  const disk = await diskState(parts);
  return {
    version: parts.version,
    mode: parts.mode,
    hostname: hostname(),
    bootId: clock.bootId,
    startedAt,
    ...(parts.supportedUntil === undefined ? {} : { supportedUntil: parts.supportedUntil }),
    claimed: parts.claim.claimed(),
    ...(degraded === undefined ? {} : { degraded }),
    watchdog,
    ups,
    update: {
      phase: update.phase,
      ...(update.available === undefined ? {} : { available: update.available.version }),
    },
    clock: { synchronised: time.synchronised, timeZone: time.timeZone },
    disk,
    ...(accessReset === undefined
      ? {}
      : { accessReset: { id: accessReset.id, at: new Date(accessReset.at).toISOString() } }),
    alarms: hostAlarms({
      degraded,
      ups,
      watchdog,
      damage: record.damage,
      startedAt,
      more:
        parts.mode === 'appliance'
          ? [
              ...(await signatureTrouble(parts)),
              ...advisoryTrouble({ ...parts, synchronised: time.synchronised }),
              ...fallbackTrouble(update, clock.wall()),
              ...parts.dataWatch.trouble(),
              ...parts.time.trouble(),
              ...diskTrouble(disk, {
                since: Date.parse(startedAt),
                updateWaits: update.phase === 'waiting-for-reboot' && parts.diskKey.missed(),
              }),
            ]
          : [],
    }),
  };
}

function networkHandlers({
  network,
  time,
}: HostParts): Pick<
  HostHandlers,
  'network.show' | 'network.set' | 'network.confirm' | 'network.revert' | 'time.show' | 'time.set'
> {
  return {
    'network.show': () => network.show(),
    'network.set': ({ settings }) => network.set(settings),
    'network.confirm': async ({ id }) => {
      await network.confirm(id);
      return DONE;
    },
    'network.revert': async () => {
      await network.revert();
      return DONE;
    },
    'time.show': () => time.show(),
    'time.set': (wanted) => time.set(wanted),
  };
}

function machineHandlers(
  parts: HostParts,
): Pick<
  HostHandlers,
  | 'services.list'
  | 'services.restart'
  | 'logs.read'
  | 'power.reboot'
  | 'power.off'
  | 'degraded.end'
  | 'ups.show'
  | 'ups.set'
> {
  const { services, ups, record, brake, run } = parts;
  return {
    'services.list': async () => ({ services: await services.list() }),
    'services.restart': async ({ name }) => {
      await services.restart(name);
      if (name === 'nftables') await refillFilter(parts);
      return DONE;
    },
    'logs.read': async (request) => {
      const { lines, ...more } = await services.logs(request);
      return { ...more, lines: lines.map((line) => ({ ...line, message: sentenceOf(line.message) })) };
    },
    'power.reboot': async ({ otherSlot }) => {
      if (otherSlot === true) await parts.updates.chooseOther();
      services.reboot();
      return DONE;
    },
    'power.off': () => {
      services.powerOff();
      return DONE;
    },
    'degraded.end': async () => {
      await brake.release('operator');
      await run('systemctl', ['restart', GATEWAY_UNIT], { deadlineMs: 50_000 });
      return DONE;
    },
    'ups.show': () => {
      const { password: _kept, ...settings } = record.current().ups;
      return { ...ups.show(), settings };
    },
    'ups.set': async (settings) => {
      const { mode, host, name, user, password } = settings;
      if (mode === 'network' && host === undefined)
        throw new SekishoError('INVALID_REQUEST', 'A UPS on the network needs the name of its server');
      if ((user === undefined) !== (password === undefined))
        throw new SekishoError('INVALID_REQUEST', 'A login at the server of a UPS is a user and a password');
      if (user !== undefined && (mode !== 'network' || name === undefined))
        throw new SekishoError('INVALID_REQUEST', 'A login needs a UPS on the network and the name it has there');
      await record.change((state) => ({ ...state, ups: settings }));
      await parts.upsUnits.apply();
      await ups.look();
      return DONE;
    },
  };
}

function claimHandlers(
  parts: HostParts,
): Pick<
  HostHandlers,
  'setup-code.show' | 'setup-code.renew' | 'setup-code.check' | 'claim.done' | 'access.reset' | 'access.reset-done'
> {
  const { claim } = parts;
  return {
    'setup-code.show': () => claim.show(),
    'setup-code.renew': () => claim.renew(),
    'setup-code.check': ({ code }) => claim.check(code),
    'claim.done': async () => {
      await claim.done();
      if (parts.mode !== 'appliance') return DONE;
      void parts.ownerMark.look(); // the claim stands: nobody waits for the boot partition
      await applyListeners(parts);
      return DONE;
    },
    'access.reset': () => claim.resetAccess(),
    'access.reset-done': async ({ id }) => {
      await claim.resetDone(id);
      return DONE;
    },
  };
}

function helpHandlers(
  parts: HostParts,
): Pick<
  HostHandlers,
  | 'diagnostics.run'
  | 'bundle.preview'
  | 'bundle.create'
  | 'bundle.read'
  | 'usb.list'
  | 'update.show'
  | 'update.check'
  | 'update.install'
  | 'update.set'
> {
  const { bundles, updates, usb, diagnostics } = parts;
  return {
    'diagnostics.run': (request) => diagnostics.run(request),
    'bundle.preview': async () => ({ files: await bundles.preview() }),
    'bundle.create': ({ passphrase, usb: device }) => bundles.create(passphrase, device),
    'bundle.read': ({ id, offset }) => bundles.read(id, offset),
    'usb.list': async () => ({ sticks: await usb.list() }),
    'update.show': () => updates.show(),
    'update.check': async () => {
      await updates.check();
      return updates.show();
    },
    'update.install': async (request) => {
      await updates.install(request);
      return DONE;
    },
    'update.set': async (wanted) => {
      await parts.record.change((state) => ({
        ...state,
        update: {
          source: wanted.source ?? state.update.source,
          automatic: wanted.automatic ?? state.update.automatic,
          window: wanted.window ?? state.update.window,
          trialMs: wanted.trialMs ?? state.update.trialMs,
        },
      }));
      return DONE;
    },
  };
}

function jobHandlers({ jobs }: { jobs: HostJobs }): Pick<HostHandlers, 'jobs.list' | 'jobs.run'> {
  return {
    'jobs.list': () => ({ jobs: jobs.list() }),
    'jobs.run': async ({ name }) => {
      const known = (): ReturnType<HostJobs['list']>[number] => {
        const found = jobs.list().find((job) => job.name === name);
        if (found === undefined) throw new SekishoError('NOT_FOUND', `There is no job "${name}"`);
        return found;
      };
      known();
      // an update may be downloaded: that it runs is answer enough
      const begun = Promise.withResolvers<void>();
      const timer = setTimeout(() => begun.resolve(), JOB_ANSWER_MS);
      await Promise.race([jobs.runNow(name), begun.promise]).finally(() => clearTimeout(timer));
      return known();
    },
  };
}

function mailHandlers(
  parts: HostParts,
): Pick<HostHandlers, 'listeners.apply' | 'power.state' | 'challenge.open' | 'challenge.close'> {
  const challenge = async (open: boolean): Promise<typeof DONE> => {
    const result = await parts.run('nft', ['-f', '-'], { input: challengeSets(open) });
    if (result.code === 0) return DONE;
    throw new SekishoError('NFT', `The packet filter did not take it: ${describeResult(result)}`);
  };
  return {
    'challenge.open': () => challenge(true),
    'challenge.close': () => challenge(false),
    'listeners.apply': async ({ listeners, portal, antivirus }) => {
      const { record } = parts;
      await applyAntivirus(parts, antivirus);
      const before = JSON.stringify(record.current().listeners);
      if (JSON.stringify(listeners) !== before || portal !== record.current().portal)
        await record.change((state) => ({ ...state, listeners, portal }));
      await applyPortal(parts);
      if (!parts.claim.claimed()) return { open: false, restart: false };
      // After the answer: taking the new sockets restarts the gateway that asks.
      const restart = JSON.stringify(listeners) !== before;
      if (restart) setTimeout(() => void applyListeners(parts), 200).unref();
      return { open: true, restart };
    },
    'power.state': () => {
      const { power, since, status } = parts.ups.show();
      return { power, ...(since === undefined ? {} : { since }), ...(status === undefined ? {} : { detail: status }) };
    },
  };
}
