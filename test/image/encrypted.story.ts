/**
 * An encrypted data partition, from the console's menu to mail that survives: the key on a USB stick (with a power cut while all is
 * made anew, a start without the stick, the recovery key typed at the serial line, the stick put in late), and in a TPM chip
 * (QEMU's, by swtpm), then a factory reset. Each a box of its own. By hand: scripts/image-test encrypted.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { startChild, until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import { startSmtpSink } from '../support/smtp-sink.ts';
import { Vm } from '../support/vm.ts';
import {
  askHost,
  askPages,
  builtImage,
  claimBox,
  consoleSays,
  greeting,
  imageFolder,
  layOnBootPartition,
  OFFICE_PORT,
  officeConfig,
  untilBanner,
} from './world.ts';

interface Told {
  disk: { encrypted?: boolean; key?: string; opened?: string; recoveryKey?: string };
  alarms: Array<{ name: string }>;
}

await imageFolder();
enterOwnNetwork();

const boxes: Vm[] = [];
after(async () => {
  for (const vm of boxes) await vm[Symbol.asyncDispose]();
});

async function freshDisk(): Promise<string> {
  const image = await builtImage();
  layOnBootPartition(image.disk, { name: 'sekisho/config.json', content: JSON.stringify(officeConfig()) });
  return image.disk;
}

/** The same disk, in a machine with these parts. */
async function startBox(disk: string, extra: readonly string[] = []): Promise<Vm> {
  const vm = new Vm({ folder: path.join(path.dirname(disk), 'box'), image: disk, extra });
  boxes.push(vm);
  await vm.start();
  return vm;
}

async function pages(vm: Vm): Promise<void> {
  await until('the pages', { ms: 900_000, every: 1_000 }, async () =>
    (await askPages(vm, { path: '/setup' })).status === 200 ? true : undefined,
  );
}

async function says(vm: Vm, what: RegExp, ms = 400_000): Promise<void> {
  await until(
    `"${what.source}" on the serial line`,
    { ms, every: 100 },
    () => what.test(vm.serial()) || undefined,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${vm.serial().slice(-3_000)}`);
  });
}

/** At the serial line: the menu, disk encryption, this way, the words. */
async function encrypt(vm: Vm, way: 'stick' | 'chip'): Promise<void> {
  // what it wipes would take the configuration along
  await vm.shell('cp /var/lib/sekisho/config/config.json /efi/sekisho/config.json');
  await consoleSays(vm, ' ', { expected: /Number, then Enter/ });
  await consoleSays(vm, '15\r', { expected: /2 {2}Encrypt, key in the TPM/ });
  if (way === 'stick') {
    await consoleSays(vm, '1\r', { expected: /Number of the stick/ });
    await consoleSays(vm, '1\r', { expected: /ERASE EVERYTHING/ });
  } else await consoleSays(vm, '2\r', { expected: /ERASE EVERYTHING/ });
  await vm.type('ERASE EVERYTHING\r');
}

/** The recovery key, as the menu shows it; noted. */
async function noteKey(vm: Vm): Promise<string> {
  await consoleSays(vm, ' ', { expected: /Number, then Enter/ });
  const shown = await consoleSays(vm, '15\r', { expected: /Type its last five signs/ });
  const key = /(?:[0-9A-Z]{5}-){4}[0-9A-Z]{5}/.exec(shown)?.[0] ?? '';
  assert.equal(key.length, 29, shown);
  await consoleSays(vm, `${key.slice(-5)}\r`, { expected: /Done/ });
  await vm.type('0\r');
  return key;
}

function stickFile(folder: string): string {
  const file = path.join(folder, 'stick.img');
  writeFileSync(file, '');
  truncateSync(file, 64 * 1_048_576);
  execFileSync('mkfs.vfat', ['-n', 'KEYS', file], { stdio: 'ignore' });
  return file;
}

const stickPart = (file: string): string[] => [
  '-drive',
  `if=none,id=key,file=${file},format=raw`,
  '-device',
  'usb-storage,bus=usb.0,drive=key,removable=on',
];

const told = (vm: Vm): Promise<Told> => askHost<Told>(vm, { path: 'status' });

test('a box is encrypted by a stick at its console, through a power cut; without the stick the recovery key opens it', async (t) => {
  await using sink = await startSmtpSink({ port: OFFICE_PORT });
  const disk = await freshDisk();
  const stick = stickFile(path.dirname(disk));
  let vm = await startBox(disk, stickPart(stick));
  await pages(vm);
  assert.equal((await told(vm)).disk.encrypted, false);
  await encrypt(vm, 'stick');
  await says(vm, /erased and made anew/);
  await vm.powerCut();
  t.diagnostic('power cut while the partition is made anew');
  vm = await startBox(disk, stickPart(stick));
  await says(vm, /erased and made anew[\s\S]*The box starts again/);
  await pages(vm);
  t.diagnostic(`encrypted, pages after ${((performance.now() - vm.poweredAt) / 1_000).toFixed(0)} s with both starts`);
  const shown = await told(vm);
  assert.deepEqual(shown.disk, { ...shown.disk, encrypted: true, key: 'usb', opened: 'usb', recoveryKey: 'to-note' });
  assert.ok(shown.alarms.some(({ name }) => name === 'recovery-key-unnoted'));
  const about = await vm.shell(
    'findmnt -no SOURCE,FSTYPE /var; df -m --output=size /var | tail -1; cat /etc/machine-id; cryptsetup luksUUID /dev/sekisho/data-partition; systemctl --failed --no-legend --plain',
  );
  const [source, size, machine, header, ...failed] = about.output.trim().split('\n');
  assert.match(source ?? '', /\/dev\/mapper\/sekisho-data +ext4/);
  assert.ok(Number(size) > 3_500, `it did not grow: ${size}`);
  assert.equal(machine, header?.replaceAll('-', ''));
  assert.deepEqual(failed, []);
  const key = await noteKey(vm);
  assert.equal((await told(vm)).disk.recoveryKey, 'noted');
  await claimBox(vm);
  await untilBanner(vm);
  const mail = { from: 'hanako@example.com', to: 'a@office.example', bytes: plainMail({ messageId: 'sealed@x' }) };
  assert.equal((await sendMail(vm.smtpPort, mail)).code, 250);
  await vm.powerCut();

  vm = await startBox(disk);
  await says(vm, /the disk is encrypted and its key is not here/);
  assert.equal(await greeting(vm), '');
  await consoleSays(vm, 'AAAAA-AAAAA\r', { expected: /not the recovery key/ });
  await vm.type(`${key.toLowerCase()}\r`);
  t.diagnostic(`opened by the recovery key: 220 ${(await untilBanner(vm)).toFixed(0)} s after power on`);
  const opened = await told(vm);
  assert.equal(opened.disk.opened, 'recovery');
  assert.ok(opened.alarms.some(({ name }) => name === 'disk-key-missing'));
  await until('the mail at the office', { ms: 300_000 }, () =>
    sink.messages.some((one) => one.bytes.includes('Message-ID: <sealed@x>')) ? true : undefined,
  );
  await vm.powerCut();

  vm = await startBox(disk);
  await says(vm, /the disk is encrypted and its key is not here/);
  await vm.plug(stick);
  t.diagnostic(`stick put in late: 220 ${(await untilBanner(vm)).toFixed(0)} s after power on`);
  assert.equal((await told(vm)).disk.opened, 'usb');
});

test('a box with a TPM chip is encrypted by it and starts by itself; a factory reset leaves neither header nor mail', async (t) => {
  const disk = await freshDisk();
  const folder = path.dirname(disk);
  const state = path.join(folder, 'tpm');
  mkdirSync(state);
  const control = path.join(folder, 'tpm.sock');
  const tpm = ['-chardev', `socket,id=chip,path=${control}`, '-tpmdev', 'emulator,id=tpm0,chardev=chip'];
  const chip = await startChild('swtpm', [
    'socket',
    '--tpm2',
    '--tpmstate',
    `dir=${state}`,
    '--ctrl',
    `type=unixio,path=${control}`,
  ]);
  try {
    await until('the chip', { ms: 20_000 }, () => existsSync(control) || undefined);
    const vm = await startBox(disk, [...tpm, '-device', 'tpm-tis,tpmdev=tpm0']);
    await pages(vm);
    await encrypt(vm, 'chip');
    await says(vm, /erased and made anew[\s\S]*The box starts again/);
    await pages(vm);
    const { disk: shown } = await told(vm);
    assert.deepEqual(shown, { ...shown, encrypted: true, key: 'tpm2', opened: 'tpm2', recoveryKey: 'to-note' });
    await claimBox(vm);
    t.diagnostic(`220 ${(await untilBanner(vm)).toFixed(0)} s after power on, with three starts`);
    await consoleSays(vm, ' ', { expected: /Number, then Enter/ });
    await consoleSays(vm, '11\r', { expected: /ERASE EVERYTHING/ });
    const resets = vm.events('RESET');
    await vm.type('ERASE EVERYTHING\r');
    await until('both restarts', { ms: 600_000 }, () => vm.events('RESET') >= resets + 2 || undefined);
    await pages(vm);
    assert.equal((await told(vm)).disk.encrypted, false);
    const left = await vm.shell('blkid -p -s TYPE -o value /dev/sekisho/data-partition; ls /efi/sekisho');
    assert.match(left.output, /^ext4\n/);
    assert.doesNotMatch(left.output, /erase/);
    assert.match((await askPages(vm, { path: '/setup' })).text, /"claimed":false/);
  } finally {
    await chip.stop(5_000);
  }
});
