/**
 * Postfix's own smtp-sink(1) as the far side of a load: it keeps each message in a file of its own, under an unprivileged
 * user. Its counterpart smtp-source(1) is in `peers.ts`.
 */
import { chown, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort, untilListening } from './net.ts';
import { peerEnvironment, peersPrefix } from './peers.ts';
import { startChild, until } from './process.ts';

const NOBODY = 65_534;

export interface DebianSink {
  readonly port: number;
  /** Every message it has said 250 to. */
  messages(): Promise<string[]>;
  received(count: number, options: { ms: number }): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startDebianSink(options: { dir: string }): Promise<DebianSink> {
  const folder = path.join(options.dir, 'smtp-sink');
  await mkdir(folder, { mode: 0o755 });
  await chown(folder, NOBODY, NOBODY);
  const port = await freePort();
  const program = path.join(peersPrefix(), 'usr/sbin/smtp-sink');
  // -d: one file a message, named by this template (strftime) and a number; -u: whom to become
  const args = ['-u', 'nobody', '-d', 'message-%M.', `127.0.0.1:${port}`, '512'];
  const child = await startChild(program, args, { cwd: folder, env: peerEnvironment() });
  await untilListening('smtp-sink', { port }).catch((error: unknown) => {
    throw new Error(`smtp-sink did not come up: ${child.output()}`, { cause: error });
  });
  const messages = async (): Promise<string[]> => {
    const names = await readdir(folder);
    return await Promise.all(names.map((name) => readFile(path.join(folder, name), 'latin1')));
  };
  return {
    port,
    messages,
    received: (count, { ms }) =>
      until(`${count} messages at smtp-sink`, { ms, every: 200 }, async () =>
        (await readdir(folder)).length >= count ? await messages() : undefined,
      ).catch(async (error: unknown) => {
        const have = (await readdir(folder)).length;
        throw new Error(`${have} of ${count} arrived; smtp-sink says: ${child.output()}`, { cause: error });
      }),
    [Symbol.asyncDispose]: () => child.stop(),
  };
}
