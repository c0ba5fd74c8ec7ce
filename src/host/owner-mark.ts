/**
 * That this box has an owner, kept a second time: a file on the boot partition, beside the claim on the data partition. A disk whose
 * file system was destroyed is "mended" into an empty one by the check at the start; without this mark the box would take itself for
 * new and ask to be claimed. The step before the mount (rootfs/usr/libexec/sekisho/data-disk) reads it there: a mark, and nothing of
 * a box on the data partition, and that partition is left as it is (421, page and console from memory).
 * The claim is durable first, then the mark: a cut in between is made good by the next look, as is a box claimed by an older release.
 * It goes only with what it is about: by a factory reset, after all is wiped and before the wish is taken back. A boot partition that
 * cannot be written stops nobody: without a mark all is as it was, and tried again.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError } from '../base/errors.ts';

/** The whole file; a torn one is none. */
const WORDS = 'claimed\n';
/** A disk that is gone does not answer at all. */
const WRITE_MS = 20_000;
export const AGAIN_MS = 600_000;

export interface OwnerMark {
  /** Every few seconds: it stands when this resolves, if it should and can. Never rejects. */
  look(): Promise<void>;
}

export function createOwnerMark(options: {
  file: string;
  clock: Clock;
  /** On the data partition: what was claimed in memory, without one, is not meant to last. */
  claimed: () => boolean;
  log: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
}): OwnerMark {
  const { file, clock, claimed, log } = options;
  let stands = false;
  let triedAt = Number.NEGATIVE_INFINITY;
  return {
    look: async () => {
      if (stands || !claimed() || clock.monotonic() - triedAt < AGAIN_MS) return;
      triedAt = clock.monotonic();
      try {
        await withDeadline('The mark of the owner is written', { ms: WRITE_MS }, async () => {
          if ((await readFile(file, 'utf8').catch(() => '')) === WORDS) return;
          await mkdir(path.dirname(file), { recursive: true });
          await writeFileAtomic(file, WORDS);
          log('info', 'The boot partition says that this box has an owner');
        });
        stands = true;
      } catch (error) {
        log('warn', 'The boot partition does not say that this box has an owner', { error: describeError(error) });
      }
    },
  };
}

/** Durably gone when it resolves. */
export async function forgetOwner(file: string): Promise<void> {
  await withDeadline('The mark of the owner is taken away', { ms: WRITE_MS }, async () => {
    await mkdir(path.dirname(file), { recursive: true });
    await rm(file, { force: true });
    await syncDirectory(path.dirname(file));
  });
}
