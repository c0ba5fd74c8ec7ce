/**
 * Runs NUT where there is a UPS, and only there: writes its files into a folder of /run and starts our three units for it.
 * What is plugged in is read from sysfs every few seconds. A UPS that was found and is pulled out stays configured: on battery
 * that must end in a power-off, not in silence. After a start without a UPS nothing is written and no unit is touched.
 */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import { describeResult, type RunCommand } from './command.ts';
import { findUps, NUT_UNITS, type NutPlan, planNut, readOwnPassword, readUpsModels, type UsbIds } from './nut-files.ts';
import type { UpsSettings } from './record.ts';

const LOOK_MS = 15_000;
const FILES = ['ups.conf', 'upsd.conf', 'upsd.users', 'upsmon.conf'] as const;
/** Drivers try three times, five seconds each. */
const START_MS = 60_000;

export interface UpsUnits {
  /** After a change of the settings: NUT as they say, or none. Throws when that cannot be done. */
  apply(): Promise<void>;
  /** Something was plugged in? */
  look(): Promise<void>;
  start(): void;
  stop(): void;
}

export function createUpsUnits(options: {
  settings: () => UpsSettings;
  run: RunCommand;
  /** NUT's configuration, and its state below it. */
  folder: string;
  sys: string;
  /** NUT's udev rules. */
  rules: string;
  /** The group NUT's programs run as. */
  group: number | undefined;
  log: (level: 'info' | 'warn', message: string, facts: Record<string, unknown>) => void;
}): UpsUnits {
  const { run, folder, group, log } = options;
  let seen: string | undefined;
  let failed = false;
  let last: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const present = (name: string): Promise<string> => readFile(path.join(folder, name), 'utf8').catch(() => '');

  async function plan(plugged: readonly UsbIds[]): Promise<NutPlan | undefined> {
    const rules = await readFile(options.rules, 'utf8').catch(() => '');
    const usb = findUps(plugged, readUpsModels(rules));
    const password = readOwnPassword(await present('upsd.users')) ?? randomBytes(16).toString('hex');
    return planNut(options.settings(), { usb, password, folder });
  }

  async function carryOut(wanted: NutPlan): Promise<void> {
    const before = await Promise.all(FILES.map((name) => present(name)));
    if (!failed && FILES.every((name, index) => before[index] === (wanted.files[name] ?? ''))) return;
    failed = true;
    await prepareFolders();
    for (const name of FILES) {
      const text = wanted.files[name];
      if (text === undefined) await rm(path.join(folder, name), { force: true });
      else await write(path.join(folder, name), text);
    }
    const resting = NUT_UNITS.filter((unit) => !wanted.units.includes(unit));
    if (resting.length > 0) await systemctl('stop', ...resting);
    await systemctl('restart', ...wanted.units);
    failed = false;
    log('info', 'NUT watches a UPS', { units: wanted.units.length, driver: driverOf(wanted) });
  }

  /** Nothing was written: nothing runs. */
  async function end(): Promise<void> {
    const names = await readdir(folder).catch(() => []);
    if (!names.some((name) => FILES.some((one) => one === name))) return;
    await systemctl('stop', ...NUT_UNITS.toReversed());
    for (const name of FILES) await rm(path.join(folder, name), { force: true });
    log('info', 'NUT has no UPS to watch and rests', {});
  }

  async function prepareFolders(): Promise<void> {
    const state = path.join(folder, 'state');
    await mkdir(state, { recursive: true });
    for (const [name, mode] of [
      [folder, 0o750],
      [state, 0o770],
    ] as const) {
      await chmod(name, mode);
      if (group !== undefined) await chown(name, 0, group);
    }
  }

  /** Root's alone until NUT's group gets it: nobody else ever reads the password. */
  async function write(file: string, text: string): Promise<void> {
    await writeFileAtomic(file, text, { mode: 0o640 });
    if (group !== undefined) await chown(file, 0, group);
  }

  async function systemctl(...args: string[]): Promise<void> {
    const result = await run('systemctl', args, { deadlineMs: START_MS });
    if (result.code !== 0)
      throw new SekishoError('SYSTEMD', `"systemctl ${args.join(' ')}" failed: ${describeResult(result)}`, {
        remedy: 'Look at the log of the UPS',
      });
  }

  /** One after the other: two changes at once would mix their files. */
  function next(work: () => Promise<void>): Promise<void> {
    const before = last;
    const done = (async () => {
      await before;
      await work();
    })();
    last = done.catch(() => undefined); // told to who asked
    return done;
  }

  async function applyNow(): Promise<void> {
    const plugged = await pluggedUsb(options.sys);
    seen = keyOf(plugged);
    const wanted = await plan(plugged);
    await (wanted === undefined ? end() : carryOut(wanted));
  }

  async function lookNow(): Promise<void> {
    const plugged = await pluggedUsb(options.sys);
    if (keyOf(plugged) === seen) return;
    seen = keyOf(plugged);
    const wanted = await plan(plugged);
    if (wanted !== undefined) await carryOut(wanted);
  }

  const look = (): Promise<void> =>
    next(lookNow).catch((error: unknown) => {
      log('warn', 'The UPS cannot be watched', { error: describeError(error) });
    });
  return {
    apply: () => next(applyNow),
    look,
    start: () => {
      timer = setInterval(() => void look(), LOOK_MS).unref();
      void look();
    },
    stop: () => clearInterval(timer),
  };
}

const keyOf = (plugged: readonly UsbIds[]): string =>
  plugged.map(({ vendor, product }) => `${vendor}:${product}`).join(' ');

function driverOf({ files }: NutPlan): string {
  return /driver = "([^"]+)"/.exec(files['ups.conf'] ?? '')?.[1] ?? 'a server on the network';
}

/** Every USB device, hubs too, in the order of their places. */
async function pluggedUsb(sys: string): Promise<UsbIds[]> {
  const folder = path.join(sys, 'bus/usb/devices');
  const names = await readdir(folder).catch(() => []);
  const found: UsbIds[] = [];
  for (const name of names.toSorted((one, other) => (one < other ? -1 : 1))) {
    const read = async (file: string): Promise<string> =>
      (await readFile(path.join(folder, name, file), 'utf8').catch(() => '')).trim().toLowerCase();
    const [vendor, product] = [await read('idVendor'), await read('idProduct')];
    if (/^[0-9a-f]{4}$/.test(vendor) && /^[0-9a-f]{4}$/.test(product)) found.push({ vendor, product });
  }
  return found;
}
