/**
 * Octets straight from the socket, without a stream between: the kernel's go into one piece of memory, the same for every
 * connection, and whoever takes them keeps what he wants of them before he returns. The runtime's way allocates 64 KiB for each
 * read and lets the collector find them: a mail of 1 MB left 1 MB outside the heap, and the heaps of garbage were most of
 * the peak of memory. The runtime can do this for sockets it opens itself (`onread` of net.Socket); for accepted ones only its own
 * fields are missing, which are set here. A runtime without them is read by the stream: slower, the same octets.
 * `test/accept/direct-reads.test.ts` fails when a new version no longer has them.
 */
import type { Socket } from 'node:net';

/** What one read may bring. */
export const MOST_AT_ONCE = 64 * 1024;
const SHARED = Buffer.allocUnsafeSlow(MOST_AT_ONCE);

interface Insides {
  _handle?: { useUserBuffer?: (buffer: Buffer) => void; reading?: boolean } | null;
  /** Begins to read, unless it does. */
  _read(size: number): void;
}

export interface Taker {
  /** False: they go by the stream. */
  readonly takes: boolean;
  /** Lent until it returns; a promise: no more before it resolves, and it never rejects. */
  take(octets: Buffer): Promise<void> | undefined;
}

/** From the next read on `taker` is asked first. Once for a connection; false: this one cannot be read so. */
export function readDirectly(socket: Socket, taker: () => Taker | undefined): boolean {
  const inside = socket as unknown as Insides & Record<symbol, unknown>;
  const handle = inside._handle;
  const fields = fieldsOf(inside);
  if (fields === undefined || typeof handle?.useUserBuffer !== 'function') return false;
  const onRead = (length: number, memory: Buffer): boolean => {
    const octets = memory.subarray(0, length);
    const to = taker();
    // what came before goes before
    if (to?.takes !== true || socket.readableLength > 0) return socket.push(Buffer.from(octets));
    const waiting = to.take(octets);
    if (waiting === undefined) return true;
    void waiting.then(() => {
      if (!socket.destroyed) inside._read(MOST_AT_ONCE);
    });
    return false;
  };
  inside[fields.memory] = SHARED;
  inside[fields.onRead] = onRead;
  inside[fields.next] = null;
  handle.useUserBuffer(SHARED);
  return true;
}

interface Fields {
  memory: symbol;
  onRead: symbol;
  next: symbol;
}

let known: Fields | 'none' | undefined;

/** The runtime names them by symbols of its own, on every socket. */
function fieldsOf(socket: object): Fields | undefined {
  if (known === undefined) {
    const find = (name: string): symbol | undefined =>
      Object.getOwnPropertySymbols(socket).find((each) => each.description === name);
    const [memory, onRead, next] = [find('kBuffer'), find('kBufferCb'), find('kBufferGen')];
    known = memory === undefined || onRead === undefined || next === undefined ? 'none' : { memory, onRead, next };
  }
  return known === 'none' ? undefined : known;
}
