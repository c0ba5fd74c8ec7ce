/**
 * Zip archives from the inside: each entry's name and first octets are looked at, zips within zips opened in memory, all
 * under one budget a message (files, octets, ratio, depth, time). What is beyond it, damaged or contradicts itself is
 * *unscannable*, never "nothing found"; a locked entry is *encrypted*. Entries without traits are not reported.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, gunzip, inflateRaw } from 'node:zlib';
import { configure, type Entry, Uint8ArrayReader, ZipReader } from '@zip.js/zip.js';
import type { Bytes, Milliseconds } from '../base/brand.ts';
import type { AttachmentTrait, Finding } from '../mail/finding.ts';
import { displayText, guessCharset } from '../mail/words.ts';
import { HEAD_OCTETS, kindOf, traitsByName } from './file-kinds.ts';
import type { InspectLimits } from './settings.ts';

configure({ useWebWorkers: false });

const inflate = promisify(inflateRaw);
const unzipHead = promisify(gunzip);

/** A file embedded in OneNote notes: FileDataStoreObject (MS-ONESTORE §2.6.13). */
const ONENOTE_FILE = Buffer.from('e716e3bd65261145a4c48d4d0b7a9eac', 'hex');
/** Info-ZIP Unicode Path (APPNOTE §4.6.9): version, CRC-32 of the other name, then the name. */
const UNICODE_PATH = 0x7075;
const UNICODE_PATH_HEAD = 5;
/** Below this a high ratio is only a small text that repeats itself. */
const RATIO_MATTERS_FROM: Bytes = 1024 * 1024;
/** Compressed octets that are inflated to see how a file begins; they cannot make more than about 8 MiB. */
const PEEK: Bytes = 8_192;
const LOCAL_HEADER = 30;
const LOCAL_SIGNATURE = Buffer.from('PK\x03\x04', 'latin1');
const STORED = 0;
const DEFLATED = 8;
/** The DEFAULTS' 30 s are of CPU; less when the whole inspection has less. */
export const ARCHIVE_MS: Milliseconds = 30_000;

export interface ArchiveBudget {
  limits: InspectLimits;
  files: number;
  octets: Bytes;
  /** On the scale of `performance.now()`. */
  until: Milliseconds;
  signal: AbortSignal;
}

export function newBudget(limits: InspectLimits, options: { ms: Milliseconds; signal: AbortSignal }): ArchiveBudget {
  const until = performance.now() + Math.min(ARCHIVE_MS, options.ms);
  return { limits, files: 0, octets: 0, until, signal: options.signal };
}

export interface ArchiveResult {
  /** Of the archive itself. */
  traits: AttachmentTrait[];
  /** Of what is in it. */
  findings: Finding[];
  trueType?: string;
}

/** `inside`: names around the entries, the archive's own last. `depth`: 1 for an archive that is attached itself. */
export async function listZip(
  bytes: Buffer,
  options: { inside: string[]; depth: number; budget: ArchiveBudget },
): Promise<ArchiveResult> {
  const traits = new Set<AttachmentTrait>();
  const findings: Finding[] = [];
  const names = new Set<string>();
  const covered: Entry[] = [];
  const reader = new ZipReader(new Uint8ArrayReader(bytes), { useWebWorkers: false, checkSignature: false });
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      if (!withinBudget(entry, options.budget)) {
        traits.add('unscannable');
        break;
      }
      names.add(entry.filename.toLowerCase());
      covered.push(entry);
      // "directory" may be no more than a bit that unpackers read differently: what has content is looked at
      if (entry.directory && entry.compressedSize === 0 && entry.uncompressedSize === 0) continue;
      const looked = await lookAt(entry, { ...options, bytes });
      for (const trait of looked.archive) traits.add(trait);
      findings.push(...looked.findings);
      await turn(); // others have mail too
    }
    if (!traits.has('unscannable') && hidesEntries(bytes, covered)) traits.add('unscannable');
  } catch {
    traits.add('unscannable'); // no zip after all, cut off, or made to confuse
  } finally {
    await reader.close().catch(() => undefined);
  }
  const office = officeType(names);
  if (office === undefined) traits.add('archive');
  return { traits: [...traits], findings, ...(office === undefined ? {} : { trueType: office }) };
}

/**
 * Is there a file in it that its directory does not name, or one octet in two files? Two zips joined are one to some programs
 * and the other to others: who reads from the front finds what the directory at the end is silent about.
 */
function hidesEntries(bytes: Buffer, entries: readonly Entry[]): boolean {
  let at = 0;
  for (const entry of [...entries].sort((one, other) => one.offset - other.offset)) {
    const header = bytes.indexOf(LOCAL_SIGNATURE, at);
    if (header !== entry.offset) return true;
    if (header + LOCAL_HEADER > bytes.length) return true;
    const names = bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    at = header + LOCAL_HEADER + names + entry.compressedSize;
  }
  return bytes.indexOf(LOCAL_SIGNATURE, at) >= 0;
}

function withinBudget(entry: Entry, budget: ArchiveBudget): boolean {
  const { limits } = budget;
  budget.files += 1;
  budget.octets += entry.uncompressedSize;
  const bloated =
    entry.uncompressedSize >= RATIO_MATTERS_FROM &&
    entry.uncompressedSize > limits.archiveRatio * Math.max(1, entry.compressedSize);
  if (budget.files > limits.archiveFiles || budget.octets > limits.archiveOctets || bloated) return false;
  return performance.now() < budget.until && !budget.signal.aborted;
}

/** Office documents are zips too; as a document they are not an archive for the policy. */
function officeType(names: ReadonlySet<string>): string | undefined {
  if (names.has('[content_types].xml')) {
    if ([...names].some((name) => name.startsWith('word/')))
      return 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
    if ([...names].some((name) => name.startsWith('xl/')))
      return 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';
    if ([...names].some((name) => name.startsWith('ppt/')))
      return 'application/vnd.openxmlformats-officedocument.presentationml.presentation';
    return 'application/vnd.ms-opc';
  }
  return names.has('mimetype') && names.has('meta-inf/manifest.xml') ? 'application/vnd.oasis.opendocument' : undefined;
}

interface Looked {
  /** What the entry says about the archive as a whole. */
  archive: AttachmentTrait[];
  findings: Finding[];
}

async function lookAt(
  entry: Entry,
  options: { bytes: Buffer; inside: string[]; depth: number; budget: ArchiveBudget },
): Promise<Looked> {
  const [name = '', ...otherNames] = entryNames(entry);
  const byName = (): AttachmentTrait[] => [name, ...otherNames].flatMap(traitsByName);
  const report = (traits: AttachmentTrait[], trueType?: string): Finding => ({
    kind: 'attachment',
    name: displayText(name, 255),
    inside: options.inside,
    declaredType: '',
    ...(trueType === undefined ? {} : { trueType }),
    size: entry.uncompressedSize,
    traits: [...new Set(traits)],
  });
  if (entry.encrypted) {
    return { archive: ['encrypted'], findings: [report(['encrypted', ...byName()])] };
  }
  const packed = dataOf(entry, options.bytes);
  const head = packed === undefined ? undefined : await headOf(entry, packed);
  if (packed === undefined || head === undefined) {
    return { archive: ['unscannable'], findings: [report(['unscannable', ...byName()])] };
  }
  const kind = await kindOf({ name, declaredType: '', head });
  kind.traits.push(...otherNames.flatMap(traitsByName));
  if (!kind.zip) {
    const inner = kind.trueType === 'application/gzip' ? await gzipTraits(head, name) : [];
    const notes = kind.oneNote ? await notesTraits(entry, packed, options.budget) : [];
    const traits = [...new Set([...kind.traits, ...inner, ...notes])];
    return { archive: [], findings: traits.length === 0 ? [] : [report(traits, kind.trueType)] };
  }
  const nested = await listNested(entry, packed, options);
  const traits = [...new Set([...kind.traits, ...nested.traits])];
  const own = traits.some((trait) => trait !== 'archive') ? [report(traits, nested.trueType ?? kind.trueType)] : [];
  const archive = traits.filter((trait) => trait === 'encrypted' || trait === 'unscannable');
  return { archive, findings: [...own, ...nested.findings] };
}

async function listNested(
  entry: Entry,
  packed: Buffer,
  options: { inside: string[]; depth: number; budget: ArchiveBudget },
): Promise<ArchiveResult> {
  const { budget, depth, inside } = options;
  if (depth >= budget.limits.archiveDepth) return { traits: ['unscannable'], findings: [] };
  const room = Math.min(budget.limits.archiveOctets, entry.uncompressedSize);
  const bytes = await unpack(entry, packed, { maxOutputLength: Math.max(1, room) });
  if (bytes === undefined) return { traits: ['unscannable'], findings: [] };
  return await listZip(bytes, {
    budget,
    depth: depth + 1,
    inside: [...inside, displayText(entryNames(entry)[0] ?? '', 255)],
  });
}

/**
 * The entry's packed octets, or undefined when its local header is elsewhere or has another name than the directory: such a
 * zip shows one thing to us and another to the program that opens it.
 */
function dataOf(entry: Entry, bytes: Buffer): Buffer | undefined {
  const at = entry.offset;
  if (at < 0 || at + LOCAL_HEADER > bytes.length || bytes.readUInt32LE(at) !== 0x04034b50) return undefined;
  const nameEnd = at + LOCAL_HEADER + bytes.readUInt16LE(at + 26);
  const begin = nameEnd + bytes.readUInt16LE(at + 28);
  const end = begin + entry.compressedSize;
  if (end > bytes.length) return undefined;
  if (Buffer.compare(bytes.subarray(at + LOCAL_HEADER, nameEnd), entry.rawFilename) !== 0) return undefined;
  if (bytes.readUInt16LE(at + 8) !== entry.compressionMethod) return undefined;
  return bytes.subarray(begin, end);
}

async function headOf(entry: Entry, packed: Buffer): Promise<Buffer | undefined> {
  if (entry.compressionMethod === STORED) return packed.subarray(0, HEAD_OCTETS);
  return await unpack(entry, packed.subarray(0, PEEK), { maxOutputLength: 16 * 1024 * 1024, partial: true });
}

async function unpack(
  entry: Entry,
  packed: Buffer,
  options: { maxOutputLength: number; partial?: boolean },
): Promise<Buffer | undefined> {
  if (entry.compressionMethod === STORED) return packed.length > options.maxOutputLength ? undefined : packed;
  if (entry.compressionMethod !== DEFLATED) return undefined;
  try {
    const finishFlush = options.partial === true ? constants.Z_SYNC_FLUSH : constants.Z_FINISH;
    return await inflate(packed, { maxOutputLength: options.maxOutputLength, finishFlush });
  } catch {
    return undefined;
  }
}

/** A lone program in a gzip: judged by the name without `.gz` and the first octets. */
export async function gzipTraits(head: Buffer, name: string): Promise<AttachmentTrait[]> {
  try {
    const limits = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 16 * 1024 * 1024 };
    const inner = await unzipHead(head.subarray(0, PEEK), limits);
    return (await kindOf({ name: name.replace(/\.gz$/i, ''), declaredType: '', head: inner })).traits;
  } catch {
    return ['unscannable'];
  }
}

/**
 * Without the UTF-8 flag the name is in the packer's own code page: CP932 on the Windows of this country. Beside it there may be
 * one in Unicode (extra field 0x7075), which some programs believe and others do not read.
 */
function entryNames(entry: Entry): string[] {
  const raw = Buffer.from(entry.rawFilename);
  const plain = entry.filenameUTF8 ? raw.toString('utf8') : guessCharset(raw, ['utf-8', 'shift_jis', 'euc-jp']);
  const stated = entry.filenameUTF8 ? [plain, entry.filename] : [plain];
  const unicode = entry.extraField?.get(UNICODE_PATH)?.data;
  if (unicode !== undefined) stated.push(Buffer.from(unicode.subarray(UNICODE_PATH_HEAD)).toString('utf8'));
  return [...new Set(stated.map(lastOf))];
}

/** Of a path; the slash at the end of a directory's is not part of its name. */
function lastOf(path: string): string {
  const bare = /[/\\]$/.test(path) ? path.slice(0, -1) : path;
  return bare.slice(Math.max(bare.lastIndexOf('/'), bare.lastIndexOf('\\')) + 1);
}

/** Of the notes of OneNote: is there a file to be started in them? */
export function notesHold(octets: Buffer): boolean {
  return octets.includes(ONENOTE_FILE);
}

async function notesTraits(entry: Entry, packed: Buffer, budget: ArchiveBudget): Promise<AttachmentTrait[]> {
  const room = Math.min(budget.limits.archiveOctets, entry.uncompressedSize);
  const notes = await unpack(entry, packed, { maxOutputLength: Math.max(1, room) });
  if (notes === undefined) return ['unscannable'];
  return notesHold(notes) ? ['script'] : [];
}
