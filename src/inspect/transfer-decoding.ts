/**
 * Content-Transfer-Encoding undone chunk by chunk (RFC 2045 §6), the way mail programs do it rather than the way the RFC
 * wishes: what a person's program would open must be what is looked at. Linear, bounded memory, safe on any input.
 */
export interface Decoder {
  /** What these octets complete. */
  write(chunk: Buffer): Buffer;
  /** The same, for whom it is enough to know how many octets they are. */
  count(chunk: Buffer): number;
  end(): Buffer;
}

const CR = 13;
const LF = 10;
const NOTHING = Buffer.alloc(0);
/** Decoded at a time where the octets themselves are not wanted. */
const SCRATCH = 65_536;
/** Written and forgotten within one call. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH);

/** Undefined for an encoding we cannot undo. */
export function decoderFor(encoding: string): Decoder | undefined {
  switch (encoding) {
    case '':
    case '7bit':
    case '8bit':
    case 'binary':
      return { write: (chunk) => chunk, count: (chunk) => chunk.length, end: () => NOTHING };
    case 'base64':
      return base64Decoder();
    case 'quoted-printable':
      return quotedPrintableDecoder();
    default:
      return undefined;
  }
}

/**
 * Octets outside the alphabet are skipped; padding ends a quantum, not the data (joined segments are read on). Lines of one
 * length, as every program writes them, are decoded natively as they stand, a chunk at a time.
 */
function base64Decoder(): Decoder {
  let rest = '';
  /** How many octets went into `out` from `at` on. */
  const decode = (chunk: Buffer, out: Buffer, at: number): number => {
    if (chunk.length === 0) return 0;
    const text = rest + chunk.toString('latin1').replaceAll(/[^A-Za-z0-9+/=]+/g, '');
    const segments = text.split(/=+/);
    const last = segments.pop() ?? '';
    const whole = last.length - (last.length % 4);
    rest = last.slice(whole);
    let end = at;
    for (const segment of [...segments, last.slice(0, whole)]) end += out.write(segment, end, 'base64');
    return end - at;
  };
  const decodeAll = (chunk: Buffer, out: Buffer): number => {
    const first = chunk.indexOf(LF) + 1;
    let octets = decode(chunk.subarray(0, first), out, 0);
    const end = rest === '' && first > 0 ? endOfLines(chunk, first) : first;
    const lines = end === first ? undefined : decodeLines(chunk.subarray(first, end), out.subarray(octets));
    octets += lines ?? 0;
    return octets + decode(chunk.subarray(lines === undefined ? first : end), out, octets);
  };
  return {
    write: (chunk) => {
      const out = Buffer.allocUnsafe(room(rest.length + chunk.length));
      return out.subarray(0, decodeAll(chunk, out));
    },
    count: (chunk) => {
      let octets = 0;
      for (let at = 0; at < chunk.length; at += SCRATCH) octets += decodeAll(chunk.subarray(at, at + SCRATCH), scratch);
      return octets;
    },
    end: () => Buffer.from(rest, 'base64'),
  };
}

/** At most so much comes out of so many characters, each padded segment for itself. */
function room(characters: number): number {
  return Math.ceil((characters * 3) / 4) + 3;
}

/** The end of the lines from `from` on that are all as long as the first, a multiple of four octets, CRLF behind each. */
function endOfLines(chunk: Buffer, from: number): number {
  const step = chunk.indexOf(LF, from) + 1 - from;
  if (step < 6 || (step - 2) % 4 !== 0) return from;
  let at = from;
  while (chunk[at + step - 1] === LF && chunk[at + step - 2] === CR) at += step;
  return at;
}

/** How many octets went into `out`; undefined unless they hold nothing but the alphabet: their length says how many it must be. */
function decodeLines(lines: Buffer, out: Buffer): number | undefined {
  const step = lines.indexOf(LF) + 1;
  const octets = (lines.length / step) * (((step - 2) / 4) * 3);
  try {
    const { written } = out.setFromBase64(lines.toString('latin1'));
    return written === octets ? octets : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 2045 §6.7. A line is kept until it is complete (64 KiB at most): only its end tells a soft break. */
function quotedPrintableDecoder(): Decoder {
  let rest = '';
  const decode = (text: string): Buffer => {
    const joined = text.split('\n').map(undoLineEnd).join('');
    const bytes = joined.replaceAll(/=([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1');
  };
  const write = (chunk: Buffer): Buffer => {
    const text = rest + chunk.toString('latin1');
    let cut = text.lastIndexOf('\n') + 1;
    if (cut === 0 && text.length > 65_536) cut = text.length - 3;
    rest = text.slice(cut);
    return decode(text.slice(0, cut));
  };
  return { write, count: (chunk) => write(chunk).length, end: () => decode(rest) };
}

/** One line without its LF: white space at its end is dropped (RFC 2045 §6.7 rule 3), `=` there joins it to the next. */
function undoLineEnd(line: string, index: number, lines: readonly string[]): string {
  if (index === lines.length - 1) return line;
  const cr = line.endsWith('\r');
  let end = cr ? line.length - 1 : line.length;
  // no regular expression: one that looks for white space at an end is quadratic on a long run of it
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end -= 1;
  if (line[end - 1] === '=') return line.slice(0, end - 1);
  return `${line.slice(0, end)}${cr ? '\r\n' : '\n'}`;
}
