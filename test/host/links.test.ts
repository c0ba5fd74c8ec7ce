/**
 * The network cards as the page and the console show them: from a folder like the kernel's, with and without a cable, and the
 * settings that go with each, also for a card that came later.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { networkSettings, type NetworkSettings } from '../../src/control/host-shapes.ts';
import { type Link, readLinks } from '../../src/host/links.ts';
import { createNetwork } from '../../src/host/network.ts';
import { openRecord } from '../../src/host/record.ts';
import { FakeClock } from '../support/fake-clock.ts';

async function folder(context: TestContext): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sekisho-links-'));
  context.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function card(sys: string, name: string, facts: Record<string, string>): Promise<void> {
  await mkdir(path.join(sys, name, 'device'), { recursive: true });
  for (const [fact, text] of Object.entries(facts)) await writeFile(path.join(sys, name, fact), `${text}\n`);
}

const ADDRESS = {
  address: '192.0.2.25',
  netmask: '255.255.255.0',
  family: 'IPv4' as const,
  mac: '02:00:00:00:00:01',
  internal: false,
  cidr: '192.0.2.25/24',
};

test('a card without a cable is listed and said to be down; loopback and what the kernel made for itself are not', async (context) => {
  const sys = await folder(context);
  await card(sys, 'eth0', { address: '02:00:00:00:00:01', carrier: '1', speed: '1000', mtu: '1500' });
  await card(sys, 'eth1', { address: '02:00:00:00:00:02', carrier: '0', speed: '-1', mtu: '1500' });
  // never switched on: the kernel gives no carrier
  await card(sys, 'eth2', { address: '02:00:00:00:00:03', mtu: '1500' });
  await mkdir(path.join(sys, 'sit0'));
  await mkdir(path.join(sys, 'lo'));
  assert.deepEqual(await readLinks(sys, { eth0: [ADDRESS] }), [
    {
      name: 'eth0',
      mac: '02:00:00:00:00:01',
      up: true,
      addresses: ['192.0.2.25/24'],
      mtu: 1_500,
      speedMbit: 1_000,
    },
    { name: 'eth1', mac: '02:00:00:00:00:02', up: false, addresses: [], mtu: 1_500 },
    { name: 'eth2', mac: '02:00:00:00:00:03', up: false, addresses: [], mtu: 1_500 },
  ]);
});

function settings(interfaces: NetworkSettings['interfaces']): NetworkSettings {
  return { hostname: 'gw.office.example', interfaces, dns: [], ntp: [], inside: [] };
}

async function shown(context: TestContext, options: { on: NetworkSettings; links: string[] }): Promise<string[]> {
  const dir = await folder(context);
  const record = openRecord(path.join(dir, 'data'));
  await record.change((state) => ({ ...state, network: options.on }));
  const network = createNetwork({
    record,
    clock: new FakeClock(),
    run: async () => ({ code: 0, stdout: '', stderr: '', missing: false, late: false }),
    networkd: dir,
    unbound: dir,
    chrony: dir,
    log: () => undefined,
    links: async () => options.links.map((name): Link => ({ name, mac: '', up: true, addresses: [] })),
  });
  const { settings: all } = await network.show();
  return all.interfaces.map(({ name, vlan, ipv4 }) => `${name} ${vlan ?? '-'} ${ipv4.method}`);
}

const DHCP = { ipv4: { method: 'dhcp' }, ipv6: { method: 'auto' } } as const;

test('a card that came after the settings were made has the settings it runs with, so that it can be set', async (context) => {
  const on = settings([{ name: 'eth0', ipv4: { method: 'off' }, ipv6: { method: 'auto' } }]);
  assert.deepEqual(await shown(context, { on, links: ['eth0', 'eth1'] }), ['eth0 - off', 'eth1 - dhcp']);
});

test('neither a VLAN nor the card below it becomes a card of its own', async (context) => {
  const on = settings([
    { name: 'eth0', vlan: 5, ...DHCP },
    { name: 'eth0', vlan: 7, ...DHCP },
  ]);
  assert.deepEqual(await shown(context, { on, links: ['eth0', 'eth0.5', 'eth0.7', 'eth0.9'] }), [
    'eth0 5 dhcp',
    'eth0 7 dhcp',
  ]);
});

test('two settings for the same interface are refused', () => {
  const twice = settings([
    { name: 'eth0', ...DHCP },
    { name: 'eth0', ...DHCP },
  ]);
  assert.equal(networkSettings.safeParse(twice).success, false);
  const tagged = settings([
    { name: 'eth0', ...DHCP },
    { name: 'eth0', vlan: 5, ...DHCP },
  ]);
  assert.equal(networkSettings.safeParse(tagged).success, true);
});
