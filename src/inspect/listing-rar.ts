/**
 * The list of files of a RAR, version 4 (technote.txt of RAR 2 to 4) and version 5 (rarlab's "RAR 5.0 archive format"). Header after
 * header, each held against its checksum; packed octets are stepped over. What is stored (not packed) is handed out.
 */
import { crc32 } from 'node:zlib';
import { Damaged, type Listed } from './listing.ts';

const LOCKED: Listed = { names: [], size: 0, encrypted: true };
const MAX_HEADER = 2 * 1024 * 1024;

const FILE_4 = 0x74;
const STORED_4 = 0x30;

export function* listRar4(bytes: Buffer): Generator<Listed> {
  for (let at = 7; at < bytes.length; ) {
    if (at + 7 > bytes.length) throw new Damaged('A header is cut off');
    const type = bytes[at + 2];
    const flags = bytes.readUInt16LE(at + 3);
    const end = at + bytes.readUInt16LE(at + 5);
    if (end < at + 7 || end > bytes.length) throw new Damaged('A header is cut off');
    if (type === 0x7b) return;
    if (type === 0x73 && (flags & 0x0080) !== 0) return yield LOCKED;
    const header = bytes.subarray(at, end);
    if (type === FILE_4 && header.length < 32) throw new Damaged('A header is too short');
    let size = (flags & 0x8000) !== 0 || type === FILE_4 ? read32(header, 7) : 0;
    if ((type === FILE_4 || type === 0x7a) && (flags & 0x0100) !== 0) size += read32(header, 32) * 2 ** 32;
    if (end + size > bytes.length) throw new Damaged('A file is cut off');
    if (type === FILE_4) yield fileOf4(header, { flags, packed: bytes.subarray(end, end + size) });
    at = end + size;
  }
}

function read32(header: Buffer, at: number): number {
  if (at + 4 > header.length) throw new Damaged('A header is too short');
  return header.readUInt32LE(at);
}

function fileOf4(header: Buffer, { flags, packed }: { flags: number; packed: Buffer }): Listed {
  if ((crc32(header.subarray(2)) & 0xffff) !== header.readUInt16LE(0)) throw new Damaged('A header was changed');
  const large = (flags & 0x0100) !== 0;
  const begin = large ? 40 : 32;
  const end = begin + header.readUInt16LE(26);
  if (end > header.length) throw new Damaged('A name is cut off');
  const size = header.readUInt32LE(11) + (large ? header.readUInt32LE(36) * 2 ** 32 : 0);
  const names = namesOf4(header.subarray(begin, end), (flags & 0x0200) !== 0);
  if ((flags & 0x0004) !== 0) return { names, size, encrypted: true };
  if ((flags & 0x0003) !== 0) return { names, size, piece: true };
  const stored = header[25] === STORED_4;
  return stored ? { names, size, content: packed } : { names, size };
}

/** One name, or behind a NUL the same in Unicode, packed against the first. */
function namesOf4(field: Buffer, unicode: boolean): Array<Buffer | string> {
  const nul = field.indexOf(0);
  if (!unicode) return [nul < 0 ? field : field.subarray(0, nul)];
  if (nul < 0) return [field.toString('utf8')];
  const plain = field.subarray(0, nul);
  return [wideName(plain, field.subarray(nul + 1)), plain];
}

function wideName(plain: Buffer, packed: Buffer): string {
  const units: number[] = [];
  const high = (packed[0] ?? 0) << 8;
  let flags = 0;
  let bits = 0;
  for (let at = 1; at < packed.length && units.length < mostOf(plain); ) {
    if (bits === 0) {
      flags = packed[at] as number;
      bits = 8;
      at += 1;
      continue;
    }
    const kind = (flags >> (bits - 2)) & 3;
    bits -= 2;
    const octet = packed[at] as number;
    at += 1;
    if (kind === 0) units.push(octet);
    else if (kind === 1) units.push(high | octet);
    else if (kind === 2) {
      units.push(octet | ((packed[at] ?? 0) << 8));
      at += 1;
    } else {
      const corrected = (octet & 0x80) !== 0;
      const correction = corrected ? (packed[at] ?? 0) : 0;
      if (corrected) at += 1;
      for (let left = (octet & 0x7f) + 2; left > 0 && units.length < plain.length; left -= 1) {
        const below = plain[units.length] as number;
        units.push(corrected ? high | ((below + correction) & 0xff) : below);
      }
    }
  }
  return String.fromCharCode(...units);
}

/** No name has more characters than this; the plain one may be shorter than the other. */
function mostOf(plain: Buffer): number {
  return Math.max(1_024, plain.length);
}

/** Reads numbers of variable length (seven bits an octet, least first). */
class Cursor {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const octet = this.bytes[this.at];
      this.at += 1;
      if (octet === undefined) throw new Damaged('A number is cut off');
      value += (octet & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw new Damaged('A number beyond all measure');
      if (octet < 0x80) return value;
      if (factor > 2 ** 63) throw new Damaged('A number without end');
    }
  }
}

export function* listRar5(bytes: Buffer): Generator<Listed> {
  for (let at = 8; at < bytes.length; ) {
    const outer = new Cursor(bytes, at + 4);
    const length = outer.number();
    const end = outer.at + length;
    if (length > MAX_HEADER || end > bytes.length) throw new Damaged('A header is cut off');
    const cursor = new Cursor(bytes.subarray(0, end), outer.at);
    const type = cursor.number();
    if (type === 4) return yield LOCKED;
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32LE(at)) throw new Damaged('A header was changed');
    const flags = cursor.number();
    const extra = (flags & 1) === 0 ? 0 : cursor.number();
    const size = (flags & 2) === 0 ? 0 : cursor.number();
    if (type === 5) return;
    if (end + size > bytes.length || extra > end - cursor.at) throw new Damaged('A file is cut off');
    if (type === 2) {
      const file = fileOf5(cursor, { locked: isLocked(bytes.subarray(end - extra, end)), piece: (flags & 0x18) !== 0 });
      yield file.stored ? { ...file.listed, content: bytes.subarray(end, end + size) } : file.listed;
    }
    at = end + size;
  }
}

function fileOf5(cursor: Cursor, { locked, piece }: { locked: boolean; piece: boolean }) {
  const flags = cursor.number();
  const size = cursor.number();
  cursor.number(); // attributes
  if ((flags & 2) !== 0) cursor.at += 4;
  if ((flags & 4) !== 0) cursor.at += 4;
  const stored = ((cursor.number() >> 7) & 7) === 0;
  cursor.number(); // of which system
  const length = cursor.number();
  if (length > cursor.bytes.length - cursor.at) throw new Damaged('A name is cut off');
  const names = [cursor.bytes.toString('utf8', cursor.at, cursor.at + length).split('\0', 1)[0] ?? ''];
  const listed: Listed = { names, size: (flags & 8) === 0 ? size : 0, encrypted: locked, piece };
  return { listed, stored };
}

/** Is there a record of encryption among the extra ones? */
function isLocked(records: Buffer): boolean {
  for (let at = 0; at < records.length; ) {
    const cursor = new Cursor(records, at);
    const length = cursor.number();
    at = cursor.at + length;
    if (length === 0 || at > records.length) throw new Damaged('A record is cut off');
    if (cursor.number() === 1) return true;
  }
  return false;
}
