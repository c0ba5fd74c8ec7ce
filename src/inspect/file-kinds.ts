/**
 * What a file is by its octets, and what its name and declared type claim. "Disguised" is the gap between the two. Pure (the
 * type detection of file-type is a promise, no I/O). Lists are what Windows opens by a double click, which is where mail is read.
 */
import { fileTypeFromBuffer } from 'file-type';
import type { AttachmentTrait } from '../mail/finding.ts';
import { formatOf, type ListedFormat } from './listing.ts';

/** Octets wanted at the head of a file: an ISO image says what it is at 32,769. */
export const HEAD_OCTETS = 40_960;

const words = (list: string): ReadonlySet<string> => new Set(list.split(' '));

const EXECUTABLE_EXTENSIONS = words(
  'exe scr com pif cpl msi msp mst msu msix msixbundle appx appxbundle appinstaller dll ocx sys drv jar apk app application ' +
    'gadget xll wll ax xbap',
);
/** Also what makes a computer do something on opening: remote desktops, settings, sandboxes, themes that fetch. */
const SCRIPT_EXTENSIONS = words(
  'bat cmd js jse vb vbs vbe vbscript ps1 ps2 ps1xml ps2xml psc1 psc2 psm1 psd1 psdm1 msh msh1 msh2 mshxml hta htc wsf wsh wsc ' +
    'sct lnk url website scf reg msc chm hlp inf inx isp ins its job shb shs rdp wsb theme themepack deskthemepack ' +
    'appref-ms appcontent-ms settingcontent-ms library-ms search-ms searchconnector-ms diagcab diagcfg diagpkg iqy slk rgs ws ' +
    'sh csh ksh command terminal jnlp workflow py pyc pyw pyz pyzw ade adp mde accde printerexport xnk vsmacros',
);
/** Windows opens these as a drive, macOS mounts them; a VHD of fixed size says what it is at its end only. */
const DISK_EXTENSIONS = words('iso img udf vhd vhdx vmdk dmg');
/** What people open without a thought. */
const HARMLESS_EXTENSIONS = words(
  'pdf doc docx docm dot dotx xls xlsx xlsm xlsb csv ppt pptx pptm rtf odt ods odp txt log md htm html xml json eml msg ' +
    'jpg jpeg jpe png gif bmp tif tiff webp heic svg ico mp3 mp4 m4a wav avi mov mpg mpeg mkv wmv ' +
    'zip 7z rar lzh gz tar ics vcf jtd jtt xdw xbd psd ai ps eps dwg dxf',
);
const HARMLESS_TYPES =
  /^(?:text|image|audio|video|font|message)\/|^application\/(?:pdf|msword|rtf|zip|json|xml|postscript|ics|vnd\.(?:ms-(?!cab)|openxmlformats|oasis|adobe))/;
/** A first line `#!` in these is something to read. */
const READABLE_EXTENSIONS = words('txt log md patch diff conf cfg ini csv eml');

const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

type Nature = 'program' | 'runs-when-opened' | 'image-of-a-disk';

interface Magic {
  type: string;
  nature: Nature;
  matches: (head: Buffer) => boolean;
}

const starts = (hex: string) => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return (head: Buffer): boolean =>
    head.length >= bytes.length && head.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
};

const MAGICS: readonly Magic[] = [
  { type: 'application/vnd.microsoft.portable-executable', nature: 'program', matches: isMz },
  { type: 'application/x-elf', nature: 'program', matches: starts('7f 45 4c 46') },
  { type: 'application/x-mach-binary', nature: 'program', matches: starts('fe ed fa ce') },
  { type: 'application/x-mach-binary', nature: 'program', matches: starts('fe ed fa cf') },
  { type: 'application/x-mach-binary', nature: 'program', matches: starts('ce fa ed fe') },
  { type: 'application/x-mach-binary', nature: 'program', matches: starts('cf fa ed fe') },
  { type: 'application/java-vm', nature: 'program', matches: starts('ca fe ba be') },
  { type: 'application/vnd.android.dex', nature: 'program', matches: starts('64 65 78 0a 30 33') },
  { type: 'application/x-ms-shortcut', nature: 'runs-when-opened', matches: starts('4c 00 00 00 01 14 02 00') },
  { type: 'application/vnd.ms-htmlhelp', nature: 'runs-when-opened', matches: starts('49 54 53 46 03 00 00 00') },
  { type: 'application/x-iso9660-image', nature: 'image-of-a-disk', matches: isIso },
  { type: 'application/x-vhd', nature: 'image-of-a-disk', matches: starts('63 6f 6e 65 63 74 69 78') },
  { type: 'application/x-vhdx', nature: 'image-of-a-disk', matches: starts('76 68 64 78 66 69 6c 65') },
];

const isOneNote = starts('e4 52 5c 7b 8c d8 a7 4d ae b1 53 78 d0 29 96 d3');
const isZip = starts('50 4b 03 04');
const isEmptyZip = starts('50 4b 05 06');
const hasMz = starts('4d 5a');
const isRar4 = starts('52 61 72 21 1a 07 00');
const isRar5 = starts('52 61 72 21 1a 07 01 00');

/** `MZ` are also the initials of texts: a program has NUL octets in its 64-octet header. */
function isMz(head: Buffer): boolean {
  return hasMz(head) && head.subarray(2, 64).includes(0);
}

/** `#!` are also the first octets of one in 65,536 files of packed or encrypted data: a script names its program by a path. */
function isShebang(head: Buffer): boolean {
  return /^#![\t ]*\/[^\u0000-\u001f\u007f]*(?:[\t\r\n]|$)/.test(head.toString('latin1', 0, 256));
}

/** ISO 9660, or UDF without it (ECMA-167 §2/9.2). */
function isIso(head: Buffer): boolean {
  return /^(?:CD001|BEA01|NSR0[23])$/.test(head.toString('latin1', 32_769, 32_774));
}

export interface FileFacts {
  /** Decoded, as sent. */
  name: string;
  /** Lower case; empty when none. */
  declaredType: string;
  head: Buffer;
}

export interface FileKind {
  trueType: string | undefined;
  traits: AttachmentTrait[];
  /** Its octets begin, or its name ends, as those of a zip. */
  zip: boolean;
  /** Its octets begin as those of another archive whose list we read. */
  packed: ListedFormat | undefined;
  oneNote: boolean;
}

/** `typeWanted: false`: the true type is found only where it may matter, for an archive, or what has a trait. */
export async function kindOf(file: FileFacts, { typeWanted = true } = {}): Promise<FileKind> {
  const { head } = file;
  const magic = MAGICS.find((candidate) => candidate.matches(head));
  const oneNote = isOneNote(head);
  const traits = traitsOf(file, { nature: magic?.nature, shebang: isShebang(head) });
  if (isLockedArchive(head)) traits.push('encrypted');
  const zip = isZip(head) || isEmptyZip(head) || isZipName(file.name);
  const packed = formatOf(head);
  const known = magic?.type ?? (oneNote ? 'application/onenote' : undefined);
  const matters = typeWanted || zip || traits.length > 0 || packed !== undefined;
  return { trueType: known ?? (matters ? await detect(head) : undefined), traits, zip, packed, oneNote };
}

const ZIP_EXTENSIONS = words('zip jar docx docm xlsx xlsm pptx pptm');

export function isZipName(name: string): boolean {
  return ZIP_EXTENSIONS.has(extensionOf(name));
}

/** Names and declared types alone: for entries whose octets are locked or beyond reach. */
export function traitsByName(name: string): AttachmentTrait[] {
  return traitsOf({ name, declaredType: '', head: Buffer.alloc(0) }, { nature: undefined, shebang: false });
}

function traitsOf(file: FileFacts, seen: { nature: Nature | undefined; shebang: boolean }): AttachmentTrait[] {
  const extension = extensionOf(file.name);
  const traits: AttachmentTrait[] = [];
  const byOctets = seen.nature === 'program' || seen.nature === 'runs-when-opened';
  if (seen.nature === 'program' || EXECUTABLE_EXTENSIONS.has(extension)) traits.push('executable');
  const shebang = seen.shebang && !READABLE_EXTENSIONS.has(extension) && !HARMLESS_TYPES.test(file.declaredType);
  if (seen.nature === 'runs-when-opened' || shebang || SCRIPT_EXTENSIONS.has(extension)) traits.push('script');
  if (traits.length > 0 && (isTrickName(file.name) || (byOctets && claimsHarmless(file, extension))))
    traits.push('disguised');
  // A disk image is a container that none of us opens; mail has no honest use for one.
  if (seen.nature === 'image-of-a-disk' || DISK_EXTENSIONS.has(extension)) traits.push('unscannable');
  return traits;
}

function claimsHarmless(file: FileFacts, extension: string): boolean {
  return HARMLESS_EXTENSIONS.has(extension) || HARMLESS_TYPES.test(file.declaredType);
}

/** What the name ends in, as Windows sees it: trailing dots and spaces do not count, nor what cannot be seen. */
export function extensionOf(name: string): string {
  const bare = visible(name);
  const dot = bare.lastIndexOf('.');
  return dot < 0
    ? ''
    : bare
        .slice(dot + 1)
        .trim()
        .toLowerCase();
}

function visible(name: string): string {
  return (
    name
      .replaceAll(INVISIBLE, '')
      .replace(/::\$DATA$/i, '')
      // from the first of them only: a name of spaces would else cost the square of its length
      .replace(/(?<![. ])[. ]+$/, '')
  );
}

/** `invoice.pdf.exe`, `invoice.pdf          .exe`, a right-to-left override: names made to be misread. */
function isTrickName(name: string): boolean {
  if (BIDI.test(name)) return true;
  const bare = visible(name);
  if (/[\s\u00a0\u2000-\u200a\u3000]{4}$/.test(bare.slice(0, Math.max(0, bare.lastIndexOf('.'))).slice(-4)))
    return true;
  const segments = bare.split('.').map((segment) => segment.trim().toLowerCase());
  return segments.length > 2 && HARMLESS_EXTENSIONS.has(segments.at(-2) ?? '');
}

async function detect(head: Buffer): Promise<string | undefined> {
  if (head.length === 0) return undefined;
  try {
    return (await fileTypeFromBuffer(head.subarray(0, 8_192)))?.mime;
  } catch {
    return undefined; // cut off in the middle of what it wanted to read
  }
}

/** RAR whose header is encrypted (4: flag 0x0080 of the main header; 5: an encryption header comes first). */
function isLockedArchive(head: Buffer): boolean {
  if (isRar4(head)) return head[9] === 0x73 && (head.readUInt16LE(10) & 0x0080) !== 0;
  // RAR 5: signature (8), CRC-32 (4), header size (variable-length, below 128 here), header type; 4 = archive encryption
  if (isRar5(head)) return (head[12] ?? 0x80) < 0x80 && head[13] === 4;
  return false;
}
