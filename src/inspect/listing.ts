/**
 * What kind of archive octets are, and tar's list of files. The readers (here, listing-rar.ts, listing-old.ts) are generators over
 * octets in memory: one entry at a time, linear, nothing allocated by a size that is declared. They throw `Damaged` where the
 * list is cut off or contradicts itself. 7z is not among them: its list of names is compressed.
 */
import type { Bytes } from '../base/brand.ts';

export type ListedFormat = 'tar' | 'gzip' | 'rar4' | 'rar5' | 'lzh' | 'cab';

export interface Listed {
  /** Each that a program may give it, as octets or already read; none: of the archive as a whole. */
  names: ReadonlyArray<Buffer | string>;
  size: Bytes;
  /** Its octets, when they stand there unpacked. */
  content?: Buffer;
  encrypted?: boolean;
  /** Begins or ends in another archive. */
  piece?: boolean;
}

/** The list cannot be believed: the same as a damaged zip. */
export class Damaged extends Error {}

const MAGICS: ReadonlyArray<readonly [ListedFormat, Buffer]> = [
  ['gzip', Buffer.from('1f8b', 'hex')],
  ['rar4', Buffer.from('Rar!\x1a\x07\0', 'latin1')],
  ['rar5', Buffer.from('Rar!\x1a\x07\x01\0', 'latin1')],
  ['cab', Buffer.from('MSCF\0\0\0\0', 'latin1')],
];
const BLOCK: Bytes = 512;
const USTAR_AT: Bytes = 257;
/** Names and their like before an entry (GNU, pax): longer ones are no names. */
const MAX_NOTE: Bytes = 64 * 1024;

export function formatOf(head: Buffer): ListedFormat | undefined {
  const magic = MAGICS.find(([, octets]) => begins(head, octets));
  if (magic !== undefined) return magic[0];
  // LHA: the method stands behind length and checksum
  const lzh =
    head.length > 21 && (head[20] as number) <= 3 && /^-(?:lh|lz|pm)[a-z0-9]-$/.test(head.toString('latin1', 2, 7));
  if (lzh) return 'lzh';
  return isTar(head) ? 'tar' : undefined;
}

function begins(head: Buffer, magic: Buffer): boolean {
  return head.length >= magic.length && head.compare(magic, 0, magic.length, 0, magic.length) === 0;
}

/** POSIX.1 "ustar", or the older form, which only its checksum tells. */
function isTar(head: Buffer): boolean {
  if (head.length < BLOCK) return false;
  if (head.toString('latin1', USTAR_AT, USTAR_AT + 5) === 'ustar') return true;
  return head[0] !== 0 && isChecksumRight(head.subarray(0, BLOCK));
}

function isChecksumRight(header: Buffer): boolean {
  const stated = octal(header.subarray(148, 156));
  if (stated === undefined) return false;
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let at = 0; at < BLOCK; at += 1) {
    if (at >= 148 && at < 156) continue;
    const octet = header[at] as number;
    unsigned += octet;
    signed += octet > 127 ? octet - 256 : octet; // what some old ones summed
  }
  return stated === unsigned || stated === signed;
}

function octal(field: Buffer): number | undefined {
  const text = field.toString('latin1').split('\0', 1)[0]?.trim() ?? '';
  return /^[0-7]{1,12}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** POSIX.1-2017 pax, "ustar Interchange Format"; GNU's long names and sparse files. */
export function* listTar(bytes: Buffer): Generator<Listed> {
  let names: Array<Buffer | string> = [];
  let stated: number | undefined;
  let at = 0;
  let ended = false;
  for (; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    const sound = isChecksumRight(header);
    if (ended && sound) throw new Damaged('A file stands behind the end'); // who reads on finds it
    if (ended || isZero(header)) {
      ended = true;
      at += BLOCK;
      continue;
    }
    if (!sound) throw new Damaged('A header is not what its checksum says');
    const size = sizeOf(header);
    const type = String.fromCharCode(header[156] as number);
    const begin = dataAt(bytes, { at, type, header });
    const end = begin + size;
    if (end > bytes.length) throw new Damaged('A file is cut off');
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
    const content = bytes.subarray(begin, end);
    if (type === 'L') names.push(untilNul(content.subarray(0, MAX_NOTE)));
    else if (type === 'x' || type === 'g') {
      const note = paxNote(content);
      names.push(...note.paths);
      stated = note.size ?? stated;
    } else if (type !== 'K') {
      // programs differ in whether these have octets, and so in where the next header stands
      if ('123456'.includes(type) && size > 0) throw new Damaged('A directory or link with octets');
      if (stated !== undefined && stated !== size) throw new Damaged('Two sizes of one file');
      const own = untilNul(header.subarray(0, 100));
      if (type !== '5') yield { names: [...names, own], size, content };
      names = [];
      stated = undefined;
    }
  }
}

function isZero(block: Buffer): boolean {
  return block.every((octet) => octet === 0);
}

/** In octal, or the number itself with the first bit set (GNU). */
function sizeOf(header: Buffer): Bytes {
  const field = header.subarray(124, 136);
  if ((field[0] as number) >= 0x80) {
    if (field[0] !== 0x80 || field.readUInt32BE(4) > 0xffff) throw new Damaged('A size beyond all measure');
    return field.readUIntBE(6, 6);
  }
  const size = octal(field);
  if (size === undefined) throw new Damaged('A size that is no number');
  return size;
}

/** Behind the header, and for a sparse file behind the headers that go on with its map. */
function dataAt(bytes: Buffer, { at, type, header }: { at: number; type: string; header: Buffer }): number {
  let begin = at + BLOCK;
  let more = type === 'S' && header[482] !== 0;
  while (more) {
    if (begin + BLOCK > bytes.length) throw new Damaged('A map is cut off');
    more = bytes[begin + 504] !== 0;
    begin += BLOCK;
  }
  return begin;
}

export function untilNul(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** Records "length key=value\n". */
function paxNote(content: Buffer): { paths: string[]; size?: number } {
  const paths: string[] = [];
  let size: number | undefined;
  if (content.length > MAX_NOTE) throw new Damaged('A note that is too long');
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(space < 0 ? Number.NaN : content.toString('latin1', at, Math.min(space, at + 8)));
    const end = at + length;
    if (!(Number.isInteger(length) && end > space && end <= content.length) || content[end - 1] !== 0x0a)
      throw new Damaged('A note that is none');
    const record = content.toString('utf8', space + 1, end - 1);
    if (/^(?:path|GNU\.sparse\.name)=/.test(record)) paths.push(record.slice(record.indexOf('=') + 1));
    if (record.startsWith('size=')) size = Number(record.slice('size='.length));
    at = end;
  }
  return size === undefined ? { paths } : { paths, size };
}

/** RFC 1952 §2.3: the name it had before. */
export function gzipName(head: Buffer): Buffer | undefined {
  const flags = head[3] ?? 0;
  if ((flags & 0x08) === 0) return undefined;
  const extra = (flags & 0x04) !== 0 && head.length >= 12 ? 2 + head.readUInt16LE(10) : 0;
  return untilNul(head.subarray(10 + extra, 10 + extra + 1_024));
}
