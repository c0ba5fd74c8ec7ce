/** PROXY protocol and XCLIENT: listed peers speak for their clients, nobody else does, and every guard sees the client. */
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import { parseProxyHeader } from '../../src/accept/proxy-header.ts';
import { parseXclient } from '../../src/accept/xclient.ts';
import { type Bench, type Client, openBench, silentResolver, until } from './harness.ts';

const HEAD = 'A: b\r\n\r\n';
const BEHIND = { listeners: { mx: { proxyPeers: ['127.0.0.0/8'] } } };
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

/** A version 2 header; `head` is the command and the family. */
function binary(head: readonly [number, number], body: readonly number[]): Buffer {
  const length = [body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from(SIGNATURE, 'latin1'), Buffer.from([...head, ...length, ...body])]);
}

const V4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x1f, 0x90, 0, 25];
const V6 = [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 7, ...Array<number>(16).fill(1), 0, 1, 0, 25];
const MAPPED = [...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 9, ...Array<number>(16).fill(0), 0, 1, 0, 25];

for (const [name, octets, client] of [
  ['TCP4', 'PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n', '192.0.2.7'],
  ['TCP6', 'PROXY TCP6 2001:DB8:0::7 2001:db8::1 56324 25\r\n', '2001:db8::7'],
  ['UNKNOWN', 'PROXY UNKNOWN\r\n', undefined],
  ['UNKNOWN with addresses', `PROXY UNKNOWN ${'f'.repeat(91)}\r\n`, undefined],
  ['version 2, IPv4', binary([0x21, 0x11], V4), '192.0.2.7'],
  ['version 2, IPv4 with extensions', binary([0x21, 0x11], [...V4, 4, 0, 3, 1, 2, 3]), '192.0.2.7'],
  ['version 2, IPv6', binary([0x21, 0x21], V6), '2001:db8::7'],
  ['version 2, IPv4 in IPv6', binary([0x21, 0x21], MAPPED), '192.0.2.9'],
  ['version 2, LOCAL', binary([0x20, 0x00], []), undefined],
  ['version 2, LOCAL with addresses', binary([0x20, 0x11], V4), undefined],
  ['version 2, unspecified', binary([0x21, 0x00], [1, 2, 3]), undefined],
  ['version 2, Unix stream', binary([0x21, 0x31], Array<number>(216).fill(0)), undefined],
] as const) {
  test(`PROXY header ${name} is read, however it is cut`, () => {
    const header = Buffer.from(octets as string);
    assert.deepEqual(parseProxyHeader(Buffer.concat([header, Buffer.from('EHLO x\r\n')])), {
      client,
      octets: header.length,
    });
    for (let cut = 0; cut < header.length; cut += 1) assert.equal(parseProxyHeader(header.subarray(0, cut)), 'more');
  });
}

const GARBAGE: ReadonlyArray<readonly [string, string | Buffer]> = [
  ['an EHLO', 'EHLO x\r\n'],
  ['lower case', 'proxy TCP4 192.0.2.7 198.51.100.1 1 25\r\n'],
  ['no ports', 'PROXY TCP4 192.0.2.7 198.51.100.1\r\n'],
  ['a port too many', 'PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n'],
  ['two blanks', 'PROXY TCP4  192.0.2.7 198.51.100.1 1 25\r\n'],
  ['a port that is none', 'PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n'],
  ['a port with a zero before', 'PROXY TCP4 192.0.2.7 198.51.100.1 025 25\r\n'],
  ['an address that is none', 'PROXY TCP4 192.0.2.256 198.51.100.1 1 25\r\n'],
  ['an octal address', 'PROXY TCP4 0300.0.2.7 198.51.100.1 1 25\r\n'],
  ['IPv6 as TCP4', 'PROXY TCP4 2001:db8::7 2001:db8::1 1 25\r\n'],
  ['a line that never ends', `PROXY TCP4 ${'1'.repeat(100)}`],
  ['an unknown version', binary([0x31, 0x11], V4)],
  ['an unknown command', binary([0x22, 0x11], V4)],
  ['an unknown family', binary([0x21, 0x41], V4)],
  ['UDP', binary([0x21, 0x12], V4)],
  ['IPv4 cut short', binary([0x21, 0x11], V4.slice(0, 11))],
  ['IPv6 cut short', binary([0x21, 0x21], V6.slice(0, 35))],
  ['an endless extension', binary([0x21, 0x11], [...V4, ...Array<number>(5_000).fill(0)])],
];
for (const [name, octets] of GARBAGE) {
  test(`${name} is no PROXY header`, () => {
    assert.equal(parseProxyHeader(Buffer.from(octets as string)), 'invalid');
  });
}

test('no octets make the header reader throw, or read a client out of a damaged header', () => {
  const text = Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n');
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let round = 0; round < 4_000; round += 1) {
    const header = Buffer.from([text, binary([0x21, 0x11], V4), binary([0x21, 0x21], V6)][round % 3] ?? text);
    for (let change = 0; change <= round % 4; change += 1) header[random(header.length)] = random(256);
    const result = parseProxyHeader(header.subarray(0, random(header.length + 1)));
    if (typeof result === 'string') continue;
    assert.ok(result.octets <= header.length);
    assert.ok(result.client === undefined || isIP(result.client) !== 0);
  }
});

test('behind a balancer every record and limit sees the real client', async () => {
  const asked: string[] = [];
  const resolver = { ...silentResolver, ptr: async (address: string) => (asked.push(address), []) };
  await using bench = await openBench({
    config: { listeners: { mx: { proxyPeers: ['127.0.0.0/8'], maxSessionsPerAddress: 1 } } },
    resolver,
  });
  const one = await behind(bench, 'PROXY TCP4 192.0.2.7 127.0.0.1 5000 25\r\n');
  await one.expect(220);
  await one.command('EHLO client.example', 250);
  await one.send(HEAD);
  assert.equal(bench.pipeline.last.transaction.origin.clientAddress, '192.0.2.7');
  assert.deepEqual(asked, ['192.0.2.7']);
  const two = await behind(bench, binary([0x21, 0x11], V4));
  assert.match(await two.reply(), /^421 4\.7\.0 Too many sessions from your address/);
  const other = await behind(bench, binary([0x21, 0x21], V6));
  await other.expect(220);
  await other.command('EHLO client.example', 250);
  await other.send(HEAD);
  assert.equal(bench.pipeline.last.transaction.origin.clientAddress, '2001:db8::7');
});

test('a header in single octets, and commands right behind it, come through', async () => {
  await using bench = await openBench({ config: BEHIND });
  const client = await bench.client({ greeting: false });
  for (const octet of binary([0x21, 0x11], V4)) {
    client.write(Buffer.from([octet]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.expect(220);
  const quick = await behind(bench, 'PROXY TCP4 192.0.2.8 127.0.0.1 1 25\r\nQUIT\r\n');
  assert.match(await quick.reply(), /^(?:220|421) /); // talks before the greeting when it is quick enough
});

test('the balancer’s own checks (LOCAL, UNKNOWN) are sessions of its own address', async () => {
  await using bench = await openBench({ config: BEHIND });
  for (const header of [binary([0x20, 0x00], []), 'PROXY UNKNOWN\r\n']) {
    const client = await behind(bench, header);
    await client.expect(220);
    await client.command('HELO balancer.example', 250);
    await client.send(HEAD);
    assert.equal(bench.pipeline.last.transaction.origin.clientAddress, '127.0.0.1');
  }
});

test('a balancer without a header is cut: garbage at once, silence after its deadline, a lost one leaves nothing', async () => {
  await using bench = await openBench({ config: BEHIND, timing: { proxyHeaderMs: 150 } });
  const garbage = await behind(bench, 'EHLO client.example\r\n');
  assert.ok(await garbage.hungUp());
  const silent = await bench.client({ greeting: false });
  assert.ok(await silent.hungUp());
  const gone = await behind(bench, 'PROXY TCP4 192');
  gone.socket.resetAndDestroy();
  const half = await behind(bench, 'PROXY TCP4 192');
  half.socket.end();
  assert.ok(await half.hungUp());
  await until(() => bench.acceptor.sessions() === 0);
  assert.deepEqual(bench.errors, []);
});

test('close() does not wait for a balancer that says nothing', async () => {
  const bench = await openBench({ config: BEHIND, timing: { proxyHeaderMs: 60_000 } });
  const silent = await bench.client({ greeting: false });
  await until(() => silent.socket.bytesRead === 0);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await bench.acceptor.close({ graceMs: 100 });
  assert.ok(await silent.hungUp());
});

test('a stranger who says PROXY is a stranger who talks too soon, or an unknown command', async () => {
  await using bench = await openBench({ config: { listeners: { mx: { proxyPeers: ['192.0.2.0/24'] } } } });
  const client = await bench.client();
  client.write('PROXY TCP4 192.0.2.7 127.0.0.1 5000 25\r\n');
  assert.match(await client.reply(), /^500 5\.5\.2 /);
  await client.command('HELO client.example', 250);
  await client.send(HEAD);
  assert.equal(bench.pipeline.last.transaction.origin.clientAddress, '127.0.0.1');
});

async function behind(bench: Bench, header: string | Buffer): Promise<Client> {
  const client = await bench.client({ greeting: false });
  client.write(header);
  return client;
}

const FORWARDING = { listeners: { mx: { xclientPeers: ['127.0.0.1'], maxSessionsPerAddress: 2 } } };

test('XCLIENT from a listed peer: offered, greeted anew, and every record sees the client', async () => {
  const asked: string[] = [];
  const resolver = { ...silentResolver, ptr: async (address: string) => (asked.push(address), []) };
  await using bench = await openBench({ config: FORWARDING, resolver });
  const client = await bench.client();
  assert.match(await client.command('EHLO filter.example', 250), /^250.XCLIENT NAME ADDR PORT PROTO HELO$/m);
  assert.match(
    await client.command(
      'XCLIENT NAME=mail.example.com ADDR=192.0.2.7 PORT=4711 PROTO=ESMTP HELO=mail.example.com',
      220,
    ),
    /^220 mx\.office\.example ESMTP$/,
  );
  await client.send(HEAD);
  const { clientAddress, clientName, helo, protocol } = bench.pipeline.last.transaction.origin;
  assert.deepEqual(
    { clientAddress, clientName, helo, protocol },
    { clientAddress: '192.0.2.7', clientName: 'mail.example.com', helo: 'mail.example.com', protocol: 'ESMTP' },
  );
  // the next client of the same connection: nothing of the first is left, its name is asked for
  await client.command('XCLIENT ADDR=IPv6:2001:db8::9', 220);
  await client.command('MAIL FROM:<a@example.com>', 503);
  await client.command('EHLO other.example', 250);
  await client.send(HEAD);
  const next = bench.pipeline.last.transaction.origin;
  assert.deepEqual([next.clientAddress, next.clientName, next.helo], ['2001:db8::9', undefined, 'other.example']);
  assert.deepEqual(asked, ['127.0.0.1', '2001:db8::9']);
  await client.command('XCLIENT ADDR=192.0.2.7 NAME=[UNAVAILABLE]', 220);
  await client.command('XCLIENT ADDR=[UNAVAILABLE] HELO=unknown.example', 220);
  await client.send(HEAD);
  assert.equal(bench.pipeline.last.transaction.origin.clientAddress, '127.0.0.1');
  assert.equal(bench.acceptor.sessions(), 1);
});

test('the client that XCLIENT names meets the limits of its own address', async () => {
  await using bench = await openBench({ config: FORWARDING });
  for (let count = 0; count < 3; count += 1) {
    const client = await bench.hello();
    const answer = await client.command('XCLIENT ADDR=192.0.2.7', count < 2 ? 220 : 421);
    if (count === 2) assert.match(answer, /^421 4\.7\.0 Too many sessions from your address/);
  }
  await until(() => bench.acceptor.sessions() === 2);
});

test('XCLIENT does not exist for strangers, on the relay listener, or within a transaction', async () => {
  await using bench = await openBench();
  const stranger = await bench.client();
  assert.doesNotMatch(await stranger.command('EHLO client.example', 250), /XCLIENT/);
  await stranger.command('XCLIENT ADDR=192.0.2.7', 500);
  await using relay = await openBench({ listener: 'relay', config: FORWARDING });
  await (await relay.hello()).command('XCLIENT ADDR=192.0.2.7', 500);
  await using forwarding = await openBench({ config: FORWARDING });
  const client = await forwarding.hello();
  await client.command('MAIL FROM:<a@example.com>', 250);
  await client.command('XCLIENT ADDR=192.0.2.7', 503);
});

test('an address given by XCLIENT does not make its owner a listed peer', async () => {
  await using bench = await openBench({ config: { listeners: { mx: { xclientPeers: ['192.0.2.0/24'] } } } });
  const client = await bench.hello();
  await client.command('XCLIENT ADDR=192.0.2.7', 500);
});

for (const [line, expected] of [
  ['XCLIENT NAME=a.example ADDR=192.0.2.1', { name: 'a.example', address: '192.0.2.1' }],
  ['XCLIENT name=[UNAVAILABLE] addr=[TEMPUNAVAIL] port=[UNAVAILABLE]', { name: false, address: false }],
  ['XCLIENT ADDR=IPV6:2001:DB8:0::1 HELO=X+2DY', { address: '2001:db8::1', helo: 'x-y' }],
  ['XCLIENT ADDR=::ffff:192.0.2.1', { address: '192.0.2.1' }],
  ['XCLIENT', 501],
  ['XCLIENT ADDR', 501],
  ['XCLIENT ADDR=', 501],
  ['XCLIENT ADDR=localhost', 501],
  ['XCLIENT ADDR=fe80::1%eth0', 501],
  ['XCLIENT ADDR=192.0.2.1 ADDR=192.0.2.2', 501],
  ['XCLIENT LOGIN=root', 501],
  ['XCLIENT NAME=a+0D+0Ab', 501],
  ['XCLIENT NAME=a_b@c', 501],
  ['XCLIENT HELO=a+00', 501],
  ['XCLIENT HELO=a+2', 501],
  ['XCLIENT PORT=65536', 501],
  ['XCLIENT PROTO=HTTP', 501],
] as const) {
  test(`${line} is read as ${JSON.stringify(expected)}`, () => {
    const result = parseXclient(Buffer.from(line));
    if (expected === 501) assert.equal('code' in result && result.code, 501);
    else assert.deepEqual(result, expected);
  });
}
