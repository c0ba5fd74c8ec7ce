/**
 * Mains that come back while the box goes down for a low battery, with a UPS that takes the order to cut the power and, as the
 * mains are there again, does not: the box must not stay off. By hand: scripts/image-test mains.
 */
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { startDummyUps, upsSays } from './dummy-ups.ts';
import { imageFolder, type Office, openOffice, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

let office: Office;

before(async () => {
  office = await openOffice();
});
after(() => office?.[Symbol.asyncDispose]());

test('mains that come back in mid-shutdown find the box going down in order and coming up again by itself', async (t) => {
  const { vm } = office;
  await startDummyUps(vm, { obeys: true });
  await vm.shell('dmesg -n 7');
  await upsSays(vm, { status: 'OB DISCHRG LB', charge: 8 });
  const low = performance.now();
  await until('the way down', { ms: 120_000, every: 200 }, async () =>
    (await vm.shell('systemctl is-system-running')).output.trim() === 'stopping' ? true : undefined,
  );
  await upsSays(vm, { status: 'OL CHRG', charge: 9 });
  t.diagnostic(`mains back ${seconds(low)} after low battery`);
  await until('the restart', { ms: 400_000, every: 200 }, () => (vm.events('RESET') > 0 ? true : undefined));
  vm.poweredAt = performance.now();
  t.diagnostic(`restarted ${seconds(low)} after low battery`);
  assert.match(vm.serial(), /All filesystems unmounted[\s\S]*The UPS did not cut the power/);
  t.diagnostic(`220 ${(await untilBanner(vm)).toFixed(1)} s after that`);
  assert.equal((await office.status()).watchdog.lastReset.reason, 'clean');
});
