/**
 * The message file: self-describing, written once, never changed.
 *
 *   magic · u32 length · u32 CRC-32 · preamble (JSON) │ body, the original octets │ trailer (JSON) · footer
 *   footer (60 octets): u64 body length · u32 trailer length · u32 trailer CRC-32 · 32 octets SHA-256 of the body · END mark
 *
 * A file under a final name whose lengths, CRCs or END mark do not agree is damaged (`CORRUPT`); the body's hash is checked
 * whenever the body is read. CRC-32 is the runtime's own (zlib), the body is held by SHA-256.
 */
import { crc32 } from 'node:zlib';
import { SekishoError } from '../base/errors.ts';
import type { Preamble, Trailer } from './api.ts';
import type { FileLayer, ReadableFile } from './files.ts';

const MAGIC = Buffer.from('SEKISHO-MESSAGE-1\n', 'latin1');
const END = Buffer.from('SEKISHO-END\n', 'latin1');
const FOOTER_LENGTH = 8 + 4 + 4 + 32 + END.length;
/** Most messages come whole with the first read. */
const HEAD_READ = 64 * 1024;
/** A preamble or trailer beyond this is not ours. */
const MAX_JSON = 32 * 1024 * 1024;

export interface MessageLayout {
  preamble: Preamble;
  trailer: Trailer;
  bodyOffset: number;
  fileSize: number;
  /** The body, when the first read held all of the file. Not yet compared with its hash. */
  body?: readonly Buffer[];
}

export function encodePreamble(preamble: Preamble): Buffer {
  const json = Buffer.from(JSON.stringify(preamble));
  const head = Buffer.allocUnsafe(8);
  head.writeUInt32BE(json.length, 0);
  head.writeUInt32BE(crc32(json), 4);
  return Buffer.concat([MAGIC, head, json]);
}

/** Trailer and footer: the last octets of the file. */
export function encodeTrailer(trailer: Trailer): Buffer {
  const json = Buffer.from(JSON.stringify(trailer));
  const footer = Buffer.allocUnsafe(FOOTER_LENGTH);
  footer.writeBigUInt64BE(BigInt(trailer.size), 0);
  footer.writeUInt32BE(json.length, 8);
  footer.writeUInt32BE(crc32(json), 12);
  Buffer.from(trailer.sha256, 'hex').copy(footer, 16);
  END.copy(footer, 48);
  return Buffer.concat([json, footer]);
}

/** Opens and checks everything but the body's hash. Throws CORRUPT; ENOENT passes through. */
export async function openMessageFile(
  files: FileLayer,
  path: string,
): Promise<{ layout: MessageLayout; file: ReadableFile }> {
  const file = await files.open(path);
  try {
    return { layout: await readLayout(file, path), file };
  } catch (error) {
    await file.close();
    throw error;
  }
}

export async function readMessageLayout(files: FileLayer, path: string): Promise<MessageLayout> {
  const { layout, file } = await openMessageFile(files, path);
  await file.close();
  return layout;
}

async function readLayout(file: ReadableFile, path: string): Promise<MessageLayout> {
  const head = await file.read(0, HEAD_READ);
  const preambleAt = MAGIC.length + 8;
  if (head.length < preambleAt || !head.subarray(0, MAGIC.length).equals(MAGIC)) throw corrupt(path, 'no magic');
  const preambleLength = head.readUInt32BE(MAGIC.length);
  const bodyOffset = preambleAt + preambleLength;
  if (preambleLength > MAX_JSON || bodyOffset + FOOTER_LENGTH > file.size) throw corrupt(path, 'preamble length');
  const preambleJson =
    bodyOffset <= head.length ? head.subarray(preambleAt, bodyOffset) : await file.read(preambleAt, preambleLength);
  if (crc32(preambleJson) !== head.readUInt32BE(MAGIC.length + 4)) throw corrupt(path, 'preamble checksum');

  // Small files came whole with the first read.
  const whole = head.length === file.size;
  const footer = whole ? head.subarray(-FOOTER_LENGTH) : await file.read(file.size - FOOTER_LENGTH, FOOTER_LENGTH);
  if (!footer.subarray(48).equals(END)) throw corrupt(path, 'no END mark');
  const size = Number(footer.readBigUInt64BE(0));
  const trailerLength = footer.readUInt32BE(8);
  if (trailerLength > MAX_JSON || bodyOffset + size + trailerLength + FOOTER_LENGTH !== file.size) {
    throw corrupt(path, 'lengths do not add up');
  }
  const trailerAt = bodyOffset + size;
  const trailerJson = whole
    ? head.subarray(trailerAt, trailerAt + trailerLength)
    : await file.read(trailerAt, trailerLength);
  if (crc32(trailerJson) !== footer.readUInt32BE(12)) throw corrupt(path, 'trailer checksum');

  const preamble = JSON.parse(preambleJson.toString()) as Preamble;
  const trailer = JSON.parse(trailerJson.toString()) as Trailer;
  if (trailer.size !== size || trailer.sha256 !== footer.toString('hex', 16, 48))
    throw corrupt(path, 'trailer and footer');
  const body = whole ? { body: [head.subarray(bodyOffset, bodyOffset + size)] } : {};
  return { preamble, trailer, bodyOffset, fileSize: file.size, ...body };
}

export function corrupt(path: string, what: string): SekishoError {
  return new SekishoError('CORRUPT', `Message file "${path}" is damaged: ${what}`);
}
