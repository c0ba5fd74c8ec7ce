/** A clamd for tests: names its version, finds EICAR, and does with all other streams as it is told. Probes may be made to fail. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EICAR } from '../../src/inspect/clamd.ts';

export interface FakeClamd {
  socket: string;
  /** Streams other than probes that were begun. */
  scans: number;
  /** False: connections are taken and broken off; who waits already goes on waiting. */
  works: boolean;
  /** Answers every stream it hangs on. */
  letGo(answer: string): void;
}

/** Gives the answer to a stream, or undefined: it hangs on it. */
export type Verdict = (stream: string) => string | undefined;

/** Passes probes and fails mail. */
export const HANGING: Verdict = () => undefined;

export async function withFakeClamd(verdict: Verdict, work: (clamd: FakeClamd) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sekisho-test-fakeclamd-'));
  const sockets = new Set<Socket>();
  const hanging = new Set<Socket>();
  const fake: FakeClamd = {
    socket: path.join(folder, 's'),
    scans: 0,
    works: true,
    letGo: (answer) => {
      for (const socket of hanging) socket.end(answer);
      hanging.clear();
    },
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    let seen = '';
    let counted = false;
    socket.on('error', () => undefined);
    socket.on('close', () => [sockets, hanging].forEach((of) => of.delete(socket)));
    socket.on('data', (chunk: Buffer) => {
      if (!fake.works) return void socket.destroy();
      seen += chunk.toString('latin1');
      if (seen.startsWith('zVERSION')) return void socket.end('ClamAV 1.4.6/27500/Sat Nov 21 10:00:00 2026\0');
      if (seen.startsWith('zPING')) return void socket.end('PONG\0');
      const probe = seen.length < 200 && seen.includes(EICAR);
      if (!probe && !counted && seen.length > 'zINSTREAM\0'.length + 4 + EICAR.length) {
        counted = true;
        fake.scans += 1;
      }
      if (!seen.endsWith('\0\0\0\0')) return;
      const answer = probe ? 'stream: Eicar FOUND\0' : verdict(seen);
      if (answer === undefined) hanging.add(socket);
      else socket.end(answer);
    });
  }).listen(fake.socket);
  await once(server, 'listening');
  try {
    await work(fake);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
