/**
 * A plain SMTP client for the samples: one message a connection, from a chosen loopback address, every wait with an end.
 * Returns the reply that settled the message and at which command it came; throws only when there was no SMTP at all.
 */
import { connect, type Socket } from 'node:net';
import { SekishoError } from '../../src/base/errors.ts';

export interface SendResult {
  stage: 'connect' | 'helo' | 'mail' | 'rcpt' | 'data' | 'message';
  code: number;
  /** The whole reply, lines joined by a blank. */
  reply: string;
}

const COMMAND_MS = 30_000;
/** The gateway may inspect for 60 s from the final dot. */
const FINAL_DOT_MS = 120_000;

export async function sendMessage(
  target: { host: string; port: number },
  mail: { client: string; helo: string; reversePath: string; recipient: string; message: Buffer },
): Promise<SendResult> {
  const wire = new Wire(connect({ host: target.host, port: target.port, localAddress: mail.client }));
  try {
    const commands: Array<[SendResult['stage'], string | Buffer | undefined, number]> = [
      ['connect', undefined, 220],
      ['helo', `EHLO ${mail.helo}\r\n`, 250],
      ['mail', `MAIL FROM:<${mail.reversePath}> SIZE=${mail.message.length}\r\n`, 250],
      ['rcpt', `RCPT TO:<${mail.recipient}>\r\n`, 250],
      ['data', 'DATA\r\n', 354],
      ['message', dotStuffed(mail.message), 250],
    ];
    let last: SendResult | undefined;
    for (const [stage, octets, expected] of commands) {
      if (octets !== undefined) wire.write(octets);
      const { code, text } = await wire.reply(stage === 'message' ? FINAL_DOT_MS : COMMAND_MS);
      last = { stage, code, reply: text };
      if (code !== expected) break;
    }
    if (last === undefined) throw new SekishoError('NO_SMTP', 'No reply');
    wire.write('QUIT\r\n');
    return last;
  } finally {
    wire.close();
  }
}

/** RFC 5321 §4.5.2, and the final dot. The message ends in CRLF. */
export function dotStuffed(message: Buffer): Buffer {
  const parts: Buffer[] = [];
  let start = 0;
  if (message[0] === 0x2e) parts.push(Buffer.from('.'));
  for (let at = message.indexOf('\r\n.'); at >= 0; at = message.indexOf('\r\n.', at + 3)) {
    parts.push(message.subarray(start, at + 2), Buffer.from('.'));
    start = at + 2;
  }
  parts.push(message.subarray(start), Buffer.from('.\r\n'));
  return Buffer.concat(parts);
}

class Wire {
  readonly #socket: Socket;
  #buffer = '';
  #ended: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#buffer += chunk.toString('utf8');
      this.#wake?.();
    });
    const end = (error: Error): void => {
      this.#ended ??= error;
      this.#wake?.();
    };
    socket.on('error', end);
    socket.on('close', () => end(new SekishoError('NO_SMTP', 'The connection was closed')));
  }

  write(octets: string | Buffer): void {
    this.#socket.write(octets);
  }

  /** One reply, all its lines (RFC 5321 §4.2.1). */
  async reply(ms: number): Promise<{ code: number; text: string }> {
    const end = Date.now() + ms;
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\n/.exec(this.#buffer);
      if (match !== null) {
        this.#buffer = this.#buffer.slice(match[0].length);
        return { code: Number(match[1]), text: match[0].trim().replaceAll(/\r?\n/g, ' ') };
      }
      if (this.#ended !== undefined) throw this.#ended;
      const left = end - Date.now();
      if (left <= 0) throw new SekishoError('DEADLINE', `No reply within ${ms} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  close(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), 500).unref();
  }
}
