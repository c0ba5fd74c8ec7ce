/**
 * `sekisho spool check`: every octet of every message file is read and compared with its hash, and recovery is played
 * through dry. Tells what the next start would find and do; changes nothing.
 */
import { errorCode } from '../../base/errors.ts';
import type { QueueId } from '../../mail/queue-id.ts';
import { FOLDERS, type Folder } from '../api.ts';
import { readBody } from '../body.ts';
import { openMessageFile } from '../message-file.ts';
import { type DatabaseState, type Examination, examineSpool } from './examine.ts';

export interface SpoolCheck {
  cleanStop: boolean;
  database: DatabaseState;
  folders: Record<Folder, { files: number; octets: number }>;
  /** Half-received messages of transactions that had no 250: the next start drops them. */
  drafts: number;
  /** Moved to corrupt/ at the next start, or when they are next read. */
  damaged: QueueId[];
  /** Entries whose file is gone. */
  lost: QueueId[];
  /** Queued files the database has never heard of, or heard of in vain: recipients served already may be served again. */
  requeued: number;
  /** Nothing is damaged or lost, and the database is whole. */
  ok: boolean;
}

export type OnProgress = (done: number, total: number) => void;

export async function checkSpool(root: string, onProgress: OnProgress = () => undefined): Promise<SpoolCheck> {
  await using examination = await examineSpool(root);
  const { recovered, database, cleanStop } = examination;
  const folders = Object.fromEntries(
    FOLDERS.map((folder) => [folder, { files: 0, octets: 0 }]),
  ) as SpoolCheck['folders'];
  const damaged = [...recovered.damaged];
  let done = 0;
  for (const [id, place] of recovered.places) {
    const size = await verifiedSize(examination, id);
    if (size === undefined && place.folder !== 'corrupt') damaged.push(id);
    folders[place.folder].files += 1;
    folders[place.folder].octets += size ?? 0;
    done += 1;
    onProgress(done, recovered.places.size);
  }
  return {
    cleanStop,
    database,
    folders,
    drafts: recovered.report.dropped,
    damaged,
    lost: recovered.lost,
    requeued: recovered.report.requeued,
    ok: damaged.length === 0 && recovered.lost.length === 0 && database.state === 'whole',
  };
}

/** Octets of the body, all of them read; undefined when the file is damaged. Trouble of the disk (EIO) is thrown. */
async function verifiedSize(examination: Examination, id: QueueId): Promise<number | undefined> {
  const { files, layout, recovered } = examination;
  const place = recovered.places.get(id);
  if (place === undefined) return undefined;
  const path = layout.message(id, place);
  try {
    const opened = await openMessageFile(files, path);
    try {
      for await (const _block of readBody(opened.file, opened.layout, { path })) continue;
      return opened.layout.trailer.size;
    } finally {
      await opened.file.close();
    }
  } catch (error) {
    if (errorCode(error) === 'CORRUPT') return undefined;
    throw error;
  }
}
