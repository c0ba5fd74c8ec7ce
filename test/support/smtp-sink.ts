/**
 * A mail server that keeps every octet it is given (dots undone, nothing else) and answers as the test scripts it: by
 * default everything is taken. Postfix in this place parses and mends; this one shows what really came over the line.
 */
import { createServer, type Socket } from 'node:net';
import { freePort } from './net.ts';
import { until } from './process.ts';

export interface SunkMessage {
  from: string;
  to: string[];
  bytes: Buffer;
  /** performance.now() when its 250 went out. */
  at: number;
}

/** What to say instead of yes; undefined = yes; 'cut' drops the line; 'silent' never answers. */
export type SinkAnswer = `${number} ${string}` | 'cut' | 'silent' | undefined;

export interface SinkScript {
  /** Instead of 220. */
  greeting?: () => SinkAnswer;
  mail?: (from: string) => SinkAnswer;
  rcpt?: (to: string) => SinkAnswer;
  /** After this many octets of DATA. */
  inData?: { after: number; answer: (from: string) => SinkAnswer };
  /** After the final dot, before the message counts as taken. */
  dot?: (message: SunkMessage) => SinkAnswer;
}

export interface SmtpSink {
  readonly port: number;
  readonly messages: SunkMessage[];
  /** Sessions in which no MAIL was said and a RCPT was not refused count as probes and are not kept. */
  readonly sessions: () => number;
  script: SinkScript;
  received(count: number, options?: { ms?: number }): Promise<SunkMessage[]>;
  stop(): Promise<void>;
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startSmtpSink(
  options: { script?: SinkScript; address?: string; port?: number } = {},
): Promise<SmtpSink> {
  const port = options.port ?? (await freePort());
  const messages: SunkMessage[] = [];
  const sockets = new Set<Socket>();
  let sessions = 0;
  const sink: SmtpSink = {
    port,
    messages,
    sessions: () => sessions,
    script: options.script ?? {},
    received: (count, waiting = {}) =>
      until(`${count} messages at the sink`, { ms: waiting.ms ?? 20_000, every: 20 }, () =>
        messages.length >= count ? messages : undefined,
      ).catch((error: unknown) => {
        throw new Error(`${messages.length} of ${count} arrived at the sink`, { cause: error });
      }),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
    start: () =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        const host = options.address ?? '127.0.0.1';
        // `::` is every address of IPv6 and none of IPv4: those have sinks of their own
        server.listen({ port, host, ipv6Only: host === '::' }, () => {
          server.removeListener('error', reject);
          resolve();
        });
      }),
    [Symbol.asyncDispose]: () => sink.stop(),
  };
  const server = createServer((socket) => {
    sessions += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    serve(socket, sink);
  });
  await sink.start();
  return sink;
}

function serve(socket: Socket, sink: SmtpSink): void {
  let buffered: Buffer = Buffer.alloc(0);
  let data = false;
  let from = '';
  let to: string[] = [];
  const answer = (said: SinkAnswer, yes: string): boolean => {
    if (said === 'cut') socket.destroy();
    else if (said !== 'silent') socket.write(`${said ?? yes}\r\n`);
    return said === undefined;
  };
  const line = (text: string): void => {
    const verb = text.slice(0, 4).toUpperCase();
    const path = /<([^>]*)>/.exec(text)?.[1] ?? '';
    if (verb === 'EHLO')
      socket.write('250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 SIZE 0\r\n');
    else if (verb === 'MAIL') {
      if (answer(sink.script.mail?.(path), '250 2.1.0 Ok')) [from, to] = [path, []];
    } else if (verb === 'RCPT') {
      if (answer(sink.script.rcpt?.(path), '250 2.1.5 Ok')) to.push(path);
    } else if (verb === 'DATA') {
      if (to.length === 0) socket.write('554 5.5.1 No valid recipients\r\n');
      else {
        data = true;
        socket.write('354 Go on\r\n');
      }
    } else if (verb === 'RSET') {
      [from, to] = ['', []];
      socket.write('250 2.0.0 Ok\r\n');
    } else if (verb === 'QUIT') socket.end('221 2.0.0 Bye\r\n');
    else socket.write('250 2.0.0 Ok\r\n');
  };
  if (!answer(sink.script.greeting?.(), '220 sink.example ESMTP')) {
    socket.end();
    return;
  }
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length > 0 && !socket.destroyed) {
      if (!data) {
        const end = buffered.indexOf('\r\n');
        if (end < 0) return;
        const text = buffered.toString('utf8', 0, end);
        buffered = buffered.subarray(end + 2);
        line(text);
        continue;
      }
      const inData = sink.script.inData;
      if (inData !== undefined && buffered.length >= inData.after && inData.answer(from) !== undefined) {
        answer(inData.answer(from), '');
        socket.destroy();
        return;
      }
      const empty = buffered.subarray(0, 3).toString('latin1') === '.\r\n';
      const end = empty ? 0 : buffered.indexOf('\r\n.\r\n') + 2;
      if (!empty && end < 2) return;
      const message = { from, to, bytes: unstuffDots(buffered.subarray(0, end)), at: performance.now() };
      buffered = buffered.subarray(end + 3);
      data = false;
      [from, to] = ['', []];
      const said = sink.script.dot?.(message);
      if (said === undefined) sink.messages.push(message);
      answer(said, '250 2.0.0 Ok');
    }
  });
}

/** RFC 5321 §4.5.2 */
export function unstuffDots(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let at = bytes[0] === 46 ? 1 : 0;
  for (;;) {
    const dot = bytes.indexOf('\r\n.', at);
    if (dot < 0) break;
    pieces.push(bytes.subarray(at, dot + 2));
    at = dot + 3;
  }
  pieces.push(bytes.subarray(at));
  return Buffer.concat(pieces);
}
