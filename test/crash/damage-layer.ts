/**
 * A spool on the real disk with the real LevelDB is damaged while nobody runs: bits flipped, files cut short, blocks
 * zeroed, and the ways LevelDB is known to break without a word. Then it is opened and everything in it is delivered.
 * No altered body may come out, nothing may be missing without being shown, what was not damaged flows within 60 s, and the
 * state before any repair is kept (`corrupt/`, `inquiry/`), octet for octet.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { ForwardPath } from '../../src/mail/address.ts';
import { silentObserve } from '../../src/observe/events.ts';
import { FOLDERS, type Folder, type SpoolRecovery } from '../../src/spool/api.ts';
import { type Database, openLevelDatabase } from '../../src/spool/database.ts';
import { diskFiles } from '../../src/spool/files.ts';
import { openSpool } from '../../src/spool/open.ts';
import type { SpoolStore } from '../../src/spool/store.ts';
import { ALICE, BOB, put } from '../contracts/spool.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { randomFrom } from './outside.ts';

export interface DamageReport {
  seed: number;
  cases: number;
  byKind: Record<string, number>;
  delivered: number;
  setAside: number;
  rebuilt: number;
  /** Processes that the database took with it before one got through. */
  deaths: number;
  requeued: number;
  servedAgain: number;
  slowestMs: number;
  problems: string[];
}

/** One message as it was before the damage. */
interface Known {
  folder: Folder;
  sha: string;
  open: readonly ForwardPath[];
  settled: readonly ForwardPath[];
  file: string;
}

interface Original {
  root: string;
  clock: FakeClock;
  messages: Map<string, Known>;
}

/** What was done, and the message file it was done to, if it was one. */
interface Damage {
  kind: string;
  target: string;
  message?: string;
}

const MOST_TOLD = 20;
const FLOWS_WITHIN_MS = 60_000;
const MOST_STARTS = 4;

export async function damageLayer(options: {
  count: number;
  seed: number;
  until?: number;
  tell?: (text: string) => void;
}): Promise<DamageReport> {
  const report: DamageReport = {
    seed: options.seed,
    cases: 0,
    byKind: {},
    delivered: 0,
    setAside: 0,
    rebuilt: 0,
    deaths: 0,
    requeued: 0,
    servedAgain: 0,
    slowestMs: 0,
    problems: [],
  };
  const home = await mkdtemp(path.join(tmpdir(), 'sekisho-damage-'));
  try {
    const original = await makeOriginal(path.join(home, 'original'));
    const random = randomFrom(options.seed);
    const cases = [...KNOWN_ROWS, ...Array.from({ length: options.count }, () => anyDamage(random))];
    for (const damage of cases) {
      if (performance.now() > (options.until ?? Number.POSITIVE_INFINITY)) break;
      if (report.problems.length >= MOST_TOLD) break;
      const root = path.join(home, 'damaged');
      await rm(root, { recursive: true, force: true });
      await cp(original.root, root, { recursive: true });
      const done = await damage(root);
      report.cases += 1;
      report.byKind[done.kind] = (report.byKind[done.kind] ?? 0) + 1;
      await openAndDeliver(root, { original, done, report });
      if (report.cases % 100 === 0) options.tell?.(`${report.cases} damages, ${report.problems.length} broken`);
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  return report;
}

// — before —

async function openAt(
  root: string,
  clock: FakeClock,
  create = false,
): Promise<{ spool: SpoolStore; end: () => Promise<void> }> {
  let database: Database | undefined;
  const spool = await openSpool({
    root,
    files: diskFiles(),
    openDatabase: async (directory) => {
      database = await openLevelDatabase(directory);
      return database;
    },
    clock,
    observe: silentObserve,
    limits: () => ({ floorOctets: 0, floorPercent: 0 }),
    create,
    onFault: () => undefined,
  });
  return {
    spool,
    end: async () => {
      await spool[Symbol.asyncDispose]().catch(() => undefined);
      await database?.close().catch(() => undefined);
    },
  };
}

/** Messages in every folder, some half delivered, a few finished: tables and a log in LevelDB. Stopped in order. */
async function makeOriginal(root: string): Promise<Original> {
  const clock = new FakeClock();
  const messages = new Map<string, Known>();
  for (let round = 0; round < 3; round += 1) {
    const { spool, end } = await openAt(root, clock, round === 0);
    for (let at = 0; at < 12; at += 1) {
      const number = round * 12 + at;
      const size = number % 11 === 0 ? 320_000 : 400 + number * 37;
      const body = Buffer.from(`Subject: ${number}\r\n\r\n`.padEnd(size, `body of message ${number} `));
      const folder = (['queue', 'queue', 'queue', 'quarantine', 'held', 'incoming'] as const)[at % 6] ?? 'queue';
      const id = await put(spool, clock, { body, to: [ALICE, BOB], folder });
      const half = folder === 'queue' && at % 2 === 0;
      if (half) {
        await spool.recordAttempt(id, [ALICE, BOB], 'hop');
        await spool.settle(id, [{ address: BOB, outcome: 'delivered' }]);
        await spool.defer(id, [{ address: ALICE, reply: '450 later', wait: 1_000 }]);
      }
      const files = await readdir(path.join(root, folder), { recursive: true });
      const file = path.join(folder, files.find((name) => name.endsWith(`${id}.msg`)) ?? '');
      const sha = createHash('sha256').update(body).digest('hex');
      messages.set(id, { folder, sha, open: half ? [ALICE] : [ALICE, BOB], settled: half ? [BOB] : [], file });
    }
    const gone = await put(spool, clock, { body: Buffer.from(`gone ${round}\r\n`) });
    await spool.recordAttempt(gone, [ALICE], 'hop');
    await spool.settle(gone, [{ address: ALICE, outcome: 'delivered' }]);
    await end();
  }
  return { root, clock, messages };
}

// — damage —

type Doing = (root: string) => Promise<Damage>;

async function levelFiles(root: string, wanted: RegExp): Promise<string[]> {
  const names = (await readdir(path.join(root, 'level'))).filter((name) => wanted.test(name)).toSorted();
  return names.map((name) => path.join('level', name));
}

function row(kind: string, wanted: RegExp, work: (file: string) => Promise<void>): Doing {
  return async (root) => {
    const target = (await levelFiles(root, wanted)).at(-1);
    if (target === undefined) throw new Error(`LevelDB has no file like ${String(wanted)}`);
    await work(path.join(root, target));
    return { kind: `LevelDB: ${kind}`, target };
  };
}

const shorten = (octets: number) => async (file: string) =>
  truncate(file, Math.max(0, (await stat(file)).size - octets));

/** Each of them opens without a word, or not at all, with LevelDB alone (measured). */
const KNOWN_ROWS: readonly Doing[] = [
  row('CURRENT empty', /^CURRENT$/, (file) => truncate(file, 0)),
  row('CURRENT missing', /^CURRENT$/, (file) => rm(file)),
  row('MANIFEST missing', /^MANIFEST/, (file) => rm(file)),
  row('MANIFEST short by 10', /^MANIFEST/, shorten(10)),
  row('a table of 0 octets', /\.ldb$/, (file) => truncate(file, 0)),
  row('a table missing', /\.ldb$/, (file) => rm(file)),
  row('log cut by 100', /\.log$/, shorten(100)),
  row('log missing', /\.log$/, (file) => rm(file)),
  async (root) => {
    await rm(path.join(root, 'level'), { recursive: true });
    return { kind: 'LevelDB: all of it missing', target: 'level' };
  },
];

const KINDS = ['bit flip', 'truncation', 'zeroed block'] as const;

/** One seeded damage: of a message file twice in three, else of a file of LevelDB. */
function anyDamage(random: () => number): Doing {
  const [where, which, what, at] = [random(), random(), random(), random()];
  return async (root) => {
    const inMessages = where < 0.66;
    const names = inMessages ? await messageFiles(root) : await levelFiles(root, /^CURRENT$|^MANIFEST|\.ldb$|\.log$/);
    const target = names[Math.floor(which * names.length)] ?? '';
    const kind = KINDS[Math.floor(what * KINDS.length)] ?? 'bit flip';
    const content = await readFile(path.join(root, target));
    const position = Math.floor(at * content.length);
    if (kind === 'bit flip' && content.length > 0) {
      content[position] = (content[position] ?? 0) ^ (1 << (Math.floor(at * 8_000) % 8));
    } else if (kind === 'zeroed block') {
      const block = Math.floor(position / 512) * 512;
      content.fill(0, block, Math.min(content.length, block + 512));
    }
    await writeFile(path.join(root, target), kind === 'truncation' ? content.subarray(0, position) : content);
    const message = inMessages ? { message: path.basename(target, '.msg') } : {};
    return { kind: `${inMessages ? 'message' : 'LevelDB'}: ${kind}`, target, ...message };
  };
}

async function messageFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of FOLDERS) {
    const names = await readdir(path.join(root, folder), { recursive: true });
    found.push(...names.filter((name) => name.endsWith('.msg')).map((name) => path.join(folder, name)));
  }
  return found.toSorted();
}

// — after —

async function openAndDeliver(
  root: string,
  options: { original: Original; done: Damage; report: DamageReport },
): Promise<void> {
  const { original, done, report } = options;
  const broken = (what: string): number => report.problems.push(`${done.kind} (${done.target}): ${what}`);
  const begun = performance.now();
  const before = await snapshot(root);
  let opened: Awaited<ReturnType<typeof openAt>>;
  const mended = done.message === undefined ? await mendedByStarts(root, report) : undefined;
  if (mended === 'never') return void broken('no start gets past it');
  try {
    opened = await openAt(root, original.clock);
  } catch (error) {
    broken(`the spool does not open: ${String(error)}`);
    return;
  }
  const { spool, end } = opened;
  try {
    const recovery = mended ?? spool.status().recovery;
    if (recovery.databaseRebuilt) report.rebuilt += 1;
    report.requeued += recovery.requeued;
    const served = await serveAll(spool);
    for (const [id, known] of original.messages) {
      const got = served.get(id);
      if (got === undefined) {
        if (spool.folderOf(id as never) !== 'corrupt') broken(`${id} of ${known.folder} is gone without a trace`);
        else if (id !== done.message) broken(`${id} was not damaged, and lies in corrupt/`);
        else report.setAside += 1;
        continue;
      }
      if (got.sha !== known.sha) broken(`an altered body of ${id} came out`);
      if (got.folder !== known.folder) broken(`${id} went from ${known.folder} to ${got.folder}`);
      if (known.folder === 'incoming') continue;
      for (const one of known.open) if (!got.recipients.includes(one)) broken(`${one} of ${id} was not served`);
      const again = known.settled.filter((one) => got.recipients.includes(one)).length;
      report.servedAgain += again;
      if (again > 0 && !recovery.databaseRebuilt && recovery.requeued === 0)
        broken(`${id} was served again, uncounted`);
      report.delivered += 1;
    }
    await compareKept(root, { before, done, rebuilt: recovery.databaseRebuilt, broken });
  } finally {
    await end();
  }
  const elapsed = performance.now() - begun;
  report.slowestMs = Math.max(report.slowestMs, elapsed);
  if (elapsed > FLOWS_WITHIN_MS) broken(`it took ${elapsed.toFixed(0)} ms until the rest had flowed`);
}

/**
 * LevelDB ends the whole process on some damage. Tried on a copy in a process of its own; where that one dies, the real
 * folder is started as systemd would, again and again, until a start gets through. Undefined: it does not die of it.
 */
async function mendedByStarts(root: string, report: DamageReport): Promise<SpoolRecovery | 'never' | undefined> {
  const copy = `${root}-copy`;
  await cp(root, copy, { recursive: true });
  const first = start(copy);
  await rm(copy, { recursive: true, force: true });
  if (first !== undefined) return undefined;
  for (let turn = 1; turn <= MOST_STARTS; turn += 1) {
    const recovery = start(root);
    if (recovery === undefined) continue;
    report.deaths += turn - 1;
    return recovery;
  }
  return 'never';
}

/** What it told, or undefined when it was ended by a signal. */
function start(root: string): SpoolRecovery | undefined {
  const entry = path.join(import.meta.dirname, 'damage-open.ts');
  const child = spawnSync(process.execPath, [entry, root], { encoding: 'utf8', timeout: 60_000 });
  if (child.signal !== null) return undefined;
  if (child.status !== 0) throw new Error(`The start failed: ${child.stderr}`);
  return JSON.parse(child.stdout) as SpoolRecovery;
}

interface Served {
  folder: Folder;
  sha: string;
  recipients: ForwardPath[];
}

/** As delivery, inspection and release would: read, verified, settled. What errors is not out. */
async function serveAll(spool: SpoolStore): Promise<Map<string, Served>> {
  const served = new Map<string, Served>();
  for (const folder of ['queue', 'held', 'quarantine', 'incoming'] as const) {
    for (const { id } of await spool.list(folder)) {
      const message = await spool.read(id);
      if (message === undefined) continue;
      const body = await buffer(spool.openBody(message)).catch(() => undefined);
      if (body === undefined) continue;
      const recipients = message.progress.recipients
        .filter((one) => one.outcome === undefined)
        .map((one) => one.address);
      served.set(id, { folder, sha: createHash('sha256').update(body).digest('hex'), recipients });
      if (folder !== 'queue') continue;
      await spool.recordAttempt(id, recipients, 'hop');
      await spool.settle(
        id,
        recipients.map((address) => ({ address, outcome: 'delivered' })),
      );
    }
  }
  await spool.flush();
  return served;
}

async function snapshot(root: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const name of [...(await levelFiles(root, /./).catch(() => [])), ...(await messageFiles(root))]) {
    found.set(name, await readFile(path.join(root, name)));
  }
  return found;
}

/** What was set aside is what was found, octet for octet. */
async function compareKept(
  root: string,
  options: { before: Map<string, Buffer>; done: Damage; rebuilt: boolean; broken: (what: string) => void },
): Promise<void> {
  const { before, done, rebuilt, broken } = options;
  if (done.message !== undefined) {
    const kept = (await messageFiles(root)).find(
      (name) => name.includes(done.message ?? '') && name.startsWith('corrupt'),
    );
    const same =
      kept !== undefined && (await readFile(path.join(root, kept))).equals(before.get(done.target) ?? Buffer.alloc(0));
    if (kept !== undefined && !same) broken('corrupt/ does not hold what was found');
  }
  if (!rebuilt || before.size === 0) return;
  const asides = await readdir(path.join(root, 'inquiry'));
  const aside = asides[0];
  if (aside === undefined) {
    if (done.target !== 'level') broken('the damaged database was not kept');
    return;
  }
  for (const [name, content] of before) {
    if (!/^level\/(?:\d+\.(?:ldb|log)|MANIFEST|CURRENT)/.test(name)) continue;
    const kept = await readFile(path.join(root, 'inquiry', aside, path.basename(name))).catch(() => undefined);
    if (kept === undefined || !kept.equals(content)) broken(`inquiry/ lacks ${name} as it was found`);
  }
}

export function damageLines(report: DamageReport): string[] {
  const kinds = Object.entries(report.byKind).map(([kind, count]) => `${kind} ${count}`);
  return [
    `seed ${report.seed}: ${report.cases} damages (${kinds.join(', ')})`,
    `served ${report.delivered}, set aside in corrupt/ ${report.setAside}, databases rebuilt ${report.rebuilt} (${report.deaths} processes died of theirs first), files queued anew ${report.requeued}, recipients served again ${report.servedAgain}`,
    `slowest from opening to all delivered ${report.slowestMs.toFixed(0)} ms; broken ${report.problems.length}`,
  ];
}
