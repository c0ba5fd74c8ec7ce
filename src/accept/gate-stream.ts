/**
 * smtp-server's command reader with our own reading of DATA. The library goes on cutting command lines; between 354 and the
 * final dot the octets go through `DataParser` to a target, chunk by chunk with its backpressure, and what a client
 * pipelined behind the dot is read as commands only after the target has answered. They come by the stream, or straight from
 * the socket (`take`, see `direct-reads.ts`): whoever is first is served first. Touches the library's insides, as `library.ts` does.
 */
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { DataParser } from './data-parser.ts';

const CR = 13;
const LF = 10;

/** Neither method rejects. */
export interface DataTarget {
  /** Keeps nothing of `content` when it returns; a promise resolves when more may come. */
  write: (content: Buffer) => Promise<void> | undefined;
  end: () => Promise<void>;
}

export class GateStream extends SMTPStream {
  #data: { parser: DataParser; target: DataTarget } | undefined;
  #received = 0;
  #blocked = false;
  /** The octets the library cuts command lines from: what was left of a line, then the chunk; and how far it has cut. */
  #cutting: { left: string; chunk: Buffer; at: number } = { left: '', chunk: Buffer.alloc(0), at: 0 };
  /** What `take` began: all that comes by the stream waits for it. */
  #pending: Promise<void> | undefined;

  get inData(): boolean {
    return this.#data !== undefined;
  }

  /** Octets of the current message as sent. */
  get received(): number {
    return this.#received;
  }

  /** We are the slow one. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** From the next octet on it is message; `end` is called once, and the next command is read after it resolved. */
  beginData(target: DataTarget): void {
    this.#data = { parser: new DataParser(), target };
    this.#received = 0;
    this._dataMode = true;
  }

  /**
   * How the command just cut was ended; asked once for each, in order. The library takes a lone LF for an end and says no more
   * of it, and of a lost connection it runs what was left without one.
   */
  endOf(command: Buffer): 'crlf' | 'lf' | 'none' {
    const { left, chunk, at } = this.#cutting;
    const octet = (index: number): number | undefined =>
      index < left.length ? left.charCodeAt(index) : chunk[index - left.length];
    const end = at + command.length;
    const first = octet(end);
    this.#cutting.at = end + (first === CR ? 2 : 1);
    return first === CR ? 'crlf' : first === LF ? 'lf' : 'none';
  }

  /** May octets go past the stream? Only message, and nothing may still be on its way. */
  get takes(): boolean {
    const idle = this.#pending === undefined && this.writableLength === 0;
    return this.#data !== undefined && idle && this.writable && !this.isClosed;
  }

  /** Octets of the message, lent until this returns; a promise: no more before it resolves. Only while `takes`. */
  take(octets: Buffer): Promise<void> | undefined {
    const step = this.#step(octets);
    if (step === undefined) return undefined;
    const { written, rest } = step;
    if (rest === undefined) {
      if (written !== undefined) this.#pending = written.then(() => void (this.#pending = undefined));
      return this.#pending;
    }
    this.#pending = this.#end(written).then(() => void (this.#pending = undefined));
    this.write(Buffer.from(rest));
    return undefined;
  }

  override _write(chunk: Buffer, encoding: BufferEncoding | 'buffer', done: (error?: Error | null) => void): void {
    if (this.#pending === undefined) this.#read(chunk, encoding, done);
    else
      this.#pending
        .then(() => this.#read(chunk, encoding, done))
        .catch((error: unknown) => this.destroy(error instanceof Error ? error : undefined));
  }

  #read(chunk: Buffer, encoding: BufferEncoding | 'buffer', done: (error?: Error | null) => void): void {
    if (!this._dataMode) this.#cutting = { left: this._remainder, chunk, at: 0 };
    super._write(chunk, encoding, done);
  }

  override _feedDataStream(chunk: Buffer, done: (error?: Error | null) => void): void {
    this.#feed(chunk, done).catch((error: unknown) => this.destroy(error instanceof Error ? error : undefined));
  }

  async #feed(chunk: Buffer, done: (error?: Error | null) => void): Promise<void> {
    const step = this.#step(chunk);
    await step?.written;
    if (step?.rest === undefined) return done();
    await this.#end(undefined);
    this.#read(step.rest, 'buffer', done);
  }

  /** Hands over what is message; `rest` is what is behind the final dot. */
  #step(chunk: Buffer): { written: Promise<void> | undefined; rest: Buffer | undefined } | undefined {
    const data = this.#data;
    if (data === undefined) return undefined;
    this.#received += chunk.length;
    const { content, rest } = data.parser.feed(chunk);
    const waiting = content.length === 0 ? undefined : data.target.write(content);
    this.#blocked = waiting !== undefined;
    return { written: waiting?.then(() => void (this.#blocked = false)), rest };
  }

  async #end(written: Promise<void> | undefined): Promise<void> {
    await written;
    const data = this.#data;
    // connection lost or closed by us meanwhile: its client never hears of an answer, so there is none to work for
    if (data === undefined || this.isClosed) return;
    this._dataMode = false;
    this._remainder = '';
    this.#data = undefined;
    await data.target.end();
  }
}
