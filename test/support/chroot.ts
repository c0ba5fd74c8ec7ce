/**
 * A root folder of its own for a mail server that is not installed: Debian's programs know their folders and users by
 * fixed names, so the server gets a folder in which these names exist. Programs come from the prefix that `scripts/test`
 * unpacked, their libraries from the prefix or the system; users are those written here and no others. The caller starts
 * it with chroot(8). Nothing is mounted; removing the folder removes everything.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, constants, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { peerEnvironment, peersPrefix } from './peers.ts';
import { type Child, startChild } from './process.ts';

/** Numbers that every Debian gives to `mail` and `nobody`; `empty` owns nothing anywhere. */
export const USERS = { mail: 8, nobody: 65_534, empty: 64_999 } as const;

export interface ChrootOptions {
  /** An existing folder of the test. */
  dir: string;
  name: string;
  /** Programs of the prefix, and modules they load by name, by their absolute path on Debian. */
  programs: readonly string[];
  /** Folders of the prefix in which these look for libraries of their own. */
  libraries?: readonly string[];
  /** Further user names, each with the number of one of `USERS`. */
  users?: Readonly<Record<string, keyof typeof USERS>>;
}

export interface Chroot {
  readonly root: string;
  /** Makes a folder inside, with all above it; the mode and owner are the last one's. */
  folder(inside: string, options?: { mode?: number }): Promise<string>;
  file(inside: string, text: string): Promise<void>;
  start(command: string, args: readonly string[]): Promise<Child>;
}

export interface MailServerPeer {
  readonly port: number;
  /** Where the mail of a recipient lies: a Maildir. */
  mailbox(recipient: string): string;
  log(): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface MailServerPeerOptions {
  dir: string;
  name: string;
  /** Sender: everything it takes goes to this port. */
  relayTo?: { port: number };
  /** Mail server: full addresses with a mailbox. */
  recipients?: readonly string[];
}

export async function makeChroot(options: ChrootOptions): Promise<Chroot> {
  const root = path.join(options.dir, options.name);
  await mkdir(path.join(root, 'usr/lib'), { recursive: true, mode: 0o755 });
  for (const name of ['lib', 'lib64', 'bin', 'sbin']) {
    await mkdir(path.join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, path.join(root, name)); // as on every Debian since 12: libraries ask for either
  }
  const wanted = new Map<string, string>([['/usr/bin/sh', '/bin/sh']]);
  for (const program of options.programs) {
    const source = path.join(peersPrefix(), program);
    if (!existsSync(source))
      throw new Error(`No "${program}" below ${peersPrefix()}: run ./scripts/test --only install`);
    wanted.set(program, source);
  }
  for (const file of librariesOf([...wanted.values()], options.libraries ?? [])) wanted.set(insidePath(file), file);
  for (const [inside, source] of wanted) {
    const target = path.join(root, inside);
    if (existsSync(target)) continue;
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 });
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
  const folder: Chroot['folder'] = async (inside, { mode = 0o755 } = {}) => {
    await mkdir(path.join(root, inside), { recursive: true, mode: 0o755 });
    await chmod(path.join(root, inside), mode);
    return path.join(root, inside);
  };
  await folder('/tmp', { mode: 0o1777 });
  await folder('/etc');
  await writeDevices(await folder('/dev'));
  await writeUsers(root, options.users ?? {});
  return {
    root,
    folder,
    file: (inside, text) => writeFile(path.join(root, inside), text, { mode: 0o644 }),
    start: (command, args) =>
      startChild('chroot', [root, command, ...args], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' } }),
  };
}

/** ldd(1): what each program asks for, and what that asks for. */
function librariesOf(programs: readonly string[], folders: readonly string[]): string[] {
  const env = peerEnvironment();
  const more = folders.map((folder) => path.join(peersPrefix(), folder));
  env['LD_LIBRARY_PATH'] = [env['LD_LIBRARY_PATH'], ...more].join(':');
  const { stdout } = spawnSync('ldd', [...programs], { encoding: 'utf8', env });
  const found = stdout.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x/gm);
  return [...new Set([...found].map((match) => match[1] ?? ''))];
}

function insidePath(file: string): string {
  const bare = file.startsWith(peersPrefix()) ? file.slice(peersPrefix().length) : file;
  return bare.replace(/^\/(lib|lib64)\//, '/usr/$1/');
}

/** mknod(1): the two devices a mail server cannot do without. */
async function writeDevices(folder: string): Promise<void> {
  for (const [name, minor] of [
    ['null', '3'],
    ['urandom', '9'],
  ] as const) {
    const file = path.join(folder, name);
    const made = spawnSync('mknod', ['-m', '666', file, 'c', '1', minor], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`No device "${file}": ${made.stderr}`);
  }
}

async function writeUsers(root: string, more: Readonly<Record<string, keyof typeof USERS>>): Promise<void> {
  const users = Object.entries({ root: 0, ...USERS, ...mapUsers(more) });
  const passwd = users.map(([name, id]) => `${name}:x:${id}:${id}:${name}:/:/bin/sh\n`);
  await writeFile(path.join(root, 'etc/passwd'), passwd.join(''));
  await writeFile(path.join(root, 'etc/group'), users.map(([name, id]) => `${name}:x:${id}:\n`).join(''));
  await writeFile(path.join(root, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files\n');
  await writeFile(path.join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  await writeFile(path.join(root, 'etc/resolv.conf'), ''); // nobody is asked
}

function mapUsers(more: Readonly<Record<string, keyof typeof USERS>>): Record<string, number> {
  return Object.fromEntries(Object.entries(more).map(([name, as]) => [name, USERS[as]]));
}
