/**
 * A flash error makes the kernel turn the data partition read-only (errors=remount-ro): the gateway then answers 4xx until somebody
 * starts the box again, whose file system check mends what can be mended. Nobody may come for weeks, so the host does that itself.
 * At most one such restart in a day of running: its note lies on the boot partition, because it has to survive the partition it is
 * about, and is taken away after a day in which all was well. No wall clock has a say: it may be wrong before and after. Where no
 * note can be written the same bound is kept by waiting until the machine has run for a day.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode } from '../base/errors.ts';

/** Time for the page and those who watch it to see why. */
export const BEFORE_RESTART_MS = 120_000;
export const ONE_RESTART_IN_MS = 86_400_000;
/** A machine that is still up then did not go down. */
const GOES_DOWN_MS = 1_800_000;
/** A disk that is gone does not answer at all. */
const NOTE_MS = 20_000;

export interface DataTrouble {
  name: 'data-read-only';
  detail: string;
  since: number;
}

export interface DataWatch {
  /** Every few seconds. */
  look(): Promise<void>;
  trouble(): DataTrouble[];
}

export function createDataWatch(options: {
  clock: Clock;
  data: string;
  /** mountinfo of proc(5). */
  mounts: string;
  note: string;
  /** The box would come back by itself. */
  mayRestart: () => Promise<boolean>;
  reboot: () => void;
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void;
}): DataWatch {
  const { clock, data, mounts, note, log } = options;
  let seen: { device: string; wall: number; mono: number } | undefined;
  let forgiven = false;
  let wentAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;

  async function once(): Promise<void> {
    const device = readOnlyDevice(await readFile(mounts, 'utf8'), data);
    if (device === undefined) {
      seen = undefined;
      if (!forgiven && clock.monotonic() >= ONE_RESTART_IN_MS) {
        await noteOn('is taken away', () => rm(note, { force: true }));
        forgiven = true;
      }
      return;
    }
    if (seen === undefined) log('error', 'The data partition became read-only: its disk has failed', { device });
    seen ??= { device, wall: clock.wall(), mono: clock.monotonic() };
    const now = clock.monotonic();
    if (now - seen.mono < BEFORE_RESTART_MS || now - wentAt < GOES_DOWN_MS) return;
    if (!(await options.mayRestart())) return;
    const late = now >= ONE_RESTART_IN_MS;
    if (!late && !(await isFirst())) return;
    if (!(await leaveNote()) && !late) return;
    wentAt = now;
    log('error', 'The box restarts, so that its data partition is checked and mended', { device });
    options.reboot();
  }

  /** A note of this start tells of a restart that did not come about. */
  async function isFirst(): Promise<boolean> {
    try {
      const before = await noteOn('is read', () => readNote(note));
      return before === undefined || bootOf(before) === clock.bootId;
    } catch {
      return false;
    }
  }

  /** Durable before the restart. False: it would not be counted. */
  async function leaveNote(): Promise<boolean> {
    try {
      await noteOn('is written', async () => {
        await mkdir(path.dirname(note), { recursive: true });
        await writeFileAtomic(note, `${JSON.stringify({ bootId: clock.bootId })}\n`);
      });
      return true;
    } catch (error) {
      log('warn', 'The restart cannot be noted', { error: describeError(error) });
      return false;
    }
  }

  return {
    look: () =>
      (looking ??= once().finally(() => {
        looking = undefined;
      })),
    trouble: () =>
      seen === undefined ? [] : [{ name: 'data-read-only' as const, detail: seen.device, since: seen.wall }],
  };
}

/** The start in which the box was restarted for this; undefined where it never was, or the note cannot be understood. */
export async function restartedIn(note: string): Promise<string | undefined> {
  return bootOf((await noteOn('is read', () => readNote(note)).catch(() => undefined)) ?? '');
}

function bootOf(text: string): string | undefined {
  try {
    return z.object({ bootId: z.string() }).parse(JSON.parse(text)).bootId;
  } catch {
    return undefined;
  }
}

const noteOn = <T>(what: string, work: () => Promise<T>): Promise<T> =>
  withDeadline(`The note of a restart ${what}`, { ms: NOTE_MS }, work);

const readNote = (note: string): Promise<string | undefined> =>
  readFile(note, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });

/**
 * The device behind the folder, if its file system is read-only. proc(5): the 6th field are options of the mount, those after
 * " - type source" are of the file system; an error of the disk shows in the second only (`emergency_ro` of newer kernels as well).
 */
export function readOnlyDevice(mountinfo: string, folder: string): string | undefined {
  let best: { place: string; readOnly: boolean; device: string } | undefined;
  for (const line of mountinfo.split('\n')) {
    const [mount = '', system = ''] = line.split(' - ');
    const [, , , , escaped = '', own = ''] = mount.split(' ');
    const place = escaped.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (place === '' || (place !== '/' && folder !== place && !folder.startsWith(`${place}/`))) continue;
    // of two mounts on one place the later one is seen
    if (best !== undefined && place.length < best.place.length) continue;
    const [, device = '', whole = ''] = system.split(' ');
    const all = [...own.split(','), ...whole.split(',')];
    best = { place, readOnly: all.includes('ro') || all.includes('emergency_ro'), device };
  }
  return best?.readOnly === true ? best.device : undefined;
}
