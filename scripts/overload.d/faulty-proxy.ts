/**
 * Stands in front of a real engine's socket and spoils connections at random (seeded): hangs, is slow, cuts in the middle,
 * answers garbage or "too big", or closes without a word. `faults` off: everything passes.
 */
import { chmod } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

export const FAULTS = ['hang', 'slow', 'cut', 'garbage', 'over-limit', 'empty'] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultyProxy extends AsyncDisposable {
  /** Share of the connections that are spoiled. */
  share: number;
  readonly done: Record<Fault, number>;
}

export async function openFaultyProxy(options: {
  listen: string;
  upstream: string;
  /** What the engine's "over my limits" looks like. */
  overLimit: string;
  random: () => number;
}): Promise<FaultyProxy> {
  const sockets = new Set<Socket>();
  const done = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>;
  const proxy = { share: 0, done };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    follow(client);
    const fault = options.random() < proxy.share ? FAULTS[Math.floor(options.random() * FAULTS.length)] : undefined;
    if (fault !== undefined) done[fault] += 1;
    if (fault === 'hang') return void client.resume();
    if (fault === 'empty') return void client.end();
    if (fault === 'garbage' || fault === 'over-limit') {
      const words = fault === 'garbage' ? 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"a": OK\0' : options.overLimit;
      client.once('data', () => client.end(words));
      client.resume();
      return;
    }
    const engine = connect({ path: options.upstream, allowHalfOpen: true });
    follow(engine);
    engine.on('close', () => client.destroy());
    client.on('close', () => engine.destroy());
    if (fault === 'cut') {
      engine.once('data', () => client.destroy());
      flow(client, engine);
    } else if (fault === 'slow') {
      client.pause();
      const waiting = setTimeout(() => pass(client, engine), 500 + options.random() * 3_000);
      client.once('close', () => clearTimeout(waiting));
    } else pass(client, engine);
  });
  function follow(socket: Socket): void {
    sockets.add(socket);
    socket.setMaxListeners(32); // pipelined both ways
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen, resolve);
  });
  await chmod(options.listen, 0o666);
  return Object.assign(proxy, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

function pass(client: Socket, engine: Socket): void {
  flow(client, engine);
  flow(engine, client);
}

/** A line that breaks takes both ends with it; that is what is tested. */
function flow(from: Socket, to: Socket): void {
  pipeline(from, to).catch(() => undefined);
}
