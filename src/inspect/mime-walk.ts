/**
 * The MIME tree of a message by native searches for its delimiter lines (RFC 2046 §5.1), chunk by chunk: parts and their
 * content come out as they pass, each octet looked at about once. A delimiter of *any* multipart that is open counts, the
 * innermost first: an outer one ends all that lies within (§5.1.2), or a part that is never closed would hide what follows
 * it from us and not from the person's mail program. How the octets are cut changes nothing. Memory: one header, one line end.
 */
import type { Bytes } from '../base/brand.ts';
import { SekishoError } from '../base/errors.ts';
import { isMultipart, type MimePart, readPartHeader } from './part-header.ts';

export const TOO_COMPLEX = 'TOO_COMPLEX';

const CR = 13;
const LF = 10;
const DASH = 45;
const DASHES = Buffer.from('--');
const NOTHING = Buffer.alloc(0);
/** A delimiter line is not longer than this, its padding included. */
const MAX_DELIMITER: Bytes = 65_536;

/** `content` is that of the last part, until its `end`; without one before it nobody is shown it. */
export type MimeEvent = { part: MimePart } | { content: Buffer } | { end: true };

/** A part with a boundary, while its delimiters count. */
interface Container {
  delimiters: Buffer[];
  hasChild: boolean;
  /** A boundary on what is no multipart: some programs see parts where others see a file. */
  odd: boolean;
  /** Its delimiters are encoded with all that lies between them, which RFC 2045 §6.4 forbids and some programs undo. */
  encoded: boolean;
}

interface Delimiter {
  container: number;
  closes: boolean;
}

export class MimeWalk {
  readonly #headerOctets: Bytes;
  readonly #open: Container[] = [];
  /** Of the part whose header is being read; undefined in a body. */
  #header: Buffer[] | undefined = [];
  #headerLength: Bytes = 0;
  /** What may turn out to belong to a delimiter, or the line of a header that is not complete. */
  #carry: Buffer = NOTHING;
  /** The next octet (of the carry, if there is one) is the first of a line. */
  #lineStart = true;
  #doubt: string | undefined;

  constructor(options: { headerOctets: Bytes }) {
    this.#headerOctets = options.headerOctets;
  }

  /** Why two programs may find different parts in this message; known at its end. */
  get doubt(): string | undefined {
    return this.#doubt;
  }

  *feed(chunk: Buffer): Generator<MimeEvent> {
    const octets = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    this.#carry = NOTHING;
    for (let at = 0; at < octets.length; ) {
      at = this.#header === undefined ? yield* this.#body(octets, at) : yield* this.#head(octets, at);
    }
  }

  *end(): Generator<MimeEvent> {
    const rest = this.#carry;
    this.#carry = NOTHING;
    const line = this.#lineStart ? 0 : rest.indexOf(LF) + 1;
    const delimiter = line > 0 || this.#lineStart ? this.#match(rest.subarray(line)) : undefined;
    if (this.#header !== undefined) {
      if (delimiter === undefined) this.#header.push(rest);
      yield* this.#endHeader();
    } else if (delimiter === undefined && rest.length > 0) yield { content: rest };
    if (delimiter !== undefined) yield* this.#pass(delimiter);
    if (this.#header !== undefined) yield* this.#endHeader();
    this.#leave(0);
  }

  /** Lines up to the empty one. Returns where it stopped. */
  *#head(octets: Buffer, from: number): Generator<MimeEvent, number> {
    for (let at = from; at < octets.length; ) {
      const end = octets.indexOf(LF, at) + 1;
      const line = octets.subarray(at, end === 0 ? octets.length : end);
      if (this.#headerLength + line.length > this.#headerOctets) {
        throw new SekishoError(TOO_COMPLEX, `The header of a part is larger than ${this.#headerOctets} octets`);
      }
      if (end === 0) {
        this.#carry = Buffer.from(line);
        return octets.length;
      }
      at = end;
      if (line.length === 1 || (line.length === 2 && line[0] === CR)) {
        yield* this.#endHeader();
        return at;
      }
      const delimiter = this.#match(line);
      if (delimiter !== undefined) {
        yield* this.#endHeader(); // a header only
        yield* this.#pass(delimiter);
        return at;
      }
      this.#header?.push(line);
      this.#headerLength += line.length;
    }
    return octets.length;
  }

  /** Content up to a delimiter. The line end in front of one belongs to it (RFC 2046 §5.1.1). */
  *#body(octets: Buffer, from: number): Generator<MimeEvent, number> {
    if (this.#open.length === 0) {
      yield { content: from === 0 ? octets : octets.subarray(from) };
      return octets.length;
    }
    let search = from;
    if (!this.#lineStart) {
      const end = octets.indexOf(LF, from);
      search = end < 0 ? octets.length : end + 1;
    }
    for (;;) {
      const line = lineOfDashes(octets, search);
      const end = line < 0 ? 0 : octets.indexOf(LF, line) + 1;
      if (end === 0) break;
      const delimiter = this.#match(octets.subarray(line, end));
      if (delimiter !== undefined) {
        const content = octets.subarray(from, beforeLineEnd(octets, from, line));
        if (content.length > 0) yield { content };
        yield* this.#pass(delimiter);
        return end;
      }
      search = end;
    }
    const hold = this.#holdFrom(octets, from);
    if (hold > from) yield { content: octets.subarray(from, hold) };
    this.#carry = hold < octets.length ? Buffer.from(octets.subarray(hold)) : NOTHING;
    return octets.length;
  }

  /** From here on the octets may belong to a delimiter whose end is not here yet. Sets what the first of them is. */
  #holdFrom(octets: Buffer, from: number): number {
    const lineEnd = octets.lastIndexOf(LF);
    const knowsLine = lineEnd >= from;
    const line = knowsLine ? lineEnd + 1 : from;
    if (knowsLine || this.#lineStart) {
      const open = octets.subarray(line);
      if (open.length === 0 || this.#mayBecomeDelimiter(open)) {
        this.#lineStart = !knowsLine;
        return beforeLineEnd(octets, from, line);
      }
    }
    this.#lineStart = false;
    return octets.at(-1) === CR ? octets.length - 1 : octets.length;
  }

  #mayBecomeDelimiter(line: Buffer): boolean {
    if (line[0] !== DASH || line.length > MAX_DELIMITER) return false;
    if (line.length === 1) return true;
    if (line[1] !== DASH) return false;
    return this.#open.some(({ delimiters }) =>
      delimiters.some((delimiter) => {
        const length = Math.min(delimiter.length, line.length);
        return line.compare(delimiter, 0, length, 0, length) === 0;
      }),
    );
  }

  /** Innermost first; white space behind a delimiter is padding (RFC 2046 §5.1.1). */
  #match(line: Buffer): Delimiter | undefined {
    if (line[0] !== DASH || line[1] !== DASH || line.length > MAX_DELIMITER) return undefined;
    let end = line.length;
    while (end > 0 && isWhite(line[end - 1] as number)) end -= 1;
    for (let container = this.#open.length - 1; container >= 0; container -= 1) {
      for (const delimiter of this.#open[container]?.delimiters ?? []) {
        const closes = end === delimiter.length + 2;
        if (!closes && end !== delimiter.length) continue;
        if (line.compare(delimiter, 0, delimiter.length, 0, delimiter.length) !== 0) continue;
        if (!closes || (line[end - 1] === DASH && line[end - 2] === DASH)) return { container, closes };
      }
    }
    return undefined;
  }

  /**
   * What is behind the end of a multipart is nobody's (RFC 2046 §5.1.1), but there are programs that go on where its delimiter
   * comes once more. So it counts until a delimiter of the multipart around it comes.
   */
  *#pass({ container, closes }: Delimiter): Generator<MimeEvent> {
    const own = this.#open[container] as Container;
    const within = container < this.#open.length - 1;
    this.#lineStart = true;
    this.#leave(container + 1);
    // what closes before the first part is text that nobody is shown
    if (closes && !own.hasChild && !within) return;
    if (own.odd) this.#doubt ??= 'There are parts in what is no multipart';
    yield { end: true };
    if (closes) return;
    own.hasChild = true;
    this.#header = [];
    this.#headerLength = 0;
  }

  #leave(length: number): void {
    for (const { encoded, hasChild } of this.#open.slice(length))
      if (encoded && !hasChild) this.#doubt ??= 'A multipart is encoded as a whole';
    this.#open.length = length;
  }

  *#endHeader(): Generator<MimeEvent> {
    const octets = Buffer.concat(this.#header ?? []);
    this.#header = undefined;
    this.#lineStart = true;
    const { delimiters, doubt, ...read } = readPartHeader(octets);
    this.#doubt ??= doubt;
    const part: MimePart = { depth: this.#open.length, ...read };
    if (delimiters.length > 0) {
      const multipart = isMultipart(read.type.value);
      const encoded = multipart && read.encoding === 'base64';
      this.#open.push({ delimiters, hasChild: false, odd: !multipart, encoded });
    }
    yield { part };
  }
}

/** The next line that begins with two dashes; `from` is the start of a line. A line of many costs one search for its end. */
function lineOfDashes(octets: Buffer, from: number): number {
  for (let at = octets.indexOf(DASHES, from); at >= 0; ) {
    if (at === from || octets[at - 1] === LF) return at;
    const end = octets.indexOf(LF, at);
    if (end < 0) return -1;
    at = octets.indexOf(DASHES, end + 1);
  }
  return -1;
}

function beforeLineEnd(octets: Buffer, from: number, line: number): number {
  if (line <= from || octets[line - 1] !== LF) return line;
  return line - 1 > from && octets[line - 2] === CR ? line - 2 : line - 1;
}

function isWhite(octet: number): boolean {
  return octet === CR || octet === LF || octet === 32 || octet === 9;
}
