/**
 * A bare guest: Debian's kernel and busybox (unpacked, never installed) and our Node in an initrd, a first disk with a journaled
 * ext4 at /data. What it holds besides and what it runs is the caller's. Needs apt for the first time, and QEMU.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../support/peers.ts';

export interface Initrd {
  file: string;
  kernel: string;
}

const MODULES = ['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci', 'virtio_blk'];

function guestParts(): { kernel: string; modules: string; busybox: string } {
  const folder = path.join(cacheFolder(), 'guest');
  const depends = execFileSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], { encoding: 'utf8' });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1] ?? '';
  const version = name.replace('linux-image-', '');
  const kernel = path.join(folder, 'boot', `vmlinuz-${version}`);
  if (!existsSync(kernel)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    execFileSync('apt-get', ['download', '-o', 'APT::Sandbox::User=root', name, 'busybox-static'], {
      cwd: folder,
      stdio: 'ignore',
    });
    execFileSync('sh', ['-c', 'for deb in *.deb; do dpkg-deb -x "$deb" . && rm "$deb"; done'], { cwd: folder });
  }
  return { kernel, modules: path.join(folder, 'lib/modules', version), busybox: path.join(folder, 'bin/busybox') };
}

/** `fill`: puts the caller's files under the root it is given; `run`: a line of shell, run when /data is mounted. */
export function makeInitrd(home: string, options: { fill: (root: string) => void; run: string }): Initrd {
  const { kernel, modules, busybox } = guestParts();
  const root = path.join(home, 'guest');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'data', 'tmp', 'mod', 'app'])
    mkdirSync(path.join(root, name), { recursive: true });
  cpSync(busybox, path.join(root, 'bin/busybox'));
  const found = execFileSync('find', [modules, '-name', '*.ko'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of MODULES) {
    const file = found.find((one) => path.basename(one) === `${name}.ko`);
    if (file !== undefined) cpSync(file, path.join(root, 'mod', `${name}.ko`));
  }
  const node = process.execPath;
  cpSync(node, path.join(root, 'bin/node'));
  for (const line of execFileSync('ldd', [node], { encoding: 'utf8' }).split('\n')) {
    const library = /(\/\S+)(?= \(0x)/.exec(line)?.[1];
    if (library === undefined) continue;
    mkdirSync(path.join(root, path.dirname(library)), { recursive: true });
    copyFileSync(library, path.join(root, library));
  }
  options.fill(root);
  const init = [
    '#!/bin/busybox sh',
    '/bin/busybox mount -t proc proc /proc',
    '/bin/busybox mount -t sysfs sys /sys',
    '/bin/busybox mount -t devtmpfs dev /dev',
    '/bin/busybox ip link set lo up',
    ...MODULES.map((name) => `/bin/busybox insmod /mod/${name}.ko`),
    'for try in 1 2 3 4 5 6 7 8 9; do [ -b /dev/vda ] && break; /bin/busybox sleep 1; done',
    '/bin/busybox mount -t ext4 -o data=ordered,barrier=1,nodiscard /dev/vda /data || echo NOMOUNT',
    '/bin/busybox mkdir -p /data/spool',
    options.run,
    'echo ENDED',
    '/bin/busybox sleep 1000000',
  ];
  writeFileSync(path.join(root, 'init'), `${init.join('\n')}\n`, { mode: 0o755 });
  const file = path.join(home, 'initrd');
  execFileSync('sh', ['-c', `find . | "${busybox}" cpio -o -H newc > "${file}"`], { cwd: root });
  rmSync(root, { recursive: true });
  return { file, kernel };
}

/** QEMU's words for it. */
export function bootedFrom({ kernel, file }: Initrd): string[] {
  return ['-kernel', kernel, '-initrd', file, '-append', 'console=ttyS0 quiet panic=1'];
}
