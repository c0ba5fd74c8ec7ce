import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { isOwnAddress } from '../../src/deliver/own-addresses.ts';
import { resolveDomain, type Resolved, resolveHost } from '../../src/deliver/resolve.ts';
import { findTargets } from '../../src/deliver/route.ts';
import { fakeResolver, testConfig, type Zone } from './support.ts';

function resolve(domain: string, zones: Record<string, Zone>, random = (): number => 0.999): Promise<Resolved> {
  return resolveDomain(domain, { resolver: fakeResolver(zones), random, hostname: 'mx.gateway.example' });
}

async function addresses(...args: Parameters<typeof resolve>): Promise<string[]> {
  const found = await resolve(...args);
  assert.ok('addresses' in found, JSON.stringify(found));
  return found.addresses.map((each) => each.address);
}

async function failure(...args: Parameters<typeof resolve>): Promise<string> {
  const found = await resolve(...args);
  assert.ok('failure' in found);
  return `${found.failure.verdict} ${found.failure.status}`;
}

const hosts = {
  'a.example': { a: ['192.0.2.1'] },
  'b.example': { a: ['192.0.2.2'] },
  'c.example': { a: ['192.0.2.3'] },
};

test('MX hosts come by preference, equal ones in random order', async () => {
  const mx = [
    { exchange: 'c.example', priority: 20 },
    { exchange: 'a.example', priority: 10 },
    { exchange: 'b.example', priority: 10 },
  ];
  const zones = { ...hosts, 'office.example': { mx } };
  assert.deepEqual(await addresses('office.example', zones, () => 0.999), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  const dice = [0, 0.999];
  assert.deepEqual(await addresses('office.example', zones, () => dice.shift() ?? 0.999), [
    '192.0.2.2',
    '192.0.2.1',
    '192.0.2.3',
  ]);
});

test('without MX the domain itself is the host, IPv4 and IPv6 in turn', async () => {
  const zones = { 'office.example': { a: ['192.0.2.1', '192.0.2.2'], aaaa: ['2001:db8::1'] } };
  assert.deepEqual(await addresses('office.example', zones), ['192.0.2.1', '2001:db8::1', '192.0.2.2']);
});

test('at most five addresses are tried', async () => {
  const a = Array.from({ length: 9 }, (_, at) => `192.0.2.${at}`);
  assert.equal((await addresses('office.example', { 'office.example': { a } })).length, 5);
  const zones = { 'office.example': { mx: [{ exchange: 'm.example', priority: 1 }] }, 'm.example': { a } };
  assert.equal((await addresses('office.example', zones)).length, 5);
});

test('null MX and names that do not exist are permanent', async () => {
  assert.equal(await failure('n.example', { 'n.example': { mx: [{ exchange: '', priority: 0 }] } }), 'bounced 5.1.10');
  assert.equal(await failure('n.example', { 'n.example': { mx: [{ exchange: '.', priority: 0 }] } }), 'bounced 5.1.10');
  assert.equal(await failure('n.example', {}), 'bounced 5.1.2');
  assert.equal(await failure('n.example', { 'n.example': {} }), 'bounced 5.1.2');
});

test('DNS trouble is temporary, at the domain and at its hosts', async () => {
  assert.equal(await failure('n.example', { 'n.example': { broken: true } }), 'deferred 4.4.3');
  const mx = [{ exchange: 'm.example', priority: 1 }];
  assert.equal(await failure('n.example', { 'n.example': { mx }, 'm.example': { broken: true } }), 'deferred 4.4.3');
  assert.equal(await failure('n.example', { 'n.example': { mx } }), 'deferred 4.4.4');
  const two = [...mx, { exchange: 'a.example', priority: 2 }];
  assert.deepEqual(
    await addresses('n.example', { ...hosts, 'n.example': { mx: two }, 'm.example': { broken: true } }),
    ['192.0.2.1'],
  );
});

test('an MX that is ourselves ends the list: equal and worse ones are dropped, none left is a loop', async () => {
  const mx = [
    { exchange: 'a.example', priority: 10 },
    { exchange: 'MX.Gateway.Example.', priority: 20 },
    { exchange: 'b.example', priority: 20 },
    { exchange: 'c.example', priority: 30 },
  ];
  assert.deepEqual(await addresses('o.example', { ...hosts, 'o.example': { mx } }), ['192.0.2.1']);
  assert.equal(await failure('o.example', { ...hosts, 'o.example': { mx: mx.slice(1) } }), 'bounced 5.4.6');
  assert.equal(await failure('mx.gateway.example', { 'mx.gateway.example': { a: ['192.0.2.9'] } }), 'bounced 5.4.6');
});

test('address literals need no DNS; localhost never leaves the machine', async () => {
  assert.deepEqual(await addresses('[192.0.2.7]', {}), ['192.0.2.7']);
  assert.deepEqual(await addresses('[ipv6:2001:db8::7]', {}), ['2001:db8::7']);
  const local = await resolveHost('localhost', {
    resolver: fakeResolver({ localhost: { broken: true } }),
    random: () => 0,
  });
  assert.deepEqual(local, { addresses: [{ host: 'localhost', address: '127.0.0.1' }] });
});

/** The box: mx.gateway.example, 192.0.2.25 and 2001:db8::25. */
const OURS = new Set(['192.0.2.25', '2001:db8::25', '127.0.0.1']);
const peers = {
  ...hosts,
  'six.example': { aaaa: ['2001:db8::6'] },
  'both.example': { a: ['192.0.2.4'], aaaa: ['2001:db8::4'] },
  'alias-of-us.example': { a: ['192.0.2.25'] },
  'six-of-us.example': { aaaa: ['2001:db8::25'] },
  'half-us.example': { a: ['192.0.2.9', '192.0.2.25'] },
  'none.example': {},
  'broken.example': { broken: true },
};
function mx(...records: Array<[priority: number, exchange: string]>): Zone {
  return { mx: records.map(([priority, exchange]) => ({ priority, exchange })) };
}

/** RFC 5321 §5.1 and RFC 7505, line by line; `random` 0.999 keeps equal ones as they are. */
const TABLE: Array<[what: string, domain: string, zone: Zone | undefined, result: string]> = [
  ['the lowest first', 'd.example', mx([20, 'b.example'], [10, 'a.example']), '192.0.2.1 192.0.2.2'],
  ['an MX of IPv6 only', 'd.example', mx([10, 'six.example']), '2001:db8::6'],
  [
    'both families in turn',
    'd.example',
    mx([10, 'both.example'], [20, 'a.example']),
    '192.0.2.4 2001:db8::4 192.0.2.1',
  ],
  ['a host without an address is skipped', 'd.example', mx([10, 'none.example'], [20, 'a.example']), '192.0.2.1'],
  ['a host whose DNS fails is skipped', 'd.example', mx([10, 'broken.example'], [20, 'a.example']), '192.0.2.1'],
  ['null MX', 'd.example', mx([0, '.']), 'bounced 5.1.10'],
  [
    'null MX beside a real one is a mistake: the real one counts',
    'd.example',
    mx([0, '.'], [10, 'a.example']),
    '192.0.2.1',
  ],
  [
    'an MX never falls back to the A record',
    'd.example',
    { ...mx([10, 'none.example']), a: ['192.0.2.99'] },
    'deferred 4.4.4',
  ],
  ['an address where a name should stand', 'd.example', mx([10, '192.0.2.7']), '192.0.2.7'],
  ['an IPv6 address where a name should stand', 'd.example', mx([10, '2001:db8::7']), '2001:db8::7'],
  ['an empty label', 'd.example', mx([10, 'a..example'], [20, 'a.example']), '192.0.2.1'],
  ['only an empty label', 'd.example', mx([10, 'a..example']), 'deferred 4.4.4'],
  ['a label of 64', 'd.example', mx([10, `${'x'.repeat(64)}.example`]), 'deferred 4.4.4'],
  ['a trailing dot', 'd.example', mx([10, 'a.example.']), '192.0.2.1'],
  ['us by name, best', 'd.example', mx([10, 'mx.gateway.example'], [20, 'a.example']), 'bounced 5.4.6'],
  [
    'us by name, second',
    'd.example',
    mx([10, 'a.example'], [20, 'mx.gateway.example'], [20, 'b.example']),
    '192.0.2.1',
  ],
  ['us by address, best', 'd.example', mx([10, 'alias-of-us.example'], [20, 'a.example']), 'bounced 5.4.6'],
  [
    'us by address, second',
    'd.example',
    mx([10, 'a.example'], [20, 'alias-of-us.example'], [30, 'b.example']),
    '192.0.2.1',
  ],
  ['us by address among equals', 'd.example', mx([10, 'a.example'], [10, 'alias-of-us.example']), 'bounced 5.4.6'],
  ['us by IPv6', 'd.example', mx([10, 'six-of-us.example']), 'bounced 5.4.6'],
  ['a host that is partly us', 'd.example', mx([10, 'half-us.example'], [20, 'a.example']), 'bounced 5.4.6'],
  ['localhost as MX', 'd.example', mx([10, 'localhost']), 'bounced 5.4.6'],
  [
    'a broken host before us: it may be the right one, later',
    'd.example',
    mx([10, 'broken.example'], [20, 'alias-of-us.example']),
    'deferred 4.4.3',
  ],
  ['no MX, and the A record is us', 'd.example', { a: ['192.0.2.25'] }, 'bounced 5.4.6'],
  ['no MX, IPv6 only', 'd.example', { aaaa: ['2001:db8::6'] }, '2001:db8::6'],
  ['an address without its brackets', '192.0.2.7', { a: ['192.0.2.7'] }, 'bounced 5.1.2'],
  ['a number', '2130706433', {}, 'bounced 5.1.2'],
  ['a literal', '[192.0.2.7]', undefined, '192.0.2.7'],
  ['a literal that is the box', '[192.0.2.25]', undefined, 'bounced 5.4.6'],
  ['an IPv6 literal that is the box', '[IPv6:2001:db8::25]', undefined, 'bounced 5.4.6'],
  ['a literal of loopback', '[127.0.0.1]', undefined, 'bounced 5.4.6'],
];

for (const [what, domain, zone, result] of TABLE) {
  test(`MX: ${what} → ${result}`, async () => {
    const zones: Record<string, Zone> = { ...peers, ...(zone === undefined ? {} : { [domain]: zone }) };
    const found = await resolveDomain(domain, {
      resolver: fakeResolver(zones),
      random: () => 0.999,
      hostname: 'mx.gateway.example',
      isOwn: (address) => OURS.has(address),
    });
    const said =
      'failure' in found
        ? `${found.failure.verdict} ${found.failure.status}`
        : found.addresses.map((each) => each.address).join(' ');
    assert.equal(said, result);
  });
}

test('equal preference: over many tries each host comes first about as often (RFC 5321 §5.1: randomise)', async () => {
  const zones = { ...hosts, 'd.example': mx([10, 'a.example'], [10, 'b.example'], [10, 'c.example']) };
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647; // Lehmer: the same every time
    return seed / 2_147_483_647;
  };
  const first = new Map<string, number>();
  for (let at = 0; at < 600; at += 1) {
    const [best] = await addresses('d.example', zones, random);
    first.set(best ?? '', (first.get(best ?? '') ?? 0) + 1);
  }
  assert.deepEqual([...first.keys()].toSorted(), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  for (const count of first.values()) assert.ok(count > 150 && count < 250, String(count));
});

test('isOwnAddress() knows loopback in every spelling, "any", and what the machine has; not its neighbours', () => {
  for (const own of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0.0.0.0', '::'])
    assert.ok(isOwnAddress(own), own);
  for (const list of Object.values(networkInterfaces()))
    for (const each of list ?? []) assert.ok(isOwnAddress(each.address), each.address);
  for (const other of ['192.0.2.1', '2001:db8::1', 'mx.example', '']) assert.equal(isOwnAddress(other), false, other);
});

test('findTargets() refuses the box only on a port it answers itself', async () => {
  const zones = { ...peers, 'd.example': mx([10, 'alias-of-us.example']) };
  const find = async (mxPort?: number): Promise<boolean> => {
    const options = { config: testConfig(), resolver: fakeResolver(zones), random: () => 0.5 };
    const isOwn = (address: string): boolean => OURS.has(address);
    const found = await findTargets('mx:d.example', { ...options, isOwn, ...(mxPort === undefined ? {} : { mxPort }) });
    return 'targets' in found;
  };
  assert.equal(await find(), false);
  assert.equal(await find(25), false);
  assert.equal(await find(2_525), true);
});
