/** Puts the host's parts together: which folder each lives in, and what each may ask of the others. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { HostStatus } from '../control/host-shapes.ts';
import { createAdvisoryWatch } from './advisory-watch.ts';
import { createBrake } from './brake.ts';
import { createBundles } from './bundle.ts';
import { createClaim } from './claim.ts';
import { createCommandRunner } from './command.ts';
import { createDataWatch } from './data-watch.ts';
import { createDiagnostics } from './diagnostics.ts';
import type { DiskPlaces } from './disk-handlers.ts';
import { createDiskKeyWatch } from './disk-key.ts';
import { createFacts } from './facts.ts';
import { groupId, userIds } from './groups.ts';
import type { HostParts } from './handlers.ts';
import { readLinks } from './links.ts';
import { createListeners } from './listeners.ts';
import { createNetwork } from './network.ts';
import { createOfficeTime } from './office-time.ts';
import { createOwnGateway } from './own-gateway.ts';
import { createOwnerMark } from './owner-mark.ts';
import { createPortalUnit } from './portal-unit.ts';
import { createRauc } from './rauc.ts';
import { openRecord } from './record.ts';
import { createServices } from './services.ts';
import { createSignatures, type SignaturePlaces } from './signatures.ts';
import { createMachineTime } from './time.ts';
import { trialChecks } from './trial-checks.ts';
import { createSpamMaps } from './spam-maps.ts';
import { createUpdates, type TrialCheck } from './update.ts';
import { createUps } from './ups.ts';
import { createUpsUnits } from './ups-units.ts';
import { createUsbSticks } from './usb.ts';

export interface HostPlaces {
  data: string;
  run: string;
  /** systemd's and networkd's run-time units; unbound's and chrony's pieces; sysfs; where uploads are laid. */
  units: string;
  networkd: string;
  /** What networkd knows of each link. */
  links: string;
  unbound: string;
  chrony: string;
  sys: string;
  inbox: string;
  /** Where programs are looked for. */
  path: string;
  upsPort?: number;
  /** Instead of what the machine has: for tests. */
  memoryOctets?: number;
  /** NUT's folder of the running system, and its udev rules. */
  nut: string;
  nutRules: string;
  /** The gateway's control socket. */
  gateway: string;
  signatures: SignaturePlaces;
  /** The parts list of this system; the roots its updates are believed by. */
  sbom: string;
  /** A setup code of the installer's own, on the boot partition. */
  setupCode: string;
  /** The spam filter's lists and its socket. */
  maps: string;
  rspamd: string;
  updateRoots: string;
  /** The encrypted data partition: what its early step left, how a wish reaches it. */
  disk: DiskPlaces;
}

/** On trial the checks run every few seconds; a probe mail each minute is enough. */
const PROBE_EVERY_MS = 60_000;

export type HostLog = (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void;

export async function assembleHost(options: {
  mode: HostStatus['mode'];
  version: string;
  places: HostPlaces;
  clock: Clock;
  log: HostLog;
  root: boolean;
}): Promise<HostParts> {
  const { mode, version, places, clock, log, root } = options;
  const { data, run: runFolder, sys } = places;
  const run = createCommandRunner(places.path);
  const record = openRecord(data);
  const services = createServices(run, (message, facts) => log('warn', message, facts));
  const usb = createUsbSticks({ run, sys, runFolder });
  const brake = createBrake({ folder: data, runFile: path.join(runFolder, 'degraded'), clock });
  const network = createNetwork({
    record,
    clock,
    run,
    log,
    networkd: places.networkd,
    unbound: places.unbound,
    chrony: places.chrony,
    links: () => readLinks(path.join(sys, 'class/net')),
  });
  const time = createMachineTime({ record, run, clock, folder: data });
  const facts = createFacts({ run, clock, sys, root });
  const claim = await createClaim({ record, clock, laid: places.setupCode });
  const ups = createUps({
    settings: () => record.current().ups,
    clock,
    powerOff: () => {
      if (mode === 'appliance') services.powerOff();
    },
    log,
    ...(places.upsPort === undefined ? {} : { port: places.upsPort }),
  });
  const upsUnits = createUpsUnits({
    settings: () => record.current().ups,
    run,
    folder: places.nut,
    sys,
    rules: places.nutRules,
    group: root ? groupId('nut') : undefined,
    log,
  });
  const ownGateway = createOwnGateway(places.gateway);
  const paced = onceIn(PROBE_EVERY_MS, { clock, work: () => ownGateway.probe() });
  const diskKey = createDiskKeyWatch({ state: path.join(places.disk.run, 'state'), usb, clock });
  const updates = createUpdates({
    rauc: createRauc(run),
    record,
    clock,
    version,
    folder: path.join(data, 'update'),
    inbox: places.inbox,
    usb,
    possible: mode === 'appliance',
    bootedSlot: () => /(?:^|\s)rauc\.slot=(\w+)/.exec(readFileSync('/proc/cmdline', 'utf8'))?.[1],
    checks: (onTrial) =>
      trialChecks({
        services: () => services.list(),
        mx: claim.claimed() ? record.current().listeners.find(({ name }) => name === 'mx') : undefined,
        degraded: brake.degraded() !== undefined,
        antivirus: record.current().signatures.local,
        probe: onTrial ? () => paced() : undefined,
      }),
    quiet: () => ownGateway.quiet(),
    mayRestart: () => diskKey.atHand(),
    timeZone: () => record.current().timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    reboot: () => services.reboot(),
    log,
  });
  const clamav = root ? userIds('clamav') : undefined;
  const signatures = createSignatures({
    record,
    clock,
    run,
    places: places.signatures,
    totalOctets: places.memoryOctets ?? totalmem(),
    timeZone: () => record.current().timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    usedOctets: async () => (await services.list()).find(({ name }) => name === 'clamd')?.memoryOctets,
    hold: (ms) => ownGateway.holdAntivirus(ms),
    clamav,
    log,
  });
  const bundles = createBundles({
    sources: {
      versions: () => Promise.resolve({ version, mode, bootId: clock.bootId }),
      facts: async () => ({ ...(await facts()), serial: undefined }),
      services: () => services.list(),
      network: async () => ({ ...(await network.show()), pending: undefined }),
      time: () => time.show(),
      ups: () => Promise.resolve(ups.show()),
      update: async () => ({ ...(await updates.show()), settings: undefined, available: undefined }),
      boots: () => Promise.resolve(record.current().boots),
      crashes: () => brake.ends(),
      signatures: async () => ({ ...(await signatures.show()), settings: undefined }),
    },
    logs: async () => (await services.logs({ lines: 2_000 })).lines,
    folder: path.join(runFolder, 'bundles'),
    clock,
    usb,
  });
  return {
    mode,
    version,
    data,
    sys,
    startedAt: new Date(clock.wall()).toISOString(),
    supportedUntil: supportEnd(mode),
    record,
    clock,
    run,
    claim,
    brake,
    network,
    listeners: createListeners({ folder: places.units, run, log: (message, given) => log('warn', message, given) }),
    portal: createPortalUnit({ run, log }),
    services,
    time,
    officeTime: createOfficeTime({ record, run, links: places.links, chrony: places.chrony }),
    facts,
    diagnostics: createDiagnostics({
      run,
      services,
      dataFolder: data,
      clock: async () => await time.show(),
      resolver: '127.0.0.1',
    }),
    ups,
    upsUnits,
    updates,
    bundles,
    usb,
    disk: places.disk,
    diskKey,
    ownerMark: createOwnerMark({
      file: places.disk.owner,
      clock,
      claimed: () => claim.claimed() && brake.degraded()?.cause !== 'no-data',
      log,
    }),
    dataWatch: createDataWatch({
      clock,
      data,
      mounts: places.disk.mounts,
      note: places.disk.restarted,
      mayRestart: () => diskKey.atHand(),
      reboot: () => services.reboot(),
      log,
    }),
    signatures,
    maps: createSpamMaps({
      record,
      clock,
      folder: places.maps,
      socket: places.rspamd,
      reload: () => services.reloadSpamFilter(),
      log,
    }),
    advisories: createAdvisoryWatch({
      record,
      clock,
      run,
      folder: path.join(data, 'advisories'),
      sbom: places.sbom,
      roots: places.updateRoots,
      possible: mode === 'appliance',
      log,
    }),
    log,
  };
}

/** SUPPORT_END of os-release(5), as the image was built; another system's says nothing about ours. */
function supportEnd(mode: HostStatus['mode']): string | undefined {
  if (mode !== 'appliance') return undefined;
  try {
    return /^SUPPORT_END=(\d{4}-\d\d-\d\d)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/** What `work` answered, for that long; a failure is asked again at once. */
function onceIn(
  ms: number,
  { clock, work }: { clock: Clock; work: () => Promise<TrialCheck> },
): () => Promise<TrialCheck> {
  let kept: { at: number; answer: TrialCheck } | undefined;
  return async () => {
    if (kept?.answer.ok === true && clock.monotonic() - kept.at < ms) return kept.answer;
    kept = { at: clock.monotonic(), answer: await work() };
    return kept.answer;
  };
}
