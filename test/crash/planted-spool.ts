/**
 * A spool with many messages in it, made by the product's own way of taking mail (draft, trailer, commit, entry), without syncs:
 * nobody was promised anything. A gateway that opens it later finds what a spool of that size is. In this process, which holds
 * the spool while it is filled; the gateway must not run.
 */
import { systemClock } from '../../src/base/clock.ts';
import { type ForwardPath, parseForwardPath } from '../../src/mail/address.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles, type FileLayer } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { put } from '../contracts/spool.ts';
import { FakeClock } from '../support/fake-clock.ts';

const AT_ONCE = 200;

export async function plantMessages(
  root: string,
  options: { messages: number; to: string; tell?: (done: number) => void },
): Promise<void> {
  const spool = await openSpoolAt(root, withoutSyncs(diskFiles()));
  const clock = new FakeClock();
  const to = [parseForwardPath(options.to) as ForwardPath];
  const body = Buffer.from(`Subject: one of many\r\n\r\n${'0123456789'.repeat(200)}\r\n`);
  for (let at = 0; at < options.messages; at += AT_ONCE) {
    const count = Math.min(AT_ONCE, options.messages - at);
    await Promise.all(Array.from({ length: count }, () => put(spool, clock, { to, body })));
    if (at % 100_000 === 0 && at > 0) options.tell?.(at);
  }
  await spool[Symbol.asyncDispose]();
}

export function openSpoolAt(root: string, files: FileLayer): Promise<SpoolStore> {
  return openSpool({
    root,
    files,
    openDatabase: openLevelDatabase,
    clock: systemClock(),
    observe: silentObserve,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create: true,
    onFault: (error) => {
      throw error;
    },
  });
}

function withoutSyncs(files: FileLayer): FileLayer {
  return {
    ...files,
    syncDirectory: async () => undefined,
    create: async (file) => ({ ...(await files.create(file)), sync: async () => undefined }),
  };
}
