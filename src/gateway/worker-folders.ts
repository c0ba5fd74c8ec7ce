/**
 * An inspect worker that is our child has a folder of its own, which goes with it. A gateway that was killed leaves them behind:
 * the next one takes them away before its first worker starts. The spool's lock is held by then: nobody else lives in this folder.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

/** Never in the way of a start. */
export async function sweepWorkerFolders(runDir: string): Promise<void> {
  for (const name of await readdir(runDir).catch(() => []))
    if (/^worker-[A-Za-z0-9]{6}$/.test(name))
      await rm(path.join(runDir, name), { recursive: true, force: true }).catch(() => undefined);
}
