/**
 * What takes longer than the test command allows, each in a copy of a claimed box: a full data partition, a data partition that is
 * garbage, a kernel panic. By hand: scripts/image-test trouble.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../src/base/deadline.ts';
import { plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { sendMail } from '../support/smtp-client.ts';
import type { Vm } from '../support/vm.ts';
import { askPages, claimBox, consoleSays, greeting, imageFolder, openOffice, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

const from = 'hanako@example.com';
const to = 'a@office.example';
const FULL_MS = 600_000;

const restarts = async (vm: Vm): Promise<number> =>
  Number((await vm.shell('systemctl show -P NRestarts sekisho-gateway.service')).output);

test('ten minutes of a full data partition: mail is asked to come later, nothing is bitten, and room is enough to go on', async (t) => {
  await using office = await openOffice();
  const { vm } = office;
  const before = await restarts(vm);
  await vm.shell('dd if=/dev/zero of=/var/lib/filler bs=1M; sync', { ms: 600_000 });
  const began = performance.now();
  const answers = new Map<string, number>();
  while (performance.now() - began < FULL_MS) {
    const code = await sendMail(vm.smtpPort, { from, to, bytes: plainMail({ messageId: 'full@x' }) }).then(
      (reply) => String(reply.code),
      () => 'closed',
    );
    answers.set(code, (answers.get(code) ?? 0) + 1);
    await pause(5_000);
  }
  t.diagnostic(`answers: ${JSON.stringify([...answers])}`);
  assert.ok(
    [...answers.keys()].every((code) => /^4|^closed/.test(code)),
    'Mail was taken or refused for good',
  );
  assert.equal(await restarts(vm), before, 'The gateway was bitten');
  assert.equal(vm.events('WATCHDOG'), 0);
  await vm.shell('rm /var/lib/filler; sync');
  const reply = await until('mail to be taken', { ms: 300_000, every: 2_000 }, () =>
    sendMail(vm.smtpPort, { from, to, bytes: plainMail({ messageId: 'room@x' }) }).then(
      (said) => (said.code === 250 ? said : undefined),
      () => undefined,
    ),
  );
  assert.equal(reply.code, 250);
});

test('with a data partition that is garbage the box says 421, nobody claims it, and its console makes it anew', async (t) => {
  await using office = await openOffice();
  const { vm } = office;
  await until('the mark of the owner', { ms: 120_000, every: 2_000 }, async () =>
    (await vm.shell('grep -x claimed /efi/sekisho/owner')).code === 0 ? true : undefined,
  );
  await destroyData(vm);
  await vm.powerCut();
  await vm.start();
  await until('421', { ms: 900_000, every: 2_000 }, async () =>
    (await greeting(vm)).startsWith('421 ') ? true : undefined,
  );
  t.diagnostic(`421 ${seconds(vm.poweredAt)} after power on`);
  await until('the reason on the console', { ms: 300_000 }, () =>
    /DEGRADED: Nothing of this box is found/.test(vm.serial()) ? true : undefined,
  );
  assert.equal((await office.status()).degraded?.cause, 'no-data');
  const setup = await until('the pages', { ms: 300_000, every: 2_000 }, async () => {
    const shown = await askPages(vm, { path: '/setup' });
    return shown.status === 200 ? shown.text : undefined;
  });
  assert.match(setup, /"noData":true/);
  const body = { code: 'AAAAA-AAAAA', user: 'stranger', password: 'a long enough password 9', language: 'en' };
  assert.equal((await askPages(vm, { path: '/setup/claim', body })).status, 403);
  const said = await vm.shell(
    'findmnt -no FSTYPE /var; systemctl --failed --no-legend; cat /sys/fs/ext4/*/lifetime_write_kbytes',
  );
  t.diagnostic(`/var, what failed, ext4 mounted: ${said.output.trim().replaceAll('\n', ' · ')}`);
  assert.match(said.output, /^tmpfs\n/);

  // the way back, by who stands before it
  await consoleSays(vm, ' ', { expected: /Number, then Enter/ });
  await consoleSays(vm, '11\r', { expected: /ERASE EVERYTHING/ });
  const resets = vm.events('RESET');
  await vm.type('ERASE EVERYTHING\r');
  await until('both restarts', { ms: 900_000, every: 200 }, () => vm.events('RESET') >= resets + 2 || undefined);
  await untilSetup(vm);
  assert.equal((await vm.shell('ls /efi/sekisho')).output.trim(), '');

  // the disk of a box that nobody owns: it begins anew, as on its first day
  await destroyData(vm);
  await vm.powerCut();
  await vm.start();
  await untilSetup(vm);
  assert.match((await vm.shell('findmnt -no FSTYPE /var')).output, /^ext4\n/);
  await claimBox(vm);
  t.diagnostic(`destroyed, unclaimed, started, claimed: 220 ${(await untilBanner(vm)).toFixed(1)} s after power on`);
});

/** Its superblock stands, what follows is noise: the check at the start makes an empty file system of it. */
async function destroyData(vm: Vm): Promise<void> {
  const { code, output } = await vm.shell(
    'dd if=/dev/urandom of=/dev/sekisho/data bs=4k seek=16 count=51200 conv=notrunc,fsync',
    { ms: 300_000 },
  );
  assert.equal(code, 0, output);
}

async function untilSetup(vm: Vm): Promise<void> {
  const shown = await until('the pages', { ms: 900_000, every: 2_000 }, async () => {
    const { status, text } = await askPages(vm, { path: '/setup' });
    return status === 200 ? text : undefined;
  });
  assert.match(shown, /"claimed":false/);
  assert.match(shown, /"noData":false/);
}

test('a kernel panic restarts the box by itself', async (t) => {
  await using office = await openOffice();
  const { vm } = office;
  await vm.shell('echo c > /proc/sysrq-trigger & true').catch(() => undefined);
  await until('the restart', { ms: 300_000, every: 200 }, () => (vm.events('RESET') > 0 ? true : undefined));
  vm.poweredAt = performance.now();
  t.diagnostic(`220 ${(await untilBanner(vm)).toFixed(1)} s after the restart`);
  t.diagnostic(`reason shown: ${(await office.status()).watchdog.lastReset.reason}`);
  await until('the pages', { ms: 300_000, every: 2_000 }, async () =>
    (await askPages(vm, { path: '/setup' })).status === 200 ? true : undefined,
  );
});
