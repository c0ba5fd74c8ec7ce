/**
 * Updates, from an owner's USB stick: what is not ours, damaged or older is refused and the running system does not notice; a
 * good one starts in the other slot and is on trial; one that does not come up, and one whose engine is dead, are left by itself.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { type SmtpSink, startSmtpSink } from '../support/smtp-sink.ts';
import type { Vm } from '../support/vm.ts';
import { askHost, claimedBox, imageFolder, OFFICE_PORT, untilBanner, VERSION } from './world.ts';

await imageFolder();
enterOwnNetwork();

const INSTALL_MS = 600_000;
let sink: SmtpSink;
let folder: string;
let vm: Vm;

before(async () => {
  const out = await imageFolder();
  sink = await startSmtpSink({ port: OFFICE_PORT });
  ({ vm, folder } = await claimedBox());
  const bundle = readdirSync(out).find((name) => name.endsWith('.raucb'));
  if (bundle === undefined) throw new Error(`No bundle in ${out}`);
  await vm.plug(makeStick(folder, path.join(out, bundle)));
});
after(async () => {
  await vm?.[Symbol.asyncDispose]();
  await sink?.[Symbol.asyncDispose]();
});

/** A FAT disk with one bundle of each kind. */
function makeStick(folder: string, bundle: string): string {
  const keys = path.join(
    process.env['SEKISHO_IMAGE_CACHE'] ??
      path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'sekisho-image'),
    'development-keys',
  );
  const content = path.join(folder, 'content');
  execFileSync('unsquashfs', ['-q', '-n', '-d', content, bundle]);
  const small = path.join(folder, 'small');
  mkdirSync(small);
  for (const name of ['rootfs.img', 'boot.img']) writeFileSync(path.join(small, name), Buffer.alloc(1_048_576, 7));
  const strange = path.join(folder, 'strange');
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-noenc',
      '-subj',
      '/CN=Somebody else',
      '-keyout',
      `${strange}.key`,
      '-out',
      `${strange}.cert`,
    ],
    { stdio: 'ignore' },
  );
  const ours = { key: path.join(keys, 'signing-two.key.pem'), cert: path.join(keys, 'signing-two.cert.pem') };
  makeBundle(content, { version: '1.0.1', file: path.join(folder, 'good.raucb'), ...ours });
  makeBundle(small, {
    version: '1.0.1',
    file: path.join(folder, 'strange.raucb'),
    key: `${strange}.key`,
    cert: `${strange}.cert`,
  });
  makeBundle(small, { version: '0.9.0', file: path.join(folder, 'older.raucb'), ...ours });
  breakBoot(content);
  makeBundle(content, { version: '1.0.2', file: path.join(folder, 'broken.raucb'), ...ours });
  const stick = path.join(folder, 'stick.img');
  writeFileSync(stick, '');
  truncateSync(stick, 900 * 1_048_576);
  execFileSync('mkfs.vfat', ['-F', '32', stick], {
    stdio: 'ignore',
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  });
  const names = ['good', 'strange', 'older', 'broken'].map((name) => path.join(folder, `${name}.raucb`));
  execFileSync('mcopy', ['-i', stick, ...names, '::/']);
  flipByte(path.join(folder, 'good.raucb'));
  renameSync(path.join(folder, 'good.raucb'), path.join(folder, 'flipped.raucb'));
  execFileSync('mcopy', ['-i', stick, path.join(folder, 'flipped.raucb'), '::/']);
  return stick;
}

function makeBundle(content: string, to: { version: string; file: string; key: string; cert: string }): void {
  const manifest = `[update]\ncompatible=sekisho-amd64\nversion=${to.version}\n\n[bundle]\nformat=verity\n\n[image.rootfs]\nfilename=rootfs.img\n\n[image.boot]\nfilename=boot.img\n`;
  const folder = `${to.file}.content`;
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'manifest.raucm'), manifest);
  for (const name of ['rootfs.img', 'boot.img']) linkSync(path.join(content, name), path.join(folder, name));
  execFileSync('rauc', ['bundle', `--cert=${to.cert}`, `--key=${to.key}`, folder, to.file], { stdio: 'ignore' });
  rmSync(folder, { recursive: true });
}

/** The hash beside the kernel is not that of the root: verity refuses it at every start. */
function breakBoot(content: string): void {
  const wrong = path.join(content, 'slot.cfg');
  writeFileSync(wrong, `set slot_arguments="sekisho.hash=${'0'.repeat(64)} sekisho.offset=1048576"\n`);
  const boot = path.join(content, 'boot.img');
  execFileSync('cp', ['--sparse=always', boot, `${boot}.new`]);
  renameSync(`${boot}.new`, boot);
  for (const request of ['rm slot.cfg', `write ${wrong} slot.cfg`]) {
    execFileSync('debugfs', ['-w', '-R', request, boot], {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    });
  }
}

function flipByte(file: string): void {
  const handle = openSync(file, 'r+');
  const at = Math.floor(statSync(file).size / 2);
  const one = Buffer.alloc(1);
  readSync(handle, one, 0, 1, at);
  one.writeUInt8(one.readUInt8(0) ^ 0x10, 0);
  writeSync(handle, one, 0, 1, at);
  closeSync(handle);
}

interface Shown {
  phase: string;
  detail?: string;
  trial?: { checks: Array<{ name: string; ok: boolean; detail: string }> };
  slots: Array<{ name: string; state: string; version?: string }>;
  lastFallback?: { from: string; reason: string };
}
const seconds = (since: number): string => `${((performance.now() - since) / 1_000).toFixed(1)} s`;
const show = (): Promise<Shown> => askHost<Shown>(vm, { path: 'update' });

/** From the owner's stick, by name. Resolves when it is decided. */
async function install(name: string): Promise<Shown> {
  const { sticks } = await until('the stick', { ms: 120_000, every: 1_000 }, async () => {
    const found = await askHost<{ sticks: Array<{ device: string }> }>(vm, { path: 'usb' });
    return found.sticks.length > 0 ? found : undefined;
  });
  const body = { from: 'usb', device: sticks[0]?.device, file: `${name}.raucb` };
  await askHost(vm, { path: 'update/install', body });
  return until(`the end of installing "${name}"`, { ms: INSTALL_MS, every: 2_000 }, async () => {
    const shown = await show();
    return shown.phase === 'failed' || shown.phase === 'waiting-for-reboot' ? shown : undefined;
  });
}

async function reboot(restarts: number): Promise<void> {
  const before = vm.events('RESET');
  await askHost(vm, { path: 'power/reboot', body: {} });
  await until('the restart', { ms: 900_000, every: 200 }, () =>
    vm.events('RESET') >= before + restarts ? true : undefined,
  );
  vm.poweredAt = performance.now();
  await untilBanner(vm);
}

const slot = async (): Promise<string> =>
  /rauc\.slot=(\w)/.exec((await vm.shell('cat /proc/cmdline')).output)?.[1] ?? '';

test('a bundle of somebody else, an older one and one with a flipped bit are refused, and the reason is told', async () => {
  await askHost(vm, { path: 'update/set', body: { trialMs: 60_000 } });
  for (const [name, reason] of [
    ['strange', /cannot be trusted.*signature/is],
    ['older', /older than the running "1\.0\.0"/],
    ['flipped', /not installed|cannot be trusted/],
  ] as const) {
    const refused = await install(name);
    assert.equal(refused.phase, 'failed', name);
    assert.match(refused.detail ?? '', reason);
  }
  assert.equal(await slot(), 'A');
});

test(`a good update replaces ${VERSION} in the other slot, is on trial, and then called good by its probe mail`, async (t) => {
  const began = performance.now();
  const installed = await install('good');
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  t.diagnostic(`installed in ${seconds(began)}`);
  await reboot(1);
  assert.equal(await slot(), 'B');
  const restarted = performance.now();
  let seen: Shown | undefined;
  await until('the end of the trial', { ms: 900_000, every: 5_000 }, async () => {
    const shown = await show();
    if (shown.trial !== undefined) seen = shown;
    return shown.phase === 'idle' && shown.slots.find(({ name }) => name === 'B')?.state === 'good' ? true : undefined;
  });
  t.diagnostic(`called good ${seconds(restarted)} after its first 220`);
  const probe = seen?.trial?.checks.find(({ name }) => name === 'probe-mail');
  assert.equal(probe?.ok, true, JSON.stringify(seen));
  assert.deepEqual(sink.messages, [], 'The probe mail left the box');
});

test('an update that does not come up is left after three tries, by itself, and the reason is told', async (t) => {
  const installed = await install('broken');
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  const began = performance.now();
  await reboot(4);
  t.diagnostic(`220 of the old system ${seconds(began)} after the restart, ${vm.events('RESET')} restarts in all`);
  assert.equal(await slot(), 'B');
  const shown = await until('the reason', { ms: 300_000, every: 2_000 }, async () => {
    const one = await show();
    return one.lastFallback === undefined ? undefined : one;
  });
  assert.match(shown.lastFallback?.reason ?? '', /did not start/);
});
