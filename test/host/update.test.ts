/**
 * Updates: the trial with its probe mail, the way back and its reason, the owner's hours, the version floor; and bundles made,
 * signed, flipped and read by the real `rauc`.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync, copyFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, before, test } from 'node:test';
import type { ServiceAnswer } from '../../src/control/host-shapes.ts';
import { createCommandRunner } from '../../src/host/command.ts';
import { compareVersions, createRauc, type Rauc, type RaucSlot } from '../../src/host/rauc.ts';
import { openRecord, type RecordFile } from '../../src/host/record.ts';
import { trialChecks } from '../../src/host/trial-checks.ts';
import { createUpdates, type TrialCheck, type Updates, UNQUIET_MS } from '../../src/host/update.ts';
import { inWindow } from '../../src/host/update-window.ts';
import type { UsbSticks } from '../../src/host/usb.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { peerEnvironment, peersPrefix } from '../support/peers.ts';
import { until } from '../support/process.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'sekisho-update-'));
  folders.push(made);
  return made;
}

interface Box {
  updates: Updates;
  record: RecordFile;
  clock: FakeClock;
  calls: string[];
  dir: string;
  rauc: Rauc;
  world: {
    booted: 'A' | 'B';
    checks: TrialCheck[];
    quiet: boolean;
    atHand: boolean;
    asked: boolean[];
    bundleVersion: string;
  };
}

/** `from`: the host of the same machine before; its record and slots go on. */
function box(
  options: {
    from?: Box;
    bootId?: string;
    rauc?: Rauc;
    usb?: UsbSticks;
    fetch?: typeof fetch;
    free?: () => number;
  } = {},
): Box {
  const dir = options.from?.dir ?? folder();
  const clock = options.from?.clock ?? new FakeClock();
  const world = options.from?.world ?? {
    booted: 'A' as const,
    checks: [{ name: 'gateway', ok: true, detail: 'running' }],
    quiet: true,
    atHand: true,
    asked: [],
    bundleVersion: '1.1.0',
  };
  const calls = options.from?.calls ?? [];
  const slot = (name: 'A' | 'B'): RaucSlot => ({
    name,
    booted: world.booted === name,
    good: false,
    version: undefined,
    installedAt: undefined,
  });
  const rauc: Rauc = options.rauc ?? {
    slots: () => Promise.resolve([slot('A'), slot('B')]),
    info: () => Promise.resolve({ version: world.bundleVersion }),
    install: () => Promise.resolve(void calls.push('install')),
    markGood: () => Promise.resolve(void calls.push(`good ${world.booted}`)),
    activateOther: () => Promise.resolve(void calls.push('other')),
  };
  const record = openRecord(path.join(dir, 'host'));
  const updates = createUpdates({
    rauc,
    record,
    clock: {
      bootId: options.bootId ?? 'boot-1',
      wall: () => clock.wall(),
      monotonic: () => clock.monotonic(),
      synchronised: () => true,
    },
    version: world.booted === 'A' ? '1.0.0' : '1.1.0',
    folder: path.join(dir, 'update'),
    inbox: path.join(dir, 'inbox'),
    usb: options.usb ?? { list: () => Promise.resolve([]), use: () => Promise.reject(new Error('no stick')) },
    possible: true,
    bootedSlot: () => world.booted,
    checks: (onTrial) => {
      world.asked.push(onTrial);
      return Promise.resolve(world.checks);
    },
    quiet: () => Promise.resolve(world.quiet),
    mayRestart: () => Promise.resolve(world.atHand),
    timeZone: () => 'Asia/Tokyo',
    reboot: () => void calls.push('reboot'),
    log: () => undefined,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    room: () => Promise.resolve({ free: 2 ** 40, total: 2 ** 40 }),
  });
  return { updates, record, clock, calls, dir, rauc, world };
}

async function installed(one: Box): Promise<void> {
  mkdirSync(path.join(one.dir, 'inbox'), { recursive: true });
  writeFileSync(path.join(one.dir, 'inbox/new.raucb'), 'bundle');
  await one.updates.install({ from: 'upload', file: 'new.raucb' });
  await until('the update to be installed or refused', { ms: 5_000 }, async () => {
    const { phase } = await one.updates.show();
    return phase === 'waiting-for-reboot' || phase === 'failed' ? true : undefined;
  });
}

test('an update is marked good after ten minutes of passing checks, with the probe mail, and not before', async () => {
  const before = box();
  await installed(before);
  before.world.booted = 'B';
  const { updates, clock, calls, world, record } = box({ from: before, bootId: 'boot-2' });
  world.asked.length = 0;
  await updates.watchTrial();
  assert.deepEqual(world.asked, [true], 'on trial the probe mail is asked for');
  assert.equal((await updates.show()).phase, 'on-trial');
  clock.advance(599_000);
  await updates.watchTrial();
  assert.ok(!calls.includes('good B'));
  clock.advance(2_000);
  await updates.watchTrial();
  assert.ok(calls.includes('good B'));
  assert.equal(record.current().trial, undefined);
});

test('the length of the trial is the owner’s', async () => {
  const before = box();
  await before.record.change((state) => ({ ...state, update: { ...state.update, trialMs: 60_000 } }));
  await installed(before);
  before.world.booted = 'B';
  const { updates, clock, calls } = box({ from: before, bootId: 'boot-2' });
  await updates.watchTrial();
  clock.advance(61_000);
  await updates.watchTrial();
  assert.ok(calls.includes('good B'));
});

test('a probe mail that does not pass brings the old system back, and its reason is kept', async () => {
  const before = box();
  await installed(before);
  before.world.booted = 'B';
  const on = box({ from: before, bootId: 'boot-2' });
  on.world.checks = [{ name: 'probe-mail', ok: false, detail: 'inspected: incoming: engine-missing' }];
  await on.updates.watchTrial();
  on.clock.advance(600_000 + 301_000);
  await on.updates.watchTrial();
  assert.deepEqual(on.calls.slice(-2), ['other', 'reboot']);
  on.world.booted = 'A';
  const back = box({ from: on, bootId: 'boot-3' });
  const { lastFallback } = await back.updates.show();
  assert.equal(lastFallback?.from, 'B');
  assert.match(lastFallback?.reason ?? '', /probe-mail: inspected: incoming/);
});

test('a service that is missing or falls down each time is waited for one minute, not for the whole trial', async () => {
  const before = box();
  // longer than the fake machine has run already
  await before.record.change((state) => ({ ...state, update: { ...state.update, trialMs: 3_600_000 } }));
  await installed(before);
  before.world.booted = 'B';
  const on = box({ from: before, bootId: 'boot-2' });
  const gone = { name: 'clamd', ok: false, detail: 'absent', hopeless: true };
  on.world.checks = [gone];
  await on.updates.watchTrial();
  on.clock.advance(59_000);
  // it came after all, and went again: the minute begins anew
  on.world.checks = [{ name: 'clamd', ok: false, detail: 'starting', hopeless: false }];
  await on.updates.watchTrial();
  on.world.checks = [gone];
  on.clock.advance(2_000);
  await on.updates.watchTrial();
  on.clock.advance(59_000);
  await on.updates.watchTrial();
  assert.ok(!on.calls.includes('other'));
  on.clock.advance(2_000);
  await on.updates.watchTrial();
  assert.deepEqual(on.calls.slice(-2), ['other', 'reboot']);
  const { lastFallback } = await on.updates.show();
  assert.deepEqual([lastFallback?.version, lastFallback?.reason], ['1.1.0', 'clamd: absent']);
});

test('the other slot is chosen by hand only where there is a system in it, and none is just being written', async () => {
  const slot = (name: string, more: Partial<RaucSlot>): RaucSlot => ({
    name,
    booted: name === 'A',
    good: name === 'A',
    version: undefined,
    installedAt: undefined,
    ...more,
  });
  const begun = Promise.withResolvers<void>();
  let other: RaucSlot | undefined = slot('B', {});
  const calls: string[] = [];
  const one = box({
    rauc: {
      slots: () => Promise.resolve(other === undefined ? undefined : [slot('A', {}), other]),
      info: () => Promise.resolve({ version: '1.1.0' }),
      install: () => begun.promise,
      markGood: () => Promise.resolve(),
      activateOther: () => Promise.resolve(void calls.push('other')),
    },
  });
  await assert.rejects(one.updates.chooseOther(), /There is no system in the other slot/);
  assert.deepEqual(calls, []);
  // one that did not hold may be what somebody wants to see
  for (const found of [slot('B', { version: '1.1.0' }), slot('B', { good: true }), undefined]) {
    other = found;
    await one.updates.chooseOther();
  }
  assert.equal(calls.length, 3);
  other = slot('B', { good: true });
  const done = installed(one);
  await until('the writing', { ms: 20_000 }, async () =>
    (await one.updates.show()).phase === 'installing' ? true : undefined,
  );
  await assert.rejects(one.updates.chooseOther(), /being written/);
  begun.resolve();
  await done;
});

test('on trial a service must run: absent, failed or fallen three times is hopeless, starting is waited for', async () => {
  const judged = async (
    service: Partial<ServiceAnswer>,
    of: 'clamd' | 'nftables' = 'clamd',
  ): Promise<Array<boolean | undefined>> => {
    const services = (['gateway', 'admin', 'clamd', 'rspamd', 'unbound', 'nftables'] as const).map(
      (name): ServiceAnswer => ({
        name,
        state: 'running',
        restarts: 0,
        ...(name === of ? service : {}),
      }),
    );
    const asked = { services: () => Promise.resolve(services), mx: undefined, degraded: false, probe: undefined };
    const checks = await trialChecks({ ...asked, antivirus: true });
    const judgedOne = checks.find(({ name }) => name === of);
    return [judgedOne?.ok, judgedOne?.hopeless];
  };
  assert.deepEqual(await judged({}), [true, false]);
  assert.deepEqual(await judged({ state: 'starting', restarts: 2 }), [false, false]);
  assert.deepEqual(await judged({ state: 'starting', restarts: 3 }), [false, true]);
  assert.deepEqual(await judged({ state: 'absent' }), [false, true]);
  assert.deepEqual(await judged({ state: 'failed' }), [false, true]);
  // without its packet filter the box works, and stands open
  assert.deepEqual(await judged({ state: 'failed' }, 'nftables'), [false, true]);
});

test('a version that did not hold is not installed again by itself; a newer one is, and the old news end with it', async () => {
  const source = 'https://updates.example/latest.json';
  let version = '1.1.0';
  const get = (input: string): Promise<Response> =>
    Promise.resolve(
      new Response(
        input.endsWith('.raucb') ? 'bundle' : JSON.stringify({ version, url: 'https://updates.example/x.raucb' }),
      ),
    );
  const one = box({ fetch: get as unknown as typeof fetch });
  const lastFallback = { at: 1, from: 'B', reason: 'clamd: absent', version };
  await one.record.change((state) => ({
    ...state,
    update: { ...state.update, source, automatic: true },
    lastFallback,
  }));
  await one.updates.daily();
  assert.ok(!one.calls.includes('install'));
  version = '1.2.0';
  one.world.bundleVersion = version;
  await one.updates.daily();
  assert.ok(one.calls.includes('install'));
  one.world.booted = 'B';
  const on = box({ from: one, bootId: 'boot-2' });
  await on.updates.watchTrial();
  on.clock.advance(601_000);
  await on.updates.watchTrial();
  assert.equal((await on.updates.show()).lastFallback, undefined);
});

test('a system that was restarted before it was proven is told as fallen back, once', async () => {
  const before = box();
  await installed(before);
  const back = box({ from: before, bootId: 'boot-3' });
  await back.updates.watchTrial();
  assert.match((await back.updates.show()).lastFallback?.reason ?? '', /did not start, or was restarted/);
  assert.equal(back.record.current().trial, undefined);
});

test('a power cut while an update is written is no fallback; one after its last octet leaves it on trial', async () => {
  for (const booted of ['A', 'B'] as const) {
    const before = box();
    const cut = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const writing = box({
      from: before,
      rauc: { ...before.rauc, install: () => (begun.resolve(), cut.promise) },
    });
    mkdirSync(path.join(before.dir, 'inbox'), { recursive: true });
    writeFileSync(path.join(before.dir, 'inbox/new.raucb'), 'bundle');
    await writing.updates.install({ from: 'upload', file: 'new.raucb' });
    await begun.promise;
    before.world.booted = booted;
    const after = box({ from: before, bootId: 'boot-2' });
    await after.updates.watchTrial();
    const { phase, lastFallback } = await after.updates.show();
    assert.deepEqual([phase, lastFallback], [booted === 'A' ? 'idle' : 'on-trial', undefined]);
    assert.ok(!existsSync(path.join(before.dir, 'update/update.raucb')));
    cut.reject(new Error('the power went'));
  }
});

test('a host that restarts between installing and the reboot still waits for the reboot', async () => {
  const before = box();
  await installed(before);
  const again = box({ from: before });
  await again.updates.watchTrial();
  const shown = await again.updates.show();
  assert.equal(shown.phase, 'waiting-for-reboot');
  assert.equal(shown.detail, '1.1.0');
  assert.equal(shown.lastFallback, undefined);
});

test('an older system is refused whatever its signature says; the same again is taken', async () => {
  const old = box();
  old.world.bundleVersion = '0.9.9';
  await installed(old);
  assert.match((await old.updates.show()).detail ?? '', /older than the running/);
  assert.ok(!old.calls.includes('install'));
  const same = box();
  same.world.bundleVersion = '1.0.0';
  await installed(same);
  assert.ok(same.calls.includes('install'));
});

test('versions are older and newer as semver.org §11 says: its own example, and more than nine candidates', () => {
  const steps = '0.9.9 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1';
  const rising = `${steps} 1.0.0-rc.10 1.0.0 1.0.1 1.9.9 1.10.0-rc.1 1.10.0 2.0.0`.split(' ');
  for (const [low, older] of rising.entries())
    for (const [high, newer] of rising.entries())
      assert.equal(Math.sign(compareVersions(older, newer)), Math.sign(low - high), `${older} and ${newer}`);
  assert.equal(compareVersions('1.0.0+one', '1.0.0+two'), 0);
});

test('the restart waits for the owner’s hours, in the box’s zone, and for a quiet moment', async () => {
  const one = box();
  await installed(one);
  const at = (iso: string): void => one.clock.step(Date.parse(iso) - one.clock.wall());
  at('2026-11-22T12:00:00+09:00');
  await one.updates.watchWindow();
  assert.ok(!one.calls.includes('reboot'));
  at('2026-11-23T02:10:00+09:00');
  one.world.quiet = false;
  await one.updates.watchWindow();
  assert.ok(!one.calls.includes('reboot'));
  one.world.quiet = true;
  await one.updates.watchWindow();
  await one.updates.watchWindow();
  assert.equal(one.calls.filter((call) => call === 'reboot').length, 1);
  // the machine did not go down: the update does not wait for ever
  one.clock.advance(31 * 60_000);
  await one.updates.watchWindow();
  assert.equal(one.calls.filter((call) => call === 'reboot').length, 2);
});

test('what is left of a download that was cut is taken away at the next start', async () => {
  const one = box();
  const left = path.join(one.dir, 'update/update.raucb');
  mkdirSync(path.dirname(left), { recursive: true });
  writeFileSync(left, 'half of it');
  await one.updates.watchTrial();
  assert.ok(!existsSync(left));
  await installed(one);
  assert.equal((await one.updates.show()).phase, 'waiting-for-reboot');
});

test('a box that is never quiet restarts into its update all the same, late in its hours; never without the key of its disk', async () => {
  const one = box();
  await one.record.change((state) => ({ ...state, timeZone: 'Asia/Tokyo' }));
  await installed(one);
  one.clock.step(Date.parse('2026-11-23T02:00:00+09:00') - one.clock.wall());
  one.world.quiet = false;
  await one.updates.watchWindow();
  one.clock.advance(UNQUIET_MS - 1_000);
  await one.updates.watchWindow();
  assert.ok(!one.calls.includes('reboot'));
  // out of its hours the waiting begins anew
  one.clock.advance(4 * 3_600_000);
  await one.updates.watchWindow();
  one.clock.advance(20 * 3_600_000 - UNQUIET_MS + 1_000);
  await one.updates.watchWindow();
  assert.ok(!one.calls.includes('reboot'));
  one.world.atHand = false;
  one.clock.advance(UNQUIET_MS);
  await one.updates.watchWindow();
  assert.ok(!one.calls.includes('reboot'), 'it would wait for its key all night');
  one.world.atHand = true;
  await one.updates.watchWindow();
  assert.equal(one.calls.filter((call) => call === 'reboot').length, 1);
});

test('hours over midnight and a whole day are hours too', () => {
  const at = (hour: number): number => Date.parse(`2026-11-22T${String(hour).padStart(2, '0')}:30:00Z`);
  const hours = (window: { from: number; to: number }): number[] =>
    Array.from({ length: 24 }, (_, hour) => hour).filter((hour) => inWindow(at(hour), { window, timeZone: 'UTC' }));
  assert.deepEqual(hours({ from: 22, to: 2 }), [0, 1, 22, 23]);
  assert.deepEqual(hours({ from: 2, to: 4 }), [2, 3]);
  assert.equal(hours({ from: 5, to: 5 }).length, 24);
});

test('the daily look installs by itself only where the owner said so', async () => {
  const answer = JSON.stringify({ version: '1.1.0', url: 'https://updates.example/new.raucb' });
  const get = (input: string): Promise<Response> =>
    Promise.resolve(new Response(input.endsWith('.raucb') ? 'bundle' : answer));
  for (const automatic of [false, true]) {
    const one = box({ fetch: get as unknown as typeof fetch });
    const source = 'https://updates.example/latest.json';
    await one.record.change((state) => ({ ...state, update: { ...state.update, source, automatic } }));
    await one.updates.daily();
    const { available, phase } = await one.updates.show();
    assert.equal(available?.version, '1.1.0');
    assert.equal(phase, automatic ? 'waiting-for-reboot' : 'idle');
    assert.equal(one.calls.includes('install'), automatic);
  }
});

test('what one source offered is not installed any more once another is set', async () => {
  const asked: string[] = [];
  const get = (input: string): Promise<Response> => {
    asked.push(input);
    const host = new URL(input).host;
    return Promise.resolve(
      new Response(JSON.stringify({ version: '1.1.0', url: `https://${host}/x.raucb` }), {
        status: input.endsWith('.raucb') ? 404 : 200,
      }),
    );
  };
  const one = box({ fetch: get as unknown as typeof fetch });
  const from = (source: string): Promise<void> =>
    one.record.change((state) => ({ ...state, update: { ...state.update, source } }));
  await from('https://old.example/latest.json');
  await one.updates.check();
  assert.equal((await one.updates.show()).available?.version, '1.1.0');
  await from('https://new.example/latest.json');
  assert.equal((await one.updates.show()).available, undefined);
  await one.updates.install({ from: 'source' });
  await until('it was tried', { ms: 10_000 }, async () => (await one.updates.show()).phase === 'failed' || undefined);
  assert.deepEqual(
    asked.filter((url) => url.endsWith('.raucb')),
    ['https://new.example/x.raucb'],
  );
});

test('a bundle on a USB stick is copied from it before it is looked at', async () => {
  const stick = folder();
  writeFileSync(path.join(stick, 'sekisho.raucb'), 'bundle');
  let mounted = 0;
  const usb: UsbSticks = {
    list: () => Promise.resolve([]),
    use: async (_device, access, work) => {
      assert.equal(access, 'read');
      mounted += 1;
      const result = await work(stick);
      mounted -= 1;
      return result;
    },
  };
  const one = box({ usb });
  await one.updates.install({ from: 'usb', device: 'sda1', file: 'sekisho.raucb' });
  await until('the update to be installed', { ms: 5_000 }, async () =>
    (await one.updates.show()).phase === 'waiting-for-reboot' ? true : undefined,
  );
  assert.equal(mounted, 0, 'the stick is let go');
});

// ---- the real rauc

const RAUC = ['/usr/bin/rauc', path.join(peersPrefix(), 'usr/bin/rauc')].find((file) => existsSync(file)) ?? '';
const ENV = { ...peerEnvironment(), PATH: `${process.env['PATH'] ?? ''}:${path.join(peersPrefix(), 'usr/bin')}` };
before(() => assert.notEqual(RAUC, '', 'scripts/test unpacks rauc; run it first'));

function run(program: string, args: string[], cwd: string): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', env: ENV });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
}

function signer(dir: string, name: string): void {
  const subject = `/CN=${name}`;
  run(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-subj',
      subject,
    ],
    dir,
  );
}

/** rauc as on the box, with its configuration below `dir`. */
function realRauc(dir: string): { rauc: Rauc; make: (options: { version: string; by: string }) => string } {
  for (const name of ['owner', 'stranger']) signer(dir, name);
  const shipped = readFileSync(path.join(import.meta.dirname, '../../rootfs/etc/rauc/system.conf'), 'utf8');
  const conf = shipped
    .replaceAll('@ARCH@', 'amd64')
    .replaceAll('@VERSION@', '1.0.0')
    .replace(/^(min-bundle-version|max-bundle-download-size|bundle-formats|data-directory)=.*\n/gm, '')
    .replace('/usr/share/sekisho/update-roots.pem', path.join(dir, 'owner.pem'));
  writeFileSync(path.join(dir, 'system.conf'), conf);
  mkdirSync(path.join(dir, 'bin'));
  const wrapper = `#!/bin/sh\nexport LD_LIBRARY_PATH=${peerEnvironment()['LD_LIBRARY_PATH'] ?? ''}\nexec ${RAUC} --conf=${dir}/system.conf "$@"\n`;
  writeFileSync(path.join(dir, 'bin/rauc'), wrapper, { mode: 0o755 });
  const make = ({ version, by }: { version: string; by: string }): string => {
    const content = path.join(dir, `content-${version}-${by}`);
    mkdirSync(content);
    writeFileSync(path.join(content, 'root.img'), randomBytes(65_536));
    const manifest = `[update]\ncompatible=sekisho-amd64\nversion=${version}\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=root.img\n`;
    writeFileSync(path.join(content, 'manifest.raucm'), manifest);
    const file = path.join(dir, `${version}-${by}.raucb`);
    run(RAUC, ['bundle', `--cert=${by}.pem`, `--key=${by}.key`, `--keyring=${by}.pem`, content, file], dir);
    return file;
  };
  return { rauc: createRauc(createCommandRunner(`${dir}/bin:/usr/bin:/bin`)), make };
}

test('the real rauc tells the version of a bundle signed by our root, and trusts no other', async () => {
  const dir = folder();
  const { rauc, make } = realRauc(dir);
  assert.equal((await rauc.info(make({ version: '1.2.3', by: 'owner' }))).version, '1.2.3');
  await assert.rejects(rauc.info(make({ version: '1.2.3', by: 'stranger' })), /signature verification failed/i);
});

test('a RAUC that is slow makes no update fail and no box one that cannot be updated', async () => {
  let slow = false;
  const { rauc } = box();
  const slots: Rauc['slots'] = (asked) => (slow && asked?.patient !== true ? Promise.resolve(undefined) : rauc.slots());
  const one = box({ rauc: { ...rauc, slots } });
  slow = (await one.updates.show()).possible;
  await installed(one);
  const { phase, possible } = await one.updates.show();
  assert.deepEqual([phase, possible], ['waiting-for-reboot', true]);
});

test('a bundle whose manifest was changed behind its signature is refused by the real rauc', async () => {
  const dir = folder();
  const { rauc, make } = realRauc(dir);
  const file = make({ version: '1.2.3', by: 'owner' });
  const flipped = path.join(dir, 'flipped.raucb');
  copyFileSync(file, flipped);
  const octets = readFileSync(flipped);
  const at = octets.lastIndexOf('version=1.2.3');
  assert.ok(at > 0);
  octets.write('version=9.2.3', at);
  writeFileSync(flipped, octets);
  await assert.rejects(rauc.info(flipped));
});

test('an older bundle that is rightly signed is refused by the floor, before anything is written', async () => {
  const dir = folder();
  const { rauc, make } = realRauc(dir);
  const calls: string[] = [];
  const one = box({ rauc: { ...rauc, install: () => Promise.resolve(void calls.push('install')) } });
  mkdirSync(path.join(one.dir, 'inbox'));
  copyFileSync(make({ version: '0.9.0', by: 'owner' }), path.join(one.dir, 'inbox/old.raucb'));
  await one.updates.install({ from: 'upload', file: 'old.raucb' });
  await until('a refusal', { ms: 20_000 }, async () =>
    (await one.updates.show()).phase === 'failed' ? true : undefined,
  );
  assert.match((await one.updates.show()).detail ?? '', /"0\.9\.0" is older/);
  assert.deepEqual(calls, []);
});
