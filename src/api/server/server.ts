/**
 * The doors of admin: HTTPS for pages and API, and a plain one that only explains the certificate until the box is claimed and
 * then points to HTTPS. Bounded in connections and in time, so that nobody outside keeps the pages from those inside. `renew`
 * shows another certificate to new connections without ending the old ones.
 */
import { createServer as createPlainServer, type Server as PlainServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { SekishoError } from '../../base/errors.ts';
import { limitPerNeighbour } from '../../base/fair-doors.ts';
import { checkHost } from './guards.ts';
import { PLAIN_PAGE_POLICY, plainPage } from './own-pages.ts';
import type { PageCertificate } from './certificate.ts';

const MOST_CONNECTIONS = 500;
const MOST_PER_NEIGHBOUR = 100;
const MOST_PLAIN_CONNECTIONS = 50;
const MOST_PLAIN_PER_NEIGHBOUR = 20;

export interface Doors {
  port: number;
  plainPort: number | undefined;
  renew(certificate: PageCertificate): void;
  close(): Promise<void>;
}

export interface DoorOptions {
  app: Express;
  certificate: PageCertificate;
  address: string;
  port: number;
  plainPort: number | undefined;
  claimed: () => boolean;
  names: () => ReadonlySet<string>;
  /** Answers of ACME challenges, by token, while one runs. */
  challenges: ReadonlyMap<string, string>;
  hostname: () => string;
  onError: (detail: string) => void;
}

export async function openDoors(options: DoorOptions): Promise<Doors> {
  let { certificate } = options;
  const secure = createServer(
    {
      ...pemOf(certificate),
      minVersion: 'TLSv1.2',
      maxHeaderSize: 16_384,
      requestTimeout: 60_000,
      headersTimeout: 15_000,
      keepAliveTimeout: 10_000,
      handshakeTimeout: 10_000,
    },
    (request, response) => void options.app(request, response),
  );
  secure.maxConnections = MOST_CONNECTIONS;
  limitPerNeighbour(secure, MOST_PER_NEIGHBOUR);
  secure.on('error', (error) => options.onError(error.message));
  secure.on('tlsClientError', () => undefined); // every browser once, at the warning
  await listening(secure, options.port, options.address);
  const port = portOf(secure);
  const plain = options.plainPort === undefined ? undefined : plainServer(options, () => ({ port, certificate }));
  if (plain !== undefined) await listening(plain, options.plainPort ?? 0, options.address);
  return {
    port,
    plainPort: plain === undefined ? undefined : portOf(plain),
    renew: (next) => {
      certificate = next;
      secure.setSecureContext(pemOf(next));
    },
    close: async () => {
      await Promise.all([closed(secure), ...(plain === undefined ? [] : [closed(plain)])]);
    },
  };
}

function pemOf({ key, cert }: PageCertificate): { key: string; cert: string } {
  return { key, cert };
}

function plainServer(options: DoorOptions, current: () => { port: number; certificate: PageCertificate }): PlainServer {
  const server = createPlainServer(
    { maxHeaderSize: 8_192, requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 1_000 },
    (request, response) => {
      const { port, certificate } = current();
      const headers = {
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      };
      // RFC 8555 §8.3; whoever asks, by whatever name: the token is the issuer's
      const token = /^\/\.well-known\/acme-challenge\/([\w-]{1,200})$/.exec(request.url ?? '')?.[1];
      const proof = token === undefined ? undefined : options.challenges.get(token);
      if (proof !== undefined)
        return void response.writeHead(200, { ...headers, 'content-type': 'application/octet-stream' }).end(proof);
      try {
        checkHost(request, options.names());
      } catch {
        return void response.writeHead(421, headers).end();
      }
      const name = (request.headers.host ?? '').replace(/:\d+$/, '');
      const url = `https://${name}${port === 443 ? '' : `:${port}`}/`;
      if (options.claimed()) return void response.writeHead(308, { ...headers, location: url }).end();
      if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, headers).end();
      response.writeHead(200, {
        ...headers,
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PLAIN_PAGE_POLICY,
        'x-frame-options': 'DENY',
      });
      response.end(plainPage({ url, fingerprint: certificate.fingerprint, hostname: options.hostname() }));
    },
  );
  server.maxConnections = MOST_PLAIN_CONNECTIONS;
  limitPerNeighbour(server, MOST_PLAIN_PER_NEIGHBOUR);
  server.on('error', (error) => options.onError(error.message));
  return server;
}

function listening(server: Server | PlainServer, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        new SekishoError('PAGE_PORT', `Cannot listen on port ${port} of "${address}"`, {
          cause: error,
          remedy: 'Free the port, or choose another one',
        }),
      );
    server.once('error', fail);
    server.listen(port, address, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function portOf(server: Server | PlainServer): number {
  return (server.address() as AddressInfo).port;
}

/** Open streams of events would keep a server for ever. */
function closed(server: Server | PlainServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
