import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveDomain, type Resolved, resolveHost } from '../../src/deliver/resolve.ts';
import { fakeResolver, type Zone } from './support.ts';

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
