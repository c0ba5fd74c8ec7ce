/**
 * Entry of the inspect process: looks into mail (MIME, archives, signatures) with no network, no spool and no secrets.
 * Its one socket to the gateway is file descriptor 3. On any bug it dies; the gateway ends, replaces and judges it.
 */
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { serveWorker } from './inspect/worker.ts';

const { version } = createRequire(import.meta.url)('mailauth/package.json') as { version: string };
const socket = new Socket({ fd: 3, readable: true, writable: true });
await serveWorker(socket, { version: `mailauth ${version}` });
process.exit(0);
