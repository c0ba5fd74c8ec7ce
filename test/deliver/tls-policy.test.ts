/**
 * DANE and MTA-STS as demands on delivery. DNSSEC is real: zones signed by ldns, validated by unbound; so are the handshakes
 * and the HTTPS server of the policy, which has a CA of its own.
 */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createResolver, type Resolver } from '../../src/base/resolver.ts';
import { createSecureResolver, type SecureResolver } from '../../src/base/secure-dns.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { reachHop, type Reached } from '../../src/deliver/reach.ts';
import { findTargets } from '../../src/deliver/route.ts';
import type { StsPolicy } from '../../src/deliver/mta-sts.ts';
import { hasSigner, signZone } from '../support/signed-zone.ts';
import { type DnsServer, startUnbound } from '../support/unbound.ts';
import { TEST_CERTIFICATE } from './certificate.ts';
import { type FakeServer, type Script, startServer } from './fake-server.ts';
import { fakeResolver, stage, testConfig, until } from './support.ts';

const TLS: Script = { extensions: ['STARTTLS'], handshake: 'works' };
const certificate = new X509Certificate(TEST_CERTIFICATE);
const sha256 = (octets: Buffer): string => createHash('sha256').update(octets).digest('hex');
const GOOD = `3 1 1 ${sha256(certificate.publicKey.export({ type: 'spki', format: 'der' }))}`;
const BAD = `3 1 1 ${'0'.repeat(64)}`;

const clock = systemClock();
const servers: FakeServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function server(script: Script): Promise<FakeServer> {
  const started = await startServer(script);
  servers.push(started);
  return started;
}

const ended = async (reached: Reached): Promise<string> => {
  if (!('session' in reached)) return reached.word.reply;
  const { secure } = reached.session;
  await reached.session.quit();
  return secure ? 'TLS' : 'clear';
};

describe('DANE, by a real validating resolver', { skip: hasSigner() ? false : 'no ldns-signzone' }, () => {
  let dir: string;
  let dns: DnsServer;
  let resolver: Resolver;
  let secure: SecureResolver;
  let peer: FakeServer;
  let port: number;

  before(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'sekisho-dane-'));
    await chmod(dir, 0o755);
    peer = await startServer(TLS);
    ({ port } = peer);
    const at = `_${port}._tcp`;
    const hosts = ['mx', 'bad', 'odd', 'ta', 'none', 'end'].map((name) => `${name} 300 IN A 127.0.0.1`);
    const records = [
      '@ 300 IN MX 10 mx',
      ...hosts,
      'wrong 300 IN MX 10 bad',
      'second 300 IN MX 10 bad',
      'second 300 IN MX 20 mx',
      'odds 300 IN MX 10 odd',
      'anchor 300 IN MX 10 ta',
      'free 300 IN MX 10 none',
      'alias 300 IN MX 10 other',
      'other 300 IN CNAME end',
      'away 300 IN MX 10 mx.unsigned.example.',
      `${at}.mx 300 IN TLSA ${GOOD}`,
      `${at}.bad 300 IN TLSA ${BAD}`,
      `${at}.odd 300 IN TLSA 1 1 1 ${'0'.repeat(64)}`,
      `${at}.ta 300 IN TLSA 2 0 1 ${sha256(certificate.raw)}`,
      `${at}.end 300 IN TLSA ${GOOD}`,
    ];
    const signed = await signZone('signed.example', records, { dir });
    const forged = await signZone(
      'forged.example',
      ['@ 300 IN MX 10 mx', 'mx 300 IN A 127.0.0.1', `${at}.mx 300 IN TLSA ${BAD}`],
      {
        dir,
        after: (zone) => zone.replace(BAD, GOOD),
      },
    );
    const unsigned = await signZone(
      'unsigned.example',
      ['@ 300 IN MX 10 mx', 'mx 300 IN A 127.0.0.1', `${at}.mx 300 IN TLSA ${BAD}`],
      { dir },
    );
    dns = await startUnbound({
      dir,
      records: [],
      signed: [signed, forged, { name: unsigned.name, file: unsigned.file }],
    });
    resolver = createResolver({ servers: [dns.address], timeoutMs: 20_000 });
    const made = createSecureResolver({ servers: [dns.address], timeoutMs: 20_000 });
    assert.ok(made !== undefined);
    secure = made;
  });

  after(async () => {
    await dns?.stop();
    await peer?.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function send(domain: string, script: Script, input: ConfigInput = {}): Promise<string> {
    peer.script = script;
    const options = { config: testConfig(input), resolver, random: () => 0.5, mxPort: port };
    return ended(await reachHop(`mx:${domain}`, { ...options, policies: { secure: () => secure, clock } }));
  }

  it('mail goes over TLS with the very certificate that is published, and with no other', async () => {
    assert.equal(await send('signed.example', TLS), 'TLS');
    assert.match(
      await send('wrong.signed.example', TLS),
      /^4\.7\.5 DANE of bad\.signed\.example .*matches no TLSA record$/,
    );
  });

  it('a server that offers no TLS, or breaks the handshake, gets nothing in clear', async () => {
    assert.match(await send('signed.example', {}), /^4\.7\.5 DANE demands TLS of mx\.signed\.example /);
  });

  it('a broken handshake is no way round it', async () => {
    const broken: Script = { extensions: ['STARTTLS'], handshake: 'garbage' };
    assert.match(await send('signed.example', broken), /^4\.7\.5 DANE demands TLS of /);
  });

  it('the next server is tried when the first does not pass', async () => {
    assert.equal(await send('second.signed.example', TLS), 'TLS');
  });

  it('records of a kind that is not for SMTP demand TLS, whoever answers (RFC 7672 §2.2)', async () => {
    assert.equal(await send('odds.signed.example', TLS), 'TLS');
  });

  it('… and no clear text', async () => {
    assert.match(await send('odds.signed.example', {}), /^4\.7\.5 DANE demands TLS/);
  });

  it('a trust anchor that is not above the certificate does not pass', async () => {
    assert.match(await send('anchor.signed.example', TLS), /matches no TLSA record$/);
  });

  it('no TLSA record, an unsigned MX host or an unsigned domain: opportunistic as ever', async () => {
    assert.equal(await send('free.signed.example', {}), 'clear');
  });

  it('records of an unsigned zone bind nobody', async () => {
    assert.equal(await send('unsigned.example', TLS), 'TLS');
  });

  it('an MX host in an unsigned zone is not bound either', async () => {
    assert.equal(await send('away.signed.example', {}), 'clear');
  });

  it('an alias is judged by where it ends', async () => {
    assert.equal(await send('alias.signed.example', TLS), 'TLS');
    assert.equal((await secure.query('other.signed.example', 'A')).canonical, 'end.signed.example');
  });

  it('a forged record is broken DNS: deferred, never sent', async () => {
    const word = await send('forged.example', TLS);
    assert.match(word, /^4\.7\.5 DANE of mx\.forged\.example: .*SERVFAIL/);
  });

  it('the owner can switch it off, for all or for one destination', async () => {
    assert.equal(await send('wrong.signed.example', TLS, { outbound: { dane: false } }), 'TLS');
  });

  it('switched off for one destination the others stay bound', async () => {
    const input: ConfigInput = { outbound: { destinations: [{ domain: 'wrong.signed.example', dane: false }] } };
    assert.equal(await send('wrong.signed.example', TLS, input), 'TLS');
    const found = await findTargets('mx:signed.example', {
      config: testConfig(input),
      resolver,
      random: () => 0,
      mxPort: port,
      policies: { secure: () => secure, clock },
    });
    assert.ok('targets' in found);
    assert.equal(found.targets[0]?.demand?.by, 'DANE');
  });

  it('a dead resolver defers; one that is not on this machine is never believed', async () => {
    const dead = createSecureResolver({ servers: ['127.0.0.1:1'], timeoutMs: 200 });
    const config = testConfig({});
    const options = { config, resolver, random: () => 0, mxPort: port, policies: { secure: () => dead, clock } };
    const found = await findTargets('mx:signed.example', options);
    assert.ok('failure' in found);
    assert.match(found.failure.reply, /^4\.4\.3 DNS query for "signed\.example" failed/);
    assert.equal(createSecureResolver({ servers: ['127.0.0.1', '192.0.2.53'], timeoutMs: 200 }), undefined);
  });
});

describe('MTA-STS as a demand', () => {
  async function send(policy: StsPolicy | undefined, script: Script, input: ConfigInput = {}): Promise<string> {
    const opened = await server(script);
    const resolver = fakeResolver({
      'far.example': { mx: [{ exchange: 'mail.office.example', priority: 10 }] },
      'mail.office.example': { a: ['127.0.0.1'] },
    });
    const options = { config: testConfig(input), resolver, random: () => 0.5, mxPort: opened.port };
    const policies = { secure: () => undefined, clock, sts: { of: async () => policy } };
    return ended(await reachHop('mx:far.example', { ...options, policies }));
  }
  const enforce: StsPolicy = { mode: 'enforce', mx: ['*.office.example'], maxAge: 86_400 };

  it('enforce: no TLS, or a certificate nobody vouches for, is deferred in its own words', async () => {
    assert.match(await send(enforce, {}), /^4\.7\.5 MTA-STS demands TLS of mail\.office\.example /);
    assert.match(await send(enforce, TLS), /^4\.7\.5 MTA-STS demands TLS of mail\.office\.example .*self-signed/);
  });

  it('enforce: a server that the policy does not name is not even asked', async () => {
    const word = await send({ ...enforce, mx: ['mx.far.example'] }, TLS);
    assert.equal(word, '4.7.5 MTA-STS of far.example does not name mail.office.example');
    assert.equal(servers[0]?.connections, 0);
  });

  it('testing, none, no policy, and switched off: as ever', async () => {
    for (const mode of ['testing', 'none'] as const) assert.equal(await send({ ...enforce, mode }, {}), 'clear');
    assert.equal(await send(undefined, {}), 'clear');
    assert.equal(await send(enforce, {}, { outbound: { mtaSts: false } }), 'clear');
    const one: ConfigInput = { outbound: { destinations: [{ domain: 'far.example', tls: 'off' }] } };
    assert.equal(await send(enforce, TLS, one), 'clear');
  });

  it('the message waits with those words, and goes when the server has mended itself', async () => {
    const mended = await server({});
    let policy: StsPolicy | undefined = enforce;
    const resolver = fakeResolver({
      'far.example': { mx: [{ exchange: 'mail.office.example', priority: 10 }] },
      'mail.office.example': { a: ['127.0.0.1'] },
    });
    const staged = stage(() => testConfig({ delivery: { retryMs: [600_000] } }), {
      resolver,
      tuning: { mxPort: mended.port },
      policies: { secure: () => undefined, clock, sts: { of: async () => policy } },
    });
    staged.delivery.start();
    try {
      const id = staged.spool.add({ listener: 'relay', to: ['a@far.example'] });
      const said = (): string => staged.spool.progressOf(id).recipients[0]?.lastReply ?? '';
      await until('deferred', () => said() !== '');
      assert.match(said(), /^4\.7\.5 MTA-STS demands TLS/);
      assert.equal(mended.taken.length, 0);
      policy = undefined;
      staged.delivery.retryNow({ id });
      await until('delivered', () => mended.taken.length === 1);
    } finally {
      await staged.delivery.stop({ graceMs: 0 });
    }
  });
});
