/**
 * `sekisho spool import`: takes exported messages into the spool of a stopped gateway. Each becomes a message file in its
 * folder, durable before the next one is begun; the next start finds it like any file without an entry. Nothing comes in
 * twice: a message keeps its queue id, and once taken the export carries `<id>.imported`.
 */
import { createReadStream } from 'node:fs';
import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { SekishoError } from '../../base/errors.ts';
import { newQueueId, type QueueId, sequenceOf } from '../../mail/queue-id.ts';
import { FOLDERS } from '../api.ts';
import { diskFiles, type FileLayer } from '../files.ts';
import { Layout } from '../layout.ts';
import { encodePreamble, encodeTrailer } from '../message-file.ts';
import { readSmallFile } from '../small-file.ts';
import type { OnProgress } from './check.ts';
import { assertNotInUse } from './examine.ts';
import { type ExportedMessage, parseExported } from './exported.ts';

export interface SpoolImport {
  imported: number;
  /** Taken before, here or by another import of this export. */
  already: number;
  /** File names that are not what an export wrote: unreadable, changed, or without their .eml. Left alone. */
  refused: string[];
}

export async function importSpool(
  root: string,
  options: { from: string; onProgress?: OnProgress },
): Promise<SpoolImport> {
  const files = diskFiles();
  const layout = new Layout(root, files);
  if ((await readSmallFile(files, layout.path('identity'))) === undefined)
    throw new SekishoError('SPOOL_MISSING', `"${root}" is no spool: it has no identity file`, {
      remedy: 'Start the gateway once, so that it makes its spool; then stop it and import',
    });
  await assertNotInUse(root);
  await layout.create();
  const present = await idsIn(layout);
  const names = (await readdir(options.from)).filter((name) => name.endsWith('.json')).toSorted();
  const result: SpoolImport = { imported: 0, already: 0, refused: [] };
  for (const [at, name] of names.entries()) {
    const base = path.join(options.from, name.slice(0, -'.json'.length));
    const message = parseExported(await readFile(`${base}.json`, 'utf8'));
    if (message === undefined || `${message.preamble.id}.json` !== name) result.refused.push(name);
    else if (present.has(message.preamble.id) || (await exists(`${base}.imported`))) result.already += 1;
    else if (!(await bodyIsWhole(`${base}.eml`, message))) result.refused.push(name);
    else {
      const id = await store(files, layout, { message, body: `${base}.eml` });
      present.add(id);
      // Only now: cut before this, the id in the spool says it; a DSN, which gets a new id, is then told twice at worst.
      await writeFile(`${base}.imported`, `${id}\n`, { mode: 0o600, flush: true });
      result.imported += 1;
    }
    options.onProgress?.(at + 1, names.length);
  }
  return result;
}

/** Written under tmp/, synced, renamed, folder synced: the order of every commit. Returns the id it has here. */
async function store(
  files: FileLayer,
  layout: Layout,
  options: { message: ExportedMessage; body: string },
): Promise<QueueId> {
  const { message, body } = options;
  const { parent: _family, ...preamble } = message.preamble;
  // A DSN beside its parent would be taken for one that never became due (recovery): here it stands for itself.
  const id = preamble.kind === 'dsn' ? newQueueId(sequenceOf(preamble.id)) : preamble.id;
  const draft = layout.draft(id);
  await files.unlink(draft).catch(() => undefined);
  const file = await files.create(draft);
  try {
    await file.write([encodePreamble({ ...preamble, id })]);
    for await (const block of createReadStream(body)) await file.write([block as Buffer]);
    await file.write([encodeTrailer(message.trailer)]);
    await file.sync();
  } catch (error) {
    await file.close();
    await files.unlink(draft).catch(() => undefined);
    throw error;
  }
  await file.close();
  await layout.settle(draft, id, { folder: message.folder, tries: 0 });
  await files.syncDirectory(layout.directory(message.folder, id));
  return id;
}

async function idsIn(layout: Layout): Promise<Set<QueueId>> {
  const ids = new Set<QueueId>();
  for (const folder of FOLDERS) for await (const { id } of layout.scan(folder)) ids.add(id);
  return ids;
}

async function bodyIsWhole(file: string, { trailer }: ExportedMessage): Promise<boolean> {
  if (!(await exists(file))) return false;
  const hash = createHash('sha256');
  let size = 0;
  for await (const block of createReadStream(file)) {
    hash.update(block as Buffer);
    size += (block as Buffer).length;
  }
  return size === trailer.size && hash.digest('hex') === trailer.sha256;
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
