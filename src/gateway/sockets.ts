/**
 * Listening sockets that somebody else opened for us (sd_listen_fds(3)): systemd holds ports 25, 465 and 587, so that the
 * gateway needs no right to open them and no client is refused while it restarts. Node takes them by their numbers; the
 * environment's words are forgotten once read, so that no child believes they are its own.
 */
import { createServer, type Server } from 'node:net';
import { withDeadline } from '../base/deadline.ts';

const FIRST_FD = 3;
const MOST_FDS = 16;
const OPEN_MS = 5_000;

/** Name (FileDescriptorName= of the socket unit) → number. Empty when none came, or when they came for another process. */
export function takeInheritedFds(env: NodeJS.ProcessEnv, pid: number): ReadonlyMap<string, number> {
  const count = Number(env['LISTEN_FDS'] ?? 0);
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':');
  const forUs = Number(env['LISTEN_PID']) === pid;
  for (const name of ['LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PID']) delete env[name];
  if (!forUs || !Number.isInteger(count) || count < 1 || count > MOST_FDS) return new Map();
  return new Map(Array.from({ length: count }, (_, index) => [names[index] ?? `fd${index}`, FIRST_FD + index]));
}

/** A server on a listening socket that stands already. Rejects when the number is no such socket. */
export async function serverOn(fd: number): Promise<Server> {
  const server = createServer();
  await withDeadline(
    'Taking over a listening socket',
    { ms: OPEN_MS },
    () =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ fd }, () => {
          server.off('error', reject);
          resolve();
        });
      }),
  );
  return server;
}
