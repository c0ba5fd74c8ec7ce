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
import { askPages, greeting, imageFolder, openOffice, untilBanner } from './world.ts';

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

test('with a data partition that is garbage the box says 421 and its console works', async () => {
  await using office = await openOffice();
  const { vm } = office;
  await vm.shell('dd if=/dev/urandom of=/dev/sekisho/data bs=1M count=200 conv=notrunc,fsync', { ms: 300_000 });
  await vm.powerCut();
  await vm.start();
  await until('421', { ms: 900_000, every: 2_000 }, async () =>
    (await greeting(vm)).startsWith('421 ') ? true : undefined,
  );
  await until('the reason on the console', { ms: 300_000 }, () =>
    /DEGRADED: The data partition cannot be read/.test(vm.serial()) ? true : undefined,
  );
  const { degraded } = await office.status();
  assert.equal(degraded?.cause, 'no-data');
  await until('the pages', { ms: 300_000, every: 2_000 }, async () =>
    (await askPages(vm, { path: '/setup' })).status === 200 ? true : undefined,
  );
  const from = vm.serial().length;
  await until('the menu of the console', { ms: 300_000, every: 10_000 }, async () => {
    await vm.type(' ');
    return /11 {2}Erase|Number, then Enter/.test(vm.serial().slice(from)) ? true : undefined;
  });
});

test('a kernel panic restarts the box by itself', async (t) => {
  await using office = await openOffice();
  const { vm } = office;
  await vm.shell('echo c > /proc/sysrq-trigger & true').catch(() => undefined);
  await until('the restart', { ms: 300_000, every: 200 }, () => (vm.events('RESET') > 0 ? true : undefined));
  vm.poweredAt = performance.now();
  t.diagnostic(`220 ${(await untilBanner(vm)).toFixed(1)} s after the restart`);
  t.diagnostic(`reason shown: ${(await office.status()).watchdog.lastReset.reason}`);
  assert.equal((await askPages(vm, { path: '/setup' })).status, 200);
});
