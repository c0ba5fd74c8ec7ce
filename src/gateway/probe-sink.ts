/**
 * Where probe mails end: a small SMTP server on loopback that only our own delivery speaks to. It takes what comes and tells
 * what it got; nothing is kept. Bounded: a line and a message have a limit, a session has an end.
 */
import { createServer, type Server, type Socket } from 'node:net';

const MAX_OCTETS = 65_536;
const SESSION_MS = 30_000;

export interface ProbeSink {
  readonly port: number;
  close(): Promise<void>;
}

export async function openProbeSink(take: (message: string) => void): Promise<ProbeSink> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, take);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, () => resolve());
  });
  const at = server.address();
  return {
    port: typeof at === 'object' && at !== null ? at.port : 0,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

function serve(socket: Socket, take: (message: string) => void): void {
  let buffered = '';
  let inData = false;
  const say = (line: string): void => void socket.write(`${line}\r\n`);
  socket.setEncoding('latin1').setTimeout(SESSION_MS, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('data', (chunk: string) => {
    buffered += chunk;
    if (buffered.length > MAX_OCTETS) return void socket.destroy();
    for (;;) {
      const end = inData ? '\r\n.\r\n' : '\r\n';
      const at = buffered.indexOf(end);
      if (at < 0) return;
      const part = buffered.slice(0, at);
      buffered = buffered.slice(at + end.length);
      if (inData) {
        inData = false;
        take(part);
        say('250 2.0.0 Ok');
      } else {
        inData = answer(part, say);
        if (/^quit$/i.test(part)) return void socket.end();
      }
    }
  });
  say('220 probe ESMTP');
}

/** True: the message follows. */
function answer(command: string, say: (line: string) => void): boolean {
  const verb = command.slice(0, 4).toUpperCase();
  if (verb === 'DATA') say('354 Go on');
  else if (verb === 'QUIT') say('221 2.0.0 Bye');
  else if (verb === 'EHLO') say('250-probe\r\n250 8BITMIME');
  else say('250 2.0.0 Ok');
  return verb === 'DATA';
}
