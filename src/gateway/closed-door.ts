/**
 * While the spool is not open, the doors stand but nobody comes in: each connection hears 421 (RFC 5321 §3.8) and is closed.
 * A client then tries again, instead of taking a refused connection for a dead host. A port that cannot be had is only
 * logged: the real listener will tell. Sockets that systemd handed over stay open through `close`: the acceptor takes them.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { ControlLog } from '../control/server.ts';
import { serverOn } from './sockets.ts';

export interface ClosedDoor {
  /** Sockets handed over, by listener. */
  readonly inherited: ReadonlyMap<string, Server>;
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 500;

/** With `fds` (even an empty map) no port is opened here: only what was handed over says anything. */
export async function closedDoor(
  config: Pick<Config, 'hostname' | 'listeners'>,
  options: { observe: ControlLog; fds?: ReadonlyMap<string, number>; why?: string },
): Promise<ClosedDoor> {
  const { observe, fds, why = 'Service not available yet, please try again later' } = options;
  const own: Server[] = [];
  const inherited = new Map<string, Server>();
  const refuse = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    socket.setTimeout(10_000, () => socket.destroy());
    socket.end(`421 4.3.2 ${config.hostname} ${why}\r\n`);
    socket.resume();
  };
  for (const [name, fd] of fds ?? []) {
    try {
      const server = await serverOn(fd);
      server.maxConnections = MOST_CONNECTIONS;
      server.on('connection', refuse);
      inherited.set(name, server);
    } catch (error) {
      observe.log('error', 'A socket from systemd cannot be used', { listener: name, error: describeError(error) });
    }
  }
  for (const listener of fds === undefined ? [config.listeners.mx, config.listeners.relay] : []) {
    if (!listener.enabled) continue;
    const server = createServer(refuse);
    server.maxConnections = MOST_CONNECTIONS;
    const open = await new Promise<boolean>((resolve) => {
      server.once('error', (error) => {
        observe.log('warn', 'Listener cannot open yet', { port: listener.port, error: describeError(error) });
        resolve(false);
      });
      server.listen(listener.port, listener.address, () => resolve(true));
    });
    if (open) own.push(server);
  }
  return {
    inherited,
    close: async () => {
      await Promise.all(own.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    },
  };
}
