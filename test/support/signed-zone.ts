/** Signs a small zone with ldns-signzone(1), which is unpacked beside the other peers, for a resolver that validates it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { peerEnvironment, peersPrefix } from './peers.ts';
import type { SignedZone } from './unbound.ts';

const NOBODY = 65_534;

export function hasSigner(): boolean {
  return existsSync(path.join(peersPrefix(), 'usr/bin/ldns-signzone'));
}

/** `records`: zone file lines, names relative to the zone. `after`: changes the signed file, as a forger would. */
export async function signZone(
  name: string,
  records: readonly string[],
  options: { dir: string; after?: (zone: string) => string },
): Promise<SignedZone> {
  const folder = path.join(options.dir, `zone-${name}`);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const run = (program: string, args: readonly string[]): string => {
    const done = spawnSync(path.join(peersPrefix(), 'usr/bin', program), args, {
      cwd: folder,
      env: peerEnvironment(),
      encoding: 'utf8',
      timeout: 20_000,
    });
    if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr}${done.stdout}`);
    return done.stdout.trim();
  };
  const key = run('ldns-keygen', ['-k', '-a', 'ECDSAP256SHA256', name]);
  const soa = `@ 300 IN SOA ns.${name}. root.${name}. 1 3600 600 86400 300`;
  const zone = [`$ORIGIN ${name}.`, '$TTL 300', soa, '@ 300 IN NS ns', 'ns 300 IN A 127.0.0.1', ...records];
  await writeFile(path.join(folder, 'zone'), `${zone.join('\n')}\n`);
  run('ldns-signzone', ['-f', 'signed', 'zone', key]);
  const file = path.join(folder, 'signed');
  const text = await readFile(file, 'utf8');
  await writeFile(file, options.after?.(text) ?? text, { mode: 0o644 });
  await chown(file, NOBODY, NOBODY);
  const anchor = (await readFile(path.join(folder, `${key}.ds`), 'utf8')).trim().replaceAll(/\s+/g, ' ');
  return { name, file, anchor };
}
