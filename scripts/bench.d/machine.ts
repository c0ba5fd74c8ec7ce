/** One line about the machine the figures are from: processors, memory, kernel, file system, versions. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { peerEnvironment, peersPrefix } from '../../test/support/peers.ts';

export function describeMachine(dir: string): string {
  const gibibytes = Math.round(os.totalmem() / 2 ** 30);
  const model = os.cpus()[0]?.model.trim() ?? 'unknown processor';
  return [
    `${os.availableParallelism()} × ${model}, ${gibibytes} GiB`,
    `Linux ${os.release().split('-')[0]}`,
    `spools on ${fileSystemOf(dir, readFileSync('/proc/self/mounts', 'utf8'))}`,
    `Node ${process.versions.node}`,
    `Postfix ${postfixVersion()}`,
    `load before: ${os.loadavg()[0]?.toFixed(1)}`,
  ].join('; ');
}

/** The type of the mount with the longest matching mount point. */
export function fileSystemOf(folder: string, mounts: string): string {
  let [best, type] = ['', 'unknown'];
  for (const line of mounts.split('\n')) {
    const [, point = '', name = ''] = line.split(' ');
    const inside = point === '/' || folder === point || folder.startsWith(`${point}/`);
    if (point !== '' && inside && point.length >= best.length) [best, type] = [point, name];
  }
  return type;
}

function postfixVersion(): string {
  const { LD_LIBRARY_PATH } = peerEnvironment();
  try {
    const args = ['-d', '-h', 'mail_version'];
    const env = { LD_LIBRARY_PATH };
    return execFileSync(`${peersPrefix()}/usr/sbin/postconf`, args, {
      env,
      encoding: 'utf8',
      timeout: 5_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'of unknown version';
  }
}
