/** The spool's few small files (identity, sequence, clean-stop) through the same file layer, replaced atomically and synced. */
import type { FileLayer } from './files.ts';
import type { Layout } from './layout.ts';

/** Undefined when it does not exist or is not JSON: a torn small file is no file. */
export async function readSmallFile(files: FileLayer, path: string): Promise<unknown> {
  try {
    const file = await files.open(path);
    try {
      return JSON.parse((await file.read(0, file.size)).toString());
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SyntaxError || (error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Durable when it resolves, unless it need not be. */
export async function writeSmallFile(
  files: FileLayer,
  layout: Layout,
  content: { name: string; value: unknown; synced?: boolean },
): Promise<void> {
  const { synced = true } = content;
  const temporary = layout.path('tmp', `${content.name}.new`);
  await files.unlink(temporary).catch(() => undefined); // left over from a cut
  const file = await files.create(temporary);
  try {
    await file.write([Buffer.from(JSON.stringify(content.value))]);
    if (synced) await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, layout.path(content.name));
  if (synced) await files.syncDirectory(layout.root);
}
