/**
 * What the spool writes for what it is given: octets handed to the block layer (`write_bytes` of proc(5) io, this process
 * alone) per accepted octet, from the first octet to the settled and cleared message. The file system's own journal and the
 * history are not in it. Messages come one after another by 20 at once, and one by one with nobody to share a sync with.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, put } from '../contracts/spool.ts';
import { FakeClock } from '../support/fake-clock.ts';

export interface FlashRow {
  what: string;
  messages: number;
  octets: number;
  written: number;
}

const WORK_PARENT = '/var/tmp';
/** Host writes a box may cost (docs/spool.md): accepted octets four times. */
export const MOST_PER_OCTET = 4;

const RUNS = [
  { what: '10 KB, 20 at once', size: 10_240, messages: 4_000, atOnce: 20 },
  { what: '10 KB, one by one', size: 10_240, messages: 300, atOnce: 1 },
  { what: '1 MB, 20 at once', size: 1_048_576, messages: 200, atOnce: 20 },
] as const;

export async function flashLayer(): Promise<FlashRow[]> {
  const rows: FlashRow[] = [];
  for (const { what, size, messages, atOnce } of RUNS) {
    const root = await mkdtemp(path.join(WORK_PARENT, 'sekisho-flash-'));
    try {
      const spool = await openSpool({
        root,
        files: diskFiles(),
        openDatabase: openLevelDatabase,
        clock: systemClock(),
        observe: silentObserve,
        limits: () => ({ floorOctets: 0, floorPercent: 0 }),
        create: true,
        onFault: () => undefined,
      });
      const before = written();
      const body = Buffer.alloc(size, 'flash wears out\r\n');
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < messages) {
          next += 1;
          await passOne(spool, body);
        }
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
      await spool.flush();
      rows.push({ what, messages, octets: messages * size, written: written() - before });
      await spool[Symbol.asyncDispose]();
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }
  return rows;
}

const clock = new FakeClock();

async function passOne(spool: SpoolStore, body: Buffer): Promise<void> {
  const id = await put(spool, clock, { body });
  await spool.recordAttempt(id, [ALICE], 'hop');
  await spool.settle(id, [{ address: ALICE, outcome: 'delivered', reply: '250 2.0.0 Ok' }]);
}

function written(): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
}

export function perOctet(row: FlashRow): number {
  return row.written / row.octets;
}

export function flashLines(rows: readonly FlashRow[]): string[] {
  return rows.map(
    (row) => `${row.what}: ${row.messages} messages, ${perOctet(row).toFixed(2)} octets written for each accepted one`,
  );
}
