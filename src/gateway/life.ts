/**
 * The service watchdog is fed by real work only: the loop turns (this timer runs), our own banner comes over a reserved
 * connection that no flood can fill, and a small synced write comes back. A probe is alive when it *answers*: ENOSPC, EROFS, a 421,
 * a 452 are answers, and a restart would not mend them. Only silence withholds the ping. Nothing here touches mail or spool.
 */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/deadline.ts';
import { describeError, errorCode } from '../base/errors.ts';

export interface LifeTiming {
  /** How often the watchdog may be fed; systemd is told 20 s. */
  pingMs: number;
  bannerEveryMs: number;
  /** Silent for longer: no ping. */
  bannerSilenceMs: number;
  /** PITFALLS: each minute, not each ping: a synced write wears flash. */
  writeEveryMs: number;
  writeSilenceMs: number;
}

const TIMING: LifeTiming = {
  pingMs: 5_000,
  bannerEveryMs: 10_000,
  bannerSilenceMs: 30_000,
  writeEveryMs: 60_000,
  writeSilenceMs: 90_000,
};

export interface Life {
  /** What has been silent for too long now; empty: the ping goes out. */
  silent(): string[];
  stop(): Promise<void>;
}

export interface LifeOptions {
  clock: Clock;
  /** Where the probe's socket and file may lie: on the disk of the spool. */
  folder: string;
  /** What begins a session on a socket as on any other; undefined while no listener is open. */
  session: () => ((socket: Socket) => void) | undefined;
  ping: () => void;
  tell: (message: string, facts: Record<string, unknown>) => void;
  timing?: Partial<LifeTiming>;
  /** Instead of the real synced write. */
  write?: (file: string) => Promise<void>;
}

export async function watchLife(options: LifeOptions): Promise<Life> {
  const timing = { ...TIMING, ...options.timing };
  const { clock, session } = options;
  const socketFile = path.join(options.folder, 'probe.sock');
  const begun = clock.monotonic();
  const answered = { banner: begun, write: begun };
  const withheld = new Set<string>();
  const probes = new Set<Socket>();
  const server = createServer((socket) => {
    probes.add(socket);
    socket.once('close', () => probes.delete(socket));
    const begin = session();
    if (begin === undefined) socket.destroy();
    else begin(socket);
  });
  await rm(socketFile, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketFile, () => resolve());
  });

  const banner = single(async () => {
    if (session() !== undefined)
      await withDeadline('The banner probe', { ms: timing.bannerSilenceMs }, (signal) => hear(socketFile, signal));
    answered.banner = clock.monotonic();
  });
  const writing = single(async () => {
    await (options.write ?? writeSynced)(path.join(options.folder, 'probe.write'));
    answered.write = clock.monotonic();
  });

  function silent(): string[] {
    const now = clock.monotonic();
    const list: string[] = [];
    if (now - answered.banner > timing.bannerSilenceMs) list.push('banner');
    if (now - answered.write > timing.writeSilenceMs) list.push('write');
    return list;
  }

  function beat(): void {
    const quiet = silent();
    if (quiet.length === 0) options.ping();
    for (const what of quiet) {
      if (!withheld.has(what)) options.tell('The watchdog is not fed: a probe does not answer', { probe: what });
      withheld.add(what);
    }
    for (const what of withheld) if (!quiet.includes(what)) withheld.delete(what);
  }

  const report = (error: unknown): void => options.tell('A probe failed', { error: describeError(error) });
  const run = (probe: () => Promise<void>): void => void probe().catch(report);
  const timers = [
    setInterval(beat, timing.pingMs),
    setInterval(() => run(writing), timing.writeEveryMs),
    setInterval(() => run(banner), timing.bannerEveryMs),
  ];
  for (const timer of timers) timer.unref();
  beat();
  run(writing);
  run(banner);
  return {
    silent,
    stop: async () => {
      for (const timer of timers) clearInterval(timer);
      for (const socket of probes) socket.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** One at a time: a probe that hangs is not asked again, its silence is what we want to see. */
function single(work: () => Promise<void>): () => Promise<void> {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
    }
  };
}

/** Any reply is life: 220, 421, 554. */
function hear(file: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(file);
    let text = '';
    const end = (error?: Error): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const abort = (): void => end(new Error('No banner'));
    signal.addEventListener('abort', abort, { once: true });
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text = (text + chunk).slice(0, 1_000);
      if (!/^[2-5]\d\d[ -]/.test(text) || !text.includes('\n')) return;
      socket.write('QUIT\r\n');
      end();
    });
    socket.once('error', end);
    socket.once('close', () => end(new Error('The banner probe was cut')));
  });
}

/**
 * An error is an answer too: the disk said something. Whether it may take mail is the spool's business. Always the same octets of the
 * same file: one made and removed each minute wore the flash with two commits of the file system's journal.
 */
async function writeSynced(file: string): Promise<void> {
  try {
    const handle = await open(file, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      await handle.write('alive\n', 0);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}
