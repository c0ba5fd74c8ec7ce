/**
 * A mail server of raw sockets whose every answer a test can script, and which keeps the octets it got exactly as they came.
 */
import net from 'node:net';
import tls from 'node:tls';
import { freePort } from '../support/net.ts';
import { TEST_CERTIFICATE, TEST_KEY } from './certificate.ts';

export interface Taken {
  from: string;
  to: string[];
  /** The octets between 354 and the final dot, dots still doubled, without the final `.CRLF`. */
  raw: Buffer;
  connection: number;
  secure: boolean;
}

/** A reply; or 'cut', which destroys the connection, or 'silent', which never answers. */
export type Answer = string;

export interface Script {
  extensions?: string[];
  greeting?: () => Answer;
  ehlo?: () => Answer | undefined;
  /** Asked for AUTH and for each line that answers a 334. */
  auth?: (line: string) => Answer;
  mail?: (line: string, connection: number) => Answer | undefined;
  rcpt?: (line: string, count: number) => Answer | undefined;
  data?: () => Answer | undefined;
  /** Asked as octets of the body come in. */
  during?: (octets: number) => Answer | undefined;
  /** After the final dot. */
  dot?: (taken: Taken) => Answer | undefined;
  /** LMTP: after the final dot, asked for each recipient (its RCPT line). */
  lmtp?: (rcpt: string) => Answer | undefined;
  /** Key and certificate of its own (PEM) instead of the usual ones. */
  identity?: { key: string; cert: string };
  /** In clear, in one packet with the 220 to STARTTLS. */
  injected?: string;
  /** What happens after 220 to STARTTLS. */
  handshake?: 'works' | 'garbage' | 'closes';
  idle?: Answer;
}

export interface FakeServer {
  readonly port: number;
  readonly taken: Taken[];
  readonly commands: string[];
  connections: number;
  open: number;
  /** Can be changed while it runs. */
  script: Script;
  close(): Promise<void>;
}

export async function startServer(
  script: Script = {},
  options: { port?: number; implicitTls?: boolean } = {},
): Promise<FakeServer> {
  const sockets = new Set<net.Socket>();
  const server: FakeServer = {
    port: 0,
    taken: [],
    commands: [],
    connections: 0,
    open: 0,
    script,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        listener.close(() => resolve());
      }),
  };
  const listener = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    server.connections += 1;
    server.open += 1;
    socket.on('close', () => {
      sockets.delete(socket);
      server.open -= 1;
    });
    const conversation = new Conversation(server, socket, server.connections);
    if (options.implicitTls === true) conversation.encrypt(socket);
    conversation.begin();
  });
  // a port that nobody else is given while this one is away
  const port = options.port ?? (await freePort());
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, '127.0.0.1', resolve);
  });
  (server as { port: number }).port = (listener.address() as net.AddressInfo).port;
  return server;
}

class Conversation {
  readonly #server: FakeServer;
  #socket: net.Socket;
  readonly #number: number;
  #buffer: Buffer = Buffer.alloc(0);
  #inData = false;
  #early = false;
  #from = '';
  #to: string[] = [];
  #rcpts = 0;
  #secure = false;
  #lmtp = false;
  #asked = false;

  constructor(server: FakeServer, socket: net.Socket, number: number) {
    this.#server = server;
    this.#socket = socket;
    this.#number = number;
  }

  begin(): void {
    this.#listen();
    this.#answer(this.#server.script.greeting?.() ?? '220 fake.example ESMTP');
  }

  #listen(): void {
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#consume();
    });
  }

  #consume(): void {
    for (;;) {
      if (this.#inData) {
        if (!this.#consumeData()) return;
        continue;
      }
      const end = this.#buffer.indexOf('\r\n');
      if (end < 0) return;
      const line = this.#buffer.toString('utf8', 0, end);
      this.#buffer = this.#buffer.subarray(end + 2);
      this.#server.commands.push(line);
      this.#command(line);
    }
  }

  #consumeData(): boolean {
    const early = this.#early ? undefined : this.#server.script.during?.(this.#buffer.length);
    if (early !== undefined) {
      this.#early = true;
      this.#answer(early);
      if (early === 'cut') return false;
    }
    const whole = this.#buffer.subarray(0, 3).toString('latin1') === '.\r\n' ? -2 : this.#buffer.indexOf('\r\n.\r\n');
    if (whole === -1) return false;
    const raw = Buffer.from(this.#buffer.subarray(0, whole + 2));
    this.#buffer = Buffer.from(this.#buffer.subarray(whole + 5));
    this.#inData = false;
    const taken = { from: this.#from, to: this.#to, raw, connection: this.#number, secure: this.#secure };
    this.#reset();
    if (this.#lmtp) {
      this.#server.taken.push(taken);
      for (const rcpt of taken.to) this.#answer(this.#server.script.lmtp?.(rcpt) ?? '250 2.0.0 Stored');
      return true;
    }
    const reply = this.#server.script.dot?.(taken) ?? '250 2.0.0 Taken';
    if (reply.startsWith('2') || reply === 'cut') this.#server.taken.push(taken);
    this.#answer(reply);
    return true;
  }

  #reset(): void {
    this.#from = '';
    this.#to = [];
    this.#rcpts = 0;
    this.#early = false;
  }

  #command(line: string): void {
    const { script } = this.#server;
    if (this.#asked && script.auth !== undefined) return this.#answer(script.auth(line));
    const verb = line.split(/[ :]/, 1)[0]?.toUpperCase();
    switch (verb) {
      case 'EHLO':
        return this.#answer(script.ehlo?.() ?? this.#extensions());
      case 'LHLO':
        this.#lmtp = script.lmtp !== undefined;
        return this.#answer(this.#lmtp ? this.#extensions() : '500 5.5.1 This is no LMTP server');
      case 'HELO':
        return this.#answer('250 fake.example');
      case 'STARTTLS':
        return this.#startTls();
      case 'MAIL': {
        const reply = script.mail?.(line, this.#number) ?? '250 2.1.0 Ok';
        if (reply.startsWith('2')) this.#from = line;
        return this.#answer(reply);
      }
      case 'RCPT': {
        this.#rcpts += 1;
        const reply = this.#from === '' ? '503 5.5.1 MAIL first' : (script.rcpt?.(line, this.#rcpts) ?? '250 2.1.5 Ok');
        if (reply.startsWith('2')) this.#to.push(line);
        return this.#answer(reply);
      }
      case 'DATA': {
        const reply = this.#to.length === 0 ? '554 5.5.1 No valid recipients' : (script.data?.() ?? '354 Go on');
        this.#inData = reply.startsWith('354');
        return this.#answer(reply);
      }
      case 'AUTH':
        return this.#answer(script.auth?.(line) ?? '502 5.5.1 No login here');
      case 'RSET':
        this.#reset();
        return this.#answer('250 2.0.0 Ok');
      case 'QUIT':
        this.#answer('221 2.0.0 Bye');
        this.#socket.end();
        return;
      default:
        return this.#answer('500 5.5.2 What?');
    }
  }

  #extensions(): string {
    const offered = this.#server.script.extensions ?? ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 52428800', 'DSN'];
    const lines = ['fake.example', ...offered.filter((each) => !(this.#secure && each === 'STARTTLS'))];
    return lines.map((line, at) => `250${at === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n');
  }

  #startTls(): void {
    const { handshake, injected } = this.#server.script;
    if (handshake === undefined) return this.#answer('454 4.7.0 TLS not available');
    if (injected === undefined) this.#answer('220 2.0.0 Go on');
    else this.#socket.write(`220 2.0.0 Go on\r\n${injected}`);
    const plain = this.#socket;
    plain.removeAllListeners('data');
    if (handshake === 'closes') return void plain.end();
    if (handshake === 'garbage')
      return void plain.once('data', () => plain.end('this is no TLS at all, not in the least\r\n'));
    this.encrypt(plain);
    this.#listen();
  }

  /** From here on every octet is TLS. */
  encrypt(plain: net.Socket): void {
    const secure = new tls.TLSSocket(plain, {
      isServer: true,
      secureContext: tls.createSecureContext(this.#server.script.identity ?? { key: TEST_KEY, cert: TEST_CERTIFICATE }),
    });
    this.#secure = true;
    this.#socket = secure;
  }

  #answer(answer: Answer): void {
    this.#asked = answer.startsWith('334');
    if (answer === 'silent') return;
    if (answer === 'cut') return void this.#socket.destroy();
    if (this.#socket.writable) this.#socket.write(`${answer}\r\n`);
    if (answer.startsWith('421')) this.#socket.end();
  }
}
