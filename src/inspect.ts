/**
 * Entry of the inspect process: looks into mail (MIME, archives, signatures) with no network, no spool and no secrets.
 * Its one socket to the gateway is file descriptor 3. On any bug it dies; the gateway ends, replaces and judges it. As a unit
 * of its own (LISTEN_FDS is set) nobody can end it by its pid, so a watch of its own ends it when its loop stands still.
 */
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { watchOwnLoop } from './inspect/worker-watch.ts';
import { serveWorker } from './inspect/worker.ts';

/** Longer than the gateway's patience with any message: it has long turned away then. */
const STALLED_MS = 60_000;

const { version } = createRequire(import.meta.url)('mailauth/package.json') as { version: string };
if (process.env['LISTEN_FDS'] !== undefined) watchOwnLoop({ stalledMs: STALLED_MS, pid: process.pid });
const socket = new Socket({ fd: 3, readable: true, writable: true });
await serveWorker(socket, { version: `mailauth ${version}` });
process.exit(0);
