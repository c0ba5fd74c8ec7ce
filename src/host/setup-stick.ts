/**
 * The setup code of a box that nobody has claimed may come on a USB stick, in the same file as on the boot partition
 * (`sekisho/setup-code`), at any time: each stick is looked at once after it was put in, and only read. Who puts in a stick stands
 * before the box, as who reads its screen.
 */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { describeError } from '../base/errors.ts';
import type { Claim } from './claim.ts';
import type { UsbSticks } from './usb.ts';

const FILE = 'sekisho/setup-code';
const MOST_OCTETS = 200;

export interface SetupStick {
  /** Every few seconds. */
  look(): Promise<void>;
}

export function createSetupStick(options: {
  claim: Pick<Claim, 'claimed' | 'lay'>;
  usb: UsbSticks;
  log: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
}): SetupStick {
  const { claim, usb, log } = options;
  let known = new Set<string>();
  return {
    look: async () => {
      if (claim.claimed()) return;
      const sticks = (await usb.list()).map(({ device, label, octets }) => ({
        device,
        name: `${device} ${label} ${octets}`,
      }));
      const before = known;
      known = new Set(sticks.map(({ name }) => name));
      for (const { device, name } of sticks) {
        if (before.has(name)) continue;
        const text = await usb.use(device, 'read', beginningOf).catch((error: unknown) => {
          log('info', 'A USB stick cannot be looked at', { device, error: describeError(error) });
          return undefined;
        });
        if (text === undefined) continue;
        if (await claim.lay(text)) log('info', 'The setup code was taken from a USB stick', { device });
        else log('warn', 'The file of a USB stick holds no setup code', { device });
      }
    },
  };
}

async function beginningOf(folder: string): Promise<string | undefined> {
  const handle = await open(path.join(folder, FILE), 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST_OCTETS), 0, MOST_OCTETS, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
