/**
 * Files in the plain text of a mail, as they were sent before MIME (POSIX uuencode): `begin 644 name`, lines, `end`. Outlook and
 * Exchange make attachments of them to this day, so they are looked at as such. A line `begin …` that no encoded line follows is
 * text. Streamed; memory: one line, and the file that is being decoded.
 */
import type { Bytes } from '../base/brand.ts';

const LF = 10;
const BEGIN = Buffer.from('begin ');
const NOTHING = Buffer.alloc(0);
/** A longer line is not part of a file. */
const MAX_LINE: Bytes = 1_024;
const MOST_FILES = 100;

export interface UuFile {
  name: string;
  octets: Buffer;
}

/** A block for many lines: one for each would cost more than what is in it. */
const BLOCK: Bytes = 65_536;
/** A line holds 63 octets at most, decoded in groups of three. */
const LINE_ROOM: Bytes = 66;

interface Open {
  name: string;
  full: Buffer[];
  /** In the block at hand. */
  used: Bytes;
}

export class UuScan {
  readonly files: UuFile[] = [];
  #open: Open | undefined;
  /** Used again by the next file: a text of nothing but beginnings costs no memory. */
  #block: Buffer | undefined;
  #carry: Buffer = NOTHING;
  /** The line at hand is too long: the rest of it is skipped. */
  #skip = false;

  /** There may be more than were looked for. */
  get full(): boolean {
    return this.files.length >= MOST_FILES;
  }

  feed(chunk: Buffer): void {
    if (this.full) return;
    const octets = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    let at = 0;
    for (;;) {
      // between files only a line that begins one is of interest
      if (this.#open === undefined && !this.#skip) at = this.#nextBegin(octets, at);
      const end = octets.indexOf(LF, at);
      if (end < 0) break;
      if (!this.#skip) this.#line(octets.subarray(at, end));
      this.#skip = false;
      at = end + 1;
    }
    const rest = octets.subarray(at);
    this.#skip ||= rest.length > MAX_LINE;
    this.#carry = this.#skip ? NOTHING : Buffer.from(rest);
  }

  end(): void {
    if (!this.#skip) this.#line(this.#carry);
    this.#close();
  }

  /** Where the next line that may begin a file stands, or the last line of all. `at` is the start of a line. */
  #nextBegin(octets: Buffer, at: number): number {
    for (let found = octets.indexOf(BEGIN, at); found >= 0; found = octets.indexOf(BEGIN, found + 1))
      if (found === at || octets[found - 1] === LF) return found;
    return Math.max(at, octets.lastIndexOf(LF) + 1);
  }

  #line(line: Buffer): void {
    const text = line.length > MAX_LINE ? '' : line.toString('latin1').replace(/\r$/, '');
    if (this.#open === undefined) {
      const name = /^begin [0-7]{3,4} +(\S[^]*)$/.exec(text)?.[1];
      if (name !== undefined) this.#open = opened(name);
      return;
    }
    const file = this.#open;
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK);
    const octets = decodeLine(text, this.#block, file.used);
    if (octets === 0) {
      this.#close();
      this.#line(line); // may begin the next one
      return;
    }
    file.used += octets;
    if (file.used + LINE_ROOM <= BLOCK) return;
    file.full.push(this.#block.subarray(0, file.used));
    file.used = 0;
    this.#block = undefined;
  }

  #close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    if (open.full.length === 0 && open.used === 0) return;
    const octets = Buffer.concat([...open.full, (this.#block ?? NOTHING).subarray(0, open.used)]);
    this.files.push({ name: open.name, octets });
  }
}

function opened(name: string): Open {
  const text = Buffer.from(name, 'latin1').toString('utf8').trim();
  return { name: text, full: [], used: 0 };
}

/** How many octets went into `out`; 0 for the end, and for what is no encoded line. White space at its end may have been lost. */
function decodeLine(text: string, out: Buffer, from: number): number {
  const length = (text.charCodeAt(0) - 32) & 63;
  const groups = Math.ceil(length / 3);
  if (text === '' || !/^[ -`]+$/.test(text) || text.length > 4 * groups + 3) return 0;
  if (text.trimEnd().length < 2 || text.length < 2 + (length > 3 ? groups : 0)) return 0;
  const sextet = (at: number): number => (at < text.length ? (text.charCodeAt(at) - 32) & 63 : 0);
  for (let group = 0; group < groups; group += 1) {
    const at = 1 + group * 4;
    const bits = (sextet(at) << 18) | (sextet(at + 1) << 12) | (sextet(at + 2) << 6) | sextet(at + 3);
    out.writeUIntBE(bits, from + group * 3, 3);
  }
  return length;
}

/** May there be such a file in these octets? For whoever has more of a message than was looked at. */
export class BeginGauge {
  #tail = Buffer.alloc(0);

  isFound(chunk: Buffer): boolean {
    const across = Buffer.concat([this.#tail, chunk.subarray(0, BEGIN.length)]);
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-BEGIN.length)]).subarray(-BEGIN.length);
    return hasBegin(across) || hasBegin(chunk);
  }
}

const LINE_BEGIN = Buffer.concat([Buffer.from('\n'), BEGIN]);

function hasBegin(octets: Buffer): boolean {
  return octets.includes(LINE_BEGIN);
}
