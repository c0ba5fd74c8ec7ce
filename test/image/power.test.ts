/**
 * A UPS, in a virtual machine that was claimed before: `host` configures NUT and starts its units where one is told; on battery
 * with little charge the box says 421; at low battery it closes its spool, powers off and tells the UPS to cut the power; when the
 * mains are back it starts, here by UEFI. QEMU has no UPS: once `host` has started the units, NUT's own dummy driver takes the place of the one for USB, and this test sets its values.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { plainMail } from '../support/mime-samples.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { sendMail, smtpConnect } from '../support/smtp-client.ts';
import { showUps, startDummyUps, upsSays } from './dummy-ups.ts';
import { greeting, imageFolder, type Office, openOffice, otherMachine, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

let office: Office;

before(async () => {
  office = await openOffice();
});
after(() => office?.[Symbol.asyncDispose]());

const until421 = (yes: boolean): Promise<true> =>
  until(yes ? '421' : '220', { ms: 120_000, every: 500 }, async () =>
    (await greeting(office.vm)).startsWith(yes ? '421 ' : '220 ') ? true : undefined,
  );

test('a UPS is told to the box: its values and events are shown, by units that no boot without one starts', async () => {
  const { vm } = office;
  const before = await vm.shell('systemctl is-active sekisho-ups-driver sekisho-upsd sekisho-upsmon');
  assert.equal(before.output.trim(), 'inactive\ninactive\ninactive');
  const shown = await startDummyUps(vm);
  assert.deepEqual([shown.power, shown.model, shown.chargePercent], ['normal', 'Test Dummy 1000', 100]);
  const users = await vm.shell('ps -o user= -C upsd,dummy-ups | sort -u');
  assert.equal(users.output.trim(), 'nut');
});

test('with less than half of its battery left the box says 421, and takes mail again when the mains are back', async () => {
  await upsSays(office.vm, { status: 'OB DISCHRG', charge: 45 });
  await until421(true);
  const { alarms } = await office.status();
  assert.ok(alarms.some(({ name }) => name === 'on-battery'));
  await upsSays(office.vm, { status: 'OL CHRG', charge: 46 });
  await until421(false);
  const { events } = await showUps(office.vm);
  // the newest first; others may stand between: values come one by one
  const told = events.map(({ event }) => event);
  const [back, drained] = [told.indexOf('online, normal'), told.indexOf('on-battery, drain')];
  assert.ok(back !== -1 && back < drained, told.join('; '));
});

test('at low battery the box goes off in order within 45 seconds, and tells the UPS to cut the power', async (t) => {
  const { vm } = office;
  const bytes = plainMail({ messageId: 'before-the-dark@x' });
  const taken = await sendMail(vm.smtpPort, { from: 'hanako@example.com', to: 'a@office.example', bytes });
  assert.equal(taken.code, 250, taken.text);
  // what the shutdown says is told on the serial line
  await vm.shell('dmesg -n 7');
  await upsSays(vm, { status: 'OB DISCHRG LB', charge: 8 });
  const low = performance.now();
  await vm.off(225_000);
  t.diagnostic(`low battery to off: ${seconds(low)}`);
  // the dummy cannot cut anything and says so, which is the proof that it was asked at the very end
  assert.match(vm.serial(), /All filesystems unmounted[\s\S]*The UPS was not told to cut the power[\s\S]*Power down/);
  assert.doesNotMatch(vm.serial(), /timed out|SIGKILL to remaining processes[\s\S]*Failed/);
});

test('mains back: the same disk starts by UEFI, knows that it went down in order, and passes on the mail it had', async (t) => {
  const vm = otherMachine(office, { firmware: 'uefi' });
  await vm.start();
  t.diagnostic(`power to 220 by UEFI: ${(await untilBanner(vm)).toFixed(1)} s`);
  const client = await smtpConnect({ port: vm.smtpPort });
  assert.match(client.greeting.text, /^mx\.office\.example /);
  await client.quit();
  const { watchdog, degraded } = await office.status();
  assert.deepEqual([watchdog.lastReset.reason, degraded], ['clean', undefined]);
  const ready = await vm.shell('journalctl -b -u sekisho-gateway.service -o cat --no-pager | grep "Gateway is ready"');
  assert.match(ready.output, /"cleanStop":true/);
  await until('the mail at the office', { ms: 300_000 }, () => (office.has('before-the-dark@x') ? true : undefined));
});
