import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkConfig, checkConfigText } from '../../src/config/check.ts';
import { allowedAt, problemLine } from '../../src/config/problems.ts';
import { HIDDEN, isSecret, redact } from '../../src/config/redact.ts';
import { defaultConfig } from '../../src/config/schema.ts';
import { migrate, type MigrationSteps } from '../../src/config/migrate/migrate.ts';

function pathsOf(candidate: unknown, localAddresses: string[] = []): string[] {
  return checkConfig(candidate, { localAddresses }).problems.map((problem) => problem.path);
}

const server = { host: '192.0.2.25' };

test('checkConfig() accepts an empty object and fills in every default', () => {
  const result = checkConfig({});
  assert.equal(result.ok, true);
  assert.deepEqual(result.config, defaultConfig());
});

test('checkConfig() takes no time that a timer cannot wait: too long a one would be over at once', () => {
  const timeouts = { connectMs: 0, commandMs: 2_147_483_648, dataMs: 2_147_483_647 };
  assert.deepEqual(pathsOf({ timeouts, dns: { timeoutMs: 0 } }), [
    'timeouts.connectMs',
    'timeouts.commandMs',
    'dns.timeoutMs',
  ]);
  assert.deepEqual(pathsOf({ delivery: { expireOutboundMs: 30 * 86_400_000 } }), []);
});

test('checkConfig() stores a domain of any spelling as a lower-case A-label', () => {
  const result = checkConfig({
    domains: [
      { name: '会社.Example', servers: [server] },
      { name: 'Office.EXAMPLE.', servers: [server] },
    ],
  });
  assert.equal(result.ok, true);
  assert.deepEqual(
    result.config.domains.map((domain) => domain.name),
    ['xn--6oq404h.example', 'office.example'],
  );
});

test('checkConfig() tells all problems at once: schema, unknown keys and contradictions', () => {
  const paths = pathsOf({
    hostnmae: 'x',
    listeners: { mx: { port: '25' }, relay: { networks: ['0.0.0.0/0'] } },
    domains: [
      { name: 'a b', servers: [] },
      { name: 'office.example', servers: [{ host: '127.0.0.1', port: 10_025 }], recipients: { check: 'list' } },
    ],
    policy: { spam: { tag: 9 } },
  });
  for (const path of [
    'hostnmae',
    'listeners.mx.port',
    'listeners.relay.networks.0',
    'domains.0.name',
    'domains.0.servers',
    'domains.1.recipients.file',
    'domains.1.servers.0',
    'policy.spam',
  ])
    assert.ok(paths.includes(path), `${path} in ${paths.join(' ')}`);
});

test('a problem names key, found value, what is allowed and the remedy, in both languages', () => {
  const [problem] = checkConfig({ listeners: { mx: { port: 70_000 } } }).problems;
  assert.ok(problem);
  assert.equal(problem.path, 'listeners.mx.port');
  assert.equal(problem.found, '70000');
  assert.match(problemLine(problem, 'en'), /not allowed \(found: 70000\); allowed: a port number from 1 to 65535/);
  assert.match(problemLine(problem, 'ja'), /指定できません（?.*70000.*1 から 65535/);
});

for (const [wrong, meant] of [
  ['hostnmae', 'hostname'],
  ['host_name', 'hostname'],
  ['Langauge', 'language'],
  ['domain', 'domains'],
] as const)
  test(`an unknown key "${wrong}" is answered with "${meant}"`, () => {
    const [problem] = checkConfig({ [wrong]: 'x' }).problems;
    assert.match(problem?.remedy.en ?? '', new RegExp(`Did you mean "${meant}"`));
    assert.match(problem?.remedy.ja ?? '', new RegExp(meant));
  });

test('a known key at the wrong place is sent to its place', () => {
  assert.match(checkConfig({ smarthost: server }).problems[0]?.remedy.en ?? '', /belongs to outbound\.smarthost/);
});

test('a quoted number and a bare value where a list is due get their own remedy', () => {
  assert.match(
    checkConfig({ limits: { receivedHops: '50' } }).problems[0]?.remedy.en ?? '',
    /quotes around the number/,
  );
  assert.match(checkConfig({ dns: { servers: '127.0.0.1' } }).problems[0]?.remedy.en ?? '', /brackets/);
});

test('every place of the default configuration can say what is allowed there', () => {
  const walk = (value: unknown, path: Array<string | number>): void => {
    const { ja, en } = allowedAt(path);
    assert.ok(
      en.length > 0 && ja.length > 0 && !/undefined|null|NaN/.test(en + ja),
      `${path.join('.')}: ${en} / ${ja}`,
    );
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
  };
  walk(defaultConfig(), []);
});

const REFUSED: ReadonlyArray<[string, unknown, string]> = [
  [
    'the whole Internet as relay network',
    { listeners: { relay: { networks: ['0.0.0.0/0'] } } },
    'listeners.relay.networks.0',
  ],
  ['all of IPv6 as relay network', { listeners: { relay: { networks: ['::/0'] } } }, 'listeners.relay.networks.0'],
  [
    'all of IPv4 in its mapped form',
    { listeners: { relay: { networks: ['::ffff:0.0.0.0/96'] } } },
    'listeners.relay.networks.0',
  ],
  [
    'half of the Internet',
    { listeners: { relay: { networks: ['192.168.0.0/16', '128.0.0.0/1'] } } },
    'listeners.relay.networks.1',
  ],
  [
    'the Internet in slices',
    {
      listeners: {
        relay: {
          networks: Array.from({ length: 200 }, (_, i) => `${i + 1}.0.0.0/8`).filter((n) => !/^(10|127)\./.test(n)),
        },
      },
    },
    'listeners.relay.networks',
  ],
  ['a network that is none', { listeners: { relay: { networks: ['999.1.1.1/24'] } } }, 'listeners.relay.networks.0'],
  ['a prefix that is too long', { listeners: { relay: { networks: ['192.0.2.0/33'] } } }, 'listeners.relay.networks.0'],
  [
    'balancers all over the Internet',
    { listeners: { mx: { proxyPeers: ['10.0.0.0/8', '0.0.0.0/0'] } } },
    'listeners.mx.proxyPeers.1',
  ],
  ['filters in half of IPv6', { listeners: { mx: { xclientPeers: ['8000::/1'] } } }, 'listeners.mx.xclientPeers.0'],
  ['a client that is none', { accept: { dnsbl: { allow: ['1.2.3.4.5'] } } }, 'accept.dnsbl.allow.0'],
  ['a blocklist that is no name', { accept: { dnsbl: { zones: [{ zone: 'b l' }] } } }, 'accept.dnsbl.zones.0.zone'],
  [
    'limits of some recipients that do not rise with those of everybody',
    { policy: { spamFor: [{ recipients: ['@a.example'], tag: 9 }] } },
    'policy.spamFor.0',
  ],
  [
    'a recipient that is a network',
    { policy: { spamFor: [{ recipients: ['192.0.2.0/24'] }] } },
    'policy.spamFor.0.recipients.0',
  ],
  ['two listeners on one port', { listeners: { mx: { port: 2525 }, relay: { port: 2525 } } }, 'listeners.relay.port'],
  ['metrics on a listener port', { listeners: { mx: { port: 9100 } }, metrics: { port: 9100 } }, 'metrics.port'],
  [
    'the same domain twice in two spellings',
    {
      domains: [
        { name: '会社.example', servers: [server] },
        { name: 'XN--6OQ404H.example', servers: [server] },
      ],
    },
    'domains.1.name',
  ],
  [
    'the same server twice',
    { domains: [{ name: 'office.example', servers: [server, server] }] },
    'domains.0.servers.1',
  ],
  ['an address literal as domain', { domains: [{ name: '[192.0.2.1]', servers: [server] }] }, 'domains.0.name'],
  [
    'a list without file',
    { domains: [{ name: 'office.example', servers: [server], recipients: { check: 'list' } }] },
    'domains.0.recipients.file',
  ],
  [
    'ourselves as mail server by loopback',
    { domains: [{ name: 'office.example', servers: [{ host: '127.0.0.1' }] }] },
    'domains.0.servers.0',
  ],
  [
    'ourselves as the place a domain is sent to for now',
    { delivery: { overrides: [{ domain: 'office.example', host: '127.0.0.1' }] } },
    'delivery.overrides.0',
  ],
  [
    'ourselves by "localhost"',
    { domains: [{ name: 'office.example', servers: [{ host: 'localhost' }] }] },
    'domains.0.servers.0',
  ],
  [
    'ourselves by our own name',
    { hostname: 'mx.example.com', domains: [{ name: 'office.example', servers: [{ host: 'MX.example.com' }] }] },
    'domains.0.servers.0',
  ],
  [
    'ourselves by an address of the machine',
    { domains: [{ name: 'office.example', servers: [{ host: '192.0.2.7' }] }] },
    'domains.0.servers.0',
  ],
  ['ourselves as smarthost', { outbound: { smarthost: { host: '127.0.0.1', port: 10_025 } } }, 'outbound.smarthost'],
  ['a certificate without key', { tls: { certificate: 'cert.pem' } }, 'tls.key'],
  ['a key without certificate', { tls: { key: 'key.pem' } }, 'tls.certificate'],
  ['a resolver by name', { dns: { servers: ['dns.example.com'] } }, 'dns.servers.0'],
  ['a resolver with a wrong port', { dns: { servers: ['127.0.0.1:99999'] } }, 'dns.servers.0'],
  ['falling thresholds', { policy: { spam: { tag: 9, quarantine: 8 } } }, 'policy.spam'],
];

for (const [what, candidate, path] of REFUSED)
  test(`checkConfig() refuses ${what}`, () => assert.deepEqual(pathsOf(candidate, ['192.0.2.7']), [path]));

const ACCEPTED: ReadonlyArray<[string, unknown]> = [
  [
    'private networks of any size',
    { listeners: { relay: { networks: ['10.0.0.0/8', '172.16.0.0/12', 'fc00::/7', '::1', '100.64.0.0/10'] } } },
  ],
  ['a public /24 and a /48', { listeners: { relay: { networks: ['198.51.100.0/24', '2001:db8::/48'] } } }],
  [
    'the same port on two addresses',
    { listeners: { mx: { address: '192.0.2.7', port: 25 }, relay: { address: '127.0.0.1', port: 25 } } },
  ],
  [
    'the same port when one listener is off',
    { listeners: { mx: { port: 2525, enabled: false }, relay: { port: 2525 } } },
  ],
  [
    'a mail server on this machine at another port',
    { domains: [{ name: 'office.example', servers: [{ host: '127.0.0.1', port: 2600 }] }] },
  ],
  ['resolvers with ports', { dns: { servers: ['127.0.0.1:5353', '[::1]:53', '::1', '192.0.2.53'] } }],
  ['rspamd by path', { engines: { rspamd: { url: '/run/rspamd/worker.sock' } } }],
];

for (const [what, candidate] of ACCEPTED)
  test(`checkConfig() accepts ${what}`, () => assert.deepEqual(pathsOf(candidate, ['192.0.2.7']), []));

test('checkConfig() refuses a newer version by its number, whatever else is in it', () => {
  const { ok, problems } = checkConfig({ version: 2, brandNew: true });
  assert.equal(ok, false);
  assert.equal(problems.length, 1);
  assert.match(problems[0]?.message.en ?? '', /made by a newer version/);
  assert.match(problems[0]?.message.ja ?? '', /新しい版/);
});

test('migrate() climbs version by version and tells a missing step', () => {
  const steps: MigrationSteps = new Map<number, (input: Record<string, unknown>) => Record<string, unknown>>([
    [1, (input: Record<string, unknown>) => ({ ...input, two: true })],
    [2, (input: Record<string, unknown>) => ({ ...input, three: true })],
  ]);
  const climbed = migrate({ version: 1, a: 1 }, { steps, target: 3 });
  assert.deepEqual(climbed, { ok: true, from: 1, value: { version: 3, a: 1, two: true, three: true } });
  assert.equal(migrate({ version: 1 }, { steps: new Map(), target: 2 }).ok, false);
});

test('checkConfig() never throws, and tells a problem for whatever is not valid', () => {
  const keys = fc.constantFrom(
    'version',
    'domains',
    'listeners',
    'mx',
    'relay',
    'networks',
    'name',
    'servers',
    'policy',
    'spam',
    '__proto__',
    'dns',
  );
  const leaf: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 2 });
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }) as fc.Arbitrary<unknown>,
      fc.dictionary(keys, tie('tree')) as fc.Arbitrary<unknown>,
    ),
  }));
  fc.assert(
    fc.property(tree, (candidate) => {
      const result = checkConfig(JSON.parse(JSON.stringify(candidate) ?? 'null'));
      assert.equal(result.ok, result.problems.length === 0);
    }),
    { numRuns: 500 },
  );
});

test('checkConfigText() tells where a file is not JSON', () => {
  const { problems } = checkConfigText('{\n  "language": "ja",\n}');
  assert.match(problems[0]?.message.en ?? '', /line 2, column 19/);
  assert.match(problems[0]?.message.ja ?? '', /2 行 19 文字目/);
});

test('redact() hides values by the name of their key, and leaves the path of tls.key', () => {
  const shown = redact({
    tls: { key: '/etc/key.pem' },
    webhook: { apiKey: 'a', token: 'b', secrets: ['c'], name: 'n' },
    smtp: { password: '' },
  });
  assert.deepEqual(shown, {
    tls: { key: '/etc/key.pem' },
    webhook: { apiKey: HIDDEN, token: HIDDEN, secrets: HIDDEN, name: 'n' },
    smtp: { password: '' },
  });
  assert.equal(isSecret(['monkey']), false);
  assert.equal(isSecret(['other', 'key']), true);
});
