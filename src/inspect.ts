/**
 * Entry of the inspect process: looks into mail (MIME, archives, signatures) with no network, no spool and no secrets.
 * Its one socket to the gateway is file descriptor 3. On any bug it dies; the gateway ends, replaces and judges it. As a unit
 * of its own (LISTEN_FDS is set) nobody can end it by its pid, so a watch of its own ends it when its loop stands still.
 */
import { Socket } from 'node:net';
import { MAILAUTH_VERSION } from './inspect/mailauth-version.ts';
import { watchOwnLoop } from './inspect/worker-watch.ts';
import { serveWorker } from './inspect/worker.ts';

/** Longer than the gateway's patience with any message: it has long turned away then. */
const STALLED_MS = 60_000;

if (process.argv.includes('--usage')) {
  process.stderr.write('inspect is started by the gateway, with a connection as its descriptor 3\n');
  process.exit(64);
}
if (process.env['LISTEN_FDS'] !== undefined) watchOwnLoop({ stalledMs: STALLED_MS, pid: process.pid });
const socket = new Socket({ fd: 3, readable: true, writable: true });
await serveWorker(socket, { version: MAILAUTH_VERSION });
process.exit(0);
