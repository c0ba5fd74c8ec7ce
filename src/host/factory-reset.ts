/**
 * Everything the owner put into the box goes: mail, keys, certificates, users, history, settings. The wish is left durably on
 * record and the machine restarts; the host, which starts before gateway and admin, then overwrites and removes every file
 * below the named folders, trims the disk, looks whether anything is left, makes the empty folders that a start finds, and only
 * then takes the wish back: a power cut in between begins again. What a flash drive keeps in worn-out cells nobody can reach;
 * disposal is in docs/appliance.md.
 */
import { existsSync } from 'node:fs';
import { lstat, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
import { SekishoError } from '../base/errors.ts';
import type { RunCommand } from './command.ts';

const WISH = 'factory-reset';
/** Keys, databases of users, configuration: small files are overwritten before they go; mail is left to the trim. */
const OVERWRITE_OCTETS = 1_048_576;

export async function wishFactoryReset(data: string, now: number): Promise<void> {
  await writeFileAtomic(path.join(data, WISH), `${new Date(now).toISOString()}\n`);
}

export function isFactoryResetWished(data: string): boolean {
  return existsSync(path.join(data, WISH));
}

/** Resolves when nothing is left; throws WIPE_INCOMPLETE with what is. */
export async function carryOutFactoryReset(options: {
  data: string;
  /** Folders whose content goes; `data` is one of them. */
  folders: readonly string[];
  run: RunCommand;
  /** What says elsewhere that the box has an owner goes, too. */
  forgetOwner: () => Promise<void>;
}): Promise<void> {
  const { data, folders, run } = options;
  for (const folder of folders) {
    for (const name of await readdir(folder).catch(() => [])) {
      const file = path.join(folder, name);
      if (file === path.join(data, WISH)) continue;
      await overwrite(file);
      await rm(file, { recursive: true, force: true });
    }
    if (existsSync(folder)) await syncDirectory(folder);
  }
  await run('fstrim', [data], { deadlineMs: 120_000 }); // not every disk can
  const left: string[] = [];
  for (const folder of folders)
    for (const name of await readdir(folder).catch(() => []))
      if (path.join(folder, name) !== path.join(data, WISH)) left.push(path.join(folder, name));
  if (left.length > 0)
    throw new SekishoError('WIPE_INCOMPLETE', `The factory reset left ${left.length} entries, first "${left[0]}"`);
  // those below the wiped ones (config, run) were made before we came: without them nothing could be written until the next start
  await run('systemd-tmpfiles', ['--create', '--prefix=/var/lib', 'sekisho.conf'], { deadlineMs: 60_000 });
  // before the wish: a cut in between wipes once more; the other way round nobody could claim the box
  await options.forgetOwner();
  await rm(path.join(data, WISH));
  await syncDirectory(data);
}

async function overwrite(file: string): Promise<void> {
  const about = await lstat(file);
  if (about.isDirectory()) {
    for (const name of await readdir(file)) await overwrite(path.join(file, name));
    return;
  }
  if (!about.isFile() || about.size > OVERWRITE_OCTETS || about.size === 0) return;
  const handle = await open(file, 'r+');
  try {
    await handle.write(Buffer.alloc(about.size), 0, about.size, 0);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
