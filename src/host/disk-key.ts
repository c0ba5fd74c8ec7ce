/**
 * An encrypted box whose key is on a stick must not restart by itself while the stick is away: it would wait for somebody all
 * night. Looked at when an update would restart the box, at most once a minute; the stick is only read.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { UsbSticks } from './usb.ts';

const KNOWN_MS = 60_000;

export interface DiskKeyWatch {
  /** True as well where none is needed: not encrypted, or the chip has it. */
  atHand(): Promise<boolean>;
  /** What was found when it was asked last. */
  missed(): boolean;
}

export function createDiskKeyWatch(options: { state: string; usb: UsbSticks; clock: Clock }): DiskKeyWatch {
  const { state, usb, clock } = options;
  let last: { at: number; here: boolean } | undefined;

  async function look(): Promise<boolean> {
    const text = await readFile(state, 'utf8').catch(() => '');
    const id = /^id=([0-9a-f-]{36})$/m.exec(text)?.[1];
    if (id === undefined || !/^key=usb$/m.test(text)) return true;
    for (const { device } of await usb.list()) {
      const has = (folder: string): Promise<boolean> =>
        stat(path.join(folder, `sekisho-${id}.key`)).then(
          () => true,
          () => false,
        );
      if (await usb.use(device, 'read', has).catch(() => false)) return true;
    }
    return false;
  }

  return {
    atHand: async () => {
      if (last === undefined || clock.monotonic() - last.at >= KNOWN_MS)
        last = { at: clock.monotonic(), here: await look() };
      return last.here;
    },
    missed: () => last?.here === false,
  };
}
