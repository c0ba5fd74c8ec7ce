/**
 * Why the machine started: told apart by a marker the host leaves when it is asked to stop, by what the watchdog chip and the
 * kernel's crash store remember, and otherwise a power cut. Kept for the last 50 boots; three watchdog resets within an hour
 * engage the brake. A restart of the host alone is no boot. The crash store is emptied once it was read (the last words stay in a
 * file): what stays there would call each later power cut a panic, and its few places are in the firmware's own memory.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { RESET_REASONS, type ResetReason, type WatchdogAnswer } from '../control/host-shapes.ts';
import { RESETS } from './brake.ts';
import type { HostRecord, RecordFile } from './record.ts';

const KEPT_BOOTS = 50;
const KEPT_PANIC = 65_536;
/** WDIOF_CARDRESET of linux/watchdog.h: the card caused the last reset. */
const CARD_RESET = 0x20;

/** Notes this boot, once. Returns how many watchdog resets the last hour saw. `panic`: where the kernel's last words are kept. */
export async function noteBoot(options: {
  record: RecordFile;
  clock: Clock;
  sys: string;
  panic: string | undefined;
  /** The start that was ended because the data partition was read-only. */
  diskFailedIn: string | undefined;
}): Promise<number> {
  const { record, clock, sys, panic, diskFailedIn } = options;
  const { boots, cleanStop } = record.current();
  if (boots.at(-1)?.bootId !== clock.bootId) {
    const reason = await reasonOf(boots, { cleanStop, sys, diskFailedIn });
    await record.change(({ cleanStop: _used, ...state }) => ({
      ...state,
      boots: [...state.boots, { bootId: clock.bootId, at: clock.wall(), reason }].slice(-KEPT_BOOTS),
    }));
  } else if (cleanStop !== undefined) {
    // only the host was restarted: the marker would hide a power cut that comes later
    await record.change(({ cleanStop: _early, ...state }) => state);
  }
  if (panic !== undefined) await emptyCrashStore(path.join(sys, 'fs/pstore'), panic).catch(() => undefined);
  return recentResets(record.current(), clock);
}

/** After the boot is on record: a cut in between tells of the same panic again. */
async function emptyCrashStore(folder: string, file: string): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('dmesg-')).toSorted();
  if (names.length === 0) return;
  const words = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8').catch(() => '')));
  // a full disk keeps no last words, and empties the store all the same
  await writeFileAtomic(file, words.join('\n').slice(0, KEPT_PANIC)).catch(() => undefined);
  for (const name of names) await rm(path.join(folder, name), { force: true });
}

export function recentResets(record: HostRecord, clock: Clock): number {
  const now = clock.wall();
  return record.boots.filter(
    ({ reason, at }) => (reason === 'watchdog' || reason === 'panic') && Math.abs(now - at) <= RESETS.withinMs,
  ).length;
}

/** The host was asked to stop; if the machine goes down now, it does so in order, into an update where one was installed. */
export async function noteCleanStop(record: RecordFile, bootId: string): Promise<void> {
  await record.change((state) => {
    const { trial } = state;
    const update = trial?.bootId === bootId && trial.installing === undefined;
    return { ...state, cleanStop: { bootId, update } };
  });
}

async function reasonOf(
  boots: HostRecord['boots'],
  known: { cleanStop: HostRecord['cleanStop']; sys: string; diskFailedIn: string | undefined },
): Promise<ResetReason> {
  const last = boots.at(-1);
  if (last === undefined) return 'first-boot';
  // it could not be written down there
  if (known.diskFailedIn === last.bootId) return 'disk-error';
  if (known.cleanStop?.bootId === last.bootId) return known.cleanStop.update ? 'update' : 'clean';
  const status = Number(await text(path.join(known.sys, 'class/watchdog/watchdog0/bootstatus')));
  if (Number.isInteger(status) && (status & CARD_RESET) !== 0) return 'watchdog';
  const stored = await readdir(path.join(known.sys, 'fs/pstore')).catch(() => []);
  return stored.some((name) => name.startsWith('dmesg-')) ? 'panic' : 'power-loss';
}

export async function watchdogState(options: {
  record: RecordFile;
  clock: Clock;
  sys: string;
  crashes: number;
}): Promise<WatchdogAnswer> {
  const { record, clock, sys } = options;
  const folder = path.join(sys, 'class/watchdog/watchdog0');
  const identity = await text(path.join(folder, 'identity'));
  const seconds = Number(await text(path.join(folder, 'timeout')));
  const boot = record.current().boots.at(-1);
  const reason = RESET_REASONS.find((known) => known === boot?.reason) ?? 'unknown';
  return {
    kind: identity === undefined ? 'none' : /software/i.test(identity) ? 'software' : 'hardware',
    ...(identity === undefined ? {} : { identity }),
    ...(Number.isInteger(seconds) && seconds > 0 ? { timeoutMs: seconds * 1_000 } : {}),
    lastReset: { reason, at: new Date(boot?.at ?? clock.wall()).toISOString() },
    crashes: options.crashes,
    resets: recentResets(record.current(), clock),
  };
}

async function text(file: string): Promise<string | undefined> {
  const content = await readFile(file, 'utf8').catch(() => undefined);
  return content?.trim();
}
