/**
 * An SMTP client that says exactly what the test says, byte for byte: no library stands between. Every wait has a
 * deadline; a reply is given as it came.
 */
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';

export interface SmtpReply {
  code: number;
  /** Without codes and line ends; several lines joined by `\n`. */
  text: string;
}

export interface SmtpClient {
  readonly greeting: SmtpReply;
  /** Sends a line (CRLF added) and waits for its reply. */
  command(line: string): Promise<SmtpReply>;
  /** Writes octets as they are and waits for nothing. */
  write(bytes: Buffer | string): void;
  reply(): Promise<SmtpReply>;
  /** MAIL, RCPTs, DATA with dots stuffed. The first refusal ends it, its reply is the result. */
  send(mail: { from: string; to: string | readonly string[]; bytes: Buffer; mailArgs?: string }): Promise<SmtpReply>;
  /** STARTTLS and EHLO again; any certificate. */
  startTls(): Promise<SmtpReply>;
  quit(): Promise<void>;
  /** Cuts the line without a word. */
  cut(): void;
  readonly closed: Promise<void>;
}

export async function smtpConnect(options: {
  port: number;
  helo?: string;
  ms?: number;
  localAddress?: string;
}): Promise<SmtpClient> {
  const ms = options.ms ?? 90_000;
  let socket: Socket = connect({
    port: options.port,
    host: '127.0.0.1',
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  let lines: string[] = [];
  const replies: SmtpReply[] = [];
  let waiting: { resolve: (reply: SmtpReply) => void; reject: (error: Error) => void } | undefined;
  let rest = '';
  let ended: Error | undefined;
  const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>();

  const finish = (reply: SmtpReply): void => {
    if (waiting === undefined) replies.push(reply);
    else waiting.resolve(reply);
    waiting = undefined;
  };
  const end = (error: Error): void => {
    ended ??= error;
    waiting?.reject(ended);
    waiting = undefined;
    onClosed();
  };
  const onData = (chunk: Buffer): void => {
    const parts = (rest + chunk.toString('utf8')).split('\r\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines.push(line.slice(4));
      if (line[3] === '-') continue;
      finish({ code: Number(line.slice(0, 3)), text: lines.join('\n') });
      lines = [];
    }
  };
  const attach = (one: Socket): void => {
    one.on('data', onData);
    one.once('error', end);
    one.once('close', () => end(new Error('The server closed the connection')));
  };
  attach(socket);

  const reply = (): Promise<SmtpReply> => {
    const ready = replies.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (ended !== undefined) return Promise.reject(ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(new Error(`No reply within ${ms} ms`)), ms);
      const stop = (): void => clearTimeout(timer);
      waiting = {
        resolve: (value) => {
          stop();
          resolve(value);
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      };
    });
  };
  const command = (line: string): Promise<SmtpReply> => {
    socket.write(`${line}\r\n`);
    return reply();
  };
  const greeting = await reply();
  const helo = `EHLO ${options.helo ?? 'client.example.com'}`;
  if (greeting.code === 220) await command(helo);

  return {
    greeting,
    command,
    reply,
    write: (bytes) => {
      socket.write(bytes);
    },
    send: async (mail) => {
      const from = await command(`MAIL FROM:<${mail.from}>${mail.mailArgs === undefined ? '' : ` ${mail.mailArgs}`}`);
      if (from.code !== 250) return from;
      for (const to of typeof mail.to === 'string' ? [mail.to] : mail.to) {
        const rcpt = await command(`RCPT TO:<${to}>`);
        if (rcpt.code >= 300) return rcpt;
      }
      const data = await command('DATA');
      if (data.code !== 354) return data;
      socket.write(stuffDots(mail.bytes));
      return await reply();
    },
    startTls: async () => {
      const go = await command('STARTTLS');
      if (go.code !== 220) return go;
      socket.removeAllListeners();
      const plain = socket;
      socket = tlsConnect({ socket: plain, rejectUnauthorized: false });
      attach(socket);
      await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
      return await command(helo);
    },
    quit: async () => {
      if (ended !== undefined) return;
      await command('QUIT').catch(() => undefined);
      socket.destroy();
      await closed;
    },
    cut: () => socket.destroy(),
    closed,
  };
}

/** RFC 5321 §4.5.2, and the final dot. A message that does not end in CRLF gets one. */
export function stuffDots(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  if (bytes[0] === 46) pieces.push(Buffer.from('.'));
  for (;;) {
    const dot = bytes.indexOf('\r\n.', at);
    if (dot < 0) break;
    pieces.push(bytes.subarray(at, dot + 2), Buffer.from('.'));
    at = dot + 2;
  }
  pieces.push(bytes.subarray(at));
  const ends = bytes.length === 0 || bytes.subarray(-2).toString('latin1') === '\r\n';
  pieces.push(Buffer.from(ends ? '.\r\n' : '\r\n.\r\n'));
  return Buffer.concat(pieces);
}

/** One message in a session of its own. */
export async function sendMail(
  port: number,
  mail: { from: string; to: string | readonly string[]; bytes: Buffer; mailArgs?: string; helo?: string },
): Promise<SmtpReply> {
  const client = await smtpConnect(mail.helo === undefined ? { port } : { port, helo: mail.helo });
  try {
    return await client.send(mail);
  } finally {
    await client.quit();
  }
}
