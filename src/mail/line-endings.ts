/**
 * Watches the line ends of a message while it streams past (RFC 5321 §2.3.8: only CRLF ends a line; CR and LF alone, and
 * NUL, must not be sent). A lone CR and a NUL are always a problem; a lone LF is one in mode `reject`, and becomes CRLF in
 * mode `mend`. State survives chunk borders, so how the client cuts its packets changes nothing. No copy unless something is
 * mended. The first problem found stays; what is fed after it need not be kept.
 */
export type LineEndingMode = 'reject' | 'mend';
export type LineEndingProblem = 'bare-cr' | 'bare-lf' | 'nul';

const CR = 13;
const LF = 10;
const CRLF = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);
/** Four octets at a time: `(word - EACH_14) & ~word & EACH_128` is not 0 when one of them is below 14 (and sometimes when none is). */
const EACH_14 = 0x0e0e0e0e;
const EACH_128 = 0x80808080 | 0;
const WORD = 4;

export class LineEndings {
  readonly #mode: LineEndingMode;
  #problem: LineEndingProblem | undefined;
  #afterCr = false;
  #atLineStart = true;
  #mended = 0;
  #octets = 0;

  constructor(mode: LineEndingMode) {
    this.#mode = mode;
  }

  /** What was found first, if anything. */
  get problem(): LineEndingProblem | undefined {
    return this.#problem;
  }

  /** Lone LFs that became CRLF. */
  get mended(): number {
    return this.#mended;
  }

  /** Octets given out so far. */
  get octets(): number {
    return this.#octets;
  }

  /** The octets to keep: the chunk itself when it is clean. */
  feed(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    const lone = this.#scan(chunk);
    const out = lone === undefined ? chunk : mend(chunk, lone);
    this.#octets += out.length;
    return out;
  }

  /** After the last octet: the CRLF that a last line lacks. A message of no octets stays empty. */
  end(): Buffer {
    if (this.#afterCr) this.#problem ??= 'bare-cr';
    if (this.#atLineStart) return NOTHING;
    this.#atLineStart = true;
    this.#octets += CRLF.length;
    return CRLF;
  }

  /** Positions of the lone LFs to mend, or undefined. */
  #scan(chunk: Buffer): number[] | undefined {
    let lone: number[] | undefined;
    let afterCr = this.#afterCr;
    const words = wordsOf(chunk);
    for (let at = 0; at < chunk.length; at += 1) {
      const octet = chunk[at] as number;
      // the common octet first: nearly all are printable, and then so are those that follow
      if (octet > CR) {
        if (afterCr) {
          this.#problem ??= 'bare-cr';
          afterCr = false;
        }
        at = behindPrintable(words, at);
        continue;
      }
      if (octet === LF) {
        if (!afterCr) {
          if (this.#mode === 'reject') this.#problem ??= 'bare-lf';
          else {
            lone ??= [];
            lone.push(at);
          }
        }
        afterCr = false;
        continue;
      }
      if (afterCr) this.#problem ??= 'bare-cr';
      afterCr = octet === CR;
      if (octet === 0) this.#problem ??= 'nul';
    }
    this.#afterCr = afterCr;
    this.#atLineStart = chunk[chunk.length - 1] === LF;
    this.#mended += lone?.length ?? 0;
    return lone;
  }
}

interface Words {
  /** The whole words of the chunk, read where they are: a string of it, for a compiled search, was a fifth of all garbage. */
  words: Int32Array;
  /** Octets before the first: words lie at multiples of four in memory. */
  before: number;
}

const NO_WORDS: Words = { words: new Int32Array(0), before: 0 };

function wordsOf(chunk: Buffer): Words {
  const before = -chunk.byteOffset & (WORD - 1);
  const count = Math.floor((chunk.length - before) / WORD);
  if (count <= 0) return NO_WORDS;
  return { words: new Int32Array(chunk.buffer, chunk.byteOffset + before, count), before };
}

/** The octet at `at` is printable: the last position up to which all are, as far as whole words tell. */
function behindPrintable({ words, before }: Words, at: number): number {
  if (((at + 1 - before) & (WORD - 1)) !== 0) return at;
  const first = (at + 1 - before) / WORD;
  let word = first;
  while (word < words.length) {
    const four = words[word] as number;
    if (((four - EACH_14) & ~four & EACH_128) !== 0) break;
    word += 1;
  }
  return at + (word - first) * WORD;
}

function mend(chunk: Buffer, lone: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(chunk.length + lone.length);
  let from = 0;
  let to = 0;
  for (const at of lone) {
    to += chunk.copy(out, to, from, at);
    out[to] = CR;
    to += 1;
    from = at;
  }
  chunk.copy(out, to, from);
  return out;
}
