/**
 * clamd through the clamscan package, behind a wrapper that cannot fail open. The package (2.4.0) resolves with
 * `isInfected: null` for empty and garbled replies, never settles when clamd hangs, and reads the input as fast as it
 * comes. Here: only the exact reply `stream: OK` is clean, `FOUND` is a finding, everything else throws. The socket is ours:
 * a stream waits until clamd has taken what was sent (about 128 KiB in memory per scan); a body that lies in memory goes out in
 * one write (four of them, and a client made anew, were a third of a scan's cost here). The caller's signal destroys both.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import NodeClam from 'clamscan';
import type { Bytes } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, SekishoError } from '../base/errors.ts';
import type { Finding } from '../mail/finding.ts';
import { BROKE_OFF, DECLINED } from './engine.ts';

/** Waits in the socket before the next chunk is asked for. */
const SOCKET_HIGH_WATER: Bytes = 65_536;
const CONNECT_MS = 5_000;
const MAX_REPLY: Bytes = 4_096;

/** The EICAR test string, put together here so that this very file is not found by a scanner. */
export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE', '!$H+H*'].join('');

/** Throws unless clamd gave a verdict. A size limit or an error of clamd's is DECLINED. `source`: pieces when all is in memory. */
export async function scanWithClamd(
  socketPath: string,
  source: Readable | readonly Buffer[],
  options: { size: Bytes; signal: AbortSignal },
): Promise<Finding[]> {
  const { signal } = options;
  let socket: Socket | undefined;
  const empty = options.size === 0;
  const stream = source instanceof Readable ? source : undefined;
  const input =
    stream === undefined
      ? allAtOnce(source as readonly Buffer[], empty)
      : throttled(stream, { empty, socket: () => socket });
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => undefined); // it may be rejected before anybody waits for it, or after
  const stop = (): void => stopped.reject(new SekishoError('ABORTED', 'The scan was stopped', { retryable: true }));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const clam = await newClient();
    clam._initSocket = async () => {
      const opened = await openSocket(socketPath, signal);
      socket = opened;
      watch(opened, stopped.reject);
      if (stream === undefined) {
        // the package writes command, length, octets and end one by one, all within this turn of the loop
        opened.cork();
        setImmediate(() => opened.uncork());
      }
      return opened;
    };
    const scanned = clam.scanStream(input);
    return verdict(
      await Promise.race([scanned, stopped.promise, ...(stream === undefined ? [] : [failureOf(stream)])]),
    );
  } catch (error) {
    throw error instanceof SekishoError ? error : scanError(error);
  } finally {
    signal.removeEventListener('abort', stop);
    input.destroy();
    stream?.destroy();
    socket?.destroy();
  }
}

/** `zVERSION`, `zPING`: one question, one short answer. */
export async function askClamd(socketPath: string, command: 'PING' | 'VERSION', signal: AbortSignal): Promise<string> {
  const socket = await openSocket(socketPath, signal);
  const stop = (): void => void socket.destroy(new SekishoError('ABORTED', `clamd did not answer ${command}`));
  signal.addEventListener('abort', stop, { once: true });
  try {
    socket.end(`z${command}\0`);
    let answer = '';
    for await (const chunk of socket) {
      answer += String(chunk);
      if (answer.length > MAX_REPLY) break;
    }
    return answer.replaceAll('\0', '').trim();
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/** Alive, and does it find EICAR? Returns the version for people; throws otherwise. */
export async function probeClamd(socketPath: string, signal: AbortSignal): Promise<string> {
  const version = await askClamd(socketPath, 'VERSION', signal);
  const sample = Buffer.from(EICAR, 'latin1');
  const findings = await scanWithClamd(socketPath, Readable.from([sample]), { size: sample.length, signal });
  if (!findings.some((finding) => finding.kind === 'virus')) {
    throw new SekishoError('ENGINE_BLIND', 'clamd answers, but does not find the EICAR test virus', {
      remedy: 'Check that a signature database is loaded',
    });
  }
  return clamdVersion(version);
}

/** `ClamAV 1.4.6/27500/Sat Nov 21 …` is the program, the number and the day of its signatures; without them only ours are loaded. */
export function clamdVersion(answer: string): string {
  const [program = '', number, day] = answer.split('/');
  if (!/^ClamAV [\w.+-]+$/.test(program)) {
    throw new SekishoError('ENGINE_GARBLED', `clamd gave "${answer.slice(0, 80)}" as its version`);
  }
  if (number === undefined || !/^\d+$/.test(number)) return `${program}, starter signatures only`;
  return day === undefined ? `${program}/${number}` : `${program}/${number}/${day.trim()}`;
}

interface PrivateClient {
  _initSocket: () => Promise<Socket>;
  scanStream(stream: Readable): Promise<unknown>;
}

let client: Promise<PrivateClient> | undefined;

/** One client a scan, derived from one that is set up: its socket, and the path a reload may have changed, belong to this scan alone. */
async function newClient(): Promise<PrivateClient> {
  client ??= new NodeClam().init({
    // No path: the package must neither look for nor ever start a binary (`localFallback` loads a whole database per mail).
    clamscan: { path: '', active: false },
    // it asks for a name; the socket is opened by `_initSocket`
    clamdscan: { socket: 'ours', path: '', localFallback: false, bypassTest: true, active: true, timeout: 600_000 },
    preference: 'clamdscan',
    debugMode: false,
  }) as unknown as Promise<PrivateClient>;
  try {
    return Object.create(await client) as PrivateClient;
  } catch (error) {
    client = undefined; // the next scan tries anew
    throw error;
  }
}

/** A path of this machine, or `host:port` of another: the mail goes there in clear. */
export function placeOf(socket: string): { path: string } | { host: string; port: number } {
  const elsewhere = /^(?:\[([^/[\]]+)\]|([^/[\]:]+)):(\d{1,5})$/.exec(socket);
  if (socket.startsWith('/') || elsewhere === null) return { path: socket };
  return { host: elsewhere[1] ?? elsewhere[2] ?? '', port: Number(elsewhere[3]) };
}

async function openSocket(socketPath: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect(placeOf(socketPath));
  try {
    await withDeadline('Connecting to clamd', { ms: CONNECT_MS, signal }, () => once(socket, 'connect'));
    return socket;
  } catch (error) {
    socket.destroy();
    throw new SekishoError('ENGINE_UNREACHABLE', `Cannot reach clamd at "${socketPath}"`, {
      retryable: true,
      cause: error,
      remedy: 'Start clamd, or correct engines.clamd.socket',
    });
  }
}

/** An empty message becomes one empty line, as below. */
function allAtOnce(pieces: readonly Buffer[], empty: boolean): Readable {
  return new Readable({
    highWaterMark: 65_536,
    read() {
      if (empty) this.push('\r\n');
      for (const piece of pieces) if (piece.length > 0) this.push(piece);
      this.push(null);
    },
  });
}

/**
 * Hands over the next chunk only when the socket has room. An empty message becomes one empty line: clamd answers nothing
 * at all to an empty stream, and nothing must not look like "clean".
 */
function throttled(source: Readable, options: { empty: boolean; socket: () => Socket | undefined }): Readable {
  async function* chunks(): AsyncGenerator<Buffer> {
    if (options.empty) yield Buffer.from('\r\n');
    for await (const chunk of source as AsyncIterable<Buffer>) {
      const socket = options.socket();
      if (socket !== undefined && socket.writableLength > SOCKET_HIGH_WATER && !socket.destroyed) {
        await drained(socket);
      }
      if (chunk.length > 0) yield chunk;
    }
  }
  return Readable.from(chunks(), { objectMode: false, highWaterMark: 65_536 });
}

/** The listener that was not called goes too: a message of 50 MB waits 800 times. */
async function drained(socket: Socket): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]);
  } finally {
    over.abort();
  }
}

function failureOf(source: Readable): Promise<never> {
  return new Promise((_, reject) => {
    source.once('error', (error) => {
      reject(new SekishoError(DECLINED, 'Cannot read the message to scan', { retryable: true, cause: error }));
    });
  });
}

/**
 * The package waits for 'end'; a socket that is reset, or closed by our side, brings none. ('end' comes before 'close' and is
 * handled by the package in the same tick.) Errors are ours too: the package would print them on stderr.
 */
function watch(socket: Socket, fail: (error: Error) => void): void {
  const on = socket.on.bind(socket);
  let said = '';
  socket.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('latin1')).slice(0, MAX_REPLY);
  });
  socket.on('error', (error) => {
    // It may have said why it takes no more before it closed on us
    if (said !== '') fail(scanError(new Error(said.replaceAll('\0', ' ').slice(0, 200), { cause: error })));
    else fail(new SekishoError(BROKE_OFF, 'The connection to clamd broke', { retryable: true, cause: error }));
  });
  socket.once('close', () => {
    const closed = new SekishoError(BROKE_OFF, 'clamd closed the connection without an answer', {
      retryable: true,
    });
    setImmediate(() => fail(closed));
  });
  socket.on = ((event: string, listener: (...args: unknown[]) => void) =>
    event === 'error' ? socket : on(event, listener)) as typeof socket.on;
}

function verdict(answer: unknown): Finding[] {
  const { isInfected, viruses, resultString } = (answer ?? {}) as Record<string, unknown>;
  if (isInfected === false && typeof resultString === 'string' && /^stream: OK\0?$/.test(resultString.trim()))
    return [];
  if (isInfected === true) {
    const names = Array.isArray(viruses) ? viruses.map(String).filter((name) => name !== '') : [];
    return (names.length === 0 ? ['unnamed'] : names).map(findingOf);
  }
  const text = typeof resultString === 'string' ? resultString : '';
  // A clamd that dies ends its connections in order: the package takes that for an answer of no octets
  if (text === '') throw new SekishoError(BROKE_OFF, 'clamd ended without an answer', { retryable: true });
  throw new SekishoError('ENGINE_GARBLED', `clamd gave no verdict but "${text.slice(0, 120)}"`, { retryable: true });
}

/** AlertExceedsMax and AlertEncrypted speak through names of their own: what could not be looked into is no virus. */
function findingOf(name: string): Finding {
  const heuristic = { kind: 'attachment', name: '', inside: [], declaredType: '', size: 0 } as const;
  if (name.startsWith('Heuristics.Limits.Exceeded')) return { ...heuristic, inside: [], traits: ['unscannable'] };
  if (name.startsWith('Heuristics.Encrypted')) return { ...heuristic, inside: [], traits: ['encrypted'] };
  return { kind: 'virus', engine: 'clamd', name: name.slice(0, 200) };
}

/** An `… ERROR` reply is clamd's own word about this message; anything else is trouble with clamd. */
function scanError(error: unknown): SekishoError {
  const text = describeError(error);
  const about = /size limit exceeded|ERROR/.test(text);
  return new SekishoError(about ? DECLINED : 'ENGINE_FAILED', `clamd did not scan: ${text}`, {
    retryable: true,
    cause: error,
  });
}
