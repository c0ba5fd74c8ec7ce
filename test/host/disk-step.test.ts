/**
 * The step before the data partition is mounted, as the box runs it, with the real cryptsetup and mke2fs on files: erased and
 * encrypted on wish, opened by the stick, by the recovery key, or not at all. Fakes stand only for what needs a kernel's device:
 * the mapping (it opens when the real cryptsetup says that the key fits), mounts (folders), discard, the reboot.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { startChild, until } from '../support/process.ts';

const STEP = path.resolve(import.meta.dirname, '../../rootfs/usr/libexec/sekisho/data-disk');
const ID = '0b9d3f6e-5a41-4c7e-9a55-6a2b8f1c0d3e';
const MIB = 1_048_576;

const FAKES = {
  // who asks for the mapping gets a file, if the key is right
  cryptsetup: `case $1 in
  open) shift; /usr/sbin/cryptsetup open --test-passphrase "$@" || exit 2
    [ -e "$DEVICES/mapper/sekisho-data" ] || truncate -s 300M "$DEVICES/mapper/sekisho-data" ;;
  close) : ;;
  *) exec /usr/sbin/cryptsetup "$@" ;;
esac`,
  // the device is a folder; what is in it stands where it is mounted
  mount: `for word; do from=$to; to=$word; done; [ -d "$from" ] && rmdir "$to" && ln -s "$from" "$to"`,
  umount: `rm "$1" && mkdir "$1"`,
  blkid: `for word; do at=$word; done; if [ -d "$at" ]; then echo vfat; else exec /usr/sbin/blkid "$@"; fi`,
  blockdev: `for word; do at=$word; done; stat -c %s "$at"`,
  // a disk that does not forget by being told, only by being written over
  blkdiscard: `for word; do at=$word; done; case "$*" in *-z*) ;; *) exit 1 ;; esac
size=$(stat -c %s "$at"); [ -z "\${FAIL_WIPE:-}" ] || exit 1; truncate -s 0 "$at"; truncate -s "$size" "$at"`,
  // a chip is a file; what one sealed no other opens
  'systemd-creds': `verb=$1; shift
for word; do from=$to; to=$word; done
case $verb in
  encrypt) [ -s "$DEVICES/chip" ] && cat "$DEVICES/chip" "$from" | base64 ;;
  decrypt) base64 -d "$from" > "$to.open" && cmp -s -n 4 "$to.open" "$DEVICES/chip" && tail -c +5 "$to.open" > "$to" ;;
esac`,
  systemctl: `echo "$*" >> "$DEVICES/../reboots"`,
};

interface Box extends Disposable {
  readonly part: string;
  readonly wish: string;
  /** Says that the box has an owner. */
  readonly mark: string;
  /** Files on the stick, which is plugged in or not. */
  readonly stick: string;
  plug(): void;
  unplug(): void;
  run(name: string): string | undefined;
  step(env?: Record<string, string>, verb?: string): { code: number; said: string };
  env(more?: Record<string, string>): Record<string, string>;
  rebooted(): number;
  /** The power is gone: what lay in memory is, too. */
  powerOff(): void;
}

function newBox(): Box {
  const dir = mkdtempSync(path.join(tmpdir(), 'sekisho-step-'));
  const at = (name: string): string => path.join(dir, name);
  for (const name of ['bin', 'dev/sekisho/esp/sekisho', 'dev/mapper', 'stick', 'sys/class/block', 'sys/usb1'])
    mkdirSync(at(name), { recursive: true });
  for (const [name, script] of Object.entries(FAKES)) {
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  }
  const part = at('dev/sekisho/data-partition');
  writeFileSync(part, 'Subject: the mail of an owner\r\n');
  truncateSync(part, 320 * MIB);
  writeFileSync(at('cmdline'), 'quiet\n');
  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    PATH: `${at('bin')}:/usr/sbin:/usr/bin:/sbin:/bin`,
    DEVICES: at('dev'),
    SEKISHO_DEV: at('dev'),
    SEKISHO_SYS: at('sys'),
    SEKISHO_RUN: at('run'),
    SEKISHO_CMDLINE: at('cmdline'),
    SEKISHO_PATIENCE: '1',
    SEKISHO_LONGEST: '2',
    SEKISHO_GOING_DOWN: '0',
    ...more,
  });
  const box: Box = {
    part,
    wish: at('dev/sekisho/esp/sekisho/erase'),
    mark: at('dev/sekisho/esp/sekisho/owner'),
    stick: at('stick'),
    plug: () => {
      symlinkSync(at('stick'), at('dev/sda'));
      mkdirSync(at('sys/usb1/sda'), { recursive: true });
      symlinkSync(at('sys/usb1/sda'), at('sys/class/block/sda'));
    },
    unplug: () => {
      rmSync(at('dev/sda'));
      rmSync(at('sys/class/block/sda'));
    },
    run: (name) => (existsSync(at(`run/${name}`)) ? readFileSync(at(`run/${name}`), 'utf8') : undefined),
    step: (more = {}, verb = 'start') => {
      try {
        const said = execFileSync('/bin/sh', [STEP, verb], { env: env(more), encoding: 'utf8', timeout: 180_000 });
        return { code: 0, said };
      } catch (error) {
        const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
        return { code: status ?? -1, said: `${stdout}${stderr}` };
      }
    },
    env,
    rebooted: () => (existsSync(at('reboots')) ? readFileSync(at('reboots'), 'utf8').trim().split('\n').length : 0),
    powerOff: () => {
      rmSync(at('run'), { recursive: true, force: true });
      rmSync(at('dev/mapper/sekisho-data'), { force: true });
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
  return box;
}

/** What its owner put there lies at the beginning. */
function head(file: string): string {
  const octets = Buffer.alloc(MIB);
  const handle = openSync(file, 'r');
  readSync(handle, octets);
  closeSync(handle);
  return octets.toString('latin1');
}

const kind = (file: string): string => {
  try {
    return execFileSync('/usr/sbin/blkid', ['-p', '-s', 'TYPE', '-o', 'value', file], { encoding: 'utf8' }).trim();
  } catch {
    return ''; // it says 2 where it knows nothing
  }
};

function fits(box: Box, key: string): boolean {
  try {
    const options = { input: key, stdio: ['pipe', 'ignore', 'ignore'] as Array<'pipe' | 'ignore'> };
    execFileSync('/usr/sbin/cryptsetup', ['open', '--test-passphrase', '--key-file', '-', box.part], options);
    return true;
  } catch {
    return false;
  }
}

/** As the host leaves it: the key is on the stick, the wish on the boot partition. */
function wishStick(box: Box): void {
  writeFileSync(path.join(box.stick, `sekisho-${ID}.key`), Buffer.alloc(64, 'k'));
  writeFileSync(box.wish, `usb ${ID}\n`);
  box.plug();
}

function encrypted(): Box {
  const box = newBox();
  wishStick(box);
  assert.equal(box.step().code, 1); // it never comes back: the box restarts
  box.powerOff();
  return box;
}

test('a box that is not encrypted, and one without its data partition, go on at once', () => {
  using box = newBox();
  assert.deepEqual(box.step(), { code: 0, said: '' });
  assert.match(head(box.part), /^Subject: the mail/);
  rmSync(box.part);
  assert.deepEqual(box.step(), { code: 0, said: '' });
});

test('on wish all is erased and encrypted by the key on the stick; the wish goes last and the box restarts', () => {
  using box = newBox();
  wishStick(box);
  const { said } = box.step();
  assert.match(said, /erased and made anew[\s\S]*starts again/);
  assert.equal(kind(box.part), 'crypto_LUKS');
  assert.ok(!head(box.part).includes('the mail of an owner'));
  assert.ok(fits(box, 'k'.repeat(64)));
  assert.equal(existsSync(box.wish), false);
  assert.equal(box.rebooted(), 1);
  box.powerOff();
  // the next start: opened by the stick, and a recovery key that nobody knows yet
  assert.deepEqual(box.step(), { code: 0, said: 'The data partition was opened by: usb\n' });
  assert.equal(box.run('state'), `opened=usb\nkey=usb\nid=${ID}\n`);
  const first = box.run('recovery-key') ?? '';
  assert.match(first, /^[0-9A-HJKMNP-TV-Z]{25}$/);
  assert.ok(fits(box, first));
  assert.equal(box.run('key'), undefined);
});

test('a recovery key is made anew at each start until somebody noted it, and the one before ends', () => {
  using box = encrypted();
  box.step();
  const first = box.run('recovery-key') ?? '';
  box.powerOff();
  box.step();
  const second = box.run('recovery-key') ?? '';
  assert.notEqual(second, first);
  assert.deepEqual([fits(box, first), fits(box, second)], [false, true]);
  assert.equal(box.step({}, 'noted').code, 0);
  assert.equal(box.run('recovery-key'), undefined);
  box.powerOff();
  box.step();
  assert.equal(box.run('recovery-key'), undefined);
  assert.ok(fits(box, second));
  assert.equal(box.step({}, 'renew').code, 0);
  box.powerOff();
  box.step();
  assert.ok(!fits(box, second));
  assert.ok(fits(box, box.run('recovery-key') ?? ''));
});

test('without the stick it says what is missing and waits; the recovery key is heard as people type it', async () => {
  using box = encrypted();
  box.step();
  const recovery = box.run('recovery-key') ?? '';
  box.unplug();
  box.powerOff();
  const child = await startChild('/bin/sh', [STEP, 'start'], { env: box.env() });
  try {
    await until(
      'the question',
      { ms: 120_000 },
      () => child.output().includes('recovery key (25 letters') || undefined,
    );
    assert.match(child.output(), new RegExp(`sekisho-${ID}\\.key`));
    const type = (text: string): void => {
      const typed = path.join(box.env()['SEKISHO_RUN'] ?? '', 'typed');
      writeFileSync(`${typed}.new`, text);
      execFileSync('mv', [`${typed}.new`, typed]);
    };
    type('AAAAA-BBBBB-CCCCC-DDDDD-EEEEE');
    await until('the refusal', { ms: 120_000 }, () => child.output().includes('is not the recovery key') || undefined);
    type((recovery.match(/.{5}/g) ?? []).join(' - ').toLowerCase());
    assert.equal((await child.ended).code, 0, child.output());
  } finally {
    await child.stop(5_000);
  }
  assert.equal(box.run('state'), `opened=recovery\nkey=usb\nid=${ID}\n`);
  // who typed it has it
  assert.equal(box.run('recovery-key'), undefined);
  assert.ok(fits(box, recovery));
});

test('a stick named SEKISHO-KEY takes the place of a lost one when the recovery key is typed', async () => {
  using box = encrypted();
  box.step();
  const recovery = box.run('recovery-key') ?? '';
  box.unplug();
  rmSync(path.join(box.stick, `sekisho-${ID}.key`));
  box.powerOff();
  const label = path.join(box.env()['SEKISHO_DEV'] ?? '', 'disk/by-label');
  mkdirSync(label, { recursive: true });
  symlinkSync(box.stick, path.join(label, 'SEKISHO-KEY'));
  mkdirSync(box.env()['SEKISHO_RUN'] ?? '');
  writeFileSync(path.join(box.env()['SEKISHO_RUN'] ?? '', 'typed'), recovery);
  assert.match(box.step().said, /holds the key from now on/);
  const key = readFileSync(path.join(box.stick, `sekisho-${ID}.key`), 'latin1');
  assert.equal(key.length, 64);
  assert.ok(!fits(box, 'k'.repeat(64)), 'the lost stick opens it still');
  box.powerOff();
  box.plug();
  assert.match(box.step().said, /opened by: usb/);
});

test('the key in the chip: opened without anybody, by the recovery key with another chip, which then has the key', async () => {
  using box = newBox();
  const chip = path.join(box.env()['SEKISHO_DEV'] ?? '', 'chip');
  writeFileSync(box.wish, 'tpm2\n');
  // there is none: nothing is erased
  assert.match(box.step().said, /Nothing was erased/);
  assert.match(head(box.part), /^Subject: the mail/);
  writeFileSync(chip, 'one\n');
  writeFileSync(box.wish, 'tpm2\n');
  assert.equal(box.step().code, 1);
  assert.equal(existsSync(box.wish), false);
  box.powerOff();
  assert.equal(box.step().said, 'The data partition was opened by: tpm2\n');
  assert.match(box.run('state') ?? '', /^opened=tpm2\nkey=tpm2\nid=[0-9a-f-]{36}\n$/);
  const recovery = box.run('recovery-key') ?? '';
  box.powerOff();
  writeFileSync(chip, 'two\n');
  mkdirSync(box.env()['SEKISHO_RUN'] ?? '');
  writeFileSync(path.join(box.env()['SEKISHO_RUN'] ?? '', 'typed'), recovery);
  assert.match(box.step().said, /opened by: recovery/);
  box.powerOff();
  assert.match(box.step().said, /opened by: tpm2/);
  assert.ok(fits(box, recovery));
});

test('power that goes while all is made anew: the wish stands, and the next start does it again from the beginning', async () => {
  using box = newBox();
  wishStick(box);
  // the header is written, the file system is being made
  const bin = path.join(box.part, '../../../bin/mke2fs');
  writeFileSync(bin, '#!/bin/sh\necho making; exec sleep 60\n');
  chmodSync(bin, 0o755);
  const child = await startChild('/bin/sh', [STEP, 'start'], { env: box.env() });
  try {
    await until('the file system to be begun', { ms: 120_000 }, () => child.output().includes('making') || undefined);
  } finally {
    await child.kill();
  }
  assert.equal(kind(box.part), 'crypto_LUKS');
  assert.ok(existsSync(box.wish));
  box.powerOff();
  rmSync(bin);
  assert.equal(box.step().code, 1);
  assert.equal(existsSync(box.wish), false);
  box.powerOff();
  assert.match(box.step().said, /opened by: usb/);
});

test('nothing is erased while the key of the wish is not there; after its time the wish is dropped', () => {
  using box = newBox();
  wishStick(box);
  writeFileSync(box.mark, 'claimed\n');
  box.unplug();
  const { code, said } = box.step();
  assert.equal(code, 0);
  assert.match(said, /stick with sekisho-0b9d3f6e\S+ is not there[\s\S]*Nothing was erased/);
  assert.match(head(box.part), /^Subject: the mail/);
  assert.equal(existsSync(box.wish), false);
  assert.equal(existsSync(box.mark), true, 'a box with all its data has an owner');
  assert.equal(box.rebooted(), 0);
});

test('a wish that cannot be understood erases nothing', () => {
  using box = newBox();
  for (const words of ['', 'usb', 'usb ../../etc/passwd', 'yes please', `usb ${ID}0`]) {
    writeFileSync(box.wish, words);
    assert.equal(box.step().code, 0);
    assert.match(head(box.part), /^Subject: the mail/, words);
  }
});

test('a reset of an encrypted box leaves no header, no key that fits, and an empty file system', () => {
  using box = encrypted();
  box.step();
  const recovery = box.run('recovery-key') ?? '';
  box.powerOff();
  writeFileSync(box.wish, 'none\n');
  writeFileSync(box.mark, 'claimed\n');
  // a cut is survived at each place if the mark goes when all is erased, and the wish after it
  const sync = path.join(box.part, '../../../bin/sync');
  const kinds = 'blkid -p -s TYPE -o value "$DEVICES/sekisho/data-partition"';
  writeFileSync(
    sync,
    `#!/bin/sh\n[ "$1" != -f ] || { ls "$2/sekisho"; ${kinds}; } >> "$DEVICES/../gone"\nexec /bin/sync "$@"\n`,
  );
  chmodSync(sync, 0o755);
  assert.equal(box.step().code, 1);
  assert.equal(readFileSync(path.join(box.part, '../../../gone'), 'utf8'), 'erase\next4\n');
  assert.equal(kind(box.part), 'ext4');
  assert.ok(!fits(box, recovery));
  assert.ok(!head(box.part).includes('LUKS'));
  assert.equal(existsSync(box.wish), false);
  assert.deepEqual(readdirSync(path.dirname(box.wish)), []);
});

test('a disk that cannot be erased is told, and tried again when somebody asks for it, without a restart', async () => {
  using box = newBox();
  wishStick(box);
  const child = await startChild('/bin/sh', [STEP, 'start'], { env: box.env({ FAIL_WIPE: 'yes' }) });
  try {
    await until('the trouble', { ms: 120_000 }, () => child.output().includes('could not be made anew') || undefined);
    assert.equal(box.rebooted(), 0);
    assert.ok(existsSync(box.wish));
  } finally {
    await child.kill();
  }
});
