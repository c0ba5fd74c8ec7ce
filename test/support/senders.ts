/**
 * The small programs people send mail with, unpacked by `scripts/test` and never installed: swaks, msmtp, curl. Each sends
 * one file (CRLF ends) as it is and answers with its exit code and words. STARTTLS takes any certificate.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { peerEnvironment, peersPrefix, perlFolders } from './peers.ts';
import { startChild } from './process.ts';

export interface Errand {
  port: number;
  from: string;
  to: string;
  /** A message with CRLF line ends. */
  file: string;
  startTls: boolean;
  /** More words of the command line (swaks). */
  more?: readonly string[];
}

export type Sender = (errand: Errand) => Promise<{ code: number | null; output: string }>;

const HELO = 'client.example.com';

/** swaks takes one final dot away and puts its own: with one given, the message itself stays as it is. */
export const swaks: Sender = async (errand) => {
  const input = `${errand.file}.swaks`;
  await writeFile(input, Buffer.concat([await readFile(errand.file), Buffer.from('.')]));
  const args = ['--server', '127.0.0.1', '--port', String(errand.port), '--helo', HELO, '--timeout', '90'];
  args.push('--from', errand.from, '--to', errand.to, '--data', `@${input}`);
  if (errand.startTls) args.push('--tls');
  args.push(...(errand.more ?? []));
  return await run('swaks', args);
};

/** msmtp reads LF, as sendmail(8) does, and sends CRLF. */
export const msmtp: Sender = async (errand) => {
  const text = (await readFile(errand.file, 'latin1')).replaceAll('\r\n', '\n');
  const input = `${errand.file}.lf`;
  await writeFile(input, text, 'latin1');
  const args = ['--host=127.0.0.1', `--port=${errand.port}`, `--domain=${HELO}`, '--timeout=90', '--file=/dev/null'];
  args.push(errand.startTls ? '--tls=on' : '--tls=off', '--tls-starttls=on', '--tls-certcheck=off');
  args.push(`--from=${errand.from}`, errand.to);
  return await run('msmtp', args, input);
};

export const curl: Sender = (errand) => {
  const args = ['--silent', '--show-error', '--max-time', '90', '--mail-from', errand.from, '--mail-rcpt', errand.to];
  args.push('--upload-file', errand.file);
  if (errand.startTls) args.push('--ssl-reqd', '--insecure');
  args.push(`smtp://127.0.0.1:${errand.port}/${HELO}`);
  return run('curl', args);
};

async function run(
  program: string,
  args: readonly string[],
  input = '/dev/null',
): Promise<{ code: number | null; output: string }> {
  const command = path.join(peersPrefix(), 'usr/bin', program);
  // sh(1) opens the input: children of tests have none of their own
  const child = await startChild('/bin/sh', ['-c', 'exec "$@" < "$0"', input, command, ...args], {
    env: { ...peerEnvironment(), PERL5LIB: perlFolders().join(':'), HOME: '/nonexistent' },
  });
  const guard = setTimeout(() => child.signalGroup('SIGKILL'), 120_000);
  const { code } = await child.ended;
  clearTimeout(guard);
  return { code, output: child.output() };
}
