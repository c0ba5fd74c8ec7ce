/** MX by way of CNAME (RFC 5321 §5.1), with the real resolver: a name server answers the chain as RFC 1034 §3.6.2 has it. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { createResolver, type Resolver } from '../../src/base/resolver.ts';
import { resolveDomain } from '../../src/deliver/resolve.ts';

const A = 1;
const CNAME = 5;
const MX = 15;

/** name → its records; a CNAME is followed within the same answer, as a recursive server does. */
const RECORDS: Record<string, { cname?: string; a?: string; mx?: string }> = {
  'alias.example': { cname: 'second.example' },
  'second.example': { cname: 'real.example' },
  'real.example': { mx: 'mail.example' },
  'mail.example': { cname: 'host.example' },
  'host.example': { a: '192.0.2.7' },
  'dangling.example': { cname: 'nowhere.example' },
};

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(60, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), fixed, data]);
}

function answer(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  let name = labels.join('.').toLowerCase();
  const records: Buffer[] = [];
  for (let cname = RECORDS[name]?.cname; cname !== undefined; cname = RECORDS[name]?.cname) {
    records.push(record(name, CNAME, encodeName(cname)));
    name = cname;
  }
  const found = RECORDS[name];
  if (type === A && found?.a !== undefined) records.push(record(name, A, Buffer.from(found.a.split('.').map(Number))));
  if (type === MX && found?.mx !== undefined)
    records.push(record(name, MX, Buffer.concat([Buffer.from([0, 10]), encodeName(found.mx)])));
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(found === undefined ? 0x8183 : 0x8180, 2); // NXDOMAIN for the end of the chain
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(12, at + 5), ...records]);
}

let server: Socket;
let resolver: Resolver;
before(async () => {
  server = createSocket('udp4');
  server.on('message', (query, from) => server.send(answer(query), from.port, from.address));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  resolver = createResolver({ servers: [`127.0.0.1:${server.address().port}`], timeoutMs: 20_000, tries: 1 });
});
after(() => server.close());

const CASES: Array<[what: string, domain: string, result: string]> = [
  [
    'a domain that is an alias of an alias has the MX at the end of the chain, whose host is an alias too',
    'alias.example',
    'mail.example 192.0.2.7',
  ],
  ['an alias without MX but with an address is its own host', 'mail.example', 'mail.example 192.0.2.7'],
  ['an alias that leads nowhere does not exist', 'dangling.example', 'bounced 5.1.2'],
];

for (const [what, domain, result] of CASES) {
  test(what, async () => {
    const found = await resolveDomain(domain, { resolver, random: () => 0.5, hostname: 'mx.gateway.example' });
    const said =
      'failure' in found
        ? `${found.failure.verdict} ${found.failure.status}`
        : found.addresses.map(({ host, address }) => `${host} ${address}`).join(', ');
    assert.equal(said, result);
  });
}
