/**
 * The machine's network cards as the kernel tells them (sysfs, Documentation/ABI/testing/sysfs-class-net): also those
 * without a cable or an address, which the list of addresses does not know.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import type { NetworkAnswer } from '../control/host-shapes.ts';

export type Link = NetworkAnswer['interfaces'][number];

const isName = (name: string): boolean => name !== 'lo' && /^[a-zA-Z][a-zA-Z0-9._-]{0,14}$/.test(name);

/** Cards, and whatever else has an address, in the order of their names. `folder`: sysfs' `class/net`. */
export async function readLinks(folder: string, addresses = networkInterfaces()): Promise<Link[]> {
  const names = await readdir(folder).catch(() => []);
  const known = new Set([...names, ...Object.keys(addresses)].filter(isName));
  const links: Link[] = [];
  for (const name of [...known].toSorted()) {
    const at = path.join(folder, name);
    const own = addresses[name] ?? [];
    if (own.length === 0 && !(await isCard(at))) continue;
    const speed = Number(await word(at, 'speed'));
    const mtu = Number(await word(at, 'mtu'));
    links.push({
      name,
      mac: (await word(at, 'address')) || (own[0]?.mac ?? ''),
      // of one that was never switched on it cannot be read
      up: (await word(at, 'carrier')) === '1',
      addresses: own.map(({ cidr, address }) => cidr ?? address),
      ...(mtu > 0 ? { mtu } : {}),
      ...(speed > 0 ? { speedMbit: speed } : {}),
    });
  }
  return links;
}

/** Hardware has a device behind it; bridges, tunnels and the kernel's own have none. */
async function isCard(at: string): Promise<boolean> {
  return stat(path.join(at, 'device')).then(
    () => true,
    () => false,
  );
}

async function word(at: string, name: string): Promise<string> {
  return (await readFile(path.join(at, name), 'utf8').catch(() => '')).trim();
}
