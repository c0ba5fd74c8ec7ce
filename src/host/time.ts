/**
 * The machine's clock as chrony sees it, and its time zone. The zone is a link on the data partition (/etc/localtime points
 * there: the root file system is read-only). The time itself is only ever set forward and only by hand while no source
 * tells it: ages in the spool come from the monotonic clock and do not move with it.
 */
import { existsSync } from 'node:fs';
import { rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SekishoError } from '../base/errors.ts';
import type { HostVerbAnswer } from '../control/host-contract.ts';
import { describeResult, type RunCommand } from './command.ts';
import type { RecordFile } from './record.ts';

const ZONES = '/usr/share/zoneinfo';
/** chrony goes on by what it learnt when all its sources are gone, and says nothing: how old that is tells. */
export const UNTOLD_MS = 86_400_000;

export interface ClockTrouble {
  name: 'clock-untold';
  detail: string;
  since: number;
}

export interface MachineTime {
  show(): Promise<HostVerbAnswer<'time.show'>>;
  /** By what `show` saw. */
  trouble(): ClockTrouble[];
  set(wanted: { timeZone?: string | undefined; now?: string | undefined }): Promise<HostVerbAnswer<'time.show'>>;
}

export function createMachineTime(options: {
  record: RecordFile;
  run: RunCommand;
  clock: Clock;
  folder: string;
}): MachineTime {
  const { record, run, clock, folder } = options;
  /** When somebody last told it the time; of the start where nobody did yet. By the monotonic clock: the other is in doubt. */
  let toldAt = clock.monotonic();
  let source = '';

  async function show(): Promise<HostVerbAnswer<'time.show'>> {
    const tracking = await run('chronyc', ['-c', 'tracking'], { deadlineMs: 5_000 });
    const fields = tracking.code === 0 ? tracking.stdout.trim().split(',') : [];
    const seconds = Number(fields[4]);
    source = fields[1] ?? '';
    const synchronised = fields.length > 13 && fields[13] !== 'Not synchronised';
    const ageMs = clock.wall() - Number(fields[3]) * 1_000;
    if (synchronised && Math.abs(ageMs) < UNTOLD_MS) toldAt = clock.monotonic();
    return {
      now: new Date(clock.wall()).toISOString(),
      timeZone: record.current().timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
      synchronised,
      ...(source === '' ? {} : { source }),
      ...(Number.isFinite(seconds) && fields.length > 4 ? { offsetMs: seconds * 1_000 } : {}),
      ntp: record.current().network?.ntp ?? [],
    };
  }

  async function setZone(zone: string): Promise<void> {
    const file = path.join(ZONES, zone);
    if (zone.includes('..') || !existsSync(file))
      throw new SekishoError('INVALID_REQUEST', `There is no time zone "${zone}"`, {
        remedy: 'Give a name like "Asia/Tokyo"',
      });
    const link = path.join(folder, 'localtime');
    await rm(`${link}.new`, { force: true });
    await symlink(file, `${link}.new`);
    await rename(`${link}.new`, link);
    await record.change((state) => ({ ...state, timeZone: zone }));
  }

  return {
    show,
    trouble: () => {
      const untold = clock.monotonic() - toldAt;
      return untold < UNTOLD_MS ? [] : [{ name: 'clock-untold', detail: source, since: clock.wall() - untold }];
    },
    set: async ({ timeZone, now }) => {
      if (timeZone !== undefined) await setZone(timeZone);
      if (now !== undefined) {
        const before = await show();
        if (before.synchronised)
          throw new SekishoError('WRONG_STATE', 'The time comes from the network; it is not set by hand');
        if (Date.parse(now) < clock.wall())
          throw new SekishoError('WRONG_STATE', 'The clock is only ever set forward', {
            remedy: 'If it is far ahead, connect the box to a time server: it corrects it slowly and safely',
          });
        const result = await run('date', ['--utc', '--set', new Date(now).toISOString()]);
        if (result.code !== 0) throw new SekishoError('SYSTEMD', `The time was not set: ${describeResult(result)}`);
      }
      return show();
    },
  };
}
