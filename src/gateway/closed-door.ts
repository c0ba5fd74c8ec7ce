/**
 * While the spool is not open, the doors stand but nobody comes in: each connection hears 421 (RFC 5321 §3.8) and is closed.
 * A client then tries again, instead of taking a refused connection for a dead host. A port that cannot be had is only
 * logged: the real listener will tell.
 */
import { createServer, type Server } from 'node:net';
import { describeError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Observe } from '../observe/events.ts';

export async function closedDoor(config: Config, observe: Observe): Promise<{ close(): Promise<void> }> {
  const servers: Server[] = [];
  for (const listener of [config.listeners.mx, config.listeners.relay]) {
    if (!listener.enabled) continue;
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.setTimeout(10_000, () => socket.destroy());
      socket.end(`421 4.3.2 ${config.hostname} Service not available yet, please try again later\r\n`);
      socket.resume();
    });
    server.maxConnections = 500;
    const open = await new Promise<boolean>((resolve) => {
      server.once('error', (error) => {
        observe.log('warn', 'Listener cannot open yet', { port: listener.port, error: describeError(error) });
        resolve(false);
      });
      server.listen(listener.port, listener.address, () => resolve(true));
    });
    if (open) servers.push(server);
  }
  return {
    close: async () => {
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    },
  };
}
