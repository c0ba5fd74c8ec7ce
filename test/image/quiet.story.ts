/**
 * What wants a quiet machine: how long a claimed box takes from power to its 220, judged; then what it does while nobody sends
 * anything: octets written to its disk, by partition and by program, and the memory of every process of ours. Ten minutes, begun
 * when what follows a start is over, said as a day's; by hand: scripts/image-test quiet.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pause } from '../../src/base/deadline.ts';
import { FULL_OCTETS } from '../../src/host/signature-files.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { until } from '../support/process.ts';
import { imageFolder, type Office, openOffice, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

/** The promise, in software emulation on a quiet machine. */
const READY_SECONDS = 90;
const STARTS = 2;
/** Jobs that were missed run five minutes after a start. */
const SETTLED_S = 420;
const SETTLES_MS = 1_800_000;
const IDLE_MS = Number(process.env['SEKISHO_TEST_IDLE_MS'] ?? 600_000);
const DAY_MS = 86_400_000;
const SECTOR = 512;
/** DESIGN: flash lives for years. */
const MOST_A_DAY = 500_000_000;
/** DESIGN: all of our processes at idle. */
const MOST_MIB = 220;
const MIB = 1_048_576;
let office: Office;

before(async () => {
  office = await openOffice();
});
after(() => office?.[Symbol.asyncDispose]());

/** Octets written since the start, by partition. */
async function written(): Promise<Map<string, number>> {
  const { output } = await office.vm.shell(`sync; awk '$3 ~ /^vda/ { print $3, $10 }' /proc/diskstats`);
  return new Map(
    output
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name = '', sectors]) => [name, Number(sectors) * SECTOR]),
  );
}

/** One field of each process, with its unit and name: four programs in the guest, not three for each process. */
async function ofEach(file: string, field: string): Promise<Array<{ unit: string; name: string; value: number }>> {
  const { output } = await office.vm.shell(
    `cd /proc; grep -Hs '^${field}:' [0-9]*/${file}; grep -Hs '' [0-9]*/cgroup [0-9]*/comm; true`,
  );
  const found = new Map<string, { unit: string; name: string; value: number }>();
  for (const [, pid = '', kind, text = ''] of output.matchAll(/^(\d+)\/(\w+):(.*)$/gm)) {
    const one = found.get(pid) ?? { unit: '', name: '', value: Number.NaN };
    if (kind === 'cgroup') one.unit = text.split('/').at(-1) ?? '';
    else if (kind === 'comm') one.name = text;
    else one.value = Number(/(\d+)/.exec(text)?.[1]);
    found.set(pid, one);
  }
  return [...found.values()].filter(({ unit, value }) => unit !== '' && !Number.isNaN(value));
}

/** What programs asked to be written, by unit. */
async function asked(): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const { unit, value } of await ofEach('io', 'write_bytes')) sums.set(unit, (sums.get(unit) ?? 0) + value);
  return sums;
}

/** The journal of each file system: transactions since it was mounted, and what one holds. */
async function commits(): Promise<string> {
  const journals = await office.vm.shell(
    String.raw`for f in /proc/fs/jbd2/*/info; do echo "$f $(grep -E 'transactions|blocks' $f | tr -s ' \n' ' ')"; done`,
  );
  return journals.output.trim();
}

const grown = (before: Map<string, number>, now: Map<string, number>): string =>
  [...now]
    .map(([name, octets]) => [name, octets - (before.get(name) ?? 0)] as const)
    .filter(([, octets]) => octets > 0)
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, octets]) => `${name} ${Math.round((octets * DAY_MS) / IDLE_MS / 1_000_000)}`)
    .join(', ');

test('a claimed box says 220 within ninety seconds of power, each time', async (t) => {
  const { vm } = office;
  const took: number[] = [];
  for (let count = 0; count < STARTS; count += 1) {
    await vm.powerCut();
    await vm.start();
    took.push(await untilBanner(vm));
  }
  t.diagnostic(`power to 220: ${took.map((one) => one.toFixed(1)).join(', ')} s`);
  t.diagnostic(
    (await vm.shell('systemd-analyze; systemd-analyze blame --no-pager | head -n 25', { ms: 300_000 })).output,
  );
  for (const one of took) assert.ok(one <= READY_SECONDS, `${one.toFixed(1)} s`);
});

test('a box that nobody sends anything writes little and holds little memory', async (t) => {
  const { vm } = office;
  // ext4lazyinit: the inode tables of a file system that has just grown are written once, by the kernel
  const settled = `! grep -qx ext4lazyinit /proc/[0-9]*/comm && [ "$(cut -d. -f1 /proc/uptime)" -ge ${SETTLED_S} ]`;
  await until('the end of what follows a start', { ms: SETTLES_MS, every: 10_000 }, async () =>
    (await vm.shell(settled)).code === 0 ? true : undefined,
  );
  const journal = await commits();
  const [disk, programs] = [await written(), await asked()];
  await pause(IDLE_MS);
  const [diskAfter, programsAfter] = [await written(), await asked()];
  t.diagnostic(`journal before: ${journal}`);
  t.diagnostic(`journal after: ${await commits()}`);
  const minutes = Math.ceil(IDLE_MS / 60_000);
  const changed = await vm.shell(`find /var /efi -xdev -newermt '-${minutes} min' -printf '%TT %s %p\n' | sort`);
  t.diagnostic(`files and folders that changed:\n${changed.output}`);
  const day = (((diskAfter.get('vda') ?? 0) - (disk.get('vda') ?? 0)) * DAY_MS) / IDLE_MS;
  t.diagnostic(`MB a day, disk: ${grown(disk, diskAfter)}`);
  t.diagnostic(`MB a day, asked for by: ${grown(programs, programsAfter)}`);
  let ours = 0;
  for (const { unit, name, value } of await ofEach('smaps_rollup', 'Pss')) {
    t.diagnostic(`${(value / 1_024).toFixed(1)} MiB PSS: ${unit} ${name}`);
    if (/^sekisho-(?:gateway|admin|portal|host|console|inspect)/.test(unit)) ours += value / 1_024;
  }
  t.diagnostic(`all processes of ours: ${ours.toFixed(1)} MiB PSS`);
  const { output } = await vm.shell('free -m');
  t.diagnostic(output);
  const used = Number(/^Mem: +\d+ +(\d+)/m.exec(output)?.[1]);
  t.diagnostic(`used, with the full signatures instead of the few: about ${Math.round(used + FULL_OCTETS / MIB)} MiB`);
  assert.ok(ours <= MOST_MIB, `${ours.toFixed(1)} MiB`);
  assert.ok(day < MOST_A_DAY, `${Math.round(day / 1_000_000)} MB a day`);
});
