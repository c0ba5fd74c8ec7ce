/**
 * The header of a part as any mail program might read it. Programs differ in which of two fields, parameters or forms they
 * believe, and a sender who knows that shows one file to the check and another to the person (Müller et al., "Inbox Invasion",
 * CCS 2024). So every name that some program may give a file is told, every boundary counts, and where two readings are two
 * different trees that is said as a doubt: nobody can vouch for both. Pure; never throws; linear.
 */
import type { Bytes } from '../base/brand.ts';
import { type HeaderField, type HeaderSection, parseHeader } from '../mail/header.ts';
import { decodeWords, parseStructured, type StructuredValue, stripComments } from '../mail/words.ts';

/** No honest part says more: what is beyond is a doubt, not searched. */
const MAX_FIELD: Bytes = 8_192;
const MAX_FIELDS = 4;
const MAX_BOUNDARIES = 4;
const MAX_NAMES = 20;
/** Characters; the end is what tells the kind of file. */
const MAX_NAME = 1_000;
/** More parameters than `parseStructured` reads. */
const MAX_SEMICOLONS = 190;

const DASHES = Buffer.from('--');
const NOTHING: StructuredValue = parseStructured('');

export interface MimePart {
  /** Multiparts around it. */
  depth: number;
  type: StructuredValue;
  disposition: StructuredValue;
  /** What each program may call it; the first is the one that is shown. */
  names: string[];
  /** Of Content-Transfer-Encoding, without comments, in lower case. */
  encoding: string;
  /** Its content is to be looked at: it is no multipart, or one that forgot its boundary. */
  leaf: boolean;
}

export interface PartHeader extends Omit<MimePart, 'depth'> {
  /** `--` and the boundary, in each form it may be read. */
  delimiters: Buffer[];
  /** Why two programs may find different parts in it. */
  doubt: string | undefined;
}

/** A field, as it stands there on one line and as it reads. */
interface Field {
  raw: string;
  line: string;
  value: StructuredValue;
}

export function readPartHeader(octets: Buffer): PartHeader {
  // messages within messages may come with any line end
  const text = octets.toString('latin1').replaceAll(/(?<!\r)\r*\n/g, '\r\n');
  const header = parseHeader(Buffer.from(text, 'latin1'));
  const types = fieldsOf(header, 'content-type').slice(0, MAX_FIELDS).map(readField);
  const dispositions = fieldsOf(header, 'content-disposition').slice(0, MAX_FIELDS).map(readField);
  const type = types[0]?.value ?? NOTHING;
  const disposition = dispositions[0]?.value ?? NOTHING;
  const encodings = fieldsOf(header, 'content-transfer-encoding').map(({ raw }) => tidy(stripComments(raw)));
  const delimiters = distinct(types.flatMap(delimitersOf));
  const leaf = delimiters.length === 0 || !isMultipart(type.value);
  const shown = [disposition.parameters.get('filename'), type.parameters.get('name')];
  const names = namesOf(shown, [...dispositions, ...types]);
  const file = leaf && (names.length > 0 || disposition.value === 'attachment');
  const doubt =
    ([types, dispositions, encodings].some((fields) => fields.length >= MAX_FIELDS)
      ? 'A part repeats a field'
      : undefined) ??
    doubtOfTree(types) ??
    (leaf ? doubtOfEncoding(encodings) : undefined) ??
    (file && header.malformed > 0 ? 'The header of a file holds lines that are no fields' : undefined) ??
    (names.length > MAX_NAMES ? 'A file has too many names' : undefined) ??
    doubtOfParameters([...types, ...dispositions]);
  return { type, disposition, names, encoding: encodings[0] ?? '', leaf, delimiters, doubt };
}

function readField({ raw }: HeaderField): Field {
  const line = raw.slice(0, MAX_FIELD).replaceAll(/\r\n(?=[ \t])/g, '');
  return { raw, line, value: parseStructured(raw) };
}

/** RFC 822 allowed white space around the slash, and some programs still do. */
export function isMultipart(type: string): boolean {
  return /^multipart\s*\//.test(type);
}

function doubtOfTree(types: readonly Field[]): string | undefined {
  const natures = new Set(types.map(({ value }) => natureOf(value.value)));
  if (natures.size > 1) return 'Two Content-Type fields contradict each other';
  const boundaries = distinct(types.flatMap(boundariesMeant));
  if (boundaries.length > 1) return 'One multipart has two boundaries';
  return natures.has('multipart') && boundaries.length === 0 ? 'A multipart has no boundary' : undefined;
}

function doubtOfEncoding(encodings: readonly string[]): string | undefined {
  if (new Set(encodings.map(effectOf)).size < 2) return undefined;
  return 'Two Content-Transfer-Encoding fields contradict each other';
}

/** RFC 2231 §3: the pieces of one value are counted from 0, each there once; programs differ in what they make of others. */
function doubtOfParameters(fields: readonly Field[]): string | undefined {
  for (const field of fields) {
    if (field.raw.length > MAX_FIELD || field.raw.split(';').length > MAX_SEMICOLONS)
      return 'A part has too many parameters';
    if (!field.line.includes('*')) continue;
    const said = [...field.line.matchAll(/([a-z]{1,20}\*)(\d{0,3})\*?\s*=/gi)].map(([, base = '', index = '']) => ({
      base: tidy(base),
      index,
    }));
    for (const group of Map.groupBy(said, ({ base }) => base).values()) {
      const indices = group.map(({ index }) => index).filter((index) => index !== '');
      const pieces = indices.map(Number).sort((one, other) => one - other);
      const first = pieces[0] ?? 0;
      if (group.length - pieces.length > 1 || first > 1 || pieces.some((index, at) => index !== first + at))
        return 'The pieces of a parameter do not fit together';
    }
  }
  return undefined;
}

function natureOf(type: string): string {
  if (isMultipart(type)) return 'multipart';
  return type.startsWith('message/') ? 'message' : 'file';
}

/** What stands in the file when it is undone: these three are one to everybody. */
function effectOf(encoding: string): string {
  return encoding === '7bit' || encoding === '8bit' || encoding === 'binary' ? '' : encoding;
}

function fieldsOf(header: HeaderSection, key: string): HeaderField[] {
  return header.fields.filter((field) => field.key === key);
}

function tidy(text: string): string {
  return text.trim().toLowerCase();
}

/** As it stands there, wherever in the field. Quotes that are not closed reach to the end: no search begins twice. */
function boundariesSaid(field: Field): Buffer[] {
  const said = field.line.matchAll(/(?:^|[;\s])boundary\s*=\s*(?:"((?:[^"\\]|\\.?)*)(?:"|$)|([^;\s"]+))/gi);
  return [...said.take(MAX_BOUNDARIES)].map(([, quoted, bare]) =>
    octetsOf(quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '', 'latin1'),
  );
}

/** As it reads when encoded words or RFC 2231 were meant. */
function boundaryRead(field: Field): Buffer {
  return octetsOf(field.value.parameters.get('boundary') ?? '', 'utf8');
}

function octetsOf(boundary: string, charset: 'latin1' | 'utf8'): Buffer {
  return Buffer.from(boundary.trimEnd(), charset);
}

function delimitersOf(field: Field): Buffer[] {
  const forms = [...boundariesSaid(field), boundaryRead(field)];
  return forms.filter((form) => form.length > 0).map((form) => Buffer.concat([DASHES, form]));
}

/** Without a form that only has words behind it which somebody forgot to part by a semicolon. */
function boundariesMeant(field: Field): Buffer[] {
  const said = boundariesSaid(field);
  const read = boundaryRead(field);
  const runsOn = said.some((form) => /^[ \t(]/.test(read.toString('latin1', form.length)) && read.indexOf(form) === 0);
  return [...said, ...(runsOn ? [] : [read])].filter((form) => form.length > 0);
}

function distinct(forms: Buffer[]): Buffer[] {
  return forms.filter((form, index) => forms.findIndex((other) => other.equals(form)) === index);
}

/** The names the RFCs give, then whatever else stands behind a `name=`: not every program reads RFC 2231, quotes or comments. */
function namesOf(read: ReadonlyArray<string | undefined>, fields: readonly Field[]): string[] {
  const names = new Set<string>();
  for (const name of read) if (name !== undefined && name !== '') names.add(bounded(name));
  for (const field of fields) {
    const { parameters } = field.value;
    for (const key of ['filename', 'name']) {
      const name = parameters.get(key);
      if (name !== undefined && name !== '') names.add(bounded(name));
    }
    for (const [, section = '', quoted, bare] of field.line.matchAll(
      /name(\*\d{0,3}\*?)?\s*=\s*(?:"((?:[^"\\]|\\.?)*)(?:"|$)|([^;"]*))/gi,
    )) {
      // a piece of a name says nothing by itself
      if (names.size > MAX_NAMES || /\d/.test(section)) continue;
      const plain = decodeWords((quoted?.replaceAll(/\\(["\\])/g, '$1') ?? bare ?? '').trim());
      if (plain !== '' && section === '') names.add(bounded(plain));
    }
  }
  return [...names];
}

function bounded(name: string): string {
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME / 2)}${name.slice(-MAX_NAME / 2)}`;
}
