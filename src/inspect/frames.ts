/**
 * The language of the socket between gateway and worker: {u32 length of JSON, u32 length of payload}, JSON, payload (big
 * endian). Both ends refuse a frame beyond the limits with code `FRAME`: the peer is broken or lies, and the socket is to be
 * closed. Pure but for the socket it is given; nothing is kept.
 */
import type { Readable } from 'node:stream';
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

export function encodeFrame(message: unknown, payload: Buffer = NOTHING): Buffer {
  const json = Buffer.from(JSON.stringify(message), 'utf8');
  if (json.length > MAX_JSON) throw new SekishoError('FRAME', `A frame of ${json.length} octets of JSON is too large`);
  if (payload.length > MAX_PAYLOAD)
    throw new SekishoError('FRAME', `A payload of ${payload.length} octets is too large`);
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(json.length, 0);
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, json, payload]);
}

/** Yields each frame when it is whole; reads on only when the consumer asks, so that backpressure reaches the peer. */
export async function* readFrames(source: Readable): AsyncGenerator<Frame> {
  let chunks: Buffer[] = [];
  let length = 0;
  let wanted = HEAD;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length < wanted) continue;
    let bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, length);
    for (;;) {
      wanted = frameLength(bytes);
      if (bytes.length < wanted || bytes.length < HEAD) break;
      yield decode(bytes.subarray(0, wanted));
      bytes = bytes.subarray(wanted);
    }
    chunks = bytes.length === 0 ? [] : [bytes];
    length = bytes.length;
  }
  if (length > 0) throw new SekishoError('FRAME', 'The connection ended inside a frame');
}

function frameLength(bytes: Buffer): Bytes {
  if (bytes.length < HEAD) return HEAD;
  const json = bytes.readUInt32BE(0);
  const payload = bytes.readUInt32BE(4);
  if (json > MAX_JSON || payload > MAX_PAYLOAD) throw new SekishoError('FRAME', 'A frame is larger than allowed');
  return HEAD + json + payload;
}

function decode(bytes: Buffer): Frame {
  const end = HEAD + bytes.readUInt32BE(0);
  try {
    return { message: JSON.parse(bytes.toString('utf8', HEAD, end)), payload: bytes.subarray(end) };
  } catch (error) {
    throw new SekishoError('FRAME', 'A frame holds no JSON', { cause: error });
  }
}
