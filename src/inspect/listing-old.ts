/**
 * The lists of files of LZH (LHA, headers of level 0 to 2; a higher one counts as damaged) and of cabinets (MS-CAB). Packed octets
 * are stepped over; what is stored in an LZH is handed out.
 */
import { Damaged, type Listed, untilNul } from './listing.ts';

const LZH_HEADER = 22;
const FILE_NAME = 0x01;
const UNICODE_NAME = 0x44;

export function* listLzh(bytes: Buffer): Generator<Listed> {
  for (let at = 0; at < bytes.length; ) {
    const method = bytes.toString('latin1', at + 2, at + 7);
    const named = /^-[a-z][a-z0-9]{2}-$/.test(method);
    // a level 2 header of 256 octets looks like the end to some
    if (bytes[at] === 0 && !named) return;
    if (at + LZH_HEADER > bytes.length) throw new Damaged('A header is cut off');
    if (!named || bytes[at] === 0) throw new Damaged('A header that is none');
    const { names, begin, end } = lzhHeader(bytes, at);
    if (end > bytes.length || end < begin) throw new Damaged('A file is cut off');
    const size = bytes.readUInt32LE(at + 11);
    const stored = /^-(?:lh0|lz4|pm0)-$/.test(method);
    if (method !== '-lhd-') yield stored ? { names, size, content: bytes.subarray(begin, end) } : { names, size };
    at = end;
  }
}

interface LzhHeader {
  names: Array<Buffer | string>;
  /** Of the packed octets. */
  begin: number;
  end: number;
}

function lzhHeader(bytes: Buffer, at: number): LzhHeader {
  const level = bytes[at + 20] as number;
  const packed = bytes.readUInt32LE(at + 7);
  if (level === 2) {
    const begin = at + bytes.readUInt16LE(at);
    const { names, end } = lzhExtensions(bytes, at + 24);
    if (end > begin) throw new Damaged('A header is longer than it says');
    return { names, begin, end: begin + packed };
  }
  if (level > 2) throw new Damaged('A header of a level we do not read');
  const end = at + 2 + (bytes[at] as number);
  const nameEnd = at + LZH_HEADER + (bytes[at + 21] as number);
  if (end > bytes.length || nameEnd + 2 > end) throw new Damaged('A header is cut off');
  let sum = 0;
  for (const octet of bytes.subarray(at + 2, end)) sum += octet;
  if ((sum & 0xff) !== bytes[at + 1]) throw new Damaged('A header was changed');
  const own = untilNul(bytes.subarray(at + LZH_HEADER, nameEnd));
  if (level === 0) return { names: [own], begin: end, end: end + packed };
  // level 1: the extensions count among the packed octets
  const extensions = lzhExtensions(bytes, end - 2);
  return { names: [...extensions.names, own], begin: extensions.end, end: end + packed };
}

/** A chain: each is told its length by the one before. */
function lzhExtensions(bytes: Buffer, from: number): { names: Array<Buffer | string>; end: number } {
  const names: Array<Buffer | string> = [];
  for (let at = from; ; ) {
    if (at + 2 > bytes.length) throw new Damaged('A header is cut off');
    const length = bytes.readUInt16LE(at);
    const next = at + length;
    if (length === 0) return { names, end: at + 2 };
    if (length < 3 || next + 2 > bytes.length) throw new Damaged('A header is cut off');
    const type = bytes[at + 2];
    const data = bytes.subarray(at + 3, next);
    if (type === FILE_NAME) names.push(untilNul(data));
    if (type === UNICODE_NAME) names.push(data.toString('utf16le').split('\0', 1)[0] ?? '');
    at = next;
  }
}

const CAB_HEADER = 36;
const CAB_FILE = 16;
const MAX_NAME = 256;

export function* listCab(bytes: Buffer): Generator<Listed> {
  if (bytes.length < CAB_HEADER || bytes.readUInt32LE(8) > bytes.length) throw new Damaged('It is cut off');
  let at = bytes.readUInt32LE(16);
  for (let left = bytes.readUInt16LE(28); left > 0; left -= 1) {
    const begin = at + CAB_FILE;
    const nul = begin > bytes.length ? -1 : bytes.subarray(begin, begin + MAX_NAME + 1).indexOf(0);
    if (nul < 0) throw new Damaged('A name is cut off');
    const raw = bytes.subarray(begin, begin + nul);
    const names = [(bytes.readUInt16LE(at + 14) & 0x80) === 0 ? raw : raw.toString('utf8')];
    // a folder that goes on in, or comes from, another cabinet
    yield { names, size: bytes.readUInt32LE(at), piece: bytes.readUInt16LE(at + 8) >= 0xfffd };
    at = begin + nul + 1;
  }
}
