/**
 * A look at a message's outer shape before anybody is asked to parse it: octets, header fields, lines that begin with `--`. It
 * costs a search through the octets. Who is over the limits is looked at by the structure first, because an engine may burn half
 * a minute on 100,000 tiny parts; who is *heavy* may hold only a part of an engine's places. It condemns nobody by itself.
 */
import type { Readable } from 'node:stream';
import type { Bytes, Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import type { MessageOctets } from './api.ts';
import type { InspectLimits } from './settings.ts';

/** Messages larger than this are heavy, whatever is in them: encoded parts (base64) are not counted here. */
export const HEAVY_OCTETS: Bytes = 1024 * 1024;
/** Boundaries, and whatever else looks like one (signatures, patches, tables): head-room for honest mail. */
const HEAD_ROOM = 2;
const BOUNDARY = Buffer.from('\n--');
const LF = 10;
const CR = 13;

export interface Shape {
  /** May cost an engine much. */
  heavy: boolean;
  /** The structure is asked first, and the engines only when it does not say *too-complex*. */
  structureFirst: boolean;
}

/** A message that cannot be read in time is told by whoever inspects it; here it counts by its size alone. */
export async function shapeOf(
  message: MessageOctets,
  options: { limits: InspectLimits; ms: Milliseconds },
): Promise<Shape> {
  const { limits, ms } = options;
  const large = message.size > HEAVY_OCTETS;
  const bySize = { heavy: large, structureFirst: large };
  // The shortest boundary line is `--`, CRLF; the shortest field `a:`, CRLF: most mail is too small to be over a limit.
  const harmless = Math.min(4 * limits.mimeParts, 4 * limits.headerFields, limits.headerOctets);
  if (large || message.size <= harmless) return bySize;
  const gauge = new Gauge(limits);
  if (message.pieces !== undefined) {
    const over = message.pieces.some((piece) => gauge.isOver(piece));
    return { heavy: over, structureFirst: over };
  }
  const source = message.stream();
  try {
    const over = await withDeadline('Counting the parts', { ms }, () => anyOver(source, gauge));
    return { heavy: over, structureFirst: over };
  } catch {
    return bySize;
  } finally {
    source.destroy();
  }
}

async function anyOver(source: Readable, gauge: Gauge): Promise<boolean> {
  for await (const chunk of source as AsyncIterable<Buffer>) if (gauge.isOver(chunk)) return true;
  return false;
}

/** A message as its octets pass. */
class Gauge {
  readonly #limits: InspectLimits;
  readonly #header = new HeaderGauge();
  #boundaries = 0;
  #tail = Buffer.alloc(0);

  constructor(limits: InspectLimits) {
    this.#limits = limits;
  }

  /** With this chunk. */
  isOver(chunk: Buffer): boolean {
    const { headerFields, headerOctets, mimeParts } = this.#limits;
    this.#header.take(chunk);
    if (this.#header.fields > headerFields || this.#header.octets > headerOctets) return true;
    // A boundary may lie across two chunks; two octets of the last one cannot hold a whole `\n--`
    this.#boundaries += count(Buffer.concat([this.#tail, chunk.subarray(0, 2)])) + count(chunk);
    if (this.#boundaries > HEAD_ROOM * mimeParts) return true;
    this.#tail = Buffer.from(chunk.length >= 2 ? chunk.subarray(-2) : Buffer.concat([this.#tail, chunk]).subarray(-2));
    return false;
  }
}

function count(octets: Buffer): number {
  let found = 0;
  for (let at = octets.indexOf(BOUNDARY); at >= 0; at = octets.indexOf(BOUNDARY, at + BOUNDARY.length)) found += 1;
  return found;
}

/** Counts the fields and octets of the header as they pass; a folded line (RFC 5322 §2.2.3) is no field of its own. */
class HeaderGauge {
  octets: Bytes = 0;
  fields = 0;
  #ended = false;
  #atLineStart = true;

  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#ended; ) {
      if (this.#atLineStart) {
        const first = chunk[at];
        if (first === LF || first === CR) {
          this.#ended = true;
          return;
        }
        if (first !== 32 && first !== 9) this.fields += 1;
        this.#atLineStart = false;
      }
      const end = chunk.indexOf(LF, at);
      const next = end < 0 ? chunk.length : end + 1;
      this.octets += next - at;
      this.#atLineStart = end >= 0;
      at = next;
    }
  }
}
