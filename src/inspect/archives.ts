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

/** Below this a high ratio is only a small text that repeats itself. */
const RATIO_MATTERS_FROM: Bytes = 1024 * 1024;
/** Compressed octets that are inflated to see how a file begins; they cannot make more than about 8 MiB. */
const PEEK: Bytes = 8_192;
const LOCAL_HEADER = 30;
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
  const reader = new ZipReader(new Uint8ArrayReader(bytes), { useWebWorkers: false, checkSignature: false });
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      if (!withinBudget(entry, options.budget)) {
        traits.add('unscannable');
        break;
      }
      names.add(entry.filename.toLowerCase());
      if (entry.directory) continue;
      const looked = await lookAt(entry, { ...options, bytes });
      for (const trait of looked.archive) traits.add(trait);
      findings.push(...looked.findings);
      await turn(); // others have mail too
    }
  } catch {
    traits.add('unscannable'); // no zip after all, cut off, or made to confuse
  } finally {
    await reader.close().catch(() => undefined);
  }
  const office = officeType(names);
  if (office === undefined) traits.add('archive');
  return { traits: [...traits], findings, ...(office === undefined ? {} : { trueType: office }) };
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
  const name = entryName(entry);
  const report = (traits: AttachmentTrait[], trueType?: string): Finding => ({
    kind: 'attachment',
    name: displayText(name, 255),
    inside: options.inside,
    declaredType: '',
    ...(trueType === undefined ? {} : { trueType }),
    size: entry.uncompressedSize,
    traits,
  });
  if (entry.encrypted) {
    return { archive: ['encrypted'], findings: [report(['encrypted', ...traitsByName(name)])] };
  }
  const packed = dataOf(entry, options.bytes);
  const head = packed === undefined ? undefined : await headOf(entry, packed);
  if (packed === undefined || head === undefined) {
    return { archive: ['unscannable'], findings: [report(['unscannable', ...traitsByName(name)])] };
  }
  const kind = await kindOf({ name, declaredType: '', head });
  if (!kind.zip) {
    const inner = kind.trueType === 'application/gzip' ? await gzipTraits(head, name) : [];
    const traits = [...new Set([...kind.traits, ...inner])];
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
  return await listZip(bytes, { budget, depth: depth + 1, inside: [...inside, displayText(entryName(entry), 255)] });
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

/** Without the UTF-8 flag the name is in the packer's own code page: CP932 on the Windows of this country. */
function entryName(entry: Entry): string {
  const raw = Buffer.from(entry.rawFilename);
  const text = entry.filenameUTF8 ? entry.filename : guessCharset(raw, ['utf-8', 'shift_jis', 'euc-jp']);
  return text.slice(Math.max(text.lastIndexOf('/'), text.lastIndexOf('\\')) + 1);
}
