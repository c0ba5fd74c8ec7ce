import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCode } from '../../src/base/errors.ts';
import { differences, getAt, setAt, unsetAt } from '../../src/config/path.ts';

const config = {
  language: 'ja',
  domains: [
    { name: 'office.example', servers: [{ host: 'mail.office.example', port: 25 }] },
    { name: '会社.example', servers: [{ host: '192.0.2.25' }] },
  ],
};

test('getAt() reads by key, index and name, a domain in either spelling', () => {
  assert.equal(getAt(config, 'language'), 'ja');
  assert.equal(getAt(config, 'domains.0.servers.0.port'), 25);
  assert.equal(getAt(config, 'domains[0].servers[0].port'), 25);
  assert.equal(getAt(config, 'domains[office.example].servers[mail.office.example].port'), 25);
  assert.equal(getAt(config, 'domains["office.example"].name'), 'office.example');
  assert.equal(
    getAt(config, 'domains[xn--6oq404h.example].servers.0.host'),
    getAt(config, 'domains[会社.example].servers.0.host'),
  );
  assert.equal(getAt(config, 'domains[other.example].name'), undefined);
  assert.equal(getAt(config, 'domains.9'), undefined);
});

test('getAt() sees no inherited property', () => {
  assert.equal(getAt(config, 'toString'), undefined);
  assert.equal(getAt(config, 'domains.length'), undefined);
});

test('setAt() changes a copy, makes objects on the way, and appends', () => {
  const next = setAt(config, 'policy.spam.tag', 4) as typeof config & { policy: unknown };
  assert.deepEqual(next.policy, { spam: { tag: 4 } });
  assert.equal('policy' in config, false);
  const more = setAt(config, 'domains.+', { name: 'third.example' }) as typeof config;
  assert.equal(more.domains.length, 3);
  assert.equal(getAt(setAt(config, 'domains.2.name', 'x.example'), 'domains.2.name'), 'x.example');
  assert.deepEqual(setAt({}, 'dns.servers.0', '127.0.0.1'), { dns: { servers: ['127.0.0.1'] } });
});

test('unsetAt() removes a key or an element', () => {
  assert.equal('language' in (unsetAt(config, 'language') as object), false);
  assert.deepEqual(getAt(unsetAt(config, 'domains[office.example]'), 'domains.0.name'), '会社.example');
});

for (const path of [
  '',
  '.',
  'a..b',
  'a.',
  '__proto__.x',
  'a.constructor',
  'a[',
  'a[]',
  'domains.5.name',
  'domains[none.example].name',
  'language.x',
])
  test(`setAt() refuses the path "${path}" with a remedy`, () => {
    assert.throws(
      () => setAt(config, path, 1),
      (error) =>
        errorCode(error) === 'CONFIG_PATH' && error instanceof Error && 'remedy' in error && error.remedy !== undefined,
    );
  });

test('unsetAt() refuses what is not set', () => {
  assert.throws(() => unsetAt(config, 'policy.spam'), { code: 'CONFIG_PATH' });
});

test('differences() names each place once, elements of named lists by their name', () => {
  const after = structuredClone(config);
  after.language = 'en';
  after.domains.reverse();
  after.domains[1] = { name: 'office.example', servers: [{ host: 'mail.office.example', port: 2525 }] };
  assert.deepEqual(differences(config, after), [
    { path: 'language', before: 'ja', after: 'en' },
    { path: 'domains[office.example].servers[mail.office.example].port', before: 25, after: 2525 },
  ]);
});

test('differences() tells an added and a removed element whole, and a mere change of order', () => {
  const added = { ...config, domains: [...config.domains, { name: 'third.example', servers: [] }] };
  assert.deepEqual(differences(config, added), [
    { path: 'domains[third.example]', after: { name: 'third.example', servers: [] } },
  ]);
  assert.deepEqual(differences({ list: [{ name: 'a' }] }, { list: [] }), [{ path: 'list[a]', before: { name: 'a' } }]);
  const turned = differences(config, { ...config, domains: config.domains.toReversed() });
  assert.deepEqual(
    turned.map((one) => one.path),
    ['domains'],
  );
  assert.deepEqual(differences(config, structuredClone(config)), []);
});
