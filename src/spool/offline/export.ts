/**
 * `sekisho spool export`: the mail of a stopped or dead box, each message as `<id>.eml` and `<id>.json` (exported.ts), what
 * cannot be read as `<id>.damaged`. Only whom a message still waits for is in it: who was served is not served again. A file
 * stands under its name only when it is complete and synced, so an export that was cut is simply begun again.
 */
import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory, writeFileAtomic } from '../../base/atomic-file.ts';
import { errorCode } from '../../base/errors.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import type { Preamble, Trailer } from '../api.ts';
import { readBody } from '../body.ts';
import type { Entry } from '../entry.ts';
import { openMessageFile } from '../message-file.ts';
import type { OnProgress } from './check.ts';
import { type DatabaseState, type Examination, examineSpool } from './examine.ts';
import { EXPORT_FORMAT, EXPORTED_FOLDERS, type ExportedFolder, type ExportedMessage } from './exported.ts';

export interface SpoolExport {
  exported: number;
  /** Copied as they lie; nobody can say what was in them. */
  damaged: QueueId[];
  /** Everybody was served, or it was deleted: not exported. */
  finished: number;
  /** Not whole: who was served already is not known for certain, and may be served again after an import. */
  database: DatabaseState;
}

export async function exportSpool(
  root: string,
  options: { to: string; folders?: readonly ExportedFolder[]; onProgress?: OnProgress },
): Promise<SpoolExport> {
  await using examination = await examineSpool(root);
  const { places, deleted } = examination.recovered;
  const wanted = options.folders ?? EXPORTED_FOLDERS;
  await mkdir(options.to, { recursive: true, mode: 0o700 });
  const result: SpoolExport = { exported: 0, damaged: [], finished: 0, database: examination.database };
  const chosen = [...places].filter(([, { folder }]) => folder === 'corrupt' || wanted.some((one) => one === folder));
  for (const [at, [id]] of chosen.entries()) {
    if (deleted.has(id)) result.finished += 1;
    else await exportOne(examination, id, { to: options.to, result });
    options.onProgress?.(at + 1, chosen.length);
  }
  await syncDirectory(options.to);
  return result;
}

async function exportOne(
  examination: Examination,
  id: QueueId,
  options: { to: string; result: SpoolExport },
): Promise<void> {
  const { to, result } = options;
  const { files, layout, recovered } = examination;
  const place = recovered.places.get(id);
  if (place === undefined) return;
  const source = layout.message(id, place);
  try {
    if (place.folder === 'corrupt') throw Object.assign(new Error('Set aside'), { code: 'CORRUPT' });
    const opened = await openMessageFile(files, source);
    try {
      const { preamble, trailer } = opened.layout;
      const message = remaining(await examination.entry(id), { preamble, trailer, folder: place.folder });
      if (message === undefined) {
        result.finished += 1;
        return;
      }
      const octets = readBody(opened.file, opened.layout, { path: source });
      await writeStream(path.join(to, `${id}.eml`), octets);
      // Last: an .eml without its .json is an export that was cut.
      await writeFileAtomic(path.join(to, `${id}.json`), `${JSON.stringify(message, undefined, 2)}\n`);
      result.exported += 1;
    } finally {
      await opened.file.close();
    }
  } catch (error) {
    if (errorCode(error) !== 'CORRUPT') throw error;
    await copyFile(files.onDisk(source), path.join(to, `${id}.damaged`));
    result.damaged.push(id);
  }
}

/** The message for those who still wait; undefined when nobody does. */
function remaining(
  entry: Entry | undefined,
  stored: { preamble: Preamble; trailer: Trailer; folder: ExportedFolder },
): ExportedMessage | undefined {
  const { preamble, trailer, folder } = stored;
  const settled = new Map(
    (entry?.recipients ?? []).flatMap((one) => (one.outcome === undefined ? [] : [[one.address, one] as const])),
  );
  const variants = trailer.variants
    .map((variant) => ({ ...variant, recipients: variant.recipients.filter((address) => !settled.has(address)) }))
    .filter((variant) => variant.recipients.length > 0);
  const waiting = new Set(
    folder === 'incoming'
      ? preamble.envelope.recipients.map(({ address }) => address)
      : variants.flatMap((variant) => variant.recipients),
  );
  if (waiting.size === 0) return undefined;
  return {
    format: EXPORT_FORMAT,
    folder,
    preamble: {
      ...preamble,
      envelope: {
        ...preamble.envelope,
        recipients: preamble.envelope.recipients.filter(({ address }) => waiting.has(address)),
      },
    },
    trailer: {
      ...trailer,
      variants,
      decisions: trailer.decisions.filter(({ recipient }) => waiting.has(recipient)),
    },
    settled: [...settled.values()].map(({ address, outcome, lastReply }) => ({
      address,
      outcome: outcome ?? 'delivered',
      ...(lastReply === undefined ? {} : { reply: lastReply }),
    })),
  };
}

/** Complete and synced under its name, or not there. The reader throws before its last octets when the hash is wrong. */
async function writeStream(file: string, octets: AsyncIterable<Buffer>): Promise<void> {
  const temporary = `${file}.part`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    for await (const block of octets) await handle.writeFile(block);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await handle.close();
  await rename(temporary, file);
}
