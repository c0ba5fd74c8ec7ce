/**
 * Clients of the overload test on bare sockets: each says by a PROXY header who it plays, so that many networks come from
 * one loopback. Never throws: what went wrong is the code 0. Every wait has a deadline.
 */
import { connect, type Socket } from 'node:net';
import { stuffDots } from '../../test/support/smtp-client.ts';

export interface Outcome {
  /** Of the last reply; 0: cut, or none in time. */
  code: number;
  text: string;
  ms: number;
}

export interface Letter {
  port: number;
  /** Whom the client plays. */
  address: string;
  from: string;
  to: string;
  bytes: Buffer;
  ms?: number;
}

const REPLY_MS = 90_000;

/** A connection that has introduced itself; errors are swallowed, `close` comes. */
export function introduce(port: number, address: string): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.write(`PROXY TCP4 ${address} 127.0.0.1 5000 25\r\n`);
  return socket;
}

/** One message in a session of its own. */
export function deliver(letter: Letter): Promise<Outcome> {
  const begun = performance.now();
  const socket = introduce(letter.port, letter.address);
  const steps = [
    () => 'EHLO client.example.com\r\n',
    () => `MAIL FROM:<${letter.from}>\r\n`,
    () => `RCPT TO:<${letter.to}>\r\n`,
    () => 'DATA\r\n',
    () => stuffDots(letter.bytes),
  ];
  return new Promise((resolve) => {
    let rest = '';
    const end = (code: number, text: string): void => {
      clearTimeout(late);
      resolve({ code, text, ms: performance.now() - begun });
      socket.end('QUIT\r\n');
      setTimeout(() => socket.destroy(), 1_000).unref();
    };
    const late = setTimeout(() => {
      end(0, 'no reply');
      socket.destroy();
    }, letter.ms ?? REPLY_MS);
    socket.once('close', () => end(0, 'cut'));
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line[3] === '-') continue;
        const code = Number(line.slice(0, 3));
        const step = code >= 400 ? undefined : steps.shift();
        if (step === undefined) end(code, line);
        else socket.write(step());
      }
    });
  });
}

/** So many at once until `done` says so; each outcome is handed over. */
export async function keepBusy(
  options: { sessions: number; done: () => boolean },
  work: (turn: number) => Promise<void>,
): Promise<void> {
  let turn = 0;
  const lane = async (): Promise<void> => {
    while (!options.done()) {
      turn += 1;
      await work(turn);
    }
  };
  await Promise.all(Array.from({ length: options.sessions }, lane));
}
