/** Free ports, asked of the kernel by listening: what another program holds is passed over. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { SekishoError } from '../../src/base/errors.ts';

export function tcpFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: address, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function udpFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ port, address, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

/** The first of 200 ports from `wanted` on that is free (for DNS: on UDP too) and not in `taken`. */
export async function freePort(
  wanted: number,
  options: { taken?: ReadonlySet<number>; udp?: boolean } = {},
): Promise<number> {
  for (let port = wanted; port < wanted + 200; port += 1) {
    if (options.taken?.has(port) === true) continue;
    if ((await tcpFree(port)) && (options.udp !== true || (await udpFree(port)))) return port;
  }
  throw new SekishoError('NO_PORT', `No free port from ${wanted} to ${wanted + 199}`);
}
