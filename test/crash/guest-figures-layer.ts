/**
 * What only a machine of its own can tell: octets written for each accepted one with the journal of its ext4 in them, and a small
 * mail's 250 beside three of 50 MB. A bare guest runs the programs as the box has them (one bundled file each) and measures
 * itself (guest-figures.ts). Without KVM its processor is emulated, about ten times slower: times say little then, counts all.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { z } from 'zod';
import { bundlePrograms } from '../../scripts/image/bundle-programs.ts';
import { bootedFrom, makeInitrd } from './guest-machine.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const WORK_PARENT = process.env['TMPDIR'] ?? '/var/tmp';
const GUARD_MS = 60 * 60_000;

const rowSchema = z.object({ what: z.string(), perOctet: z.number().optional() }).loose();
export type FiguresRow = z.output<typeof rowSchema>;

export async function guestFigures(options: { tell: (text: string) => void }): Promise<FiguresRow[]> {
  const home = await mkdtemp(path.join(WORK_PARENT, 'sekisho-figures-'));
  try {
    const app = path.join(home, 'app');
    await bundleApp(app);
    const initrd = makeInitrd(home, {
      fill: (root) => cpSync(app, path.join(root, 'app'), { recursive: true }),
      run: 'cd /app && /bin/node guest-figures.js',
    });
    const disk = path.join(home, 'disk.img');
    execFileSync('truncate', ['-s', '2G', disk]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', disk]);
    return await measured({ initrd, disk, ...options });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function bundleApp(app: string): Promise<void> {
  const { external } = await bundlePrograms(path.join(app, 'src'));
  for (const name of external)
    cpSync(path.join(ROOT, 'node_modules', name), path.join(app, 'node_modules', name), { recursive: true });
  mkdirSync(app, { recursive: true });
  cpSync(path.join(ROOT, 'package.json'), path.join(app, 'package.json'));
  const build = await rolldown({
    input: path.join(import.meta.dirname, 'guest-figures.ts'),
    cwd: ROOT,
    platform: 'node',
    logLevel: 'warn',
  });
  await build.write({ file: path.join(app, 'guest-figures.js'), format: 'esm', codeSplitting: false });
  await build.close();
}

async function measured(options: {
  initrd: { file: string; kernel: string };
  disk: string;
  tell: (text: string) => void;
}): Promise<FiguresRow[]> {
  const { initrd, disk, tell } = options;
  const machine = '-machine pc -cpu Nehalem -smp 2 -m 2048 -nodefaults -display none -serial stdio'.split(' ');
  const drive = ['-drive', `file=${disk},format=raw,if=virtio,cache=none,aio=threads`];
  // a disk in memory cannot be opened without the page cache
  if (disk.startsWith('/dev/shm')) drive[1] = `file=${disk},format=raw,if=virtio,cache=writeback`;
  const qemu = spawn('qemu-system-x86_64', [...machine, ...bootedFrom(initrd), ...drive], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const onExit = (): void => void qemu.kill('SIGKILL');
  process.once('exit', onExit);
  const rows: FiguresRow[] = [];
  const others: string[] = [];
  const ended = new Promise<void>((resolve) => qemu.once('exit', () => resolve()));
  const over = Promise.withResolvers<void>();
  const guard = setTimeout(() => over.reject(new Error('The guest did not come to an end')), GUARD_MS);
  void ended.then(() => over.reject(new Error(`QEMU has ended: ${others.slice(-20).join(' | ')}`)));
  let rest = '';
  qemu.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.map((one) => one.trim())) {
      if (line === 'ENDED') over.reject(new Error(`It broke off: ${others.slice(-20).join(' | ')}`));
      if (!line.startsWith('FIGURE ')) others.push(line);
      else {
        const row = rowSchema.parse(JSON.parse(line.slice('FIGURE '.length)));
        tell(JSON.stringify(row));
        if (row.what === 'end') over.resolve();
        else rows.push(row);
      }
    }
  });
  try {
    await over.promise;
  } finally {
    clearTimeout(guard);
    qemu.kill('SIGKILL');
    await ended;
    process.off('exit', onExit);
  }
  return rows;
}

export function figuresLines(rows: readonly FiguresRow[]): string[] {
  return rows.map((row) => JSON.stringify(row));
}
