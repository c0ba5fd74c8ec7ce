/**
 * As much SMTP as a probe needs: greeting, EHLO, STARTTLS, AUTH PLAIN and LOGIN, MAIL and RCPT, a whole message for the round
 * trip. One command at a time, every wait has a deadline, answers are bounded. Certificates are looked at, not required: a
 * probe tells what it sees. Mail itself never goes this way (deliver/ has the real client).
 */
import { createConnection, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import { describeError, SekishoError } from '../../base/errors.ts';
import { withDeadline } from '../../base/deadline.ts';
import { safeText } from '../../mail/safe-text.ts';

const CONNECT_MS = 10_000;
const REPLY_MS = 20_000;
const MOST_REPLY = 64 * 1024;

export interface Reply {
  code: number;
  /** Without the codes, one line, safe to show. */
  text: string;
  lines: string[];
}

export class SmtpProbe {
  #socket: Socket | TLSSocket;
  readonly #host: string;
  #buffer = '';
  #waiting: ((reply: Reply | Error) => void) | undefined;
  #ended: Error | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    this.#listen();
  }

  /** Resolves with the greeting. Throws PROBE_CONNECT with the system's own word. */
  static async open(at: {
    host: string;
    port: number;
    implicitTls?: boolean;
  }): Promise<{ probe: SmtpProbe; greeting: Reply }> {
    const { host, port, implicitTls = false } = at;
    let socket: Socket;
    try {
      socket = await withDeadline(`Connecting to ${host}:${port}`, { ms: CONNECT_MS }, (signal) => {
        return new Promise<Socket>((resolve, reject) => {
          const made = implicitTls ? connectTls({ host, port, ...tlsOptions(host) }) : createConnection({ host, port });
          made.once(implicitTls ? 'secureConnect' : 'connect', () => resolve(made));
          made.once('error', reject);
          signal.addEventListener('abort', () => made.destroy(), { once: true });
        });
      });
    } catch (error) {
      throw new SekishoError('PROBE_CONNECT', describeError(error), { retryable: true, cause: error });
    }
    const probe = new SmtpProbe(socket, host);
    return { probe, greeting: await probe.#reply() };
  }

  #listen(): void {
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => {
      this.#buffer += chunk;
      if (this.#buffer.length > MOST_REPLY) this.#socket.destroy();
      this.#look();
    });
    const end = (error: Error): void => {
      this.#ended ??= error;
      this.#waiting?.(error);
    };
    this.#socket.once('error', end);
    this.#socket.once('close', () => end(new Error('The server closed the connection')));
  }

  /** RFC 5321 §4.2.1: all lines but the last have a hyphen behind the code. */
  #look(): void {
    const match = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\n/.exec(this.#buffer);
    if (match === null || this.#waiting === undefined) return;
    this.#buffer = this.#buffer.slice(match[0].length);
    const lines = match[0]
      .trimEnd()
      .split(/\r?\n/)
      .map((line) => safeText(Buffer.from(line.slice(4), 'latin1').toString('utf8'), 300));
    this.#waiting({ code: Number(match[1]), text: lines.join(' ').slice(0, 500), lines });
  }

  async #reply(): Promise<Reply> {
    return withDeadline('The server’s reply', { ms: REPLY_MS }, () => {
      return new Promise<Reply>((resolve, reject) => {
        if (this.#ended !== undefined) return reject(this.#ended);
        this.#waiting = (reply) => {
          this.#waiting = undefined;
          if (reply instanceof Error) reject(reply);
          else resolve(reply);
        };
        this.#look();
      });
    });
  }

  /** `line` without its end; whoever gives one with a line end inside wanted to smuggle. */
  async command(line: string): Promise<Reply> {
    if (/[\r\n\0]/.test(line)) throw new SekishoError('INVALID', 'A command may not hold a line end');
    this.#socket.write(`${line}\r\n`);
    return this.#reply();
  }

  /** Dots are doubled (RFC 5321 §4.5.2). */
  async data(message: string): Promise<Reply> {
    const go = await this.command('DATA');
    if (go.code !== 354) return go;
    this.#socket.write(`${message.replaceAll(/^\./gm, '..')}\r\n.\r\n`);
    return this.#reply();
  }

  /** After a 220 to STARTTLS. Undefined: the certificate is good for this name; otherwise why it is not. */
  async startTls(): Promise<string | undefined> {
    const plain = this.#socket;
    plain.removeAllListeners('data');
    const secure = await withDeadline('The TLS handshake', { ms: CONNECT_MS }, () => {
      return new Promise<TLSSocket>((resolve, reject) => {
        const made = connectTls({ socket: plain, ...tlsOptions(this.#host) }, () => resolve(made));
        made.once('error', reject);
      });
    });
    this.#socket = secure;
    this.#buffer = '';
    this.#listen();
    return secure.authorized ? undefined : String(secure.authorizationError ?? 'not trusted');
  }

  close(): void {
    this.#socket.on('error', () => undefined);
    this.#socket.end('QUIT\r\n');
    this.#socket.destroySoon();
  }
}

/** A probe shows what is there: a certificate nobody vouches for is told, not refused. */
function tlsOptions(host: string): { rejectUnauthorized: false; minVersion: 'TLSv1.2'; servername?: string } {
  return { rejectUnauthorized: false, minVersion: 'TLSv1.2', ...(isIP(host) === 0 ? { servername: host } : {}) };
}
