/**
 * Archives from the inside: each entry's name and first octets are looked at, archives within archives opened in memory, all
 * under one budget a message (files, octets, ratio, depth, time). What is beyond it, damaged or contradicts itself is
 * *unscannable*, never "nothing found"; a locked entry is *encrypted*. Entries without traits are not reported. Other formats
 * than zip are read by listing*.ts.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, gunzip, inflateRaw } from 'node:zlib';
import { configure, type Entry, Uint8ArrayReader, ZipReader } from '@zip.js/zip.js';
import type { Bytes, Milliseconds } from '../base/brand.ts';
import type { AttachmentTrait, Finding } from '../mail/finding.ts';
import { displayText, guessCharset } from '../mail/words.ts';
import { extensionOf, type FileKind, HEAD_OCTETS, kindOf, traitsByName } from './file-kinds.ts';
import { gzipName, type Listed, type ListedFormat, listTar } from './listing.ts';
import { listCab, listLzh } from './listing-old.ts';
import { listRar4, listRar5 } from './listing-rar.ts';
import type { InspectLimits } from './settings.ts';

configure({ useWebWorkers: false });

const inflate = promisify(inflateRaw);
const unzip = promisify(gunzip);

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
interface Surroundings {
  inside: string[];
  depth: number;
  budget: ArchiveBudget;
}

/** What programs may take the octets for: by their beginning, or as a zip because of a name or type. `names`: those of the archive. */
type TakenFor = Pick<FileKind, 'zip' | 'packed'> & { names: readonly string[] };

export async function openArchive(bytes: Buffer, options: Surroundings & { as: TakenFor }): Promise<ArchiveResult> {
  const { zip, packed, names } = options.as;
  const listed = packed === undefined ? undefined : await listPacked(bytes, { ...options, format: packed, names });
  if (!zip) return listed ?? { traits: [], findings: [] };
  const zipped = await listZip(bytes, options);
  if (listed === undefined) return zipped;
  const traits = [...new Set([...listed.traits, ...zipped.traits])];
  return { ...zipped, traits, findings: [...listed.findings, ...zipped.findings] };
}

export async function listZip(bytes: Buffer, options: Surroundings): Promise<ArchiveResult> {
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

async function lookAt(entry: Entry, options: Surroundings & { bytes: Buffer }): Promise<Looked> {
  const names = entryNames(entry);
  const size = entry.uncompressedSize;
  const { inside, budget } = options;
  if (entry.encrypted) return closed({ names, size, inside }, 'encrypted');
  const packed = dataOf(entry, options.bytes);
  const head = packed === undefined ? undefined : await headOf(entry, packed);
  if (packed === undefined || head === undefined) return closed({ names, size, inside }, 'unscannable');
  const room = Math.min(budget.limits.archiveOctets, size);
  const whole = (): Promise<Buffer | undefined> => unpack(entry, packed, { maxOutputLength: Math.max(1, room) });
  return await lookInside({ names, size, head, whole }, options);
}

interface Named {
  names: readonly string[];
  size: Bytes;
  inside: string[];
}

function report({ names, size, inside }: Named, traits: AttachmentTrait[], trueType?: string): Finding {
  return {
    kind: 'attachment',
    name: displayText(names[0] ?? '', 255),
    inside,
    declaredType: '',
    ...(trueType === undefined ? {} : { trueType }),
    size,
    traits: [...new Set(traits)],
  };
}

/** Its octets cannot be had: the name still speaks. */
function closed(entry: Named, why: AttachmentTrait): Looked {
  return { archive: [why], findings: [report(entry, [why, ...entry.names.flatMap(traitsByName)])] };
}

async function lookInside(
  entry: { names: readonly string[]; size: Bytes; head: Buffer; whole: () => Promise<Buffer | undefined> },
  { inside, depth, budget }: Surroundings,
): Promise<Looked> {
  const [name = '', ...otherNames] = entry.names;
  const named = { names: entry.names, size: entry.size, inside };
  const kind = await kindOf({ name, declaredType: '', head: entry.head });
  kind.traits.push(...otherNames.flatMap(traitsByName));
  if (!kind.zip && kind.packed === undefined) {
    const notes = kind.oneNote ? notesTraits(await entry.whole()) : [];
    const traits = [...new Set([...kind.traits, ...notes])];
    return { archive: [], findings: traits.length === 0 ? [] : [report(named, traits, kind.trueType)] };
  }
  const bytes = depth >= budget.limits.archiveDepth ? undefined : await entry.whole();
  const within = { inside: [...inside, displayText(name, 255)], depth: depth + 1, budget };
  const nested: ArchiveResult =
    bytes === undefined
      ? { traits: ['unscannable'], findings: [] }
      : await openArchive(bytes, { ...within, as: { zip: kind.zip, packed: kind.packed, names: entry.names } });
  const traits = [...new Set([...kind.traits, ...nested.traits])];
  const own = traits.some((trait) => trait !== 'archive')
    ? [report(named, traits, nested.trueType ?? kind.trueType)]
    : [];
  const archive = traits.filter((trait) => trait === 'encrypted' || trait === 'unscannable');
  return { archive, findings: [...own, ...nested.findings] };
}

const READERS: Readonly<Record<Exclude<ListedFormat, 'gzip'>, (bytes: Buffer) => Generator<Listed>>> = {
  tar: listTar,
  rar4: listRar4,
  rar5: listRar5,
  lzh: listLzh,
  cab: listCab,
};
/** What we would have opened, had it not been packed in a way we cannot undo. */
const OPENED = /^(?:zip|rar|lzh|lha|cab|tar|tgz|gz)$/;

/** Every format but zip. `names`: those of the archive. */
export async function listPacked(
  bytes: Buffer,
  options: Surroundings & { format: ListedFormat; names: readonly string[] },
): Promise<ArchiveResult> {
  if (options.format === 'gzip') return await listGzip(bytes, options);
  const { budget } = options;
  const traits = new Set<AttachmentTrait>(['archive']);
  const findings: Finding[] = [];
  try {
    for (const entry of READERS[options.format](bytes)) {
      budget.files += 1;
      budget.octets += entry.size;
      if (isSpent(budget)) {
        traits.add('unscannable');
        break;
      }
      const looked = await lookAtListed(entry, options);
      for (const trait of looked.archive) traits.add(trait);
      findings.push(...looked.findings);
      await turn(); // others have mail too
    }
  } catch {
    traits.add('unscannable'); // cut off, or made to confuse
  }
  return { traits: [...traits], findings };
}

function isSpent({ limits, files, octets, until, signal }: ArchiveBudget): boolean {
  return files > limits.archiveFiles || octets > limits.archiveOctets || performance.now() >= until || signal.aborted;
}

async function lookAtListed(entry: Listed, options: Surroundings): Promise<Looked> {
  const names = entry.names.map((name) => lastOf(typeof name === 'string' ? name : guessed(name)));
  const { content, size } = entry;
  const named = { names: [...new Set(names)], size, inside: options.inside };
  if (entry.encrypted === true)
    return names.length === 0 ? { archive: ['encrypted'], findings: [] } : closed(named, 'encrypted');
  if (entry.piece === true) return closed(named, 'unscannable');
  if (content === undefined) {
    if (names.some((name) => OPENED.test(extensionOf(name)))) return closed(named, 'unscannable');
    const traits = named.names.flatMap(traitsByName);
    return { archive: [], findings: traits.length === 0 ? [] : [report(named, traits)] };
  }
  const whole = (): Promise<Buffer> => Promise.resolve(content);
  return await lookInside({ ...named, head: content.subarray(0, HEAD_OCTETS), whole }, options);
}

/** One file: judged by its first octets, by the name without `.gz` and by the one it had; opened if it is an archive itself. */
async function listGzip(bytes: Buffer, options: Surroundings & { names: readonly string[] }): Promise<ArchiveResult> {
  const { budget, depth } = options;
  const [name = '', ...others] = options.names.map((own) => own.replace(/\.gz$/i, '').replace(/\.tgz$/i, '.tar'));
  const before = gzipName(bytes);
  if (before !== undefined) others.push(lastOf(guessed(before)));
  const head = await unzipped(bytes.subarray(0, PEEK), { maxOutputLength: 16 * 1024 * 1024, partial: true });
  if (head === undefined) return { traits: ['unscannable'], findings: [] };
  const { zip, packed, traits } = await kindOf({ name, declaredType: '', head: head.subarray(0, HEAD_OCTETS) });
  traits.push(...others.flatMap(traitsByName));
  if (!zip && packed === undefined) return { traits, findings: [] };
  // a tar in a gzip is one archive to everybody
  const inner = packed === 'tar' ? depth : depth + 1;
  if (inner > budget.limits.archiveDepth || isSpent(budget))
    return { traits: [...traits, 'unscannable'], findings: [] };
  const room = Math.min(budget.limits.archiveOctets, budget.limits.archiveRatio * bytes.length + RATIO_MATTERS_FROM);
  const whole = await unzipped(bytes, { maxOutputLength: room });
  if (whole === undefined) return { traits: [...traits, 'unscannable'], findings: [] };
  if (packed !== 'tar') budget.octets += whole.length; // tar counts its own
  const as = { zip, packed, names: [name, ...others] };
  const nested = await openArchive(whole, { inside: options.inside, depth: inner, budget, as });
  return { traits: [...new Set([...traits, ...nested.traits])], findings: nested.findings };
}

async function unzipped(
  packed: Buffer,
  options: { maxOutputLength: number; partial?: boolean },
): Promise<Buffer | undefined> {
  const finishFlush = options.partial === true ? constants.Z_SYNC_FLUSH : constants.Z_FINISH;
  try {
    return await unzip(packed, { maxOutputLength: options.maxOutputLength, finishFlush });
  } catch {
    return undefined;
  }
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

/**
 * Without the UTF-8 flag the name is in the packer's own code page: CP932 on the Windows of this country. Beside it there may be
 * one in Unicode (extra field 0x7075), which some programs believe and others do not read.
 */
function entryNames(entry: Entry): string[] {
  const raw = Buffer.from(entry.rawFilename);
  const plain = entry.filenameUTF8 ? raw.toString('utf8') : guessed(raw);
  const stated = entry.filenameUTF8 ? [plain, entry.filename] : [plain];
  const unicode = entry.extraField?.get(UNICODE_PATH)?.data;
  if (unicode !== undefined) stated.push(Buffer.from(unicode.subarray(UNICODE_PATH_HEAD)).toString('utf8'));
  return [...new Set(stated.map(lastOf))];
}

function guessed(raw: Buffer): string {
  return guessCharset(raw, ['utf-8', 'shift_jis', 'euc-jp']);
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

function notesTraits(notes: Buffer | undefined): AttachmentTrait[] {
  if (notes === undefined) return ['unscannable'];
  return notesHold(notes) ? ['script'] : [];
}
