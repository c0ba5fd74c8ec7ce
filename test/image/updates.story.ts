/**
 * Updates: what is not ours, damaged or older is refused and the running system does not notice; a good one starts in the other
 * slot; one that does not come up is left by itself. The bundles are on a second disk, as on an owner's stick.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
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
import { Vm } from '../support/vm.ts';
import {
  type BuiltImage,
  builtImage,
  claimBox,
  imageFolder,
  layOnBootPartition,
  officeConfig,
  untilBanner,
  VERSION,
} from './world.ts';

await imageFolder();
enterOwnNetwork();

const INSTALL_MS = 300_000;
let image: BuiltImage;
let vm: Vm;

before(async () => {
  image = await builtImage();
  layOnBootPartition(image.disk, { name: 'sekisho/config.json', content: JSON.stringify(officeConfig(2_500)) });
  const stick = makeStick(image);
  vm = new Vm({
    folder: `${image.folder}/box`,
    image: image.disk,
    extra: ['-drive', `if=none,id=stick,file=${stick},format=raw,readonly=on`, '-device', 'virtio-blk-pci,drive=stick'],
  });
});
after(() => vm?.[Symbol.asyncDispose]());

/** A FAT disk with one bundle of each kind. */
function makeStick({ folder, bundle }: BuiltImage): string {
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

/** One question to `host`, as the page's process asks it. */
async function askHost(method: 'GET' | 'POST', verb: string, body?: unknown): Promise<unknown> {
  const program = `const q=require("http").request({socketPath:"/run/sekisho-host/admin.sock",path:"/v1/${verb}",method:"${method}",headers:{"content-type":"application/json"}},(r)=>r.on("data",(d)=>process.stdout.write(d)));q.end(${body === undefined ? '' : JSON.stringify(JSON.stringify(body))})`;
  const said = await vm.shell(`/usr/lib/sekisho/node -e '${program}'`, { ms: INSTALL_MS });
  return JSON.parse(said.output);
}

interface Shown {
  phase: string;
  detail?: string;
  slots: Array<{ name: string; state: string; version?: string }>;
  lastFallback?: { from: string; reason: string };
}
const show = async (): Promise<Shown> => (await askHost('GET', 'update')) as Shown;

/** Brings a bundle as the page does: into the inbox, then by name. Resolves when it is decided. */
async function install(name: string): Promise<Shown> {
  const inbox = '/var/lib/sekisho-admin/inbox';
  await vm.shell('mountpoint -q /run/stick || { mkdir -p /run/stick && mount -o ro /dev/vdb /run/stick; }');
  await vm.shell(`mkdir -p ${inbox} && cp /run/stick/${name}.raucb ${inbox}/`, { ms: INSTALL_MS });
  await askHost('POST', 'update/install', { from: 'upload', file: `${name}.raucb` });
  return until(`the end of installing "${name}"`, { ms: INSTALL_MS, every: 2_000 }, async () => {
    const shown = await show();
    return shown.phase === 'failed' || shown.phase === 'waiting-for-reboot' ? shown : undefined;
  });
}

async function reboot(restarts: number): Promise<void> {
  const before = vm.events('RESET');
  await vm.shell('systemctl reboot --no-block');
  await until('the restart', { ms: 600_000, every: 200 }, () =>
    vm.events('RESET') >= before + restarts ? true : undefined,
  );
  vm.poweredAt = performance.now();
  await untilBanner(vm);
}

const slot = async (): Promise<string> =>
  /rauc\.slot=(\w)/.exec((await vm.shell('cat /proc/cmdline')).output)?.[1] ?? '';

test('a bundle of somebody else, an older one and one with a flipped bit are refused, and the reason is told', async () => {
  await vm.start();
  await claimBox(vm);
  await untilBanner(vm);
  await askHost('POST', 'update/set', { trialMs: 60_000 });
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

test(`a good update replaces ${VERSION} in the other slot, is on trial, and then called good`, async (t) => {
  const began = performance.now();
  const installed = await install('good');
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  t.diagnostic(`installed in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  await reboot(1);
  assert.equal(await slot(), 'B');
  await until('the end of the trial', { ms: 600_000, every: 5_000 }, async () => {
    const shown = await show();
    return shown.phase === 'idle' && shown.slots.find(({ name }) => name === 'B')?.state === 'good' ? true : undefined;
  });
});

test('an update that does not come up is left after three tries, by itself, and the reason is told', async (t) => {
  const installed = await install('broken');
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  await reboot(4);
  t.diagnostic(`back after ${vm.events('RESET')} restarts`);
  assert.equal(await slot(), 'B');
  const shown = await until('the reason', { ms: 120_000, every: 2_000 }, async () => {
    const one = await show();
    return one.lastFallback === undefined ? undefined : one;
  });
  assert.match(shown.lastFallback?.reason ?? '', /did not start/);
});
