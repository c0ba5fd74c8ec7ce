/**
 * The power cut on a real kernel: a bare guest (Debian's kernel, our Node, the real spool, LevelDB and ext4) writes to a disk
 * whose every write is recorded in order (QEMU's `blklogwrites`). The recording is replayed up to many points, flush
 * boundaries and in between; each state is repaired as a boot would (e2fsck replays the journal), its spool read out
 * (debugfs) and opened. What the guest had promised before that point must be there. Needs apt, QEMU and e2fsprogs.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { systemClock } from '../../src/base/clock.ts';
import { rootOf } from '../../src/mail/queue-id.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { FOLDERS } from '../../src/spool/api.ts';
import { openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import { bootedFrom, type Initrd, makeInitrd } from './guest-machine.ts';

export interface GuestReport {
  acked: number;
  settled: number;
  entries: number;
  flushes: number;
  points: number;
  atFlushes: number;
  checkedMessages: number;
  rebuilt: number;
  problems: string[];
}

/** What the guest said, and how long the recording was when the host heard it: a later prefix must hold it. */
interface Said {
  what: 'ACK' | 'TRY' | 'SET';
  id: string;
  sha: string;
  recipients: readonly string[];
  logged: number;
}

interface LogEntry {
  at: number;
  sector: number;
  sectors: number;
  flags: number;
}

const ROOT = path.resolve(import.meta.dirname, '../..');
/** On a disk of the host's, or where TMPDIR says: in memory (/dev/shm) the replay is several times as fast, and the guest's disk is its own. */
const WORK_PARENT = process.env['TMPDIR'] ?? '/var/tmp';
const DISK = '384M';
const SECTOR = 512;
const FLUSH = 1;
const FUA = 2;
const DISCARD = 4;
const BOOT_GUARD_MS = 600_000;
/** What the spool's imports need of node_modules. */
const PACKAGES =
  'level classic-level abstract-level level-supports level-transcoder module-error node-gyp-build buffer base64-js ieee754 is-buffer maybe-combine-errors queue-microtask tldts tldts-core libmime encoding-japanese iconv-lite safer-buffer libbase64 libqp ipaddr.js zod'.split(
    ' ',
  );

export async function guestLayer(options: {
  points: number;
  /** The guest is cut off this long after its spool was ready. */
  writeMs: number;
  tell: (text: string) => void;
  until?: number;
}): Promise<GuestReport> {
  const home = await mkdtemp(path.join(WORK_PARENT, 'sekisho-guest-'));
  try {
    const run = 'cd /app && UV_THREADPOOL_SIZE=16 /bin/node test/crash/guest-writer.ts';
    const initrd = makeInitrd(home, { run, fill: fillGuest });
    const disk = path.join(home, 'disk.img');
    execFileSync('truncate', ['-s', DISK, disk]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', disk]);
    execFileSync('cp', ['--sparse=always', disk, `${disk}.before`]);
    const log = path.join(home, 'writes.log');
    writeFileSync(log, '');
    const said = await record({ home, initrd, disk, log, writeMs: options.writeMs, tell: options.tell });
    return await replay({ home, log, said, ...options });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

// — the guest —

/** The spool and what it imports, as sources. */
function fillGuest(root: string): void {
  cpSync(path.join(ROOT, 'src'), path.join(root, 'app/src'), { recursive: true });
  mkdirSync(path.join(root, 'app/test/crash'), { recursive: true });
  cpSync(path.join(import.meta.dirname, 'guest-writer.ts'), path.join(root, 'app/test/crash/guest-writer.ts'));
  cpSync(path.join(ROOT, 'package.json'), path.join(root, 'app/package.json'));
  for (const name of PACKAGES) {
    const from = path.join(ROOT, 'node_modules', name);
    if (existsSync(from)) cpSync(from, path.join(root, 'app/node_modules', name), { recursive: true });
  }
}

async function record(options: {
  home: string;
  initrd: Initrd;
  disk: string;
  log: string;
  writeMs: number;
  tell: (text: string) => void;
}): Promise<Said[]> {
  const { initrd, disk, log, tell } = options;
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      '-machine pc -cpu Nehalem -smp 2 -m 1280 -nodefaults -display none -serial stdio'.split(' '),
      bootedFrom(initrd),
      ['-blockdev', `driver=file,filename=${disk},node-name=under`],
      ['-blockdev', `driver=file,filename=${log},node-name=log`],
      ['-blockdev', 'driver=blklogwrites,node-name=data,file=under,log=log'],
      ['-device', 'virtio-blk-pci,drive=data'],
    ].flat(),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const onExit = (): void => void qemu.kill('SIGKILL');
  process.once('exit', onExit);
  const said: Said[] = [];
  const others: string[] = [];
  let rest = '';
  const ready = Promise.withResolvers<void>();
  qemu.stdout.setEncoding('utf8').on('data', (text: string) => {
    const logged = statSync(log).size;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.map((one) => one.trim())) {
      const [what, id = '', third = '', fourth = ''] = line.split(' ');
      if (what === 'ACK') said.push({ what, id, sha: third, recipients: fourth.split(','), logged });
      else if (what === 'TRY' || what === 'SET') said.push({ what, id, sha: '', recipients: [third], logged });
      else if (what === 'READY') ready.resolve();
      else if (line !== '') others.push(line);
    }
  });
  const ended = new Promise<void>((resolve) => qemu.once('exit', () => resolve()));
  const guard = setTimeout(
    () => ready.reject(new Error(`The guest was not ready: ${others.slice(-20).join(' | ')}`)),
    BOOT_GUARD_MS,
  );
  void ended.then(() => ready.reject(new Error(`QEMU has ended: ${others.slice(-20).join(' | ')}`)));
  try {
    await ready.promise;
    tell('the guest writes');
    await new Promise((resolve) => setTimeout(resolve, options.writeMs));
  } finally {
    clearTimeout(guard);
    qemu.kill('SIGKILL');
    await ended;
    process.off('exit', onExit);
  }
  tell(`the guest said ${said.length} lines; other words: ${others.slice(-3).join(' | ')}`);
  return said;
}

// — the recording —

function readLog(log: string): LogEntry[] {
  const size = statSync(log).size;
  const fd = openSync(log, 'r');
  const entries: LogEntry[] = [];
  const head = Buffer.alloc(32);
  // the first sector is the super block; its count of entries is older than the last ones
  for (let at = SECTOR; at + SECTOR <= size; ) {
    readSync(fd, head, 0, 32, at);
    const entry = {
      at,
      sector: Number(head.readBigUInt64LE(0)),
      sectors: Number(head.readBigUInt64LE(8)),
      flags: Number(head.readBigUInt64LE(16)),
    };
    const data = (entry.flags & DISCARD) === 0 ? entry.sectors * SECTOR : 0;
    if (at + SECTOR + data > size) break;
    entries.push(entry);
    at += SECTOR + data;
  }
  closeSync(fd);
  return entries;
}

async function replay(options: {
  home: string;
  log: string;
  said: readonly Said[];
  points: number;
  tell: (text: string) => void;
  until?: number;
}): Promise<GuestReport> {
  const { home, log, said, tell } = options;
  const entries = readLog(log);
  const flushes = entries.flatMap((entry, index) => ((entry.flags & (FLUSH | FUA)) === 0 ? [] : [index]));
  const report: GuestReport = {
    acked: said.filter(({ what }) => what === 'ACK').length,
    settled: said.filter(({ what }) => what === 'SET').length,
    entries: entries.length,
    flushes: flushes.length,
    points: 0,
    atFlushes: 0,
    checkedMessages: 0,
    rebuilt: 0,
    problems: [],
  };
  const first = entries.findIndex((entry) => entry.at >= (said[0]?.logged ?? 0));
  const span = entries.length - Math.max(first, 0);
  const now = path.join(home, 'disk.img.before');
  const fd = openSync(now, 'r+');
  const source = openSync(log, 'r');
  let applied = 0;
  for (let point = 1; point <= options.points; point += 1) {
    if (performance.now() > (options.until ?? Number.POSITIVE_INFINITY) || report.problems.length >= 20) break;
    // every other one stands right behind a flush, the rest wherever they fall
    let end = Math.max(first, 0) + Math.floor((span * point) / options.points);
    const flush = point % 2 === 0 ? flushes.find((index) => index + 1 >= end) : undefined;
    if (flush !== undefined) end = flush + 1;
    end = Math.max(end, applied);
    for (; applied < end; applied += 1) apply(entries[applied] as LogEntry, { source, fd });
    const last = entries[end - 1];
    if (last === undefined) continue;
    report.points += 1;
    if ((last.flags & (FLUSH | FUA)) !== 0) report.atFlushes += 1;
    const upTo = last.at + SECTOR + ((last.flags & DISCARD) === 0 ? last.sectors * SECTOR : 0);
    await checkPoint({ home, image: now, said, upTo, report, name: `write ${end} of ${entries.length}` });
    if (point % 50 === 0) tell(`${point} points, ${report.problems.length} broken`);
  }
  closeSync(fd);
  closeSync(source);
  return report;
}

function apply(entry: LogEntry, files: { source: number; fd: number }): void {
  if (entry.sectors === 0) return;
  const octets = Buffer.alloc(entry.sectors * SECTOR);
  if ((entry.flags & DISCARD) === 0) readSync(files.source, octets, 0, octets.length, entry.at + SECTOR);
  writeSync(files.fd, octets, 0, octets.length, entry.sector * SECTOR);
}

async function checkPoint(options: {
  home: string;
  image: string;
  said: readonly Said[];
  upTo: number;
  report: GuestReport;
  name: string;
}): Promise<void> {
  const { home, image, said, upTo, report, name } = options;
  const broken = (what: string): number => report.problems.push(`${name}: ${what}`);
  const scratch = path.join(home, 'scratch.img');
  const out = path.join(home, 'out');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  execFileSync('cp', ['--sparse=always', image, scratch]);
  try {
    // 1: the journal was replayed, or something was mended, as at any boot after a cut
    execFileSync('e2fsck', ['-p', scratch], { stdio: ['ignore', 'ignore', 'ignore'] });
  } catch (error) {
    if ((error as { status?: number }).status !== 1)
      return void broken(`e2fsck says ${(error as { status?: number }).status}`);
  }
  execFileSync('debugfs', ['-R', `rdump /spool ${out}`, scratch], { stdio: ['ignore', 'ignore', 'ignore'] });
  const owed = owedAt(said, upTo);
  const root = path.join(out, 'spool');
  const spool = await openSpool({
    root,
    files: diskFiles(),
    openDatabase: openLevelDatabase,
    clock: systemClock(),
    observe: silentObserve,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create: owed.size === 0,
    onFault: () => undefined,
  });
  try {
    const { recovery } = spool.status();
    if (recovery.databaseRebuilt) report.rebuilt += 1;
    if (spool.count('corrupt') > 0) broken(`${spool.count('corrupt')} files are corrupt`);
    const open = new Map<string, string[]>();
    for (const folder of FOLDERS) {
      for (const { id } of await spool.list(folder)) {
        const message = await spool.read(id);
        const body = message === undefined ? undefined : await buffer(spool.openBody(message)).catch(() => undefined);
        if (message === undefined || body === undefined) {
          broken(`${id} in ${folder} cannot be read`);
          continue;
        }
        const family = rootOf(id);
        const promised = owed.get(family);
        const sha = createHash('sha256').update(body).digest('hex');
        if (promised !== undefined && promised.sha !== sha) broken(`${id} was altered`);
        const recipients = message.progress.recipients.filter(({ outcome }) => outcome === undefined);
        open.set(family, [...(open.get(family) ?? []), ...recipients.map(({ address }) => address as string)]);
        report.checkedMessages += 1;
      }
    }
    for (const [id, promised] of owed) {
      const now = open.get(id) ?? [];
      for (const address of promised.recipients) {
        const times = now.filter((one) => one === address).length;
        if (times > 1) broken(`${address} of ${id} is owed ${times} times`);
        if (times === 0 && !promised.tried.has(address)) broken(`${address} of ${id} is lost`);
        if (times > 0 && promised.settled.has(address) && !recovery.databaseRebuilt)
          broken(`${address} of ${id} is served again`);
      }
    }
  } finally {
    await spool[Symbol.asyncDispose]();
  }
}

interface Owed {
  sha: string;
  recipients: readonly string[];
  /** Settling had begun, whenever: it may be durable before it was said. */
  tried: Set<string>;
  settled: Set<string>;
}

function owedAt(said: readonly Said[], upTo: number): Map<string, Owed> {
  const owed = new Map<string, Owed>();
  for (const { what, id, sha, recipients, logged } of said) {
    if (what === 'ACK') {
      if (logged <= upTo) owed.set(id, { sha, recipients, tried: new Set(), settled: new Set() });
      continue;
    }
    const one = owed.get(id.slice(0, 21));
    for (const address of recipients) {
      if (what === 'TRY') one?.tried.add(address);
      else if (logged <= upTo) one?.settled.add(address);
    }
  }
  return owed;
}

export function guestLines(report: GuestReport): string[] {
  return [
    `the guest gave ${report.acked} times a 250 and settled ${report.settled} recipients; ${report.entries} writes recorded, ${report.flushes} of them flushes`,
    `replayed to ${report.points} points, ${report.atFlushes} of them at a flush; ${report.checkedMessages} messages read, databases rebuilt ${report.rebuilt}, broken ${report.problems.length}`,
  ];
}
