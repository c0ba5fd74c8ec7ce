/**
 * The place of a control socket in the file system. Node cannot ask who calls (SO_PEERCRED), so owner and mode of the socket
 * and its folder are the whole access control: the folder 0700 when we make it and never writable for others, the socket
 * bound under a name nobody knows, given its mode, then renamed into place. A socket where somebody answers is left alone.
 */
import { chmod, chown, lstat, mkdir, rename, rm, stat } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createConnection } from 'node:net';
import path from 'node:path';
import { errorCode, SekishoError } from '../base/errors.ts';

/** sun_path holds 108 octets with its NUL (unix(7)); a longer path would be cut silently or refused without a word. */
const MAX_PATH_OCTETS = 107;
const CONNECT_TEST_MS = 1_000;

export interface BoundSocket {
  /** Removes the file, if it is still ours. */
  remove(): Promise<void>;
}

/** Throws CONTROL_IN_USE, CONTROL_UNSAFE_FOLDER, CONTROL_PATH. */
export async function bindSocket(
  server: Server,
  socket: string,
  rights: { mode: number; group?: number },
): Promise<BoundSocket> {
  const temporary = `${socket}.${process.pid}`;
  if (Buffer.byteLength(temporary) > MAX_PATH_OCTETS)
    throw new SekishoError('CONTROL_PATH', `The socket path "${socket}" is longer than ${MAX_PATH_OCTETS - 8} octets`, {
      remedy: 'Choose a data folder with a shorter path',
    });
  await prepareFolder(path.dirname(socket));
  await removeStale(socket);
  await rm(temporary, { force: true });
  await listen(server, temporary);
  try {
    if (rights.group !== undefined) await chown(temporary, -1, rights.group);
    await chmod(temporary, rights.mode);
    await rename(temporary, socket);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const { ino, dev } = await lstat(socket);
  return {
    remove: async () => {
      const now = await lstat(socket).catch(() => undefined);
      if (now?.ino === ino && now.dev === dev) await rm(socket, { force: true });
    },
  };
}

async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode } = await stat(folder);
  // Whoever may write there could put a socket of his own in our place.
  if ((mode & 0o022) !== 0)
    throw new SekishoError(
      'CONTROL_UNSAFE_FOLDER',
      `Others may write to the folder "${folder}" of the control socket`,
      {
        remedy: `Take that right away: chmod go-w ${folder}`,
      },
    );
}

async function removeStale(socket: string): Promise<void> {
  const found = await lstat(socket).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new SekishoError('CONTROL_PATH', `"${socket}" exists and is not a socket`, {
      remedy: 'Move that file away, or choose another place',
    });
  if (await somebodyListens(socket))
    throw new SekishoError('CONTROL_IN_USE', `Another gateway already answers at "${socket}"`, {
      remedy: 'Stop it first, or give this one its own data folder',
    });
  await rm(socket, { force: true });
}

/** Only a refused connection proves that nobody is there; silence may be a busy gateway. */
function somebodyListens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    const end = (answer: boolean): void => {
      connection.destroy();
      resolve(answer);
    };
    connection.setTimeout(CONNECT_TEST_MS, () => end(true));
    connection.once('connect', () => end(true));
    connection.once('error', (error) => end(!['ECONNREFUSED', 'ENOENT'].includes(errorCode(error) ?? '')));
  });
}

function listen(server: Server, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(error);
    server.once('error', fail);
    server.listen(file, () => {
      server.off('error', fail);
      resolve();
    });
  });
}
