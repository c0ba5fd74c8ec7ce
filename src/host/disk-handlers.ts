/**
 * Encryption of the data partition, and the factory reset. The work itself is done before the partition is mounted, by
 * `rootfs/usr/libexec/sekisho/data-disk`; here its wishes are made and what it left in its run folder is read. All of it is
 * asked by somebody who stands before the box: the recovery key is shown there and nowhere else.
 *
 * The wish lies on the boot partition, because it has to survive the partition it is about; it is one line, replaced whole,
 * and is taken away only when all is done. With a stick the key is written and read back before anything is wished.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { SekishoError } from '../base/errors.ts';
import type { HostHandlers } from '../control/host-contract.ts';
import { type DataDisk, DISK_KEYS, DISK_OPENERS } from '../control/host-shapes.ts';
import { describeResult, type RunCommand } from './command.ts';
import { dataDisk } from './data-disk.ts';
import { wishFactoryReset } from './factory-reset.ts';
import type { HostParts } from './handlers.ts';
import type { UsbSticks } from './usb.ts';

export interface DiskPlaces {
  /** What the early step left: `state`, and the recovery key until it is noted. */
  run: string;
  /** The wish, on the boot partition. */
  wish: string;
  /** Also there: that the box restarted because its data partition was read-only. */
  restarted: string;
  /** And that the box has an owner. */
  owner: string;
  /** mountinfo of proc(5). */
  mounts: string;
  program: string;
}

const KEY_OCTETS = 64;
/** The last group of the recovery key, typed back by who wrote it down. */
const GROUP = 5;
const DONE = { ok: true } as const;

type DiskVerbs = 'factory-reset' | 'disk.encrypt' | 'recovery-key.show' | 'recovery-key.noted' | 'recovery-key.renew';

export function diskHandlers(parts: HostParts): Pick<HostHandlers, DiskVerbs> {
  const { services, run, usb, clock } = parts;
  const { wish, program } = parts.disk;
  const recovery = path.join(parts.disk.run, 'recovery-key');
  const leave = async (words: string): Promise<void> => {
    await mkdir(path.dirname(wish), { recursive: true });
    await writeFileAtomic(wish, words);
  };
  return {
    'factory-reset': async () => {
      const { encrypted } = await diskState(parts);
      // with its keys the whole disk is gone: no file has to be looked for
      // and where the partition is not ours to write on, only the step before the mount can
      const lost = parts.brake.degraded()?.cause === 'no-data';
      if (encrypted === true || lost) await leave('none\n');
      else await wishFactoryReset(parts.data, clock.wall());
      services.reboot();
      return DONE;
    },
    'disk.encrypt': async ({ key, usb: stick }) => {
      if (key === 'usb') {
        if (stick === undefined) throw new SekishoError('INVALID_REQUEST', 'A USB stick must be named for the key');
        const id = randomUUID();
        await keyToStick(usb, { stick, id });
        await leave(`usb ${id}\n`);
      } else {
        await tryChip(run);
        await leave('tpm2\n');
      }
      services.reboot();
      return DONE;
    },
    'recovery-key.show': async () => {
      const key = await readFile(recovery, 'utf8').catch(() => undefined);
      return key === undefined ? {} : { key: key.trim() };
    },
    'recovery-key.noted': async ({ last }) => {
      const key = (await readFile(recovery, 'utf8').catch(() => '')).trim();
      if (key === '') throw new SekishoError('WRONG_STATE', 'There is no recovery key to note');
      if (last.trim().toUpperCase() !== key.slice(-GROUP))
        throw new SekishoError('INVALID_REQUEST', 'These are not the last five signs of the recovery key', {
          remedy: 'Write the whole key down and try again',
        });
      const result = await run(program, ['noted'], { deadlineMs: 30_000 });
      if (result.code !== 0)
        throw new SekishoError('DISK', `The header of the disk cannot be written: ${describeResult(result)}`);
      return DONE;
    },
    'recovery-key.renew': async () => {
      const { encrypted } = await diskState(parts);
      if (encrypted !== true) throw new SekishoError('WRONG_STATE', 'The disk is not encrypted');
      const result = await run(program, ['renew'], { deadlineMs: 30_000 });
      if (result.code !== 0)
        throw new SekishoError('DISK', `The header of the disk cannot be written: ${describeResult(result)}`);
      services.reboot();
      return DONE;
    },
  };
}

/** What is told of the data partition; the kernel says whether it is encrypted, the early step says by what. */
export async function diskState({ data, sys, disk }: Pick<HostParts, 'data' | 'sys' | 'disk'>): Promise<DataDisk> {
  const lines = (await readFile(path.join(disk.run, 'state'), 'utf8').catch(() => '')).split('\n');
  const told = (name: string): string | undefined =>
    lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
  const recovery = await readFile(path.join(disk.run, 'recovery-key'), 'utf8').catch(() => undefined);
  return dataDisk({
    data,
    sys,
    key: DISK_KEYS.find((known) => known === told('key')),
    opened: DISK_OPENERS.find((known) => known === told('opened')),
    toNote: recovery !== undefined,
  });
}

/** Names of `alarms.ts`. */
export interface DiskTrouble {
  name: 'recovery-key-unnoted' | 'disk-key-missing' | 'update-waits-for-key';
  detail: string;
  since: number;
}

export function diskTrouble(
  { key, opened, recoveryKey }: DataDisk,
  { since, updateWaits }: { since: number; updateWaits: boolean },
): DiskTrouble[] {
  const troubles: DiskTrouble[] = [];
  if (recoveryKey === 'to-note') troubles.push({ name: 'recovery-key-unnoted', detail: '', since });
  if (opened === 'recovery') troubles.push({ name: 'disk-key-missing', detail: key ?? '', since });
  if (updateWaits) troubles.push({ name: 'update-waits-for-key', detail: '', since });
  return troubles;
}

async function keyToStick(usb: UsbSticks, { stick, id }: { stick: string; id: string }): Promise<void> {
  const key = randomBytes(KEY_OCTETS);
  const name = `sekisho-${id}.key`;
  await usb.use(stick, 'write', async (folder) => {
    const handle = await open(path.join(folder, name), 'wx', 0o600);
    try {
      await handle.writeFile(key);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
  // put in a second time: what the box will read is what was written
  const read = await usb.use(stick, 'read', (folder) => readFile(path.join(folder, name)));
  if (!read.equals(key))
    throw new SekishoError('USB', 'The USB stick does not keep what is written on it', { remedy: 'Take another one' });
}

/** Seals and opens a word with the machine's chip, as the early step does with the key. */
async function tryChip(run: RunCommand): Promise<void> {
  const word = randomBytes(16).toString('hex');
  const chip = ['--tpm2-device=auto', '--name=sekisho-trial'];
  const options = { deadlineMs: 60_000 };
  const sealed = await run('systemd-creds', ['encrypt', '--with-key=tpm2', '--tpm2-pcrs=', ...chip, '-', '-'], {
    ...options,
    input: word,
  });
  const opened =
    sealed.code === 0
      ? await run('systemd-creds', ['decrypt', ...chip, '-', '-'], { ...options, input: sealed.stdout })
      : sealed;
  if (opened.code === 0 && opened.stdout.trim() === word) return;
  throw new SekishoError('NO_TPM', `This machine has no usable TPM 2.0 chip: ${describeResult(opened)}`, {
    remedy: 'Switch it on in the firmware’s settings, or take a USB stick for the key',
  });
}
