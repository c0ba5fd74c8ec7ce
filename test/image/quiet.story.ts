/**
 * What wants a quiet machine: how long a claimed box takes from power to its 220, judged; then what it does while nobody sends
 * anything: octets written to its disk, by partition and by program, and the memory of every process of ours. Ten minutes, said as a
 * day's; by hand: scripts/image-test quiet.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pause } from '../../src/base/deadline.ts';
import { enterOwnNetwork } from '../support/own-network.ts';
import { imageFolder, type Office, openOffice, untilBanner } from './world.ts';

await imageFolder();
enterOwnNetwork();

/** The promise, in software emulation on a quiet machine. */
const READY_SECONDS = 90;
const STARTS = 2;
const SETTLE_MS = 90_000;
const IDLE_MS = Number(process.env['SEKISHO_TEST_IDLE_MS'] ?? 600_000);
const DAY_MS = 86_400_000;
const SECTOR = 512;
/** DESIGN: flash lives for years. */
const MOST_A_DAY = 500_000_000;
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

/** What programs asked to be written, by unit. */
async function asked(): Promise<Map<string, number>> {
  const { output } = await office.vm.shell(
    String.raw`for p in /proc/[0-9]*; do u=$(sed -n 's/.*\/\([^/]*\)$/\1/p' $p/cgroup 2>/dev/null | head -n 1); w=$(awk '/^write_bytes/ { print $2 }' $p/io 2>/dev/null); [ -n "$u" ] && [ -n "$w" ] && echo "$u $w"; done; true`,
  );
  const sums = new Map<string, number>();
  for (const line of output.trim().split('\n')) {
    const [unit = '', octets] = line.split(' ');
    sums.set(unit, (sums.get(unit) ?? 0) + Number(octets));
  }
  return sums;
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
  await pause(SETTLE_MS);
  const [disk, programs] = [await written(), await asked()];
  await pause(IDLE_MS);
  const [diskAfter, programsAfter] = [await written(), await asked()];
  const day = (((diskAfter.get('vda') ?? 0) - (disk.get('vda') ?? 0)) * DAY_MS) / IDLE_MS;
  t.diagnostic(`MB a day, disk: ${grown(disk, diskAfter)}`);
  t.diagnostic(`MB a day, asked for by: ${grown(programs, programsAfter)}`);
  const shares = await vm.shell(
    String.raw`for p in /proc/[0-9]*; do u=$(sed -n 's/.*\/\([^/]*\)$/\1/p' $p/cgroup 2>/dev/null | head -n 1); m=$(awk '/^Pss:/ { print $2 }' $p/smaps_rollup 2>/dev/null); [ -n "$m" ] && echo "$u $(cat $p/comm) $m"; done | sort`,
  );
  let ours = 0;
  for (const line of shares.output.trim().split('\n')) {
    const [unit = '', name, kib] = line.split(' ');
    t.diagnostic(`${(Number(kib) / 1_024).toFixed(1)} MiB PSS: ${unit} ${name}`);
    if (/^sekisho-(?:gateway|admin|portal|host|console|inspect)/.test(unit)) ours += Number(kib) / 1_024;
  }
  t.diagnostic(`all processes of ours: ${ours.toFixed(1)} MiB PSS`);
  t.diagnostic((await vm.shell('free -m')).output);
  assert.ok(day < MOST_A_DAY, `${Math.round(day / 1_000_000)} MB a day`);
});
