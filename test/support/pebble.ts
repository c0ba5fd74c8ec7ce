/** Debian's pebble: Let's Encrypt's own small ACME server for tests. It proves names by asking them, at a port of the test's. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort, untilListening } from './net.ts';
import { issue } from './own-ca.ts';
import { peerEnvironment, peersPrefix } from './peers.ts';
import { startChild } from './process.ts';

export interface Pebble extends AsyncDisposable {
  directory: string;
  /** PEM: who vouches for the server itself. */
  ca: string;
  /** PEM: who signs what it issues; another at each start. */
  root(): Promise<string>;
}

/** `dns`: where it looks names up. `httpPort`: where it looks for challenges instead of port 80. */
export async function startPebble(options: { dir: string; dns: string; httpPort: number }): Promise<Pebble> {
  const folder = path.join(options.dir, 'pebble');
  await mkdir(folder, { recursive: true });
  const own = await issue(['localhost']);
  const [port, management] = [await freePort(), await freePort()];
  const file = (name: string): string => path.join(folder, name);
  await writeFile(file('cert.pem'), own.certificate);
  await writeFile(file('key.pem'), own.key);
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: file('cert.pem'),
    privateKey: file('key.pem'),
    httpPort: options.httpPort,
    tlsPort: 1,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
  };
  await writeFile(file('config.json'), JSON.stringify({ pebble }));
  const child = await startChild(
    path.join(peersPrefix(), 'usr/bin/pebble'),
    ['-config', file('config.json'), '-dnsserver', options.dns],
    // it refuses one nonce in twenty by itself; without a pause before each look (its default is up to 15 s)
    { cwd: folder, env: { ...peerEnvironment(), PEBBLE_VA_NOSLEEP: '1' } },
  );
  await untilListening('pebble', { port });
  return {
    directory: `https://localhost:${port}/dir`,
    ca: own.ca,
    root: async () => {
      const { request } = await import('node:https');
      const { text } = await import('node:stream/consumers');
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      request(`https://localhost:${management}/roots/0`, { ca: own.ca, agent: false }, (response) => {
        text(response).then(resolve, reject);
      })
        .once('error', reject)
        .end();
      return promise;
    },
    [Symbol.asyncDispose]: () => child.stop(),
  };
}
