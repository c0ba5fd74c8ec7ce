/**
 * Replaces a small file so that a reader, or a power cut, sees the old content or the new, never a mixture. Durable when
 * it returns: file synced, renamed, directory synced. On error the old file stands and the temporary one is gone.
 */
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

export async function writeFileAtomic(
  file: string,
  content: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  try {
    const handle = await open(temporary, 'w', options.mode ?? 0o600);
    try {
      // a mode that was asked for is meant for other users too, whatever the process's own mask
      if (options.mode !== undefined) await handle.chmod(options.mode);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncDirectory(path.dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
