/**
 * The mail server outside that refuses one thing in five: recipients for now (`450`), recipients that are gone (`550`),
 * whole messages at their final dot (`451`). What it takes it tells at once and forgets. It also says how many deliveries
 * are in flight: sessions in a transaction, or whose last `250` is so young that the box may not have it on record yet.
 */
import { createServer, type Socket } from 'node:net';
import { unstuffDots } from '../support/smtp-sink.ts';

export interface RefusingSink {
  readonly port: number;
  inFlight(): number;
  /** RCPT and DATA answered, and how many of them with a refusal. */
  readonly asked: { all: number; refused: number };
  /** From now on takes everybody but who is gone. */
  calm(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

const YOUNG_MS = 500;

interface Session {
  busy: boolean;
  lastTaken: number;
}

export async function startRefusingSink(options: {
  onMessage: (to: readonly string[], bytes: Buffer) => void;
  /** Of RCPTs and of final dots. */
  share: { rcpt: number; dot: number };
  random: () => number;
}): Promise<RefusingSink> {
  const sessions = new Map<Socket, Session>();
  const asked = { all: 0, refused: 0 };
  let calm = false;
  const server = createServer((socket) => {
    const session: Session = { busy: false, lastTaken: -YOUNG_MS };
    sessions.set(socket, session);
    socket.once('close', () => sessions.delete(socket));
    socket.on('error', () => undefined);
    const refuses = (share: number): boolean => {
      asked.all += 1;
      const no = !calm && options.random() < share;
      if (no) asked.refused += 1;
      return no;
    };
    serve(socket, session, {
      rcpt: (to) => {
        if (to.startsWith('gone.')) {
          asked.all += 1;
          asked.refused += 1;
          return '550 5.1.1 No such user';
        }
        if (to.startsWith('never.') && !calm) return '450 4.2.1 Not today';
        return refuses(options.share.rcpt) ? '450 4.2.1 Later' : undefined;
      },
      dot: (to, bytes) => {
        if (refuses(options.share.dot)) return '451 4.3.0 Try again';
        options.onMessage(to, bytes);
        return undefined;
      },
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port');
  return {
    port: address.port,
    asked,
    inFlight: () => {
      const now = performance.now();
      return [...sessions.values()].filter((one) => one.busy || now - one.lastTaken < YOUNG_MS).length;
    },
    calm: () => {
      calm = true;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sessions.keys()) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

interface Answers {
  rcpt: (to: string) => string | undefined;
  dot: (to: readonly string[], bytes: Buffer) => string | undefined;
}

const EHLO = '250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n';

function serve(socket: Socket, session: Session, answers: Answers): void {
  let to: string[] = [];
  /** Octets of a message so far; undefined between messages. */
  let body: Buffer[] | undefined;
  let rest: Buffer = Buffer.alloc(0);
  const say = (text: string): void => void socket.write(text);
  const command = (line: string): void => {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO') say(EHLO);
    else if (verb === 'MAIL') {
      to = [];
      session.busy = true;
      say('250 2.1.0 Ok\r\n');
    } else if (verb === 'RCPT') {
      const recipient = /<([^>]*)>/.exec(line)?.[1] ?? '';
      const no = answers.rcpt(recipient);
      if (no === undefined) to.push(recipient);
      say(`${no ?? '250 2.1.5 Ok'}\r\n`);
    } else if (verb === 'DATA') {
      if (to.length > 0) body = [];
      say(to.length > 0 ? '354 Go on\r\n' : '554 5.5.1 No valid recipients\r\n');
    } else if (verb === 'QUIT') {
      socket.end('221 2.0.0 Bye\r\n');
    } else {
      session.busy = false;
      say('250 2.0.0 Ok\r\n');
    }
  };
  const endOfMessage = (octets: Buffer): void => {
    body = undefined;
    const no = answers.dot(to, unstuffDots(octets));
    session.busy = false;
    if (no === undefined) session.lastTaken = performance.now();
    say(`${no ?? '250 2.0.0 Ok'}\r\n`);
  };
  say('220 sink.example ESMTP\r\n');
  socket.on('data', (chunk: Buffer) => {
    let left = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    rest = Buffer.alloc(0);
    while (left.length > 0 && !socket.destroyed) {
      if (body === undefined) {
        const end = left.indexOf('\r\n');
        if (end < 0) {
          rest = left;
          return;
        }
        const line = left.toString('utf8', 0, end);
        left = left.subarray(end + 2);
        command(line);
        continue;
      }
      // only the seam to what came before can hold an end that this chunk alone does not show
      const seam = body.length === 0 ? Buffer.from('\r\n') : (body.pop() as Buffer);
      const joined = Buffer.concat([seam, left]);
      const end = joined.indexOf('\r\n.\r\n');
      if (end < 0) {
        const keep = Math.max(0, joined.length - 4);
        body.push(joined.subarray(0, keep), joined.subarray(keep));
        return;
      }
      const whole = Buffer.concat([...body, joined.subarray(0, end + 2)]);
      left = joined.subarray(end + 5);
      endOfMessage(whole.subarray(2));
    }
  });
}
