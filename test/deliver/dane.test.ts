/** What passes for a TLSA record (RFC 7672 §3), with real certificates; and DNS messages that lie about themselves. */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { encodeQuery, parseAnswer, type TlsaRecord } from '../../src/base/dns-wire.ts';
import { checkDane } from '../../src/deliver/dane.ts';
import { issue, type Issued } from '../support/own-ca.ts';

const hash = (name: 'sha256' | 'sha512', octets: Buffer): Buffer => createHash(name).update(octets).digest();
const spki = (certificate: X509Certificate): Buffer => certificate.publicKey.export({ type: 'spki', format: 'der' });

function chainOf({ certificate, ca }: Issued): [X509Certificate, X509Certificate] {
  return [new X509Certificate(certificate), new X509Certificate(ca)];
}

function passes(
  chain: readonly X509Certificate[],
  record: TlsaRecord,
  options: { name?: string; now?: Date } = {},
): boolean {
  const name = options.name ?? 'mx.far.example';
  return (
    checkDane(chain, { records: [record], base: name, names: [name], at: options.now ?? new Date() }) === undefined
  );
}

test('each selector and matching type of DANE-EE; the name and the date do not count', async () => {
  const [own] = chainOf(await issue(['mx.far.example'], { days: 1 }));
  const late = new Date(own.validToDate.getTime() + 86_400_000);
  for (const [selector, octets] of [
    [0, own.raw],
    [1, spki(own)],
  ] as const) {
    for (const [matching, data] of [
      [0, octets],
      [1, hash('sha256', octets)],
      [2, hash('sha512', octets)],
    ] as const) {
      assert.ok(passes([own], { usage: 3, selector, matching, data }, { name: 'other.example', now: late }));
      const other = Buffer.from(data);
      other[0] = (other[0] ?? 0) ^ 1;
      assert.ok(!passes([own], { usage: 3, selector, matching, data: other }), `${selector} ${matching}`);
    }
  }
});

test('DANE-TA: signed by the anchor, valid today and for that name, whether the anchor is sent or stands in DNS', async () => {
  const issued = await issue(['mx.far.example'], { days: 1 });
  const [own, ca] = chainOf(issued);
  const digest = { usage: 2, selector: 0, matching: 1, data: hash('sha256', ca.raw) };
  assert.ok(passes([own, ca], digest));
  assert.ok(passes([own, ca], { ...digest, selector: 1, data: hash('sha256', spki(ca)) }));
  assert.ok(passes([own], { ...digest, matching: 0, data: ca.raw }));
  assert.ok(passes([own], { ...digest, selector: 1, matching: 0, data: spki(ca) }));
  assert.ok(!passes([own], digest), 'an anchor nobody has');
  assert.ok(!passes([own, ca], digest, { name: 'other.example' }), 'another name');
  assert.ok(!passes([own, ca], digest, { now: new Date(own.validToDate.getTime() + 1_000) }), 'expired');
  const [, stranger] = chainOf(await issue(['mx.far.example']));
  assert.ok(!passes([own, stranger], { ...digest, data: hash('sha256', stranger.raw) }), 'the same name, another key');
  assert.ok(!passes([own], { ...digest, matching: 0, data: Buffer.from('no certificate') }));
  assert.ok(!passes([], digest));
});

test('a question says what it asks, and names DNS cannot carry are not asked', () => {
  const query = encodeQuery('_25._tcp.mx.example', 'TLSA', 0x1234);
  assert.ok(query !== undefined);
  assert.equal(query.subarray(0, 12).toString('hex'), '123401200001000000000001');
  assert.equal(query.subarray(12, 12 + 20).toString('latin1'), '\x03_25\x04_tcp\x02mx\x07example\0'.slice(0, 20));
  for (const bad of ['', 'a..b', `${'a'.repeat(64)}.example`, `${'a.'.repeat(130)}example`])
    assert.equal(encodeQuery(bad, 'A', 1), undefined, bad);
});

test('an answer that is cut anywhere, or points in circles, is no answer', () => {
  const asked = { name: 'far.example', type: 'MX' } as const;
  const query = encodeQuery(asked.name, asked.type, 7);
  assert.ok(query !== undefined);
  const question = query.subarray(12, -11);
  const header = Buffer.from('000781a00001000100000000', 'hex');
  const record = Buffer.from('c00c000f0001000000040009000a046d61696cc00c', 'hex');
  const whole = Buffer.concat([header, question, record]);
  const answer = parseAnswer(whole, asked);
  assert.deepEqual([answer?.authentic, answer?.count, answer?.exchanges], [true, 1, ['mail.far.example']]);
  for (let end = 0; end < whole.length; end += 1)
    assert.equal(parseAnswer(whole.subarray(0, end), asked), undefined, String(end));
  const circle = Buffer.from(record);
  circle.writeUInt16BE(0xc000 | (header.length + question.length), 0);
  assert.equal(parseAnswer(Buffer.concat([header, question, circle]), asked), undefined);
  assert.equal(parseAnswer(whole, { name: 'evil.example', type: 'MX' }), undefined);
  let seed = 1;
  const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff);
  for (let round = 0; round < 2_000; round += 1) {
    const garbled = Buffer.from(whole);
    for (let flips = 0; flips < 3; flips += 1) garbled[next() % garbled.length] = next() & 0xff;
    parseAnswer(garbled, asked); // must end, and must not throw
  }
});
