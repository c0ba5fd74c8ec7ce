/**
 * Updates as a maker, a stranger and an accident make them, from the bundle of the image under test: laid on a FAT stick
 * that a virtual machine takes as its owner's. Signed with the development keys that the build made.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { TEST_ARCH } from '../support/vm.ts';

const MIB = 1_048_576;
/** FAT and what a stick has to spare. */
const STICK_ROOM = 64 * MIB;

interface Signer {
  key: string;
  cert: string;
}

export interface Bundles {
  /** Full: the system under test, called by another version, with words more on its kernel's command line. */
  system(to: { version: string; words?: string }): string;
  /** Small: what it holds is no system. */
  empty(to: { version: string; by?: 'us' | 'a stranger' }): string;
  /** Full, but the hash beside its kernel is not that of its root: verity refuses it at every start. */
  broken(to: { version: string }): string;
  /** One bit in the middle of a copy. */
  flipped(file: string): string;
  /** A stick with these files. */
  stick(files: readonly string[]): string;
}

export function makeBundles({ out, folder }: { out: string; folder: string }): Bundles {
  const released = readdirSync(out).find((name) => name.endsWith('.raucb'));
  if (released === undefined) throw new Error(`No bundle in ${out}`);
  const content = path.join(folder, 'content');
  execFileSync('unsquashfs', ['-q', '-n', '-d', content, path.join(out, released)]);
  const nothing = path.join(folder, 'nothing');
  mkdirSync(nothing);
  for (const name of ['rootfs.img', 'boot.img']) writeFileSync(path.join(nothing, name), randomBytes(MIB));
  const ours = developmentKey();
  let count = 0;

  function bundle(from: string, { version, by = ours }: { version: string; by?: Signer }): string {
    const file = path.join(folder, `${(count += 1)}-${version}.raucb`);
    const files = `${file}.content`;
    mkdirSync(files);
    writeFileSync(path.join(files, 'manifest.raucm'), manifest(version));
    for (const name of ['rootfs.img', 'boot.img']) linkSync(path.join(from, name), path.join(files, name));
    execFileSync('rauc', ['bundle', `--cert=${by.cert}`, `--key=${by.key}`, files, file], { stdio: 'pipe' });
    rmSync(files, { recursive: true });
    return file;
  }

  /** The same root, another line for the boot loader. */
  function withSlotConfig(change: (text: string) => string): string {
    const changed = path.join(folder, `boot-${(count += 1)}`);
    mkdirSync(changed);
    const boot = path.join(changed, 'boot.img');
    execFileSync('cp', ['--sparse=always', path.join(content, 'boot.img'), boot]);
    linkSync(path.join(content, 'rootfs.img'), path.join(changed, 'rootfs.img'));
    const config = path.join(changed, 'slot.cfg');
    const text = debugfs(boot, 'cat slot.cfg');
    const next = change(text);
    if (next === text) throw new Error(`slot.cfg is not as it was thought: ${text}`);
    writeFileSync(config, next);
    debugfs(boot, 'rm slot.cfg');
    debugfs(boot, `write ${config} slot.cfg`);
    return changed;
  }

  return {
    system: ({ version, words }) =>
      bundle(words === undefined ? content : withSlotConfig((text) => text.replace(/"\s*$/, ` ${words}"\n`)), {
        version,
      }),
    empty: ({ version, by = 'us' }) => bundle(nothing, { version, by: by === 'us' ? ours : stranger(folder) }),
    broken: ({ version }) =>
      bundle(
        withSlotConfig((text) => text.replace(/sekisho\.hash=[0-9a-f]{64}/, `sekisho.hash=${'0'.repeat(64)}`)),
        { version },
      ),
    flipped: (file) => {
      const copy = path.join(folder, `flipped-${path.basename(file)}`);
      execFileSync('cp', [file, copy]);
      flipBit(copy);
      return copy;
    },
    stick: (files) => {
      const stick = path.join(folder, `stick-${(count += 1)}.img`);
      writeFileSync(stick, '');
      truncateSync(
        stick,
        files.reduce((sum, file) => sum + statSync(file).size, STICK_ROOM),
      );
      execFileSync('mkfs.vfat', ['-F', '32', stick], { stdio: 'pipe', env: withSbin() });
      execFileSync('mcopy', ['-i', stick, ...files, '::/']);
      for (const file of files) rmSync(file);
      return stick;
    },
  };
}

function manifest(version: string): string {
  const images = ['rootfs', 'boot'].map((name) => `[image.${name}]\nfilename=${name}.img\n`);
  return `[update]\ncompatible=sekisho-${TEST_ARCH}\nversion=${version}\n\n[bundle]\nformat=verity\n\n${images.join('\n')}`;
}

/** The second one: both roots of trust are in the box. */
function developmentKey(): Signer {
  const caches = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
  const folder = path.join(
    process.env['SEKISHO_IMAGE_CACHE'] ?? path.join(caches, 'sekisho-image'),
    'development-keys',
  );
  return { key: path.join(folder, 'signing-two.key.pem'), cert: path.join(folder, 'signing-two.cert.pem') };
}

function stranger(folder: string): Signer {
  const [key, cert] = [path.join(folder, 'stranger.key'), path.join(folder, 'stranger.cert')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  const args = ['req', '-x509', ...curve, '-subj', '/CN=Somebody else', '-keyout', key, '-out', cert];
  execFileSync('openssl', args, { stdio: 'pipe' });
  return { key, cert };
}

function debugfs(image: string, request: string): string {
  return execFileSync('debugfs', ['-w', '-R', request, image], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'], // it greets on stderr
    env: withSbin(),
  });
}

function withSbin(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
}

function flipBit(file: string): void {
  const handle = openSync(file, 'r+');
  const at = Math.floor(statSync(file).size / 2);
  const one = Buffer.alloc(1);
  readSync(handle, one, 0, 1, at);
  one.writeUInt8(one.readUInt8(0) ^ 0x10, 0);
  writeSync(handle, one, 0, 1, at);
  closeSync(handle);
}
