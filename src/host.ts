#!/usr/bin/env node
/**
 * The host process: the machine's side of the box. Root on the box and small; no mail code. Composition only.
 *
 *   node src/host.ts --mode appliance|trial --data DIR --run DIR
 *     --gateway-ended: an end of the gateway was written down (ExecStopPost): decides about the brake, then exits
 *     --open-bundle FILE: prints a support bundle; the passphrase comes on stdin
 *     --clamav, --clamav-run, --ham, --starter, --clamd-socket, --proof-socket, --memory-mib: the same for signatures
 *     --units, --networkd, --links, --unbound, --chrony, --sys, --inbox, --nut, --nut-rules, --maps, --rspamd-socket, --sbom,
 *     --setup-code, --update-roots, --disk-run, --disk-wish, --disk-restarted, --disk-owner, --mounts,
 *     --disk-program, --wipe (several): other places than the box's
 *
 * One socket a caller in --run: admin.sock, console.sock, gateway.sock. Exit: 0 clean stop · 64 usage · 70 a bug · 75 trouble.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { systemClock } from './base/clock.ts';
import { describeError } from './base/errors.ts';
import { createServiceNotifier } from './base/service-notify.ts';
import { sourceStack } from './base/source-stack.ts';
import { HOST_CALLERS, HOST_VERBS, type HostCaller } from './control/host-contract.ts';
import { createServerOf } from './control/server.ts';
import { assembleHost, type HostPlaces } from './host/assemble.ts';
import { createBanner } from './host/banner.ts';
import { noteBoot, noteCleanStop } from './host/boots.ts';
import { createBrake, RESETS, tryAfterMs } from './host/brake.ts';
import { openBundle } from './host/bundle.ts';
import { createCommandRunner } from './host/command.ts';
import { restartedIn } from './host/data-watch.ts';
import { carryOutFactoryReset, isFactoryResetWished } from './host/factory-reset.ts';
import { applyListeners } from './host/doors.ts';
import { groupId } from './host/groups.ts';
import { createHostHandlers, type HostParts } from './host/handlers.ts';
import { GATEWAY_UNIT } from './host/listeners.ts';
import { forgetOwner } from './host/owner-mark.ts';
import { createSetupStick } from './host/setup-stick.ts';
import { checkAdvisories } from './jobs/check-advisories.ts';
import { checkUpdate } from './jobs/check-update.ts';
import { updateMaps } from './jobs/update-maps.ts';
import { updateSignatures } from './jobs/update-signatures.ts';
import { startJobs } from './jobs/scheduler.ts';
import { createLog } from './observe/log.ts';

const USAGE = 'Usage: host --mode appliance|trial --data DIR --run DIR [--gateway-ended] | --open-bundle FILE';
const PING_MS = 5_000;
const LOOK_MS = 10_000;
/** From one sign of life to the next, while everything is wiped. */
const WIPE_MS = 180_000;
/** After the start: the network may need its time. */
const CATCH_UP_MS = 300_000;
const GROUPS: Readonly<Record<HostCaller, string>> = {
  admin: 'sekisho-admin',
  console: 'sekisho-console',
  gateway: 'sekisho',
};

interface Arguments {
  mode: 'appliance' | 'trial';
  places: HostPlaces;
  wipe: string[] | undefined;
  gatewayEnded: boolean;
}

async function main({ mode, places, wipe }: Arguments): Promise<void> {
  const clock = systemClock();
  const stack = new AsyncDisposableStack();
  const log = createLog({ level: 'info', journald: mode === 'appliance', name: 'host' });
  const end = (code: number): void => void log.flush(1_000).finally(() => process.exit(code));
  process.on('uncaughtException', (error) => {
    log.write('error', 'Host ends because of a bug', { error: describeError(error), stack: sourceStack(error) });
    end(70);
  });
  const appliance = mode === 'appliance';
  const notify = createServiceNotifier({
    socket: process.env['NOTIFY_SOCKET'],
    onTrouble: (detail) => log.write('warn', 'The service manager cannot be told', { detail }),
  });
  stack.defer(() => notify.close());

  // 1 · a factory reset comes before anything is read
  if (appliance && isFactoryResetWished(places.data)) {
    log.write('warn', 'Factory reset: everything is wiped');
    const folders = wipe ?? (await ownFolders(places.data));
    // a hundred thousand mails take longer than a start may; ended half-way the gateway would begin among them
    notify.extend(WIPE_MS);
    const longer = setInterval(() => notify.extend(WIPE_MS), PING_MS);
    await carryOutFactoryReset({
      data: places.data,
      folders,
      run: createCommandRunner(places.path),
      // a boot partition that cannot be written must not wipe the box at each start; an unclaimed record outweighs the mark
      forgetOwner: () =>
        forgetOwner(places.disk.owner).catch((error: unknown) => {
          log.write('error', 'The boot partition still says that this box has an owner', {
            error: describeError(error),
          });
        }),
    });
    clearInterval(longer);
  }

  // 2 · the parts
  await mkdir(places.run, { recursive: true, mode: 0o755 });
  const parts = await assembleHost({
    mode,
    version: versionOf(),
    places,
    clock,
    log: (level, message, facts) => log.write(level, message, facts),
    root: process.getuid?.() === 0,
  });
  const resets = await noteBoot({
    record: parts.record,
    clock,
    sys: places.sys,
    panic: appliance ? path.join(places.data, 'last-panic.txt') : undefined,
    diskFailedIn: appliance ? await restartedIn(places.disk.restarted) : undefined,
  }).catch((error: unknown) => {
    // a full disk: ports, pages and console come first
    log.write('error', 'This start was not written down', { error: describeError(error) });
    return 0;
  });
  if (appliance) await settleMachine(parts, resets);
  if (appliance) await parts.advisories.restore();
  parts.ups.start();
  stack.defer(() => parts.ups.stop());
  if (appliance) parts.upsUnits.start();
  stack.defer(() => parts.upsUnits.stop());
  stack.defer(() => parts.network.stop());

  const work = [
    checkUpdate({ run: () => parts.updates.daily(), random: Math.random }),
    checkAdvisories({ run: (signal) => parts.advisories.check(signal), random: Math.random }),
    updateMaps({ run: (signal) => parts.maps.update(signal), random: Math.random }),
    updateSignatures({ run: (signal) => parts.signatures.update(signal), random: Math.random }),
  ];
  const jobs = startJobs(appliance ? work : [], {
    timeZone: () => parts.record.current().timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    catchUpMs: CATCH_UP_MS,
    record: path.join(places.data, 'jobs.json'),
    now: () => clock.wall(),
    onTrouble: (job, detail) => log.write('warn', 'Job failed', { job, detail }),
  });
  stack.defer(() => jobs.stop());

  // 3 · control
  const handlers = createHostHandlers({ ...parts, jobs });
  for (const caller of HOST_CALLERS) {
    const group = appliance ? groupId(GROUPS[caller]) : undefined;
    stack.use(
      await createServerOf(HOST_VERBS, {
        socket: path.join(places.run, `${caller}.sock`),
        caller,
        handlers,
        owner: 'host',
        observe: { log: (level, message, facts) => log.write(level, message, facts) },
        ...(group === undefined ? {} : { mode: 0o660, group }),
      }),
    );
  }

  const banner = createBanner({
    ...parts,
    folder: places.run,
    recoveryWaits: () => existsSync(path.join(places.disk.run, 'recovery-key')),
    group: appliance ? groupId(GROUPS.console) : undefined,
  });
  if (appliance) banner.start();
  stack.defer(() => banner.stop());

  // 4 · watched by systemd; watching the trial of an update and the brake
  const degradedSince = new Map<number, number>();
  const setupStick = createSetupStick(parts);
  // from here on: on a starved machine the first look comes before READY
  const timers = [setInterval(() => notify.watchdog(), PING_MS), setInterval(look, LOOK_MS)];
  stack.defer(() => timers.forEach((timer) => clearInterval(timer)));
  // before READY: the gateway waits for it, and starts with its sockets in place
  if (appliance) await applyListeners(parts);
  if (appliance) await banner.write();
  notify.ready();
  if (appliance) void parts.ownerMark.look();

  const stop = (): void => {
    noteCleanStop(parts.record, clock.bootId)
      .then(() => stack.disposeAsync())
      .then(
        () => end(0),
        () => end(75),
      );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  log.write('info', 'Host is ready', { mode, claimed: parts.claim.claimed() });

  /** Where the program of ExecStopPost did not come to it: it may run in full although it crashed too often. */
  async function judgeLate(): Promise<void> {
    if (!(await parts.brake.judge())) return;
    log.write('error', 'Too many crashes: the gateway is degraded from now on');
    await parts.run('systemctl', ['restart', GATEWAY_UNIT], { deadlineMs: 60_000 });
  }
  function look(): void {
    if (!appliance) return;
    setupStick.look().catch((error: unknown) => {
      log.write('warn', 'USB sticks cannot be looked at', { error: describeError(error) });
    });
    void parts.ownerMark.look();
    parts.dataWatch.look().catch((error: unknown) => {
      log.write('warn', 'The data partition cannot be watched', { error: describeError(error) });
    });
    parts.officeTime.look().catch((error: unknown) => {
      log.write('warn', 'The time servers of the office were not taken over', { error: describeError(error) });
    });
    parts.updates.watchTrial().catch((error: unknown) => {
      log.write('warn', 'The trial of the update cannot be watched', { error: describeError(error) });
    });
    parts.updates.watchWindow().catch((error: unknown) => {
      log.write('warn', 'The restart for the update cannot be decided', { error: describeError(error) });
    });
    parts.signatures.look().catch((error: unknown) => {
      log.write('warn', 'Signatures were not changed', { error: describeError(error) });
    });
    const degraded = parts.brake.degraded();
    if (degraded === undefined) {
      judgeLate().catch((error: unknown) =>
        log.write('error', 'The brake was not judged', { error: describeError(error) }),
      );
      return;
    }
    const tryAfter = tryAfterMs(degraded);
    if (tryAfter === undefined) return;
    const seen = degradedSince.get(degraded.since) ?? clock.monotonic();
    degradedSince.set(degraded.since, seen);
    if (clock.monotonic() - seen < tryAfter) return;
    log.write('warn', 'The gateway is tried again in full');
    parts.brake
      .release('try')
      .then(() => parts.run('systemctl', ['restart', GATEWAY_UNIT], { deadlineMs: 60_000 }))
      .catch((error: unknown) => log.write('error', 'The brake was not released', { error: describeError(error) }));
  }
}

/** The machine as it was confirmed, before anybody else starts. A full or broken disk is told, and must not stop the host. */
async function settleMachine(parts: HostParts, resets: number): Promise<void> {
  const settle = (what: string, work: () => Promise<void>): Promise<void> =>
    work().catch((error: unknown) => parts.log('error', what, { error: describeError(error) }));
  await settle('The brake is not as it was', async () => {
    await parts.brake.restore();
    if (resets >= RESETS.count && parts.brake.degraded() === undefined)
      await parts.brake.engage('watchdog-resets', `The machine hung or crashed ${resets} times within an hour`);
  });
  await settle('The network is not as it was confirmed', () => parts.network.restore());
  await settle('Signatures were not made ready', () => parts.signatures.prepare());
}

/** All of ours beside the host's own data folder, `/var/lib/sekisho*`, and the spam filter's history of who wrote. */
async function ownFolders(data: string): Promise<string[]> {
  const parent = path.dirname(data);
  const names = await readdir(parent);
  const ours = (name: string): boolean => name.startsWith('sekisho') || name === 'rspamd';
  return names.filter(ours).map((name) => path.join(parent, name));
}

async function gatewayEnded({ places }: Arguments): Promise<void> {
  const brake = createBrake({ folder: places.data, runFile: path.join(places.run, 'degraded'), clock: systemClock() });
  const engaged = await brake.judge();
  if (engaged) process.stderr.write('Too many crashes: the gateway is degraded from now on\n');
}

function versionOf(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function readArguments(): Arguments | { bundle: string } | undefined {
  const place = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      options: {
        mode: place,
        data: place,
        run: place,
        units: place,
        networkd: place,
        links: place,
        unbound: place,
        chrony: place,
        sys: place,
        inbox: place,
        'ups-port': place,
        nut: place,
        'nut-rules': place,
        gateway: place,
        clamav: place,
        'clamav-run': place,
        ham: place,
        starter: place,
        'clamd-socket': place,
        'proof-socket': place,
        'memory-mib': place,
        sbom: place,
        'setup-code': place,
        'disk-run': place,
        'disk-wish': place,
        'disk-restarted': place,
        'disk-owner': place,
        mounts: place,
        'disk-program': place,
        maps: place,
        'rspamd-socket': place,
        'update-roots': place,
        wipe: { type: 'string', multiple: true },
        'gateway-ended': { type: 'boolean', default: false },
        'open-bundle': place,
      },
    });
    if (values['open-bundle'] !== undefined) return { bundle: values['open-bundle'] };
    const { mode, data, run } = values;
    if ((mode !== 'appliance' && mode !== 'trial') || data === undefined || run === undefined) return undefined;
    return {
      mode,
      wipe: values.wipe,
      gatewayEnded: values['gateway-ended'],
      places: {
        data: path.resolve(data),
        run: path.resolve(run),
        units: values.units ?? '/run/systemd/system',
        networkd: values.networkd ?? '/run/systemd/network',
        links: values.links ?? '/run/systemd/netif/links',
        unbound: values.unbound ?? '/run/sekisho-unbound',
        chrony: values.chrony ?? '/run/sekisho-ntp',
        sys: values.sys ?? '/sys',
        inbox: values.inbox ?? '/var/lib/sekisho-admin/inbox',
        gateway: values.gateway ?? '/var/lib/sekisho/run/control.sock',
        nut: values.nut ?? '/run/sekisho-nut',
        nutRules: values['nut-rules'] ?? '/usr/lib/udev/rules.d/62-nut-usbups.rules',
        path: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        signatures: {
          root: values.clamav ?? '/var/lib/clamav',
          run: values['clamav-run'] ?? '/run/sekisho-clamav',
          ham: values.ham ?? '/usr/share/sekisho/ham',
          starter: values.starter ?? '/usr/share/sekisho/starter.ndb',
          clamd: values['clamd-socket'] ?? '/run/sekisho-engines/clamd/clamd.sock',
          proof: values['proof-socket'] ?? '/run/sekisho-proof/clamd.sock',
          inbox: values.inbox ?? '/var/lib/sekisho-admin/inbox',
        },
        maps: values.maps ?? '/var/lib/sekisho-maps',
        rspamd: values['rspamd-socket'] ?? '/run/sekisho-engines/rspamd/rspamd.sock',
        setupCode: values['setup-code'] ?? '/efi/sekisho/setup-code',
        disk: {
          run: values['disk-run'] ?? '/run/sekisho-disk',
          wish: values['disk-wish'] ?? '/efi/sekisho/erase',
          restarted: values['disk-restarted'] ?? '/efi/sekisho/disk-restart',
          owner: values['disk-owner'] ?? '/efi/sekisho/owner',
          mounts: values.mounts ?? '/proc/self/mountinfo',
          program: values['disk-program'] ?? '/usr/libexec/sekisho/data-disk',
        },
        sbom: values.sbom ?? '/usr/share/sekisho/sbom.cdx.json',
        updateRoots: values['update-roots'] ?? '/usr/share/sekisho/update-roots.pem',
        ...(values['memory-mib'] === undefined ? {} : { memoryOctets: Number(values['memory-mib']) * 1_048_576 }),
        ...(values['ups-port'] === undefined ? {} : { upsPort: Number(values['ups-port']) }),
      },
    };
  } catch {
    return undefined;
  }
}

async function printBundle(file: string): Promise<void> {
  if (!existsSync(file)) throw new Error(`There is no file "${file}"`);
  const passphrase = (await text(process.stdin)).replace(/\r?\n$/, '');
  for (const one of await openBundle(await readFile(file), passphrase))
    process.stdout.write(`==> ${one.name}\n${one.text}\n`);
}

const given = readArguments();
if (given === undefined) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(64);
}
const work = 'bundle' in given ? printBundle(given.bundle) : given.gatewayEnded ? gatewayEnded(given) : main(given);
work.catch((error: unknown) => {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(75);
});
