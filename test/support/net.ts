/** Free ports and "is somebody there", on loopback only. */
import { randomInt } from 'node:crypto';
import { createServer, connect } from 'node:net';
import { until } from './process.ts';

/**
 * Below the ports the kernel gives away by itself (ip_local_port_range of tcp(7): from 32768 on): between our look and the listen,
 * and whenever a server is stopped for a while, a connection or another test's port 0 might be given the same one.
 */
const FIRST = 12_000;
const LAST = 31_999;
/** Each process begins somewhere else, and gives no port twice. */
let next = randomInt(FIRST, LAST);

/** A port that nobody has: for servers that cannot listen on port 0 themselves, or must come back where they were. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const port = next;
    next = port === LAST ? FIRST : port + 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port below ${next}`);
}

/** On every address: some servers of the tests listen on more than loopback. */
function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

export function canConnect(target: { port: number } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect('path' in target ? { path: target.path } : { port: target.port, host: '127.0.0.1' });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

export async function untilListening(
  what: string,
  target: { port: number } | { path: string },
  ms = 15_000,
): Promise<void> {
  await until(`${what} to listen`, { ms }, async () => ((await canConnect(target)) ? true : undefined));
}
