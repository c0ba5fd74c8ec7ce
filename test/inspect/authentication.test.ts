import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sealMessage } from 'mailauth';
import type { Finding } from '../../src/mail/finding.ts';
import { authenticateBytes } from './authenticate.ts';
import { fakeResolver, newKey, of, PLAIN, signed, type Zone } from './support.ts';

const key = newKey();
const HOUSE: Zone = {
  'example.com': { TXT: [['v=spf1 ip4:192.0.2.0/24 -all']] },
  'test._domainkey.example.com': { TXT: key.record },
  '_dmarc.example.com': { TXT: [['v=DMARC1; p=reject']] },
};

interface Options {
  zone?: Zone;
  ip?: string;
  reversePath?: string;
  helo?: string;
  listener?: 'mx' | 'relay';
  limits?: { headerFields: number };
}

async function authenticate(message: string, { zone, ...options }: Options = {}): Promise<Finding[]> {
  const resolver = fakeResolver(zone ?? HOUSE);
  const findings = await authenticateBytes(Buffer.from(message, 'latin1'), { resolver, ...options });
  return findings.filter(({ kind }) => kind !== 'from');
}

/** The result words, `kind=result`. */
async function words(...args: Parameters<typeof authenticate>): Promise<string[]> {
  return (await authenticate(...args)).map((finding) => `${finding.kind}=${'result' in finding ? finding.result : ''}`);
}

test('all is well: SPF, DKIM and DMARC pass, aligned', async () => {
  const findings = await authenticate(await signed(PLAIN, { key, domain: 'example.com' }));
  assert.deepEqual(
    findings.map((finding) => `${finding.kind}=${'result' in finding ? finding.result : ''}`),
    ['spf=pass', 'dkim=pass', 'dmarc=pass', 'arc=none'],
  );
  assert.deepEqual(of(findings, 'dkim')[0]?.aligned, true);
  assert.deepEqual(of(findings, 'dmarc')[0]?.policy, 'reject');
  assert.deepEqual(of(findings, 'dmarc')[0]?.domain, 'example.com');
});

test('an altered body makes DKIM fail, and DMARC fails when nothing else aligns', async () => {
  const message = (await signed(PLAIN, { key, domain: 'example.com' })).replace('Good morning', 'Send money');
  assert.deepEqual(await words(message, { reversePath: 'x@other.example' }), [
    'spf=none',
    'dkim=fail',
    'dmarc=fail',
    'arc=none',
  ]);
});

test('a key that cannot be fetched is temperror, and DMARC with it: never fail', async () => {
  const zone: Zone = {
    ...HOUSE,
    'test._domainkey.example.com': 'trouble',
    'other.example': { TXT: [['v=spf1 -all']] },
  };
  const message = await signed(PLAIN, { key, domain: 'example.com' });
  assert.deepEqual(await words(message, { zone, reversePath: 'x@other.example' }), [
    'spf=fail',
    'dkim=temperror',
    'dmarc=temperror',
    'arc=none',
  ]);
});

test('a stranger cannot soften a DMARC fail by a domain of his own that cannot be asked', async () => {
  const zone: Zone = { ...HOUSE, 'evil.example': 'trouble', 'test._domainkey.evil.example': 'trouble' };
  const message = await signed(PLAIN, { key, domain: 'evil.example' });
  const found = await words(message, { zone, reversePath: 'x@evil.example', ip: '198.51.100.1' });
  assert.deepEqual(found, ['spf=temperror', 'dkim=temperror', 'dmarc=fail', 'arc=none']);
});

test('a DMARC record that cannot be asked for is temperror', async () => {
  const zone: Zone = { ...HOUSE, '_dmarc.example.com': 'trouble' };
  assert.deepEqual(await words(PLAIN, { zone, ip: '198.51.100.1' }), ['spf=fail', 'dmarc=temperror', 'arc=none']);
});

const spfTable: Array<[sentence: string, record: string | undefined, ip: string, result: string]> = [
  ['pass', 'v=spf1 ip4:192.0.2.0/24 -all', '192.0.2.10', 'pass'],
  ['fail', 'v=spf1 ip4:192.0.2.0/24 -all', '198.51.100.1', 'fail'],
  ['softfail', 'v=spf1 ~all', '198.51.100.1', 'softfail'],
  ['neutral', 'v=spf1 ?all', '198.51.100.1', 'neutral'],
  ['none', undefined, '198.51.100.1', 'none'],
  ['permerror for a broken record', 'v=spf1 ipv4:192.0.2.1 -all', '198.51.100.1', 'permerror'],
  ['temperror', 'trouble', '198.51.100.1', 'temperror'],
  ['pass for IPv6', 'v=spf1 ip6:2001:db8::/32 -all', '2001:db8::1', 'pass'],
];
for (const [sentence, record, ip, result] of spfTable) {
  test(`SPF says ${sentence}`, async () => {
    const entry = record === 'trouble' ? 'trouble' : record === undefined ? {} : { TXT: [[record]] };
    const findings = await authenticate(PLAIN, { zone: { 'example.com': entry }, ip });
    assert.equal(of(findings, 'spf')[0]?.result, result);
  });
}

test('SPF looks at the HELO name when the reverse-path is null', async () => {
  const zone: Zone = { 'mail.example.com': { TXT: [['v=spf1 ip4:192.0.2.10 -all']] } };
  const [spf] = of(await authenticate(PLAIN, { zone, reversePath: '' }), 'spf');
  assert.deepEqual([spf?.result, spf?.domain], ['pass', 'mail.example.com']);
});

test('SPF with endless includes is permerror after ten lookups', async () => {
  const zone: Record<string, { TXT: string[][] }> = {};
  for (let i = 0; i < 20; i += 1)
    zone[i === 0 ? 'example.com' : `i${i}.example.com`] = { TXT: [[`v=spf1 include:i${i + 1}.example.com -all`]] };
  assert.equal(of(await authenticate(PLAIN, { zone }), 'spf')[0]?.result, 'permerror');
});

test('a signature with l= counts as policy, and DMARC does not pass by it', async () => {
  const message = await signed(PLAIN, { key, domain: 'example.com', maxBodyLength: 4 });
  const findings = await authenticate(`${message}Click here!\r\n`, { reversePath: 'x@other.example' });
  const [dkim] = of(findings, 'dkim');
  assert.equal(dkim?.result, 'policy');
  assert.match(dkim?.explanation ?? '', /l=/);
  assert.equal(of(findings, 'dmarc')[0]?.result, 'fail');
});

test('rsa-sha1 is not accepted', async () => {
  const message = await signed(PLAIN, { key, domain: 'example.com', algorithm: 'rsa-sha1' });
  const found = await words(message, { reversePath: 'x@other.example' });
  assert.ok(!found.includes('dkim=pass') && found.includes('dmarc=fail'), found.join(' '));
});

test('of many signatures only the first eight are verified, and the finding says so', async () => {
  let message = PLAIN;
  for (let i = 0; i < 12; i += 1) message = await signed(message, { key, domain: 'example.com' });
  const dkim = of(await authenticate(message), 'dkim');
  assert.equal(dkim.length, 8);
  assert.match(dkim[0]?.explanation ?? '', /first 8 of 12/);
});

test('a header beyond the limits is not verified, and no result is claimed', async () => {
  assert.deepEqual(await words(PLAIN, { limits: { headerFields: 2 } }), []);
});

test('the relay listener records DKIM only', async () => {
  const message = await signed(PLAIN, { key, domain: 'example.com' });
  assert.deepEqual(await words(message, { listener: 'relay' }), ['dkim=pass']);
});

test('several From fields leave DMARC without an author: permerror, never pass', async () => {
  const message = `From: ceo@office.example\r\n${PLAIN}`;
  const [dmarc] = of(await authenticate(message), 'dmarc');
  assert.equal(dmarc?.result, 'permerror');
});

test('DMARC aligns relaxed by default and strictly when asked to', async () => {
  const zone = (tags: string): Zone => ({
    'test._domainkey.news.example.com': { TXT: key.record },
    '_dmarc.example.com': { TXT: [[`v=DMARC1; p=quarantine; ${tags}`]] },
  });
  const message = await signed(PLAIN, { key, domain: 'news.example.com' });
  const options = { reversePath: 'x@other.example' };
  assert.equal(of(await authenticate(message, { ...options, zone: zone('') }), 'dmarc')[0]?.result, 'pass');
  const strict = of(await authenticate(message, { ...options, zone: zone('adkim=s') }), 'dmarc')[0];
  assert.deepEqual([strict?.result, strict?.policy], ['fail', 'quarantine']);
});

test('an ARC chain that verifies passes and names its sealer; a broken one fails; one without a key in reach is temperror', async () => {
  const seal = await sealMessage(Buffer.from(PLAIN), {
    signingDomain: 'list.example',
    selector: 'arc',
    privateKey: key.privateKey,
    authResults: 'list.example; spf=pass smtp.mailfrom=example.com',
    cv: 'none',
  });
  const message = `${seal.toString()}${PLAIN}`;
  const zone: Zone = { ...HOUSE, 'arc._domainkey.list.example': { TXT: key.record } };
  const arcOf = async (text: string, dns: Zone): Promise<unknown> =>
    of(await authenticate(text, { zone: dns }), 'arc')[0];
  const said = [{ method: 'spf', result: 'pass', domain: 'example.com' }];
  assert.deepEqual(await arcOf(message, zone), {
    kind: 'arc',
    result: 'pass',
    chain: 1,
    sealer: 'list.example',
    sets: [{ sealer: 'list.example', said }],
  });
  assert.deepEqual(await arcOf(message.replace('Good', 'Bad'), zone), {
    kind: 'arc',
    result: 'fail',
    chain: 1,
    sealer: 'list.example',
  });
  assert.deepEqual(await arcOf(message, { ...zone, 'arc._domainkey.list.example': 'trouble' }), {
    kind: 'arc',
    result: 'temperror',
    chain: 1,
    sealer: 'list.example',
  });
});

test('of a long chain the newest ten hops are kept, and a hop that says too much says nothing', async () => {
  const zone: Zone = { ...HOUSE, 'arc._domainkey.list.example': { TXT: key.record } };
  let message = PLAIN;
  for (let hop = 1; hop <= 12; hop += 1) {
    const many = Array.from({ length: hop === 12 ? 11 : 1 }, () => 'dkim=pass header.d=example.com').join('; ');
    const seal = await sealMessage(Buffer.from(message), {
      signingDomain: 'list.example',
      selector: 'arc',
      privateKey: key.privateKey,
      authResults: `list.example; ${hop === 11 ? `dkim=${'x'.repeat(500)}` : many}`,
      cv: hop === 1 ? 'none' : 'pass',
    });
    message = `${seal.toString()}${message}`;
  }
  const [arc] = of(await authenticate(message, { zone }), 'arc');
  assert.deepEqual([arc?.result, arc?.chain, arc?.sets?.length], ['pass', 12, 10]);
  assert.deepEqual(
    arc?.sets?.map(({ said }) => said.length),
    [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
  );
});

test('malformed messages bring findings, never an exception', async () => {
  const junk = [
    '',
    '\r\n',
    'x',
    ':\r\n\r\n',
    'From:\r\n\r\n',
    'DKIM-Signature: v=1\r\n\r\n',
    'DKIM-Signature: =;=;\r\nFrom: a\r\n\r\nb',
  ];
  for (const message of junk) assert.ok((await authenticate(message)).length >= 3, JSON.stringify(message));
});
