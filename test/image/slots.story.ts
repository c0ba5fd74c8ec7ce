/**
 * Slots that do not start: an update whose root is not the one its kernel was told of, and both slots damaged at once. Takes
 * seven starts and more; by hand: scripts/image-test slots.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { makeBundles } from './bundles.ts';
import { bootedSlot, installUpdate, restart, showUpdate } from './updating.ts';
import { imageFolder, type Office, openOffice, seconds, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

const STARTS_MS = 1_200_000;
let office: Office;
let broken: string;
let whole: string;

before(async () => {
  office = await openOffice();
  const bundles = makeBundles(office);
  broken = bundles.broken({ version: '1.0.1' });
  whole = bundles.system({ version: '1.0.2' });
  await office.vm.plug(bundles.stick([broken, whole]));
});
after(() => office?.[Symbol.asyncDispose]());

test('an update that does not come up is left after three tries, by itself, and the reason is told', async (t) => {
  const { vm } = office;
  const installed = await installUpdate(vm, path.basename(broken));
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  const began = performance.now();
  await restart(vm, { times: 4 });
  t.diagnostic(`220 of the old system ${seconds(began)} after the restart, ${vm.events('RESET')} restarts in all`);
  assert.equal(await bootedSlot(vm), 'A');
  const { lastFallback } = await until('the reason', { ms: 300_000, every: 2_000 }, async () => {
    const one = await showUpdate(vm);
    return one.lastFallback === undefined ? undefined : one;
  });
  assert.match(lastFallback?.reason ?? '', /did not start/);
});

/** Where a partition of the box's disk lies, in octets. */
function place(name: string): number {
  const table = JSON.parse(
    execFileSync('/usr/sbin/sfdisk', ['--json', path.join(office.out, 'claimed', 'disk.img')], { encoding: 'utf8' }),
  ) as { partitiontable: { sectorsize: number; partitions: Array<{ name: string; start: number }> } };
  const { sectorsize, partitions } = table.partitiontable;
  const found = partitions.find((one) => one.name === name);
  if (found === undefined) throw new Error(`No partition "${name}"`);
  return found.start * sectorsize;
}

const onDisk = (command: string): string =>
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', command, office.vm.file('disk.qcow2')], { encoding: 'utf8' });

test('with both slots damaged each is tried three times, again and again; one that is whole again starts', async (t) => {
  const { vm } = office;
  const installed = await installUpdate(vm, path.basename(whole));
  assert.equal(installed.phase, 'waiting-for-reboot', JSON.stringify(installed));
  await vm.powerCut();
  // the first MiB: the superblock. What stood there in A is the image's own
  const kept = path.join(office.folder, 'first-mebibyte');
  const from = path.join(office.out, 'claimed', 'disk.img');
  execFileSync('dd', [
    `if=${from}`,
    `of=${kept}`,
    'bs=1M',
    `skip=${place('root-a') / 1_048_576}`,
    'count=1',
    'status=none',
  ]);
  for (const name of ['root-a', 'root-b']) onDisk(`write -P 0x5a ${place(name)} 1M`);
  await vm.start();
  const picked = (): string =>
    [...vm.serial().matchAll(/Booting `Sekisho \(([AB])\)'/g)].map(([, slot]) => slot).join('');
  const began = performance.now();
  await until('eight starts', { ms: STARTS_MS, every: 500 }, () => (picked().length >= 8 ? true : undefined)).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}: ${picked()}`);
    },
  );
  t.diagnostic(`eight starts in ${seconds(began)}: ${picked()}`);
  // B is newer, so it comes first; with both used up the first of the order gets its chance again
  assert.match(picked(), /^BBBAAAB/);
  await vm.powerCut();
  onDisk(`write -s ${kept} ${place('root-a')} 1M`);
  await vm.start();
  t.diagnostic(`one slot whole again: 220 after ${(await untilBanner(vm)).toFixed(1)} s`);
  assert.equal(await bootedSlot(vm), 'A');
});
