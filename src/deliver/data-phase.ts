/**
 * The octets of a message between 354 and the final dot (RFC 5321 §4.5.2): dots at line starts doubled, nothing else
 * touched. The first such dot of a chunk is sought with `indexOf`; whole chunks go out in one corked write each; the socket's
 * backpressure is obeyed with a deadline for each block. If the source fails nothing that ends the data is ever written:
 * the caller must cut the connection. Expects CRLF-clean octets, as the spool keeps them.
 */
import type { Writable } from 'node:stream';
import type { Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import type { BodyOctets } from '../spool/api.ts';

const LINE_FEED_DOT = Buffer.from('\n.');
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const DOT = 46;
/** Pieces are gathered up to this and leave in one write; a wait for the socket costs more than the copy of a block. */
const GATHER = 262_144;
/** RFC 5321 §4.5.3.2.5 counts its time by the block; this is one. */
const BLOCK = 65_536;

export interface DotStuffer {
  /** The chunk with its dots doubled; the very same buffer when there is nothing to double. */
  next(chunk: Buffer): Buffer;
  /** What ends the data after all chunks: a last CRLF if it is missing, then dot CRLF. */
  end(): Buffer;
}

export function createDotStuffer(): DotStuffer {
  let last = LINE_FEED; // the start of the data is the start of a line
  let beforeLast = CARRIAGE_RETURN;
  return {
    next(chunk) {
      if (chunk.length === 0) return chunk;
      const first = last === LINE_FEED && chunk[0] === DOT ? 0 : chunk.indexOf(LINE_FEED_DOT) + 1;
      const doubling = first > 0 || (last === LINE_FEED && chunk[0] === DOT);
      beforeLast = chunk.length > 1 ? (chunk[chunk.length - 2] as number) : last;
      last = chunk[chunk.length - 1] as number;
      return doubling ? doubled(chunk, first) : chunk;
    },
    end() {
      if (last === LINE_FEED && beforeLast === CARRIAGE_RETURN) return Buffer.from('.\r\n');
      return Buffer.from(last === CARRIAGE_RETURN ? '\n.\r\n' : '\r\n.\r\n');
    },
  };
}

/**
 * From the first dot at `from` on, octet by octet in two plain loops (about 2 ns each): a call of `indexOf` for each dot
 * would let a mail made of dot lines cost a hundred times what plain text costs.
 */
function doubled(chunk: Buffer, from: number): Buffer {
  let dots = 1;
  for (let at = from + 1; at < chunk.length; at += 1) if (chunk[at] === DOT && chunk[at - 1] === LINE_FEED) dots += 1;
  const out = Buffer.allocUnsafe(chunk.length + dots);
  let to = chunk.copy(out, 0, 0, from);
  out[to++] = DOT;
  out[to++] = DOT;
  for (let at = from + 1; at < chunk.length; at += 1) {
    const octet = chunk[at] as number;
    if (octet === DOT && chunk[at - 1] === LINE_FEED) out[to++] = DOT;
    out[to++] = octet;
  }
  return out;
}

/**
 * Writes the body and its end to the socket. Resolves when the end is handed to the socket; `onEnd` is called just before
 * that, the moment from which the peer may have taken the message. Rejects when the source fails, a signal aborts
 * (connection gone, early reply) or a block does not leave in time.
 */
export async function writeData(
  socket: Writable,
  body: BodyOctets,
  options: { blockMs: Milliseconds; signals: readonly AbortSignal[]; onEnd: () => void },
): Promise<number> {
  const stuffer = createDotStuffer();
  let gathered: Buffer[] = [];
  let size = 0;
  let octets = 0;
  let stop: AbortSignal | undefined;
  const throwIfStopped = (): void => {
    for (const signal of options.signals) signal.throwIfAborted();
  };
  const flush = async (): Promise<void> => {
    throwIfStopped();
    socket.cork();
    for (const piece of gathered) socket.write(piece);
    socket.uncork();
    const ms = options.blockMs * Math.ceil(size / BLOCK);
    gathered = [];
    size = 0;
    // mostly the kernel has taken all of it by now, however much it was
    if (socket.writableNeedDrain && socket.writableLength > 0) {
      stop ??= AbortSignal.any([...options.signals]); // made only for who waits, and once: it is dear
      await drained(socket, { ms, signal: stop });
    }
  };
  /** Nothing that was given is in our hands, and the kernel has its own copy of it. */
  const letGo = (): void => {
    if (gathered.length === 0 && socket.writableLength === 0) body.taken?.();
  };
  // leaving the loop early ends the source: it closes its file, or is destroyed
  for await (const chunk of body) {
    const piece = stuffer.next(chunk);
    octets += piece.length;
    if (size > 0 && size + piece.length > GATHER + BLOCK) await flush();
    gathered.push(piece);
    size += piece.length;
    if (size < GATHER) continue;
    await flush(); // before the next one is read, perhaps into the same memory
    letGo();
  }
  gathered.push(stuffer.end());
  throwIfStopped();
  options.onEnd();
  await flush();
  letGo();
  return octets;
}

async function drained(socket: Writable, options: { ms: Milliseconds; signal: AbortSignal }): Promise<void> {
  await withDeadline('Sending a block of data', options, async (signal) => {
    if (!socket.writableNeedDrain) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const gone = (): void => resolve();
    socket.once('drain', resolve);
    signal.addEventListener('abort', gone, { once: true });
    await promise;
    socket.off('drain', resolve);
  });
}
