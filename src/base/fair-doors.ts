/**
 * So many connections for one neighbour (an IPv4 address, a /64 of IPv6): who opens all a server takes and says nothing would
 * keep everybody else out until each one's time is up. One too many is closed before a word; nobody else's is touched.
 */
import type { Server, Socket } from 'node:net';
import { neighbourhoodOf, normaliseAddress } from './network.ts';

export function limitPerNeighbour(server: Server, most: number): void {
  const open = new Map<string, number>();
  // first of all listeners: a TLS server begins its handshake in its own
  server.prependListener('connection', (socket: Socket) => {
    const from = neighbour(socket);
    const count = open.get(from) ?? 0;
    if (count >= most) return void socket.destroy();
    open.set(from, count + 1);
    socket.once('close', () => {
      const left = (open.get(from) ?? 1) - 1;
      if (left > 0) open.set(from, left);
      else open.delete(from);
    });
  });
}

function neighbour({ remoteAddress = '' }: Socket): string {
  const address = normaliseAddress(remoteAddress) ?? remoteAddress;
  return address.includes(':') ? neighbourhoodOf(address) : address;
}
