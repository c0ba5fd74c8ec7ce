/**
 * What a box lives through, in one virtual machine that was claimed before: power cuts under load, a gateway that hangs, one
 * that crashes again and again. Each test goes on where the one before stopped. Every wait has five times
 * what it takes on a quiet machine, and more.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import type { Vm } from '../support/vm.ts';
import { cutsUnderLoad } from './load.ts';
import { askHost, askPages, greeting, imageFolder, type Office, openOffice, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

let office: Office;
let vm: Vm;

before(async () => {
  office = await openOffice();
  ({ vm } = office);
});
after(() => office?.[Symbol.asyncDispose]());

test('three power cuts under load lose and alter nothing that had its 250', async (t) => {
  await cutsUnderLoad(office, { cuts: 3, told: (line) => t.diagnostic(line) });
  assert.equal((await office.status()).watchdog.lastReset.reason, 'power-loss');
});

test('a gateway that hangs is started again by its watchdog', async (t) => {
  const restarts = async (): Promise<number> =>
    Number((await vm.shell('systemctl show -P NRestarts sekisho-gateway.service')).output);
  const before = await restarts();
  await vm.shell('systemctl kill --signal=STOP --kill-whom=main sekisho-gateway.service');
  const hung = performance.now();
  await until('the gateway to be replaced', { ms: 300_000, every: 500 }, async () =>
    (await restarts()) > before ? true : undefined,
  );
  await untilBanner(vm);
  t.diagnostic(`gateway stopped: 220 again after ${seconds(hung)}`);
  const end = await vm.shell('tail -n 1 /var/lib/sekisho-host/gateway-ends.jsonl');
  assert.match(end.output, /"result":"watchdog"/);
});

test('five crashes within ten minutes: 421, page and console alive with the reason, and the way back', async (t) => {
  const pid = async (): Promise<string> =>
    (await vm.shell('systemctl show -P MainPID sekisho-gateway.service')).output.trim();
  const shownBefore = vm.serial().length;
  const began = performance.now();
  const { degraded } = await until('the degraded mode', { ms: 900_000, every: 1_000 }, async () => {
    const running = await pid();
    if (running !== '0') await vm.shell(`kill -SEGV ${running}`);
    await until('the end of it', { ms: 120_000, every: 500 }, async () =>
      (await pid()) === running ? undefined : true,
    );
    const shown = await office.status();
    return shown.degraded === undefined ? undefined : shown;
  });
  t.diagnostic(`degraded after ${seconds(began)}`);
  assert.equal(degraded?.cause, 'crashes');
  assert.match(degraded?.detail ?? '', /ended 5 times in 10 minutes, last: signal SEGV/);
  // the one in full may still be there for a moment where the host decided
  await until('421 on port 25', { ms: 300_000, every: 1_000 }, async () =>
    (await greeting(vm)).startsWith('421 ') ? true : undefined,
  );
  assert.equal((await askPages(vm, { path: '/setup' })).status, 200);
  await until('the reason on the console', { ms: 120_000 }, () =>
    /DEGRADED: The gateway ended 5 times/.test(vm.serial().slice(shownBefore)) ? true : undefined,
  );
  await askHost(vm, { path: 'degraded/end', body: {} });
  await untilBanner(vm);
  assert.equal((await office.status()).degraded, undefined);
});
