/**
 * The signature databases on the disk. Each set is a folder of its own, made whole and synced before anything points at it;
 * clamd reads what the link `current` points at, so a change and its taking back are one rename each, also through a power cut.
 * What was fetched belongs to another user: it is copied, never linked, so that nobody can alter a set afterwards.
 *
 *   <root>/fetch/      freshclam's own, the only folder it may write
 *   <root>/sets/<n>/   root's: the databases, and a signature of ours by which a running clamd tells which set it has loaded
 *   <root>/current     what the antivirus runs with · <root>/candidate: what a second instance is to prove
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import {
  chmod,
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory } from '../base/atomic-file.ts';
import { errorCode, SekishoError } from '../base/errors.ts';

/** ClamAV's own (signed, or updated here), and what an own mirror may bring beside or instead: plain signatures, exceptions. */
const DATABASE = /^[A-Za-z0-9][A-Za-z0-9_-]{0,60}\.(cvd|cld|ndb|ldb|hdb|hsb|fp|sfp|ign2)$/;
const MARK_FILE = 'sekisho-set.ndb';
const HEAD_OCTETS = 512;

export interface DatabaseFile {
  name: string;
  octets: number;
  /** From its own head, where it has one. */
  version?: number;
  builtAt?: number;
  /** Of what has no head. */
  sha256?: string;
}

export interface SignatureSet {
  number: number;
  /** Both halves of ClamAV's own are in it; without them it knows the test signatures only. */
  full: boolean;
  files: DatabaseFile[];
}

export interface SignatureSets {
  readonly fetch: string;
  current(): Promise<SignatureSet | undefined>;
  /** What was fetched as a new set, or undefined when it is one of these (`fingerprint`). */
  adopt(known: readonly string[]): Promise<SignatureSet | undefined>;
  /** The starter signatures as a set. */
  starter(): Promise<SignatureSet>;
  read(number: number): Promise<SignatureSet | undefined>;
  point(link: 'current' | 'candidate', number: number): Promise<void>;
  /** All others go. */
  keep(numbers: readonly number[]): Promise<void>;
}

/** What clamd calls the text of `markText` when that set is loaded. */
export function markName(number: number): string {
  return `Sekisho.Set.${number}`;
}

export function markText(number: number): string {
  return `SEKISHO-SIGNATURE-SET-${number}-MARK`;
}

export function openSignatureSets(options: { root: string; starterFile: string }): SignatureSets {
  const { root, starterFile } = options;
  const fetch = path.join(root, 'fetch');
  const sets = path.join(root, 'sets');
  const folderOf = (number: number): string => path.join(sets, String(number));

  async function numbers(): Promise<number[]> {
    const names = await readdir(sets).catch(() => []);
    return names.filter((name) => /^\d{1,9}$/.test(name)).map(Number);
  }

  async function read(number: number): Promise<SignatureSet | undefined> {
    try {
      const files = await databases(folderOf(number));
      return { number, full: isFull(files), files };
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async function current(): Promise<SignatureSet | undefined> {
    const target = await readlink(path.join(root, 'current')).catch(() => '');
    const number = /^sets\/(\d{1,9})$/.exec(target)?.[1];
    return number === undefined ? undefined : read(Number(number));
  }

  /** Whole under its name, or not there. */
  async function make(fill: (folder: string) => Promise<void>): Promise<SignatureSet> {
    const number = Math.max(0, ...(await numbers())) + 1;
    const draft = path.join(sets, `${number}.new`);
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft, { recursive: true, mode: 0o755 });
    try {
      await fill(draft);
      await writeSynced(path.join(draft, MARK_FILE), `${markName(number)}:0:*:${hex(markText(number))}\n`);
    } catch (error) {
      // on a full disk the half of it would take root's last reserve from the machine's own records
      await rm(draft, { recursive: true, force: true });
      throw error;
    }
    // the host's own mask keeps files from others; the antivirus is another
    await chmod(draft, 0o755);
    await syncDirectory(draft);
    await rename(draft, folderOf(number));
    await syncDirectory(sets);
    const made = await read(number);
    if (made === undefined) throw new SekishoError('NO_SIGNATURES', `Set ${number} is gone`);
    return made;
  }

  return {
    fetch,
    current,
    read,
    adopt: async (known) => {
      const fetched = await databases(fetch).catch(() => []);
      if (fetched.length === 0 || known.includes(fingerprint(fetched))) return undefined;
      return make(async (folder) => {
        for (const { name } of fetched) await copySynced(path.join(fetch, name), path.join(folder, name));
        if (!isFull(fetched)) await copySynced(starterFile, path.join(folder, 'sekisho-starter.ndb'));
      });
    },
    starter: () => make((folder) => copySynced(starterFile, path.join(folder, 'sekisho-starter.ndb'))),
    point: async (link, number) => {
      const fresh = path.join(root, `${link}.new`);
      await rm(fresh, { force: true });
      await symlink(path.join('sets', String(number)), fresh);
      await rename(fresh, path.join(root, link));
      await syncDirectory(root);
    },
    keep: async (wanted) => {
      for (const name of await readdir(sets).catch(() => []))
        if (!wanted.includes(Number(name))) await rm(path.join(sets, name), { recursive: true, force: true });
    },
  };
}

async function databases(folder: string): Promise<DatabaseFile[]> {
  // ours (the mark, the starter) are of the set, not of what was fetched
  const theirs = (name: string): boolean => DATABASE.test(name) && !name.startsWith('sekisho-');
  const names = (await readdir(folder)).filter(theirs).toSorted();
  return Promise.all(names.map((name) => describe(path.join(folder, name))));
}

function isFull(files: readonly DatabaseFile[]): boolean {
  return ['main', 'daily'].every((half) => files.some(({ name }) => name.startsWith(`${half}.`)));
}

/** No other database has the same name, size and version: a head changes with each. */
export function fingerprint(files: readonly DatabaseFile[]): string {
  return JSON.stringify(files);
}

/** `ClamAV-VDB:21 Nov 2026 10-00 +0000:27500:…`, padded to 512 octets. The link of another user is not followed. */
async function describe(file: string): Promise<DatabaseFile> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_OCTETS), 0, HEAD_OCTETS, 0);
    const { size } = await handle.stat();
    const [, day = '', version = ''] =
      /^ClamAV-VDB:([^:]{1,40}):(\d{1,9}):/.exec(buffer.toString('latin1', 0, bytesRead)) ?? [];
    const builtAt = Date.parse(day.replace(/ (\d\d)-(\d\d) /, ' $1:$2 '));
    const headless = version === '';
    return {
      name: path.basename(file),
      octets: size,
      ...(headless ? { sha256: await hashOf(handle) } : { version: Number(version) }),
      ...(Number.isNaN(builtAt) ? {} : { builtAt }),
    };
  } finally {
    await handle.close();
  }
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of handle.createReadStream({ start: 0, autoClose: false })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

async function copySynced(from: string, to: string): Promise<void> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const handle = await open(to, 'wx', 0o644);
    try {
      for await (const piece of source.createReadStream({ autoClose: false, highWaterMark: 1_048_576 }))
        await handle.write(piece as Buffer);
      await handle.chmod(0o644);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } finally {
    await source.close();
  }
}

async function writeSynced(file: string, content: string): Promise<void> {
  const handle = await open(file, 'wx', 0o644);
  try {
    await handle.writeFile(content);
    await handle.chmod(0o644);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** An uploaded file, for freshclam's folder: refused unless it is one of ClamAV's own, with its head. */
export async function layUploaded(
  from: string,
  to: { folder: string; owner: { uid: number; gid: number } | undefined },
): Promise<void> {
  const name = path.basename(from);
  if (!/^(main|daily|bytecode)\.cvd$/.test(name))
    throw new SekishoError('INVALID_REQUEST', 'Upload main.cvd, daily.cvd or bytecode.cvd');
  if ((await describe(from)).version === undefined)
    throw new SekishoError('INVALID_REQUEST', `"${name}" is no ClamAV database`);
  const fresh = path.join(to.folder, `${name}.uploaded`);
  await rm(fresh, { force: true });
  await copyFile(from, fresh, constants.COPYFILE_EXCL);
  const handle = await open(fresh, 'r+');
  try {
    await handle.chmod(0o644);
    if (to.owner !== undefined) await handle.chown(to.owner.uid, to.owner.gid);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, path.join(to.folder, name));
  // an incremental one beside it would be read as well
  await rm(path.join(to.folder, name.replace('.cvd', '.cld')), { force: true });
}

function hex(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}
