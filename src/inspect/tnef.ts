/**
 * What Outlook wraps its attachments in when it speaks to Outlook (`winmail.dat`, MS-OXTNEF): names and octets of the files in
 * it. A stream of attributes, each with level, id, length, data and checksum; a message within is a stream of its own. Reads
 * what is there and throws nothing; `whole` is false where it breaks off or goes deeper than anybody writes. Pure.
 */
import { guessCharset } from '../mail/words.ts';

const SIGNATURE = Buffer.from('789f3e22', 'hex');
/** Signature and key. */
const HEAD = 6;
/** Level, id, length; the checksum stands behind the data. */
const ATTRIBUTE = 9;
const CHECKSUM = 2;
const RENDER_DATA = 0x00069002;
const TITLE = 0x00018010;
const DATA = 0x0006800f;
const PROPERTIES = 0x00069005;
/** PidTagAttachLongFilename, …Filename, …Extension: as 8-bit text and as UTF-16. */
const NAME_PROPERTIES = [0x3707, 0x3704, 0x3703];
const STRING8 = 0x001e;
const UNICODE = 0x001f;
const MOST_FILES = 1_000;
const MOST_DEPTH = 5;

export interface TnefFile {
  /** Each that a program may give it. */
  names: string[];
  octets: Buffer;
}

export function isTnef(octets: Buffer): boolean {
  return octets.length >= SIGNATURE.length && octets.subarray(0, SIGNATURE.length).equals(SIGNATURE);
}

export function readTnef(octets: Buffer, depth = 0): { files: TnefFile[]; whole: boolean } {
  const files: TnefFile[] = [];
  if (!isTnef(octets) || depth > MOST_DEPTH) return { files, whole: false };
  let whole = true;
  // a few octets behind the last attribute are padding
  for (let at = HEAD; at + ATTRIBUTE + CHECKSUM <= octets.length; ) {
    const begin = at + ATTRIBUTE;
    const id = octets.readUInt32LE(at + 1);
    const length = octets.readUInt32LE(at + 5);
    if (begin + length + CHECKSUM > octets.length || files.length > MOST_FILES) return { files, whole: false };
    const data = octets.subarray(begin, begin + length);
    at = begin + length + CHECKSUM;
    if (id === RENDER_DATA) files.push({ names: [], octets: Buffer.alloc(0) });
    if (id !== TITLE && id !== DATA && id !== PROPERTIES) continue;
    if (files.length === 0) files.push({ names: [], octets: Buffer.alloc(0) }); // no description before it
    const file = files.at(-1) as TnefFile;
    if (id === TITLE) file.names.push(textOf(data));
    else if (id === DATA) file.octets = data;
    else {
      file.names.push(...namesIn(data));
      const within = data.indexOf(SIGNATURE);
      if (within < 0) continue;
      files.push(...readTnef(data.subarray(within), depth + 1).files); // it ends where other properties begin
      whole &&= depth < MOST_DEPTH;
    }
  }
  return { files, whole };
}

/** Properties are found by their tags: what lies between them need not be understood. */
function namesIn(properties: Buffer): string[] {
  const names: string[] = [];
  for (const id of NAME_PROPERTIES)
    for (const type of [STRING8, UNICODE]) {
      const tag = Buffer.alloc(4);
      tag.writeUInt16LE(type, 0);
      tag.writeUInt16LE(id, 2);
      for (let at = properties.indexOf(tag); at >= 0 && names.length < 20; at = properties.indexOf(tag, at + 4)) {
        // number of values (1), length, the text
        if (at + 12 > properties.length) break;
        const text = properties.subarray(at + 12, at + 12 + properties.readUInt32LE(at + 8));
        names.push(type === UNICODE ? withoutNul(text.subarray(0, 2_000).toString('utf16le')) : textOf(text));
      }
    }
  return names.filter((name) => name !== '');
}

function textOf(octets: Buffer): string {
  return withoutNul(guessCharset(octets.subarray(0, 1_000), ['utf-8', 'shift_jis']));
}

function withoutNul(text: string): string {
  return text.replace(/\u0000[^]*$/, '');
}
