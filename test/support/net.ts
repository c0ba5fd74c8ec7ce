/** Free ports and "is somebody there", on loopback only. */
import { createServer, connect } from 'node:net';
import { until } from './process.ts';

/** A port that was free a moment ago: for servers that cannot listen on port 0 themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port');
  return address.port;
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
