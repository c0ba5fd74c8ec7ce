/** A listener with a pipeline that only remembers, and a client on a bare socket: what a test sends is what goes out. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { type Acceptor, type AcceptorTiming, createAcceptor } from '../../src/accept/acceptor.ts';
import type { Intake, Pipeline, RecipientAnswer, RecipientDirectory } from '../../src/accept/api.ts';
import { loadOrCreateCertificate } from '../../src/accept/certificate.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { Resolver } from '../../src/base/resolver.ts';
import { type Config, type ConfigInput, configSchema } from '../../src/config/schema.ts';
import type { ForwardPath } from '../../src/mail/address.ts';
import type { Origin, Transaction } from '../../src/mail/envelope.ts';
import { type Reply, reply } from '../../src/mail/reply.ts';
import type { MailEvent, Observe } from '../../src/observe/events.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Ends a hang; what is waited for comes within milliseconds. */
const GUARD_MS = 60_000;

export interface TakenMessage {
  transaction: Transaction;
  precedence: boolean;
  content: Buffer;
  state: 'open' | 'finished' | 'aborted';
  aborts: number;
}

/** Remembers what came; each step can be replaced by a test. */
export class FakePipeline implements Pipeline {
  readonly messages: TakenMessage[] = [];
  admission: ((origin: Origin, size: number | undefined) => Reply | undefined) | undefined;
  onBegin: ((transaction: Transaction) => Promise<Reply | undefined>) | undefined;
  onWrite: ((chunk: Buffer) => Promise<void>) | undefined;
  onFinish: ((message: TakenMessage) => Promise<Reply>) | undefined;

  admits(origin: Origin, size: number | undefined): Reply | undefined {
    return this.admission?.(origin, size);
  }

  async begin(transaction: Transaction, { precedence } = { precedence: false }): Promise<Intake | Reply> {
    const refusal = await this.onBegin?.(transaction);
    if (refusal !== undefined) return refusal;
    const message: TakenMessage = { transaction, precedence, content: Buffer.alloc(0), state: 'open', aborts: 0 };
    this.messages.push(message);
    return {
      clean: () => true,
      write: async (chunk) => {
        const octets = Buffer.from(chunk); // lent
        await this.onWrite?.(octets);
        message.content = Buffer.concat([message.content, octets]);
      },
      finish: async () => {
        message.state = 'finished';
        return (await this.onFinish?.(message)) ?? reply(250, '2.0.0', `Queued as ${this.messages.length}`);
      },
      abort: async () => {
        message.aborts += 1;
        message.state = 'aborted';
      },
    };
  }

  get last(): TakenMessage {
    const last = this.messages.at(-1);
    if (last === undefined) throw new Error('No message came');
    return last;
  }
}

export const silentResolver: Resolver = {
  query: async () => ({ exists: false, records: [] }),
  a: async () => [],
  aaaa: async () => [],
  mx: async () => ({ exists: false, records: [] }),
  txt: async () => [],
  ptr: async () => [],
};

export class FakeDirectory implements RecipientDirectory {
  readonly asked: string[] = [];
  async check(recipient: ForwardPath): Promise<RecipientAnswer> {
    this.asked.push(recipient);
    if (recipient.startsWith('nobody@')) return { known: 'no', detail: 'not listed' };
    if (recipient.startsWith('unsure@')) return { known: 'unknown', detail: 'server down' };
    if (recipient.startsWith('bug@')) throw new TypeError('A bug');
    return { known: 'yes', detail: 'listed' };
  }
}

export interface Bench {
  acceptor: Acceptor;
  port: number;
  pipeline: FakePipeline;
  directory: FakeDirectory;
  events: MailEvent[];
  errors: string[];
  config: Config;
  client(options?: { greeting?: boolean }): Promise<Client>;
  /** EHLO said. */
  hello(): Promise<Client>;
  [Symbol.asyncDispose](): Promise<void>;
}

const server = { host: '192.0.2.25' };
export const BASE_CONFIG: ConfigInput = {
  hostname: 'mx.office.example',
  domains: [
    { name: 'office.example', servers: [server] },
    { name: 'soft.example', servers: [server], recipients: { whenUnknown: 'accept' } },
    { name: '日本語.example', servers: [server] },
  ],
};

let certificate: Promise<{ key: string; cert: string }> | undefined;
export function testCertificate(): Promise<{ key: string; cert: string }> {
  certificate ??= (async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-cert-'));
    try {
      return await loadOrCreateCertificate({ now: Date.now, dir, hostname: 'mx.office.example' });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  })();
  return certificate;
}

export async function openBench(
  options: {
    listener?: 'mx' | 'relay';
    config?: Partial<ConfigInput>;
    clock?: Clock;
    resolver?: Resolver;
    timing?: Partial<AcceptorTiming>;
    wait?: (ms: number) => Promise<void>;
  } = {},
): Promise<Bench> {
  const listener = options.listener ?? 'mx';
  const config = configSchema.parse({ ...BASE_CONFIG, ...options.config });
  config.listeners.mx.address = '127.0.0.1';
  const pipeline = new FakePipeline();
  const directory = new FakeDirectory();
  const events: MailEvent[] = [];
  const errors: string[] = [];
  const observe: Observe = {
    emit: (event) => void events.push(event),
    raise: () => undefined,
    clear: () => undefined,
    inspected: () => undefined,
    log: (level, message) => void (level === 'error' && errors.push(message)),
  };
  const bench = {
    config,
    pipeline,
    directory,
    events,
    errors,
  };
  const acceptor = await createAcceptor({
    config: () => bench.config,
    listener,
    pipeline,
    directory,
    observe,
    clock: options.clock ?? systemClock(),
    resolver: options.resolver ?? silentResolver,
    tls: await testCertificate(),
    port: 0,
    timing: { greetingDelayMs: 0, watchMs: 20, ...options.timing },
    ...(options.wait === undefined ? {} : { wait: options.wait }),
  });
  const { port } = await acceptor.listen();
  const clients: Client[] = [];
  return Object.assign(bench, {
    acceptor,
    port,
    client: async ({ greeting = true } = {}) => {
      const client = await Client.connect(port);
      clients.push(client);
      if (greeting) await client.expect(220);
      return client;
    },
    hello: async () => {
      const client = await Client.connect(port);
      clients.push(client);
      await client.expect(220);
      await client.command('EHLO client.example', 250);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.socket.destroy();
      await acceptor.close({ graceMs: 500 });
    },
  });
}

/** Speaks raw SMTP; a reply is the whole of its lines joined by `\n`. */
export class Client {
  socket: net.Socket | tls.TLSSocket;
  ended = false;
  #buffer = '';
  #changed: (() => void) | undefined;

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.#listen();
  }

  static async connect(port: number): Promise<Client> {
    const socket = net.connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new Client(socket);
  }

  #listen(): void {
    this.socket.on('data', (chunk: Buffer) => {
      this.#buffer += chunk.toString('latin1');
      this.#changed?.();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.ended = true;
      this.#changed?.();
    });
    this.socket.on('end', () => {
      this.ended = true;
      this.#changed?.();
    });
  }

  /** Something came that was not asked for yet, or the server hung up. */
  get heard(): boolean {
    return this.ended || this.#buffer !== '';
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** The next reply; the empty string when the server hung up. */
  async reply(): Promise<string> {
    const deadline = performance.now() + GUARD_MS;
    while (performance.now() < deadline) {
      const match = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#buffer);
      if (match !== null) {
        this.#buffer = this.#buffer.slice(match[0].length);
        return match[0].trimEnd().replaceAll('\r\n', '\n');
      }
      if (this.ended) return '';
      await this.#change(deadline - performance.now());
    }
    throw new Error(`No reply within ${GUARD_MS} ms; so far: ${JSON.stringify(this.#buffer)}`);
  }

  async expect(code: number): Promise<string> {
    const text = await this.reply();
    if (!text.startsWith(String(code))) throw new Error(`Expected ${code}, got "${text}"`);
    return text;
  }

  async command(line: string, code: number): Promise<string> {
    this.write(`${line}\r\n`);
    return this.expect(code);
  }

  /** Whether the server hangs up by itself; nothing more may come before. */
  async hungUp(): Promise<boolean> {
    const deadline = performance.now() + GUARD_MS;
    while (!this.ended && performance.now() < deadline) await this.#change(deadline - performance.now());
    return this.ended && this.#buffer === '';
  }

  async envelope(options: { from?: string; to?: string[] } = {}): Promise<void> {
    await this.command(`MAIL FROM:<${options.from ?? 'alice@example.com'}>`, 250);
    for (const to of options.to ?? ['taro@office.example']) await this.command(`RCPT TO:<${to}>`, 250);
  }

  /** MAIL to the reply to the final dot; `content` without the dot, ending in CRLF. */
  async send(content: string | Buffer, options: { from?: string; to?: string[] } = {}): Promise<string> {
    await this.envelope(options);
    await this.command('DATA', 354);
    this.write(content);
    this.write('.\r\n');
    return this.reply();
  }

  async startTls(options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
    await this.command('STARTTLS', 220);
    return this.secure(options);
  }

  /** The handshake itself, after the server's 220. */
  async secure(options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
    this.socket.removeAllListeners();
    const secure = tls.connect({ socket: this.socket, rejectUnauthorized: false, ...options });
    this.socket = secure;
    secure.on('error', () => undefined);
    await Promise.race([once(secure, 'secureConnect'), new Promise((resolve) => secure.once('close', resolve))]).catch(
      () => undefined, // the handshake failed: the caller looks at `destroyed`
    );
    this.#listen();
    return secure;
  }

  async #change(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(1, ms));
    this.#changed = resolve;
    await promise;
    clearTimeout(timer);
  }
}

/** A clock that a test moves. */
export function handClock(): Clock & { advance(ms: number): void } {
  let now = 1_000_000;
  return {
    wall: () => 1_790_000_000_000 + now,
    monotonic: () => now,
    bootId: 'test-boot',
    synchronised: () => true,
    advance: (ms) => {
      now += ms;
    },
  };
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + GUARD_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Did not happen within ${GUARD_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
