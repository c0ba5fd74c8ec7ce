/**
 * Power cuts in large numbers: under load, and at points spread over the whole of an install. How many: SEKISHO_TEST_CUTS (50).
 * Each cut costs a start; by hand: scripts/image-test cuts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import path from 'node:path';
import { pause } from '../../src/base/deadline.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { makeBundles } from './bundles.ts';
import { cutsUnderLoad } from './load.ts';
import { bootedSlot, findStick, installUpdate, showUpdate } from './updating.ts';
import { askHost, imageFolder, type Office, openOffice, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

const CUTS = Number(process.env['SEKISHO_TEST_CUTS'] ?? 50);
let office: Office;

before(async () => {
  office = await openOffice();
});
after(() => office?.[Symbol.asyncDispose]());

test(`${CUTS} power cuts under load lose and alter nothing that had its 250`, async (t) => {
  await cutsUnderLoad(office, { cuts: CUTS, told: (line) => t.diagnostic(line) });
});

test(`${CUTS} power cuts spread over an install: the running system starts each time, and the update goes in after that`, async (t) => {
  const { vm } = office;
  const bundles = makeBundles(office);
  const file = bundles.system({ version: '1.0.1' });
  const stick = bundles.stick([file]);
  await vm.plug(stick);
  const began = performance.now();
  const device = await findStick(vm);
  await installUpdate(vm, path.basename(file));
  const whole = performance.now() - began;
  t.diagnostic(`an install takes ${seconds(began)}`);
  for (let cut = 1; cut <= CUTS; cut += 1) {
    await askHost(vm, { path: 'update/install', body: { from: 'usb', device, file: path.basename(file) } });
    await pause((whole * 0.95 * cut) / CUTS);
    const { phase } = await showUpdate(vm);
    await vm.powerCut();
    await vm.start();
    await vm.plug(stick);
    const up = await untilBanner(vm);
    const slot = await bootedSlot(vm);
    t.diagnostic(`cut ${cut}, ${phase}: slot ${slot}, 220 after ${up.toFixed(1)} s`);
    // written to its last octet between the question and the cut: a whole system on trial
    if (slot === 'B' && phase === 'waiting-for-reboot') {
      t.diagnostic(`${cut} cuts, the last one came too late`);
      return;
    }
    assert.equal(slot, 'A', 'An update that was not whole was started');
    await findStick(vm);
    await until('the host to be ready for an update', { ms: 300_000, every: 1_000 }, async () =>
      (await showUpdate(vm)).phase === 'idle' ? true : undefined,
    );
  }
  const installed = await installUpdate(vm, path.basename(file));
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
});
