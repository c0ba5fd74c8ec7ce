/**
 * One SMTP client session to one address, on nodemailer's SMTPConnection: greeting, EHLO or HELO, STARTTLS and the parsing
 * of replies are the library's; dialling, deadlines and the commands of a transaction are ours (its DATA is slow, its DSN
 * parameters are the same for all recipients, its resolver is the system's). `openSession` resolves with a session ready
 * for MAIL, or with the trouble as a value. A session that failed in any way is cut, never reused.
 */
import { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import type { Writable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Milliseconds } from '../base/brand.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode, SekishoError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { type HopReply, parseHopReply } from './classify.ts';
import { checkDane } from './dane.ts';
import { logIn } from './login.ts';
import type { Target } from './route.ts';

/** The parts of the library that its types leave out; all of them are used by its own `sendCommand` and `send`. */
interface Internals {
  _socket: net.Socket | false | null;
  _responseActions: Array<(line: string) => void>;
  _sendCommand(line: string): void;
  _supportedExtensions: string[];
  _maxAllowedSize: number;
  _supportedAuth: string[];
}

export interface Session {
  readonly target: Target;
  readonly secure: boolean;
  /** `STARTTLS`, `SIZE`, `PIPELINING`, `8BITMIME`, `SMTPUTF8`, `DSN` as the peer offers them now. */
  offers(extension: string): boolean;
  /** RFC 1870: the peer's limit in octets, 0 when it names none. */
  readonly maxSize: number;
  /** Transactions begun here. */
  transactions: number;
  /** Sends one or several commands in one write; each has one reply, in order. A lost session rejects what is open. */
  commands(lines: readonly string[], options: { ms: Milliseconds }): Array<Promise<HopReply>>;
  /** Waits for a reply without sending (after the final dot). */
  reply(options: { ms: Milliseconds }): Promise<HopReply>;
  readonly socket: Writable;
  /** Aborts when the session is lost, for whatever reason. */
  readonly lost: AbortSignal;
  /** QUIT, without waiting for long. Never throws. */
  quit(): Promise<void>;
  /** At once, without another octet. */
  cut(reason: string): void;
}

export type Opened =
  | { session: Session }
  /** `greeting`: it answered, but not as a willing server; its words, if any. `login`: it will not have our login. */
  | { trouble: 'connect' | 'greeting' | 'tls' | 'login'; detail: string; reply?: HopReply };

export interface OpenOptions {
  config: Config;
  signal?: AbortSignal;
}

export async function openSession(target: Target, options: OpenOptions): Promise<Opened> {
  const first = await attempt(target, { ...options, plain: target.tls === 'off' });
  // Opportunistic: whoever cannot shake hands gets it in clear, as before STARTTLS was invented (RFC 7435 §3).
  // A port that begins with TLS has no clear text to go back to.
  if ('trouble' in first && first.trouble === 'tls' && target.tls === 'opportunistic' && target.implicitTls !== true) {
    return attempt(target, { ...options, plain: true });
  }
  return first;
}

async function attempt(target: Target, options: OpenOptions & { plain: boolean }): Promise<Opened> {
  const { timeouts } = options.config;
  let socket: net.Socket;
  try {
    socket = await dial(target, { ms: timeouts.connectMs, ...(options.signal ? { signal: options.signal } : {}) });
  } catch (error) {
    return { trouble: 'connect', detail: `Connection to ${place(target)} failed: ${describeError(error)}` };
  }
  const connection = new SMTPConnection(connectionOptions(target, { ...options, socket }));
  const session = new LibrarySession(connection, { target, socket });
  try {
    // greeting, EHLO, STARTTLS, EHLO
    const limit = { ms: 2 * timeouts.commandMs, ...(options.signal ? { signal: options.signal } : {}) };
    await withDeadline(`Greeting of ${place(target)}`, limit, () => session.start());
    const unproven = session.unproven();
    if (unproven !== undefined) {
      await session.quit();
      return { trouble: 'tls', detail: `DANE of ${place(target)}: ${unproven}` };
    }
    const { login } = target;
    const refused = login && (await logIn(connection as SMTPConnection & Internals, session, { ...limit, ...login }));
    if (refused === undefined) return { session };
    await session.quit();
    return { ...refused, detail: `Login at ${place(target)}: ${refused.detail}` };
  } catch (error) {
    const response = (error as { response?: unknown }).response;
    const reply = typeof response === 'string' ? parseHopReply(response) : undefined;
    // ETLS: STARTTLS refused. Any other end while the library was upgrading: the handshake broke.
    const tls = errorCode(error) === 'ETLS' || connection.upgrading === true;
    session.cut('Greeting failed');
    const demand = tls && target.demand !== undefined ? `${target.demand.by} demands TLS of ` : '';
    const detail = `${demand}${place(target)}: ${reply?.text ?? describeError(error)}`;
    // Where its domain demands TLS the trouble is ours to name: the peer's words may say anything.
    return { trouble: tls ? 'tls' : 'greeting', detail, ...(reply === undefined || demand !== '' ? {} : { reply }) };
  }
}

function connectionOptions(
  target: Target,
  options: OpenOptions & { plain: boolean; socket: net.Socket },
): SMTPConnection.Options {
  const { timeouts, hostname } = options.config;
  const named = net.isIP(target.host) === 0;
  const required = target.tls === 'required' && !options.plain;
  // RFC 7672: the certificate is held against DNS afterwards; SNI is the TLSA base domain (§8.1).
  const dane = target.demand?.dane;
  const name = dane?.base ?? target.host;
  return {
    connection: options.socket,
    host: target.host,
    port: target.port,
    secure: target.implicitTls === true && !options.plain,
    // Our own name, never a word of the client's (EHLO injection).
    name: hostname,
    ...(named ? { servername: name } : {}),
    lmtp: target.lmtp === true,
    ignoreTLS: options.plain,
    requireTLS: required,
    // STARTTLS offered and then refused: go on in clear on the same connection.
    opportunisticTLS: !required,
    tls: { rejectUnauthorized: required && dane === undefined, minVersion: 'TLSv1.2' },
    connectionTimeout: 2 * timeouts.commandMs,
    greetingTimeout: timeouts.commandMs,
    // Our own deadlines end each wait sooner; this one only catches what they cannot see.
    socketTimeout: Math.max(timeouts.finalDotMs, timeouts.commandMs, timeouts.dataBlockMs) + 60_000,
    socketCloseTimeout: 2_000,
    maxResponseSize: 65_536,
    logger: false,
  };
}

/** As the server sent them, its own first. */
function certificatesOf(socket: tls.TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let next: tls.DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  // the runtime says `{}` for none, and a self-signed one is its own issuer
  while (next?.raw !== undefined && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256);
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}

async function dial(target: Target, options: { ms: Milliseconds; signal?: AbortSignal }): Promise<net.Socket> {
  const socket = net.connect({ host: target.address, port: target.port });
  try {
    await withDeadline(`Connection to ${place(target)}`, options, async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.once('connect', resolve);
      socket.once('error', reject);
      await promise;
      socket.off('error', reject);
    });
    return socket;
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  }
}

function place(target: Target): string {
  const address = net.isIPv6(target.address) ? `[${target.address}]` : target.address;
  return target.host === target.address
    ? `${address}:${target.port}`
    : `${target.host} [${target.address}]:${target.port}`;
}

class LibrarySession implements Session {
  readonly target: Target;
  transactions = 0;
  readonly #connection: SMTPConnection & Internals;
  readonly #gone = new AbortController();
  readonly #plain: net.Socket;
  /** Replies that are waited for, to be told of a loss: a listener of `lost` for each would cost more than the reply. */
  readonly #open = new Set<(error: Error) => void>();

  constructor(connection: SMTPConnection, options: { target: Target; socket: net.Socket }) {
    this.#connection = connection as SMTPConnection & Internals;
    this.target = options.target;
    this.#plain = options.socket;
    // After a loss the library tells it once; later errors of the socket have nothing to add.
    connection.on('error', (error: Error) => this.#lose(error));
    connection.on('end', () => this.#lose(new SekishoError('SESSION_LOST', 'Connection closed', { retryable: true })));
  }

  get secure(): boolean {
    return this.#connection.secure;
  }

  get maxSize(): number {
    return this.#connection._maxAllowedSize;
  }

  get lost(): AbortSignal {
    return this.#gone.signal;
  }

  get socket(): Writable {
    const socket = this.#connection._socket;
    if (socket === false || socket === null)
      throw new SekishoError('SESSION_LOST', 'Connection closed', { retryable: true });
    return socket;
  }

  offers(extension: string): boolean {
    return this.#connection._supportedExtensions.includes(extension);
  }

  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.lost.addEventListener('abort', () => reject(this.lost.reason), { once: true });
    this.#connection.connect((error) => (error ? reject(error) : resolve()));
    await promise;
  }

  /** Why the peer is not who its domain says in DNS; undefined: it is, or its domain says nothing. */
  unproven(): string | undefined {
    const dane = this.target.demand?.dane;
    if (dane === undefined) return undefined;
    const socket = this.#connection._socket;
    if (!(socket instanceof tls.TLSSocket)) return 'no TLS';
    return checkDane(certificatesOf(socket), dane);
  }

  commands(lines: readonly string[], options: { ms: Milliseconds }): Array<Promise<HopReply>> {
    // A line break in a command would be a second command (SMTP injection): a bug of ours, never the peer's.
    if (lines.some((line) => /[\r\n\0]/.test(line))) throw new TypeError('An SMTP command holds a line break');
    const waits = lines.map(() => this.reply(options));
    const socket = this.#connection._socket;
    if (this.lost.aborted || socket === false || socket === null) return waits;
    socket.cork();
    for (const line of lines) this.#connection._sendCommand(line);
    socket.uncork();
    return waits;
  }

  reply({ ms }: { ms: Milliseconds }): Promise<HopReply> {
    const waiting = new Promise<HopReply>((resolve, reject) => {
      if (this.lost.aborted) return reject(this.lost.reason as Error);
      const timer = setTimeout(() => this.cut(`A reply took longer than ${ms} ms`), ms);
      const lose = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      this.#open.add(lose);
      this.#connection._responseActions.push((line) => {
        clearTimeout(timer);
        this.#open.delete(lose);
        resolve(parseHopReply(line));
      });
    });
    // What nobody awaits any more (an earlier reply ended the transaction) must not become an unhandled rejection.
    waiting.catch(() => undefined);
    return waiting;
  }

  async quit(): Promise<void> {
    if (this.lost.aborted) return;
    await Promise.allSettled(this.commands(['QUIT'], { ms: 2_000 }));
    this.cut('Session ended');
  }

  cut(reason: string): void {
    this.#lose(new SekishoError('SESSION_LOST', reason, { retryable: true }));
    const socket = this.#connection._socket;
    this.#connection.close();
    // close() only half-closes; the rest of an unfinished DATA must never follow.
    if (socket !== false && socket !== null) socket.destroy();
    this.#plain.destroy();
  }

  #lose(error: Error): void {
    if (this.lost.aborted) return;
    this.#gone.abort(error);
    for (const lose of this.#open) lose(error); // the first cause
    this.#open.clear();
  }
}
