/**
 * Confirm or revert, on the clock: who locks himself out by a new network gets the old one back after two minutes, to the second,
 * and what he confirmed in time stays. Files are real, the timers and the commands are the test's.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type TestContext, test } from 'node:test';
import type { NetworkSettings } from '../../src/control/host-shapes.ts';
import { networkFiles } from '../../src/host/network-files.ts';
import { AGAIN_MS, CONFIRM_MS, createNetwork, type Network } from '../../src/host/network.ts';
import { openRecord } from '../../src/host/record.ts';
import { FakeClock } from '../support/fake-clock.ts';

const NEW_BOX = path.resolve(import.meta.dirname, '../../rootfs/usr/lib/systemd/network/80-sekisho.network');
/** Ends a hang: files are synced for real, and a disk may take its time. */
const GUARD_MS = 60_000;

interface World {
  dir: string;
  network: Network;
  /** networkd's file of the interface. */
  text: () => Promise<string>;
  /** How often networkd was told to look again. */
  reloads: () => number;
  /** Time goes by: the timers that are due run, then what they began. */
  pass: (ms: number, until: () => Promise<boolean> | boolean) => Promise<void>;
}

async function world(context: TestContext): Promise<World> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-network-'));
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = new FakeClock();
  const at = (name: string): string => path.join(dir, name);
  let reloads = 0;
  const network = createNetwork({
    record: openRecord(at('data')),
    clock,
    run: async (program, [verb]) => {
      if (program === 'networkctl' && verb === 'reload') reloads += 1;
      return { code: 0, stdout: '', stderr: '', missing: false, late: false };
    },
    networkd: at('networkd'),
    unbound: at('unbound'),
    chrony: at('chrony'),
    log: () => undefined,
    links: async () => [],
  });
  context.after(async () => {
    network.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const file = at('networkd/50-sekisho-eth0.network');
  return {
    dir,
    network,
    reloads: () => reloads,
    text: async () => (existsSync(file) ? readFile(file, 'utf8') : ''),
    pass: async (ms, until) => {
      clock.advance(ms);
      context.mock.timers.tick(ms);
      for (const end = performance.now() + GUARD_MS; performance.now() < end; await turn()) if (await until()) return;
      assert.fail('What was waited for did not come');
    },
  };
}

function fixed(address: string): NetworkSettings {
  return {
    hostname: 'gw.office.example',
    interfaces: [{ name: 'eth0', ipv4: { method: 'static', addresses: [address] }, ipv6: { method: 'off' } }],
    dns: [],
    ntp: [],
    inside: [],
  };
}

test('what nobody confirms is taken back after two minutes, and not a second before', async (context) => {
  const { network, text, pass } = await world(context);
  const first = await network.set(fixed('192.0.2.10/24'));
  await pass(100, async () => (await text()).includes('192.0.2.10/24'));
  await network.confirm(first.id);
  const second = await network.set(fixed('192.0.2.99/24'));
  assert.equal(Date.parse(second.revertsAt) - Date.parse(second.since), CONFIRM_MS);
  await pass(100, async () => (await text()).includes('192.0.2.99/24'));
  await pass(CONFIRM_MS - 1_100, () => true);
  assert.equal((await network.show()).pending?.id, second.id);
  assert.match(await text(), /192\.0\.2\.99\/24/);
  await pass(1_000, async () => (await network.show()).pending === undefined);
  assert.match(await text(), /192\.0\.2\.10\/24/);
  await assert.rejects(network.confirm(second.id), { code: 'NOT_FOUND' });
});

test('what is confirmed in time stays, and a change of mind takes it back at once', async (context) => {
  const { network, text, pass } = await world(context);
  const { id } = await network.set(fixed('192.0.2.10/24'));
  await pass(100, async () => (await text()).includes('192.0.2.10/24'));
  await pass(CONFIRM_MS - 1_000, () => true);
  await network.confirm(id);
  await pass(10 * CONFIRM_MS, () => true);
  assert.match(await text(), /192\.0\.2\.10\/24/);
  await network.set(fixed('192.0.2.99/24'));
  await pass(100, async () => (await text()).includes('192.0.2.99/24'));
  await network.revert();
  assert.match(await text(), /192\.0\.2\.10\/24/);
  assert.equal((await network.show()).pending, undefined);
});

test('a network that cannot be had back at once is tried again until it is, and cannot be confirmed meanwhile', async (context) => {
  const { network, text, pass, dir } = await world(context);
  const first = await network.set(fixed('192.0.2.10/24'));
  await pass(100, async () => (await text()).includes('192.0.2.10/24'));
  await network.confirm(first.id);
  const second = await network.set(fixed('192.0.2.99/24'));
  await pass(100, async () => (await text()).includes('192.0.2.99/24'));
  const folder = path.join(dir, 'networkd');
  await rename(folder, `${folder}.away`);
  await writeFile(folder, 'no folder\n');
  await assert.rejects(network.revert());
  await assert.rejects(network.confirm(second.id), { code: 'NOT_FOUND' });
  assert.equal((await network.show()).pending?.id, second.id);
  await rm(folder);
  await rename(`${folder}.away`, folder);
  await pass(AGAIN_MS - 1_000, () => true);
  assert.match(await text(), /192\.0\.2\.99\/24/);
  await pass(1_000, async () => (await network.show()).pending === undefined);
  assert.match(await text(), /192\.0\.2\.10\/24/);
});

test('a change that comes while another is taken back waits for its own confirmation', async (context) => {
  const { network, text, pass } = await world(context);
  await network.set(fixed('192.0.2.10/24'));
  await pass(100, async () => (await text()).includes('192.0.2.10/24'));
  const back = network.revert();
  const second = await network.set(fixed('192.0.2.99/24'));
  await back;
  assert.equal((await network.show()).pending?.id, second.id);
  await pass(100, async () => (await text()).includes('192.0.2.99/24'));
  await pass(CONFIRM_MS, async () => (await network.show()).pending === undefined);
  assert.doesNotMatch(await text(), /192\.0\.2\.99/);
});

test('a change that is taken back before it was carried out never is', async (context) => {
  const { network, text, pass, reloads } = await world(context);
  await network.set(fixed('192.0.2.10/24'));
  await network.revert();
  assert.equal(reloads(), 1);
  await pass(1_000, () => true);
  // one after the other: when the next is carried out, the one before would have been
  await network.set(fixed('192.0.2.99/24'));
  await pass(100, async () => (await text()).includes('192.0.2.99/24'));
  assert.equal(reloads(), 1);
  await network.revert();
});

test('whatever address the owner gives, the one the handbook names stays beside it, unless IPv4 is off', () => {
  const files = (ipv4: NetworkSettings['interfaces'][number]['ipv4']): string =>
    networkFiles({
      hostname: 'mx.office.example',
      interfaces: [{ name: 'eth0', ipv4, ipv6: { method: 'off' } }],
      dns: [],
      ntp: [],
      inside: [],
    }).networkd.get('50-sekisho-eth0.network') ?? '';
  // networkd ends a link-local address of its own making when DHCP gives one: this is none of those
  const kept = /^\[Address\]\nAddress=169\.254\.25\.25\/16\nScope=link$/m;
  const dhcp = files({ method: 'dhcp' });
  assert.match(dhcp, kept);
  assert.match(dhcp, /^LinkLocalAddressing=ipv4\nIPv4LLStartAddress=169\.254\.25\.26$/m);
  const fixed = files({ method: 'static', addresses: ['192.0.2.10/24'], gateway: '192.0.2.1' });
  assert.match(fixed, kept);
  assert.match(fixed, /^LinkLocalAddressing=no$/m);
  const off = files({ method: 'off' });
  assert.match(off, /^LinkLocalAddressing=no$/m);
  assert.doesNotMatch(off, /169\.254/);
  assert.match(readFileSync(NEW_BOX, 'utf8'), kept);
});

test('two networks on one cable, and one beside the untagged: each has its address', () => {
  const on = (vlan?: number): NetworkSettings['interfaces'][number] => ({
    name: 'eth0',
    ipv4: { method: 'dhcp' },
    ipv6: { method: 'off' },
    ...(vlan === undefined ? {} : { vlan }),
  });
  const files = (interfaces: NetworkSettings['interfaces']): ReadonlyMap<string, string> =>
    networkFiles({ hostname: 'mail', interfaces, dns: [], ntp: [], inside: [] }).networkd;
  const tagged = files([on(5), on(7)]);
  assert.match(
    tagged.get('40-sekisho-eth0-parent.network') ?? '',
    /^VLAN=eth0\.5\nVLAN=eth0\.7\nLinkLocalAddressing=no$/m,
  );
  assert.match(tagged.get('50-sekisho-eth0.7.network') ?? '', /^Name=eth0\.7$/m);
  const both = files([on(), on(5)]);
  assert.ok(!both.has('40-sekisho-eth0-parent.network'), 'it would come first and leave eth0 without an address');
  assert.match(both.get('50-sekisho-eth0.network') ?? '', /^VLAN=eth0\.5$/m);
  assert.match(both.get('50-sekisho-eth0.network') ?? '', /^DHCP=ipv4$/m);
  assert.doesNotMatch(both.get('50-sekisho-eth0.5.network') ?? '', /VLAN/);
});

test('on a disk that takes no note a start applies what was confirmed, and what was not is nothing any more', async (context) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-network-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  const record = openRecord(path.join(dir, 'data'));
  const pending = {
    id: 'x',
    since: 0,
    revertsAt: 1,
    settings: { ...fixed('192.0.2.9/24'), inside: ['198.51.100.0/24'] },
  };
  await record.change((state) => ({ ...state, network: fixed('192.0.2.5/24'), pending }));
  const told: string[] = [];
  const network = createNetwork({
    record: { ...record, change: () => Promise.reject(new Error('ENOSPC')) },
    clock: new FakeClock(),
    run: async (_program, _args, { input } = {}) => {
      if (input !== undefined) told.push(input);
      return { code: 0, stdout: '', stderr: '', missing: false, late: false };
    },
    networkd: path.join(dir, 'networkd'),
    unbound: path.join(dir, 'unbound'),
    chrony: path.join(dir, 'chrony'),
    log: () => undefined,
    links: async () => [],
  });
  await network.restore();
  assert.match(await readFile(path.join(dir, 'networkd/50-sekisho-eth0.network'), 'utf8'), /192\.0\.2\.5/);
  assert.equal((await network.show()).pending, undefined);
  await network.filter();
  assert.doesNotMatch(told.join(''), /198\.51\.100/);
  await assert.rejects(network.confirm('x'), { code: 'NOT_FOUND' });
});
