/**
 * The language of the socket between gateway and worker: {u32 length of JSON, u32 length of payload}, JSON, payload (big
 * endian). Both ends refuse a frame beyond the limits with code `FRAME`: the peer is broken or lies, and the socket is to be
 * closed. Pure but for the socket it is given; nothing is kept.
 */
import type { Bytes } from '../base/brand.ts';
import { SekishoError } from '../base/errors.ts';

export const MAX_JSON: Bytes = 4 * 1024 * 1024;
export const MAX_PAYLOAD: Bytes = 256 * 1024;
const HEAD = 8;

export interface Frame {
  message: unknown;
  payload: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** The frame up to its payload, which the sender lets follow as it lies: a body is not copied to be sent. */
export function encodeFrame(message: unknown, payload: Bytes = 0): Buffer {
  const json = JSON.stringify(message);
  const length = Buffer.byteLength(json, 'utf8');
  if (length > MAX_JSON) throw new SekishoError('FRAME', `A frame of ${length} octets of JSON is too large`);
  if (payload > MAX_PAYLOAD) throw new SekishoError('FRAME', `A payload of ${payload} octets is too large`);
  const frame = Buffer.allocUnsafe(HEAD + length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(payload, 4);
  frame.write(json, HEAD, 'utf8');
  return frame;
}

/** Where a payload of this length is put; in memory of its own, if nobody says otherwise. */
export type PlacePayload = (message: unknown, length: Bytes) => Buffer;

/** Gives each frame when it is whole. Keeps nothing of the chunks it is given: their memory may be used again. */
export class FrameReader {
  readonly #place: PlacePayload;
  /** Of a frame's beginning that is not whole; joined once, so that octets that dribble in cost no more than others. */
  #held: Buffer[] = [];
  #heldLength: Bytes = 0;
  #wanted: Bytes = HEAD;
  /** The frame whose payload is coming in. */
  #open: (Frame & { filled: Bytes }) | undefined;

  constructor(place: PlacePayload = (_message, length) => Buffer.allocUnsafe(length)) {
    this.#place = place;
  }

  *take(chunk: Buffer): Generator<Frame> {
    let at = 0;
    let octets = chunk;
    if (this.#open !== undefined) {
      at = this.#fill(this.#open, octets, 0);
      if (this.#open.filled < this.#open.payload.length) return;
      yield this.#whole();
    } else if (this.#heldLength > 0) {
      if (this.#heldLength + chunk.length < this.#wanted) return this.#hold(chunk);
      octets = Buffer.concat([...this.#held, chunk]);
      this.#held = [];
      this.#heldLength = 0;
    }
    while (at < octets.length) {
      const left = octets.length - at;
      this.#wanted = left < HEAD ? HEAD : HEAD + octets.readUInt32BE(at);
      const length = left < HEAD ? 0 : octets.readUInt32BE(at + 4);
      if (this.#wanted > HEAD + MAX_JSON || length > MAX_PAYLOAD) {
        throw new SekishoError('FRAME', 'A frame is larger than allowed');
      }
      if (left < this.#wanted) return this.#hold(octets.subarray(at));
      const message = parse(octets, at + HEAD, at + this.#wanted);
      at += this.#wanted;
      if (length === 0) yield { message, payload: NOTHING };
      else {
        this.#open = { message, payload: this.#place(message, length), filled: 0 };
        at = this.#fill(this.#open, octets, at);
        if (this.#open.filled === length) yield this.#whole();
      }
    }
  }

  /** Throws when a frame is not whole. */
  end(): void {
    if (this.#open === undefined && this.#heldLength === 0) return;
    throw new SekishoError('FRAME', 'The connection ended inside a frame');
  }

  #hold(octets: Buffer): void {
    this.#held.push(Buffer.from(octets));
    this.#heldLength += octets.length;
  }

  #fill(open: Frame & { filled: Bytes }, octets: Buffer, at: number): number {
    const taken = octets.copy(open.payload, open.filled, at);
    open.filled += taken;
    return at + taken;
  }

  #whole(): Frame {
    const { message, payload } = this.#open as Frame;
    this.#open = undefined;
    return { message, payload };
  }
}

/** The frames of a stream; reads on only when the consumer asks, so that backpressure reaches the peer. */
export async function* readFrames(source: AsyncIterable<Buffer>, place?: PlacePayload): AsyncGenerator<Frame> {
  const reader = new FrameReader(place);
  for await (const chunk of source) yield* reader.take(chunk);
  reader.end();
}

function parse(octets: Buffer, from: number, to: number): unknown {
  try {
    return JSON.parse(octets.toString('utf8', from, to));
  } catch (error) {
    throw new SekishoError('FRAME', 'A frame holds no JSON', { cause: error });
  }
}
