#!/usr/bin/env node
/**
 * The portal process: composition only. Serves a user's own quarantine over HTTPS and asks the gateway by the portal's own
 * socket. Off by default; holds no mail, no secret but its TLS key.
 *
 *   portal.ts --socket FILE --certificate FILE --key FILE [--address ADDRESS] [--port PORT]
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { parseArgs } from 'node:util';
import { describeError } from './base/errors.ts';
import { createControlClient } from './control/client.ts';
import { createPortal } from './portal/server.ts';

const USAGE = 'Usage: portal.ts --socket FILE --certificate FILE --key FILE [--address ADDRESS] [--port PORT]';
const MOST_CONNECTIONS = 64;
const REQUEST_MS = 10_000;

const log = (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), process: 'portal', message, ...facts })}\n`);
};

function main(): void {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      certificate: { type: 'string' },
      key: { type: 'string' },
      address: { type: 'string', default: '0.0.0.0' },
      port: { type: 'string', default: '8443' },
    },
  });
  const { socket, certificate, key } = values;
  if (socket === undefined || certificate === undefined || key === undefined) {
    process.stderr.write(`${USAGE}\n`);
    process.exit(64);
  }
  const tls = () => ({ cert: readFileSync(certificate), key: readFileSync(key), minVersion: 'TLSv1.2' as const });
  const portal = createPortal({ client: createControlClient({ socket, by: 'portal' }), now: () => Date.now(), log });
  const server = createServer(
    { ...tls(), requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: 8_192 },
    portal,
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.keepAliveTimeout = 5_000;
  server.on('error', (error) => {
    log('The portal cannot listen', { error: describeError(error) });
    process.exit(75);
  });
  server.listen(Number(values.port), values.address, () => log('Portal is ready', { listening: server.address() }));
  process.on('SIGHUP', () => server.setSecureContext(tls()));
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
      setTimeout(() => process.exit(0), 2_000).unref();
    });
}

try {
  main();
} catch (error) {
  process.stderr.write(`${describeError(error)}\n${USAGE}\n`);
  process.exit(75);
}
