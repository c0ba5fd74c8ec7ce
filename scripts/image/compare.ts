/**
 * What differs between two builds of the image: every file of the two folders that build-image.sh wrote, octet by octet, and of
 * the root and of the disk, by files and by partitions. Exit: 0 the same, or only what cannot be (the bundle's signature and
 * time) · 1 something else differs · 2 wrong use.
 *
 *   node scripts/image/compare.ts FOLDER-ONE FOLDER-TWO
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MIB = 1_048_576;
/** As in disk.sh: where the root of slot A lies. */
const PARTITIONS = ['bios', 'esp', 'boot-a', 'root-a', 'boot-b', 'root-b', 'data'];
const MOST_SHOWN = 40;

function main(): number {
  const [one, two] = process.argv.slice(2);
  if (one === undefined || two === undefined) {
    process.stderr.write('Usage: node scripts/image/compare.ts FOLDER-ONE FOLDER-TWO\n');
    return 2;
  }
  const work = mkdtempSync(path.join(tmpdir(), 'sekisho-compare-'));
  try {
    return compare(one, two, work) ? 0 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function compare(one: string, two: string, work: string): boolean {
  let same = true;
  const names = new Set([...readdirSync(one), ...readdirSync(two)]);
  for (const name of [...names].toSorted()) {
    const [a, b] = [path.join(one, name), path.join(two, name)];
    const equal = hashOf(a) === hashOf(b);
    // its signature carries a time and a random number, and the list of checksums its checksum
    const may = name.endsWith('.raucb') || name.endsWith('.sha256');
    tell(`${equal ? 'same   ' : may ? 'differs, as it must' : 'DIFFERS'} ${name}`);
    if (!equal && !may) same = false;
  }
  const image = [...names].find((name) => name.endsWith('.img.zst'));
  if (image === undefined || hashOf(path.join(one, image)) === hashOf(path.join(two, image))) return same;
  const disks = [one, two].map((folder, index) => {
    const disk = path.join(work, `${index}.img`);
    execFileSync('zstd', ['-d', '-q', '--long=27', path.join(folder, image), '-o', disk]);
    return disk;
  });
  partitions(disks);
  roots(disks, work);
  return same;
}

/** Of each partition: is it the same? */
function partitions([one = '', two = '']: string[]): void {
  const table = (disk: string): Array<{ start: number; size: number }> => {
    const { partitiontable } = JSON.parse(execFileSync('sfdisk', ['--json', disk], { encoding: 'utf8' })) as {
      partitiontable: { partitions: Array<{ start: number; size: number }> };
    };
    return partitiontable.partitions;
  };
  const others = table(two);
  for (const [index, { start, size }] of table(one).entries()) {
    const other = others[index];
    const equal = other?.start === start && other.size === size && part(one, start, size) === part(two, start, size);
    tell(`  partition ${PARTITIONS[index] ?? index}: ${equal ? 'same' : 'differs'}`);
  }
}

/** Of the root: which files? */
function roots(disks: string[], work: string): void {
  const [one, two] = disks.map((disk, index) => {
    const { partitiontable } = JSON.parse(execFileSync('sfdisk', ['--json', disk], { encoding: 'utf8' })) as {
      partitiontable: { partitions: Array<{ start: number; name: string }> };
    };
    const start = partitiontable.partitions.find(({ name }) => name === 'root-a')?.start ?? 0;
    const tree = path.join(work, `tree-${index}`);
    spawnSync('unsquashfs', ['-q', '-n', '-o', String(start * 512), '-d', tree, disk], { stdio: 'ignore' });
    return describe(tree);
  });
  const names = new Set([...(one?.keys() ?? []), ...(two?.keys() ?? [])]);
  const different = [...names].filter((name) => one?.get(name) !== two?.get(name)).toSorted();
  tell(`  ${names.size} files in the root, ${different.length} differ`);
  for (const name of different.slice(0, MOST_SHOWN))
    tell(`    ${name}: ${one?.get(name) ?? 'missing'} / ${two?.get(name) ?? 'missing'}`);
}

/** Name → type, mode, owner, time, content. */
function describe(tree: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(tree, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(tree, name);
    const facts = lstatSync(file);
    const content = facts.isSymbolicLink()
      ? readlinkSync(file)
      : facts.isFile()
        ? (hashOf(file) ?? '').slice(0, 16)
        : '';
    const { mode, uid, gid, mtimeMs } = facts;
    found.set(name, `${mode.toString(8)} ${uid}:${gid} ${Math.round(mtimeMs / 1_000)} ${content}`);
  }
  return found;
}

function hashOf(file: string): string | undefined {
  try {
    const { size } = lstatSync(file);
    return size < 64 * MIB ? sha256(readFileSync(file)) : part(file, 0, Math.ceil(size / 512));
  } catch {
    return undefined;
  }
}

function part(file: string, start: number, sectors: number): string {
  const hash = createHash('sha256');
  const handle = openSync(file, 'r');
  const buffer = Buffer.alloc(4 * MIB);
  try {
    for (let at = start * 512, left = sectors * 512; left > 0; ) {
      const read = readSync(handle, buffer, 0, Math.min(buffer.length, left), at);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
      at += read;
      left -= read;
    }
  } finally {
    closeSync(handle);
  }
  return hash.digest('hex');
}

function sha256(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex');
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = main();
