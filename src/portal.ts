#!/usr/bin/env node
/**
 * The portal process: composition only. Serves a user's own quarantine over HTTPS and asks the gateway by the portal's own
 * socket. Off by default; holds no mail, no secret but its TLS key. The file of key and certificate (PEM) is looked at every
 * few seconds, so that a renewed one is shown to new connections without a restart.
 *
 *   portal.ts --socket FILE --tls FILE [--address ADDRESS] [--port PORT]
 *
 * Exit codes: 0 clean stop · 64 usage · 75 a step of the start failed: start again.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { parseArgs } from 'node:util';
import { describeError } from './base/errors.ts';
import { limitPerNeighbour } from './base/fair-doors.ts';
import { followTimeZone } from './base/time-zone.ts';
import { createControlClient } from './control/client.ts';
import { createPortal } from './portal/server.ts';

const USAGE = 'Usage: portal.ts --socket FILE --tls FILE [--address ADDRESS] [--port PORT]';
const MOST_CONNECTIONS = 64;
/** Many users may come by one address, where the office's router rewrites theirs. */
const MOST_PER_NEIGHBOUR = 24;
const REQUEST_MS = 10_000;
const LOOK_MS = 5_000;

const log = (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), process: 'portal', message, ...facts })}\n`);
};

function main(): void {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      tls: { type: 'string' },
      address: { type: 'string', default: '0.0.0.0' },
      port: { type: 'string', default: '8443' },
    },
  });
  const { socket, tls: file } = values;
  if (socket === undefined || file === undefined) {
    process.stderr.write(`${USAGE}\n`);
    process.exit(64);
  }
  let pem = readFileSync(file, 'utf8');
  const portal = createPortal({
    client: createControlClient({ socket, by: 'portal' }),
    now: () => Date.now(),
    zone: followTimeZone(process.env),
    log,
  });
  const server = createServer(
    {
      ...tlsOf(pem),
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      handshakeTimeout: REQUEST_MS,
      maxHeaderSize: 8_192,
    },
    portal,
  );
  server.maxConnections = MOST_CONNECTIONS;
  limitPerNeighbour(server, MOST_PER_NEIGHBOUR);
  server.keepAliveTimeout = 5_000;
  server.on('error', (error) => {
    log('The portal cannot listen', { error: describeError(error) });
    process.exit(75);
  });
  server.listen(Number(values.port), values.address, () => log('Portal is ready', { listening: server.address() }));
  const look = (): void => {
    try {
      const now = readFileSync(file, 'utf8');
      if (now === pem) return;
      server.setSecureContext(tlsOf(now));
      pem = now;
      log('The portal shows another certificate');
    } catch (error) {
      log('The certificate of the portal cannot be read; the one before is shown', { error: describeError(error) });
    }
  };
  setInterval(look, LOOK_MS).unref();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
      setTimeout(() => process.exit(0), 2_000).unref();
    });
}

/** Node takes each kind of block out of the same text. */
function tlsOf(pem: string): { cert: string; key: string; minVersion: 'TLSv1.2' } {
  return { cert: pem, key: pem, minVersion: 'TLSv1.2' };
}

try {
  main();
} catch (error) {
  process.stderr.write(`${describeError(error)}\n${USAGE}\n`);
  process.exit(75);
}
