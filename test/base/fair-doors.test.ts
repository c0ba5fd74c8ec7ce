/** One neighbour cannot take every place at a door. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttps, request } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { limitPerNeighbour } from '../../src/base/fair-doors.ts';
import { makeSelfSigned } from '../../src/base/self-signed.ts';

test('who opens connections and says nothing keeps nobody else out, and gets a place again when one of his is free', {
  timeout: 60_000,
}, async () => {
  const { key, cert } = await makeSelfSigned({ names: ['box.test'], now: Date.now(), validMs: 86_400_000 });
  const server = createHttps({ key, cert }, (_request, response) => response.end('here'));
  server.maxConnections = 6;
  limitPerNeighbour(server, 3);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const silent: Socket[] = [];
  const open = async (): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.9' });
    silent.push(socket.on('error', () => undefined).resume());
    await once(socket, 'connect');
    return socket;
  };
  const ask = (localAddress: string): Promise<string> =>
    new Promise((resolve) => {
      const options = { host: '127.0.0.1', port, localAddress, agent: false, rejectUnauthorized: false };
      request(options, (response) => response.setEncoding('utf8').once('data', resolve))
        .once('error', () => resolve('refused'))
        .end();
    });
  try {
    for (let count = 0; count < 3; count += 1) await open();
    for (let count = 0; count < 20; count += 1) {
      const socket = await open();
      if (!socket.closed) await once(socket, 'close');
    }
    assert.equal(await ask('127.0.0.1'), 'here');
    assert.equal(await ask('127.0.0.9'), 'refused');
    const [first] = silent;
    first?.destroy();
    for (let turn = 0; turn < 100 && (await ask('127.0.0.9')) === 'refused'; turn += 1);
    assert.equal(await ask('127.0.0.9'), 'here');
  } finally {
    for (const socket of silent) socket.destroy();
    server.close();
    server.closeAllConnections();
  }
});
