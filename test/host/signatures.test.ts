/**
 * New virus signatures on a real clamd with small real databases: in use when they are fit, taken back when they call clean mail
 * a virus or miss EICAR, waiting for the quiet hours where there is memory for one instance only.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { eicarText, starterSignatures } from '../../scripts/engines/starter-signatures.ts';
import { hamFiles } from '../../scripts/image/ham.ts';
import { systemClock } from '../../src/base/clock.ts';
import { scanOctets } from '../../src/host/clamd-ask.ts';
import type { RunCommand } from '../../src/host/command.ts';
import { openRecord } from '../../src/host/record.ts';
import { freshclamConfiguration, memoryMode } from '../../src/host/signature-files.ts';
import { signatureTrouble, UNASKED_MS } from '../../src/host/signature-trouble.ts';
import { createSignatures, type Signatures } from '../../src/host/signatures.ts';
import type { SignaturesAnswer } from '../../src/control/signature-shapes.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Child, startChild, until } from '../support/process.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const GIB = 1024 ** 3;
const CLAMD = '/usr/sbin/clamd';
const ADVERT = 'The room is booked';
const never = new AbortController().signal;

type Rules = Record<string, string>;
const EICAR: Rules = { 'Win.Test.EICAR_HDB-1': eicarText() };

/** Plain signatures, as an own mirror may carry them: nobody can sign a database for a test. */
function database(rules: Rules): string {
  return Object.entries(rules)
    .map(([rule, text]) => `${rule}:0:*:${Buffer.from(text, 'latin1').toString('hex')}\n`)
    .join('');
}

interface World {
  signatures: Signatures;
  /** What freshclam brings next time. */
  offers(rules: Rules): Promise<void>;
  /** What the antivirus in use says; undefined: clean. */
  finds(text: string): Promise<string | undefined>;
  show(): Promise<SignaturesAnswer>;
  /** What the gateway was told: how long mail waits. */
  holds: number[];
  calls: string[];
  clock: FakeClock;
  record: ReturnType<typeof openRecord>;
  /** As after a start of the machine. */
  again(): Signatures;
}

async function world(context: TestContext, options: { gib: number; hour?: number }): Promise<World> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-signatures-'));
  const at = (name: string): string => path.join(dir, name);
  const units = new Map<string, Child>();
  context.after(async () => {
    for (const child of units.values()) await child.stop();
    await rm(dir, { recursive: true, force: true });
  });
  for (const name of ['clamav/fetch', 'clamav/sets', 'run', 'ham', 'data', 'offered', 'temporary'])
    await mkdir(at(name), { recursive: true });
  await writeFile(at('starter.ndb'), starterSignatures());
  for (const { name, octets } of hamFiles()) await writeFile(at(`ham/${name}`), octets);
  await configure('clamd', 'current');
  await configure('proof', 'candidate');

  async function configure(name: string, link: string): Promise<void> {
    const template = await readFile(path.join(ROOT, 'scripts/engines/clamd.conf'), 'utf8');
    const text = template
      .replace('@DATABASE@', at(`clamav/${link}`))
      .replace('@STATE@', at('temporary'))
      .replace('@RUN@/clamd.sock', at(`${name}.sock`));
    await writeFile(at(`${name}.conf`), text);
  }
  async function startUnit(name: string): Promise<void> {
    await units.get(name)?.stop();
    units.set(name, await startChild(CLAMD, ['-c', at(`${name}.conf`)], { env: { ...process.env, TZ: 'UTC' } }));
  }
  const calls: string[] = [];
  const run: RunCommand = async (program, args) => {
    const line = [program, ...args].join(' ');
    calls.push(line);
    if (line === 'systemctl start sekisho-freshclam.service')
      await cp(at('offered'), at('clamav/fetch'), { recursive: true });
    if (line === 'systemctl start sekisho-clamd-proof.service') await startUnit('proof');
    if (line === 'systemctl stop sekisho-clamd-proof.service') await units.get('proof')?.stop();
    if (line === 'systemctl restart sekisho-clamd.service') await startUnit('clamd');
    return { code: 0, stdout: '', stderr: '', missing: false, late: false };
  };
  // its monotonic side moves by itself, so that nothing waits for ever; the hour of day is the test's
  const clock = new FakeClock();
  clock.step((options.hour ?? 12) * 3_600_000);
  const began = systemClock().monotonic();
  clock.monotonic = () => systemClock().monotonic() - began;
  const record = openRecord(at('data'));
  const holds: number[] = [];
  const make = (): Signatures =>
    createSignatures({
      record,
      clock,
      run,
      places: {
        root: at('clamav'),
        run: at('run'),
        ham: at('ham'),
        starter: at('starter.ndb'),
        clamd: at('clamd.sock'),
        proof: at('proof.sock'),
        inbox: at('inbox'),
      },
      totalOctets: options.gib * GIB,
      timeZone: () => 'UTC',
      usedOctets: async () => undefined,
      hold: async (ms) => void holds.push(ms),
      clamav: undefined,
      log: () => undefined,
    });
  const signatures = make();
  await signatures.prepare();
  await startUnit('clamd');
  const finds = async (text: string): Promise<string | undefined> =>
    (await scanOctets(at('clamd.sock'), Buffer.from(text, 'latin1'), 30_000)).found;
  await until('clamd', { ms: 60_000 }, () =>
    finds('x').then(
      () => true,
      () => undefined,
    ),
  );
  return {
    signatures,
    finds,
    holds,
    calls,
    clock,
    record,
    again: make,
    show: () => signatures.show(),
    offers: async (rules) => {
      await writeFile(at('offered/main.ndb'), database({ 'Main.Test': 'a text of the main database' }));
      await writeFile(at('offered/daily.ndb'), database(rules));
    },
  };
}

test('with memory for two: fit signatures are proven beside the antivirus and then in use', {
  timeout: 180_000,
}, async (context) => {
  const box = await world(context, { gib: 7.8 });
  assert.match((await box.finds(eicarText())) ?? '', /^Eicar-Test-Signature/, 'a new box knows the test file only');
  await box.offers({ ...EICAR, 'Win.Bad.One': 'first of the bad ones' });
  await box.signatures.update(never);
  const shown = await box.show();
  assert.equal(shown.current?.full, true);
  assert.deepEqual(
    shown.current?.files.map(({ name }) => name),
    ['daily.ndb', 'main.ndb'],
  );
  assert.match((await box.finds('first of the bad ones')) ?? '', /^Win\.Bad\.One/);
  assert.deepEqual(box.holds, [0], 'nothing stands still meanwhile');
  const before = box.calls.length;
  await box.signatures.update(never);
  assert.equal(box.calls.length, before + 1, 'nothing new: only asked');
});

test('a database that calls clean mail a virus is never in use, and is not tried again', {
  timeout: 180_000,
}, async (context) => {
  const box = await world(context, { gib: 8 });
  await box.offers(EICAR);
  await box.signatures.update(never);
  await box.offers({ ...EICAR, 'Win.False.Alarm': ADVERT });
  await assert.rejects(box.signatures.update(never), /is clean and was called Win\.False\.Alarm/);
  assert.equal(await box.finds(ADVERT), undefined, 'the good ones work on');
  assert.equal((await box.show()).lastRefused?.rolledBack, false);
  const proofs = (): number => box.calls.filter((line) => line.includes('start sekisho-clamd-proof')).length;
  const before = proofs();
  await box.signatures.update(never);
  assert.equal(proofs(), before, 'the same database is refused without another proof');
  await box.offers({ ...EICAR, 'Win.Bad.Two': 'second of the bad ones' });
  await box.signatures.update(never);
  assert.match((await box.finds('second of the bad ones')) ?? '', /Win\.Bad\.Two/, 'the next fit one is used');
});

test('with memory for one: a database that misses EICAR is taken back, while mail waits', {
  timeout: 180_000,
}, async (context) => {
  const box = await world(context, { gib: 3.8, hour: 3 });
  await box.offers(EICAR);
  await box.signatures.update(never);
  box.holds.length = 0;
  const begun = performance.now();
  await box.offers({ 'Win.Bad.One': 'first of the bad ones' });
  await assert.rejects(box.signatures.update(never), /EICAR was not found/);
  context.diagnostic(`taken back after ${Math.round(performance.now() - begun)} ms`);
  assert.ok(performance.now() - begun < 300_000);
  assert.match((await box.finds(eicarText())) ?? '', /EICAR/, 'the last good set is in use again');
  assert.equal(await box.finds('first of the bad ones'), undefined);
  assert.ok((box.holds[0] ?? 0) > 0, 'mail waited before the antivirus read anything');
  assert.equal(box.holds.at(-1), 0, 'and goes on after the proof');
  assert.equal((await box.show()).lastRefused?.rolledBack, true);
  const alarms = await signatureTrouble({ ...box, startedAt: new Date(box.clock.wall()).toISOString() });
  assert.deepEqual(
    alarms.map(({ name }) => name),
    ['signatures-unfit'],
  );
});

test('a database that clamd cannot even load is taken back', { timeout: 180_000 }, async (context) => {
  const box = await world(context, { gib: 3.8, hour: 3 });
  await box.offers(EICAR);
  await box.signatures.update(never);
  await box.offers({ 'Broken:0:*:zz\nBroken': 'x' });
  await assert.rejects(box.signatures.update(never), /unfit/);
  assert.match((await box.finds(eicarText())) ?? '', /EICAR/);
});

test('with memory for one, new signatures wait for the quiet hours; the first ones do not', {
  timeout: 180_000,
}, async (context) => {
  const box = await world(context, { gib: 3.8, hour: 14 });
  await box.offers(EICAR);
  await box.signatures.update(never);
  assert.equal((await box.show()).current?.full, true, 'without real ones no hour is too early');
  await box.offers({ ...EICAR, 'Win.Bad.One': 'first of the bad ones' });
  await box.signatures.update(never);
  await box.signatures.look();
  assert.equal((await box.show()).phase, 'waiting');
  assert.equal(await box.finds('first of the bad ones'), undefined);
  box.clock.step(13 * 3_600_000);
  await box.signatures.look();
  assert.match((await box.finds('first of the bad ones')) ?? '', /Win\.Bad\.One/);
  assert.equal((await box.show()).phase, 'idle');
});

test('a power cut between the change and its proof starts with the last good set', {
  timeout: 180_000,
}, async (context) => {
  const box = await world(context, { gib: 3.8, hour: 3 });
  await box.offers(EICAR);
  await box.signatures.update(never);
  const { good } = box.record.current().signatures;
  // what the cut leaves: a newer set that `current` points at already, and no word of its proof
  await box.offers({ 'Win.Bad.One': 'first of the bad ones' });
  const stopped = AbortSignal.abort();
  await assert.rejects(box.signatures.update(stopped), /stopped/);
  assert.notEqual((await box.show()).current?.number, good);
  await box.again().prepare();
  assert.equal((await box.show()).current?.number, good);
});

test('the mode follows the memory, and too little of it is told with what can be done', {
  timeout: 60_000,
}, async (context) => {
  const mode = (gib: number): string => memoryMode(gib * GIB, 'auto');
  assert.deepEqual([1.9, 3.8, 5.8, 7.7].map(mode), ['small', 'one', 'two', 'two']);
  assert.equal(memoryMode(2 * GIB, 'one'), 'one', 'the owner may say otherwise');
  const box = await world(context, { gib: 1.9 });
  await box.offers(EICAR);
  await box.signatures.update(never);
  assert.deepEqual(box.calls, [], 'nothing is fetched for it');
  const alarms = await signatureTrouble({ ...box, startedAt: new Date(box.clock.wall()).toISOString() });
  assert.deepEqual(
    alarms.map(({ name, detail }) => [name, detail]),
    [['antivirus-memory', '1.9 GiB']],
  );
});

test('a day without certainty is an alarm, but not just after the start and not where they are uploaded', async (context) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-signatures-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const clock = new FakeClock();
  const record = openRecord(dir);
  const show = async () => ({ mode: 'two', memory: { totalOctets: 0 } }) as SignaturesAnswer;
  const startedAt = new Date(clock.wall()).toISOString();
  const alarms = async (): Promise<string[]> =>
    (await signatureTrouble({ signatures: { show }, record, clock, startedAt })).map(({ name }) => name);
  const edit = (more: object): Promise<void> =>
    record.change((state) => ({ ...state, signatures: { ...state.signatures, ...more } }));
  await edit({ fetchedAt: clock.wall() - 5 * UNASKED_MS });
  assert.deepEqual(await alarms(), [], 'it was off for days and has just started');
  clock.advance(2 * 3_600_000);
  assert.deepEqual(await alarms(), ['signatures-unasked']);
  await edit({ fetchedAt: clock.wall() });
  assert.deepEqual(await alarms(), []);
  clock.advance(UNASKED_MS + 1);
  assert.deepEqual(await alarms(), ['signatures-unasked']);
  await edit({ settings: { ...record.current().signatures.settings, source: 'offline' } });
  assert.deepEqual(await alarms(), []);
});

test('freshclam’s configuration follows the owner: own mirror, proxy, its own test where nothing else proves', () => {
  const base = { source: 'internet', window: { from: 3, to: 5 }, mode: 'auto' } as const;
  const options = { folder: '/var/lib/clamav/fetch', mode: 'two' } as const;
  assert.match(freshclamConfiguration(base, options), /^DatabaseMirror database\.clamav\.net$/m);
  const own = freshclamConfiguration(
    {
      ...base,
      source: 'mirror',
      mirror: 'https://mirror.example/clamav',
      proxy: { host: 'proxy.example', port: 3_128, user: 'box', password: 'word' },
    },
    { ...options, mode: 'one' },
  );
  for (const line of [
    'PrivateMirror https://mirror.example/clamav',
    'HTTPProxyServer proxy.example',
    'HTTPProxyPort 3128',
    'HTTPProxyUsername box',
    'HTTPProxyPassword word',
    'TestDatabases yes',
  ])
    assert.ok(own.split('\n').includes(line), line);
  assert.doesNotMatch(own, /database\.clamav\.net/);
});

test('the clean set is mail of many kinds, the same at each build', () => {
  const files = hamFiles();
  assert.ok(files.length >= 12);
  assert.deepEqual(hamFiles(), files);
  assert.ok(files.some(({ octets }) => octets.includes(ADVERT)));
});

test('what a fetch that was cut off left on the disk goes before the next one', async (context) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-fetch-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  // as a real freshclam leaves it (seen after SIGTERM and SIGKILL)
  await mkdir(path.join(dir, 'tmp.2ca2ee5b41/clamav-1'), { recursive: true });
  await writeFile(path.join(dir, 'tmp.2ca2ee5b41/clamav-1/part'), 'a hundred megabytes');
  for (const name of ['daily.cvd', 'main.cvd', 'freshclam.dat']) await writeFile(path.join(dir, name), 'kept');
  const unit = await readFile(path.join(ROOT, 'rootfs/usr/lib/systemd/system/sekisho-freshclam.service'), 'utf8');
  const [program = '', ...args] = (/^ExecStartPre=(.+)$/m.exec(unit)?.[1] ?? '').split(' ');
  const result = spawnSync(
    program,
    args.map((arg) => arg.replace('/var/lib/clamav/fetch', dir)),
  );
  assert.equal(result.status, 0, result.stderr.toString());
  assert.deepEqual((await readdir(dir)).toSorted(), ['daily.cvd', 'freshclam.dat', 'main.cvd']);
});
