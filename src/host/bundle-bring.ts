/**
 * The bundle of an update comes to the data partition: from a server, a stick, or the page's upload. The partition is the spool's
 * too: mail has its room first, so a bundle that would take it is refused, before its first octet where its size is known.
 */
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SekishoError } from '../base/errors.ts';
import type { UsbSticks } from './usb.ts';

const FETCH_MS = 3_600_000;
const MAX_BUNDLE = 2 * 1024 ** 3;
/** Free space below which the spool puts off mail: the defaults of `spool.floorOctets` and `spool.floorPercent`. */
const FLOOR_OCTETS = 536_870_912;
const FLOOR_PERCENT = 10;
const LOOK_OCTETS = 16 * 1024 * 1024;

/** Octets. */
export interface Room {
  free: number;
  total: number;
}

export interface BundleParts {
  bundle: string;
  usb: UsbSticks;
  get: typeof fetch;
  progress: (percent: number) => void;
  room?: (folder: string) => Promise<Room>;
}

export function createBringer(parts: BundleParts) {
  const { bundle, usb, get, progress, room = roomOf } = parts;

  async function holdRoom(octets: number): Promise<void> {
    const { free, total } = await room(path.dirname(bundle));
    if (free - octets >= Math.max(FLOOR_OCTETS, (total * FLOOR_PERCENT) / 100)) return;
    throw new SekishoError(
      'UPDATE_NO_ROOM',
      `The update would take the room that mail needs: ${free} octets are free`,
      {
        remedy: 'Delete what is held or in quarantine and not needed any more, or wait until the queue is delivered',
      },
    );
  }

  async function copied(from: string): Promise<void> {
    await holdRoom((await stat(from)).size);
    await copyFile(from, bundle);
  }

  return {
    begin: () => mkdir(path.dirname(bundle), { recursive: true, mode: 0o700 }),
    /** Of a server: its word about the size is believed when it is bad news only. */
    fromUrl: async (url: string): Promise<void> => {
      const response = await get(url, { signal: AbortSignal.timeout(FETCH_MS) });
      if (!response.ok || response.body === null)
        throw new SekishoError('UPDATE_SOURCE', `The update is not there: ${response.status}`);
      const total = Number(response.headers.get('content-length')) || undefined;
      await holdRoom(total ?? 0).catch(async (error: unknown) => {
        await response.body?.cancel(); // or it would be held open, and filled, for as long as a fetch may take
        throw error;
      });
      let size = 0;
      let looked = 0;
      const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const chunk of chunks) {
          size += chunk.length;
          if (size > MAX_BUNDLE) throw new SekishoError('UPDATE_SOURCE', 'The update is larger than 2 GiB');
          if (size - looked >= LOOK_OCTETS) {
            looked = size;
            await holdRoom(0);
          }
          if (total !== undefined) progress(Math.min(100, Math.round((size / total) * 100)));
          yield chunk;
        }
      };
      await pipeline(Readable.fromWeb(response.body), counted, createWriteStream(bundle, { mode: 0o600, flush: true }));
    },
    fromStick: (device: string, file: string): Promise<void> =>
      usb.use(device, 'read', (stick) => copied(path.join(stick, file))),
    /** Copied: who laid it there could still write to it while it is checked. */
    fromUpload: async (file: string): Promise<void> => {
      await copied(file);
      await rm(file, { force: true });
    },
  };
}

async function roomOf(folder: string): Promise<Room> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}
