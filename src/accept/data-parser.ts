/**
 * Finds the end of DATA and undoes dot-stuffing (RFC 5321 §4.5.2), in our own hand for two reasons: the library takes one
 * event-loop turn for each stuffed line (a message of dots would stall the box), and it un-stuffs after a lone LF.
 * Here only CRLF . CRLF ends DATA and only a dot behind CRLF (or at the very start) is undone, so no other sequence that
 * some server takes for an end can smuggle a second message in. How the client cuts its packets changes nothing.
 * A chunk without dot lines, or with none but the last of all, is passed on uncopied, found by one native search.
 */
const TEXT = 0;
/** The last octet was CR. */
const AFTER_CR = 1;
/** At the first octet of a line. */
const LINE_START = 2;
/** A dot at the start of a line is held back. */
const AFTER_DOT = 3;
/** Dot and CR are held back. */
const AFTER_DOT_CR = 4;
type State = typeof TEXT | typeof AFTER_CR | typeof LINE_START | typeof AFTER_DOT | typeof AFTER_DOT_CR;

const CR = 13;
const LF = 10;
const DOT = 46;
const NOTHING = Buffer.alloc(0);
/** A native copy costs as much as about this many octets in the loop. */
const WORTH_COPYING = 64;
const SEARCH_AGAIN = 512;

export interface DataStep {
  /** Octets of the message, dots undone. */
  content: Buffer;
  /** Set at the end of DATA: what the client sent behind it. */
  rest?: Buffer;
}

export class DataParser {
  #state: State = LINE_START;
  #ended = false;

  /** Must not be called again after a step with `rest`. */
  feed(chunk: Buffer): DataStep {
    if (this.#ended) throw new TypeError('Feeds data after the end of DATA');
    if (chunk.length === 0) return { content: NOTHING };
    if (this.#state !== TEXT && !this.#startsPlain(chunk)) return this.#walk(chunk);
    // the common cases: text without a dot line, nothing half-matched from before, …
    const dot = chunk.indexOf('\r\n.');
    if (dot < 0) {
      this.#state = tailState(chunk);
      return { content: chunk };
    }
    // … and text whose first dot line is the end
    if (chunk[dot + 3] !== CR || chunk[dot + 4] !== LF) return this.#walk(chunk);
    this.#ended = true;
    return { content: chunk.subarray(0, dot + 2), rest: chunk.subarray(dot + 5) };
  }

  /** True when the state from before and this first octet make no dot line. */
  #startsPlain(chunk: Buffer): boolean {
    if (this.#state === LINE_START) return chunk[0] !== DOT;
    // after CR, an LF would open a line: leave that to the walk
    if (this.#state === AFTER_CR) return chunk[0] !== LF;
    return false;
  }

  /**
   * Octet by octet where dot lines are dense, by native search and copy where they are rare: neither a message of dots nor a
   * style sheet with a `.class` here and there costs much more than plain text.
   */
  #walk(chunk: Buffer): DataStep {
    const out = Buffer.allocUnsafe(chunk.length + 1);
    let length = 0;
    let state = this.#state;
    let searchAt = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      if (state === TEXT && at >= searchAt) {
        const found = chunk.indexOf('\r\n.', at);
        const end = found < 0 ? chunk.length : found + 2;
        if (end - at < WORTH_COPYING && found >= 0) searchAt = at + SEARCH_AGAIN;
        else {
          length += chunk.copy(out, length, at, end);
          state = found < 0 ? tailState(chunk.subarray(at)) : LINE_START;
          at = end;
          if (at >= chunk.length) break;
        }
      }
      const octet = chunk[at] as number;
      if (state === AFTER_DOT_CR) {
        if (octet === LF) {
          this.#ended = true;
          return { content: out.subarray(0, length), rest: chunk.subarray(at + 1) };
        }
        out[length++] = CR; // the dot had company on its line: it goes, the CR stays
        state = AFTER_CR;
      } else if (state === AFTER_DOT) {
        if (octet === CR) {
          state = AFTER_DOT_CR;
          continue;
        }
        state = TEXT; // RFC 5321 §4.5.2: other characters follow, the dot is deleted
      } else if (state === LINE_START && octet === DOT) {
        state = AFTER_DOT;
        continue;
      }
      out[length++] = octet;
      if (octet === CR) state = AFTER_CR;
      else state = octet === LF && state === AFTER_CR ? LINE_START : TEXT;
    }
    this.#state = state;
    return { content: out.subarray(0, length) };
  }
}

function tailState(chunk: Buffer): State {
  const last = chunk[chunk.length - 1];
  if (last === CR) return AFTER_CR;
  return last === LF && chunk.length > 1 && chunk[chunk.length - 2] === CR ? LINE_START : TEXT;
}
