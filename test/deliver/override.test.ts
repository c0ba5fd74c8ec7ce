/** "sekisho queue route": a domain's mail, or one message, goes elsewhere for now, also what waits already, and back again. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { ConfigInput } from '../../src/config/schema.ts';
import { expiryOf, isInboundHop, isOwnServer, routeKey } from '../../src/deliver/route.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { fakeResolver, type Stage, stage, testConfig, until } from './support.ts';

const cleanups: Array<() => Promise<void>> = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function server(script: Script = {}): Promise<FakeServer> {
  const started = await startServer(script);
  cleanups.push(() => started.close());
  return started;
}

function begin(...args: Parameters<typeof stage>): Stage {
  const staged = stage(...args);
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  staged.delivery.start();
  return staged;
}

function config(port: number, override?: { domain: string; port: number }): ReturnType<typeof testConfig> {
  const input: ConfigInput = {
    domains: [{ name: 'office.example', servers: [{ host: 'localhost', port }] }],
    delivery: {
      retryMs: [600_000],
      probeMs: 600_000,
      ...(override === undefined ? {} : { overrides: [{ ...override, host: 'localhost' }] }),
    },
  };
  return testConfig(input);
}

test('mail that waits for a server which is away goes to the other one at once, with no alarm left', async () => {
  const away = await server();
  await away.close();
  const other = await server();
  let current = config(away.port);
  const staged = begin(() => current);
  for (let at = 0; at < 20; at += 1) staged.spool.add({ to: ['bob@office.example'] });
  await until('alarm', () => staged.seen.alarms.size === 1);
  current = config(away.port, { domain: 'office.example', port: other.port });
  assert.equal(staged.delivery.retryNow({ domain: 'office.example' }), 20);
  await until('delivered', () => staged.spool.entries.size === 0);
  assert.equal(other.taken.length, 20);
  assert.deepEqual([...staged.seen.alarms.keys()], []);
});

test('an open session of the old way is not used for the new one; without the override the old way is back', async () => {
  const usual = await server();
  const other = await server();
  let current = config(usual.port);
  const staged = begin(() => current);
  staged.spool.add({ to: ['a@office.example'] });
  await until('the usual way', () => usual.taken.length === 1);
  current = config(usual.port, { domain: 'office.example', port: other.port });
  staged.spool.add({ to: ['b@office.example'] });
  await until('the other way', () => other.taken.length === 1);
  current = config(usual.port);
  staged.spool.add({ to: ['c@office.example'] });
  await until('the usual way again', () => usual.taken.length === 2);
});

test('a mail server that is replaced in the settings gets the very next message; open sessions of the old one serve no more', async () => {
  const old = await server();
  const other = await server();
  let current = config(old.port);
  const staged = begin(() => current);
  staged.spool.add({ to: ['a@office.example'] });
  await until('the old one', () => old.taken.length === 1);
  await until('its session is kept', () => staged.delivery.status().hops.every((hop) => hop.active === 0));
  current = config(other.port);
  staged.spool.add({ to: ['b@office.example'] });
  await until('delivered', () => staged.spool.entries.size === 0);
  assert.equal(other.taken.length, 1);
  await until('the old one is told goodbye', () => old.open === 0 && old.commands.at(-1) === 'QUIT');
  staged.spool.add({ to: ['c@office.example'] });
  await until('delivered', () => staged.spool.entries.size === 0);
  assert.equal(other.connections, 1);
});

test('TLS that becomes required is required of the next message, not of the next session', async () => {
  const plain = await server();
  let current = config(plain.port);
  const resolver = fakeResolver({ 'far.example': { a: ['127.0.0.1'] } });
  const staged = begin(() => current, { resolver, tuning: { mxPort: plain.port } });
  staged.spool.add({ listener: 'relay', to: ['a@far.example'] });
  await until('in clear', () => plain.taken.length === 1);
  await until('its session is kept', () => staged.delivery.status().hops.every((hop) => hop.active === 0));
  current = { ...current, outbound: { ...current.outbound, tls: 'required' } };
  staged.spool.add({ listener: 'relay', to: ['b@far.example'] });
  await until('deferred', () => staged.seen.events.some((event) => event.event === 'deferred'));
  assert.equal(plain.taken.length, 1);
});

test('a domain outside can be routed too: deferred mail leaves its MX', async () => {
  const grey = await server({ rcpt: () => '450 4.7.1 Later' });
  const other = await server();
  let current = config(grey.port);
  const resolver = fakeResolver({ 'far.example': { a: ['127.0.0.1'] } });
  const staged = begin(() => current, { resolver, tuning: { mxPort: grey.port } });
  staged.spool.add({ listener: 'relay', to: ['a@far.example'] });
  await until('deferred', () => staged.delivery.status().waiting === 1);
  current = config(grey.port, { domain: 'far.example', port: other.port });
  assert.equal(staged.delivery.retryNow({ domain: 'far.example' }), 1);
  await until('delivered', () => other.taken.length === 1 && staged.spool.entries.size === 0);
});

test('an override changes the server, not what the mail is: inbound keeps its week', () => {
  const overridden = testConfig({
    domains: [{ name: 'office.example', servers: [{ host: 'localhost' }] }],
    delivery: {
      overrides: [
        { domain: 'office.example', host: '192.0.2.9' },
        { domain: 'far.example', host: '192.0.2.9', port: 26 },
      ],
    },
  });
  const inbound = routeKey('office.example', overridden);
  const outbound = routeKey('far.example', overridden);
  assert.deepEqual(
    [inbound, outbound],
    ['domain:office.example via 192.0.2.9:25', 'route:far.example via 192.0.2.9:26'],
  );
  assert.deepEqual([isInboundHop(inbound), isInboundHop(outbound)], [true, false]);
  assert.deepEqual([isOwnServer(inbound), isOwnServer(outbound)], [true, true]);
  assert.equal(expiryOf({ kind: 'mail', key: inbound }, overridden), 604_800_000);
  assert.equal(expiryOf({ kind: 'mail', key: outbound }, overridden), 172_800_000);
});

test('one message leaves the server that is away; the others of its domain wait on, and no alarm is left for its way', async () => {
  const away = await server();
  await away.close();
  const other = await server();
  const staged = begin(() => config(away.port));
  const [id] = [1, 2, 3].map(() => staged.spool.add({ to: ['bob@office.example'] }));
  assert.ok(id !== undefined);
  await until('alarm', () => staged.seen.alarms.size === 1);
  const via = { host: '127.0.0.1', port: other.port };
  await staged.spool.reroute(id, via);
  assert.equal(staged.delivery.reroute(id, via), 1);
  await until('delivered', () => staged.spool.entries.size === 2 && other.taken.length === 1);
  assert.deepEqual(
    staged.delivery
      .status()
      .hops.map((hop) => [hop.key, hop.waiting])
      .filter(([, waiting]) => waiting !== 0),
    [['domain:office.example', 2]],
  );
});

test('what the entry says of its way counts after a restart, for each of its domains; taken back, the usual way is tried', async () => {
  const usual = await server();
  const away = await server();
  await away.close();
  const staged = stage(() => config(usual.port));
  cleanups.push(() => staged.delivery.stop({ graceMs: 0 }));
  const id = staged.spool.add({ to: ['a@office.example', 'b@far.example'] });
  const via = { host: '127.0.0.1', port: away.port };
  await staged.spool.reroute(id, via);
  staged.spool.announce(id); // as the spool does at each start
  staged.delivery.start();
  const keys = (): string[] =>
    staged.delivery
      .status()
      .hops.map((hop) => `${hop.key} ${hop.state}`)
      .toSorted();
  await until('both are away', () => keys().filter((key) => key.endsWith(' down')).length === 2);
  const to = `to 127.0.0.1:${away.port}`;
  assert.deepEqual(
    keys().filter((key) => key.endsWith(' down')),
    [`domain:office.example ${to} down`, `route:far.example ${to} down`],
  );
  assert.equal(usual.taken.length, 0);
  await staged.spool.reroute(id, undefined);
  staged.delivery.reroute(id, undefined);
  await until('the usual way', () => usual.taken.length === 1);
  const down = (): string[] => [...staged.seen.alarms.keys()].filter((name) => name.startsWith('mail-server-down'));
  await until('no alarm left', () => down().length === 0);
});

test('one message by LMTP: each of its recipients has its own answer', async () => {
  const store = await server({ lmtp: (rcpt) => (rcpt.includes('full@') ? '452 4.2.2 Full' : undefined) });
  const staged = begin(() => config(1));
  const id = staged.spool.add({ to: ['a@office.example', 'full@office.example'] });
  staged.delivery.reroute(id, { host: '127.0.0.1', port: store.port, protocol: 'lmtp' });
  await until('one delivered', () => staged.spool.outcome(id, 'a@office.example') === 'delivered');
});
