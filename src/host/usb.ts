/**
 * USB sticks: found in the kernel's own tables, mounted for one action only (nosuid, nodev, noexec) and let go at once. Only
 * partitions of removable disks, and never the one the box itself runs from, which may be a stick as well; a stick is hostile
 * input, so nothing of it is run and names are taken as plain file names.
 */
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { SekishoError } from '../base/errors.ts';
import type { HostVerbAnswer } from '../control/host-contract.ts';
import { describeResult, type RunCommand } from './command.ts';

type Stick = HostVerbAnswer<'usb.list'>['sticks'][number];

export interface UsbSticks {
  list(): Promise<Stick[]>;
  /** Mounts, lets `work` have the folder, unmounts; what was written is on the stick when it resolves. */
  use<T>(device: string, access: 'read' | 'write', work: (folder: string) => Promise<T>): Promise<T>;
}

const lsblk = z.object({
  blockdevices: z.array(
    z.object({
      name: z.string(),
      label: z.string().nullish(),
      size: z.number(),
      fstype: z.string().nullish(),
      tran: z.string().nullish(),
      rm: z.boolean(),
      pkname: z.string().nullish(),
      mountpoints: z.array(z.string().nullable()).nullish(),
    }),
  ),
});
type Devices = z.output<typeof lsblk>['blockdevices'];
const FILE_SYSTEMS = ['vfat', 'exfat', 'ext4', 'iso9660'];

export function createUsbSticks(options: { run: RunCommand; sys: string; runFolder: string }): UsbSticks {
  const { run } = options;

  async function list(): Promise<Stick[]> {
    const result = await run('lsblk', [
      '--json',
      '--bytes',
      '--list',
      '--output',
      'NAME,LABEL,SIZE,FSTYPE,TRAN,RM,PKNAME,MOUNTPOINTS',
    ]);
    const parsed = lsblk.safeParse(result.code === 0 ? JSON.parse(result.stdout) : undefined);
    if (!parsed.success) return [];
    const sticks: Stick[] = [];
    const own = ownDevices(parsed.data.blockdevices);
    for (const { name, label, size, fstype, pkname } of parsed.data.blockdevices) {
      if (typeof fstype !== 'string' || !FILE_SYSTEMS.includes(fstype) || !/^sd[a-z]+\d*$/.test(name)) continue;
      const disk = parsed.data.blockdevices.find((one) => one.name === (pkname ?? name));
      if (disk?.tran !== 'usb' || own.has(disk.name) || !(await isRemovable(disk.name))) continue;
      sticks.push({ device: name, label: label ?? '', octets: size, fileSystem: fstype });
    }
    return sticks;
  }

  async function isRemovable(disk: string): Promise<boolean> {
    const flag = await readFile(path.join(options.sys, 'block', disk, 'removable'), 'utf8').catch(() => '');
    return flag.trim() === '1';
  }

  /** One stick is mounted at a time, at one place. */
  let last: Promise<unknown> = Promise.resolve();
  async function use<T>(device: string, access: 'read' | 'write', work: (folder: string) => Promise<T>): Promise<T> {
    const before = last;
    const turn = (async () => {
      await before;
      return useNow(device, { access, work });
    })();
    last = turn.catch(() => undefined); // told to who asked
    return turn;
  }

  async function useNow<T>(
    device: string,
    { access, work }: { access: 'read' | 'write'; work: (folder: string) => Promise<T> },
  ): Promise<T> {
    const stick = (await list()).find((one) => one.device === device);
    if (stick === undefined)
      throw new SekishoError('NOT_FOUND', `There is no USB stick "${device}"`, {
        remedy: 'Put it in and look again',
      });
    const folder = path.join(options.runFolder, 'usb');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const mode = access === 'read' ? 'ro' : 'rw,sync';
    const mounted = await run('mount', [
      '-t',
      stick.fileSystem,
      '-o',
      `${mode},nosuid,nodev,noexec`,
      `/dev/${device}`,
      folder,
    ]);
    if (mounted.code !== 0)
      throw new SekishoError('USB', `The USB stick cannot be used: ${describeResult(mounted)}`, {
        remedy: 'Format it as FAT32 or exFAT',
      });
    try {
      return await work(folder);
    } finally {
      await run('umount', [folder], { deadlineMs: 60_000 });
      await rmdir(folder).catch(() => undefined);
    }
  }

  return { list, use };
}

/** What lies below root and data, through device-mapper down to the disk. */
function ownDevices(devices: Devices): Set<string> {
  const own = new Set<string>();
  const add = (name: string | null | undefined): void => {
    if (typeof name !== 'string' || own.has(name)) return;
    own.add(name);
    for (const one of devices) if (one.name === name) add(one.pkname);
  };
  for (const { name, mountpoints } of devices)
    if (mountpoints?.some((place) => place === '/' || place === '/var') === true) add(name);
  return own;
}

/** Plain files in the stick's first folder whose name ends so. */
export async function filesEnding(folder: string, ending: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && entry.name.endsWith(ending)).map((entry) => entry.name);
}
