#!/usr/bin/env node
/** The `sekisho` command: composition only. What it can do is in control/cli/; exit codes in `sekisho help exit-codes`. */
import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { runCli } from './control/cli/run.ts';
import { errorCode, SekishoError } from './base/errors.ts';
import { createAdminClient } from './control/admin-client.ts';
import { createControlClient } from './control/client.ts';
import { createHostClient } from './control/host-client.ts';

// `sekisho queue list | head` closes our output early: that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  now: () => Date.now(),
  user: process.env['SUDO_USER'] ?? nameOfUser(),
  version: versionOf(),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  connect: createControlClient,
  host: createHostClient,
  admin: createAdminClient,
  textFile,
  octets,
  exists: (file) =>
    stat(file).then(
      () => true,
      () => false,
    ),
  spool: async () => (await import('./spool/offline/tools.ts')).spoolTools,
  // Only this command needs the whole schema: the others start without it.
  checkFile: async (file) => (await import('./config/check-file.ts')).checkConfigFile(file),
});

/** A uid without an entry in the user database has no name. */
function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}

async function textFile(file: string): Promise<{ text: string; writtenAt: number } | undefined> {
  const read = await octets(file);
  return read === undefined ? undefined : { text: read.toString('utf8'), writtenAt: (await stat(file)).mtimeMs };
}

async function octets(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (errorCode(error) === 'EACCES')
      throw new SekishoError('GATEWAY_NOT_PERMITTED', `"${file}" may not be read by this user`, { remedy: 'Use sudo' });
    throw error;
  }
}

function versionOf(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
