import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { CONFIG_DOCS, configDocument, examplesIn, REWRITE, staleConfigDocs } from '../../scripts/checks/config-doc.ts';
import { LANGUAGES } from '../../src/base/i18n.ts';
import { checkConfigText } from '../../src/config/check.ts';
import { KEY_WORDS } from '../../src/config/key-words.ts';
import { getAt } from '../../src/config/path.ts';
import { type ConfigKey, configKeys, inPeopleUnits } from '../../src/config/reference.ts';
import { configSchema, defaultConfig } from '../../src/config/schema.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const keys = configKeys();

function key(wanted: string): ConfigKey {
  const found = keys.find(({ path: at }) => at === wanted);
  assert.ok(found, `${wanted} is a key`);
  return found;
}

/** Every key of a configuration with something in each list, as paths with `[]`: found without the reference. */
function pathsIn(value: unknown, prefix: string): string[] {
  if (Array.isArray(value))
    return value.flatMap((each: unknown) => (typeof each === 'object' ? pathsIn(each, `${prefix}[]`) : []));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => {
    const at = prefix === '' ? name : `${prefix}.${name}`;
    return [at, ...pathsIn(each, at)];
  });
}

test('every key of the schema is in the reference, found by filling a configuration to the brim', () => {
  const server = { host: '192.0.2.25' };
  const full = configSchema.parse({
    tls: { certificate: 'a.pem', key: 'b.pem' },
    accept: { dnsbl: { zones: [{ zone: 'bl.example' }] } },
    domains: [{ name: 'office.example', servers: [server], recipients: { file: 'list' }, perMinute: 1 }],
    outbound: {
      smarthost: { ...server, user: 'office', password: 'pass' },
      destinations: [{ domain: 'far.example', tls: 'required', dane: false, mtaSts: false }],
    },
    delivery: { overrides: [{ ...server, domain: 'office.example' }] },
    policy: {
      spamFor: [{ recipients: ['@office.example'], tag: 4, quarantine: 6, reject: 9, subjectTag: '' }],
      lists: { allow: [{ match: '@shop.example' }], block: [{ match: '192.0.2.7' }] },
    },
    engines: { rspamd: { learnUrl: 'http://127.0.0.1:11334' } },
    metrics: { port: 9_000 },
    portal: { url: 'https://mail.office.example:8443' },
  });
  assert.deepEqual([...new Set(pathsIn(full, ''))].toSorted(), keys.map(({ path: at }) => at).toSorted());
});

test('every key says what it is for, in whole sentences of both languages', () => {
  for (const { path: at, words } of keys) {
    assert.ok(words, `${at} has no words: add them to src/config/key-words.ts, then run ${REWRITE}`);
    assert.match(words.en, /^["A-Z].{8,}\.$/s, `${at} in English`);
    assert.match(
      words.ja,
      /^["「`A-Za-z\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\d@].{4,}。$/su,
      `${at} in Japanese`,
    );
    assert.match(words.ja, /\p{Script=Hiragana}/u, `${at} in Japanese`);
    assert.doesNotMatch(words.en, /\p{Script=Hiragana}|\p{Script=Katakana}/u, `${at} in English`);
  }
});

test('no words are told of a key that does not exist', () => {
  const known = new Set(keys.map(({ path: at }) => at));
  assert.deepEqual(
    Object.keys(KEY_WORDS).filter((at) => !known.has(at)),
    [],
  );
});

test('keys that the words of another key name in quotes exist', () => {
  const names = new Set(keys.flatMap(({ path: at }) => [at, at.split('.').at(-1)]));
  const values = new Set(keys.flatMap(({ choices }) => choices));
  for (const { path: at, words } of keys)
    for (const text of Object.values(words ?? {}))
      for (const [, quoted = ''] of text.matchAll(/["「]([a-zA-Z][\w.]*)["」]/g))
        assert.ok(names.has(quoted) || values.has(quoted), `${at} speaks of "${quoted}"`);
});

test('each choice of a key is explained in its words, unless its name says all', () => {
  const plain = ['version', 'policy.suspiciousFrom', 'policy.ownDomainFromOutside', 'log.level', 'policy.unscannable'];
  plain.push(
    'policy.disguisedExecutable',
    'policy.executable',
    'policy.encryptedArchive',
    'listeners.relay.bareLineFeed',
  );
  for (const { path: at, choices, words } of keys)
    if (!plain.includes(at))
      for (const choice of choices)
        for (const language of LANGUAGES)
          assert.ok(
            words?.[language].includes(`"${String(choice)}"`),
            `${at} explains "${String(choice)}" (${language})`,
          );
});

test('defaults are those the gateway runs with, also of lists whose values are transformed', () => {
  const running = defaultConfig();
  for (const each of keys)
    if (!each.path.includes('[]') && each.kind !== 'section' && !each.path.startsWith('outbound.smarthost.'))
      assert.deepEqual(each.default, getAt(running, each.path), each.path);
  assert.deepEqual(key('domains').default, []);
  assert.equal(key('domains[].servers[].port').default, 25);
});

test('a key tells its kind, range, unit and whether it must be there', () => {
  assert.deepEqual(key('listeners.mx.greetingDelayMs').range, { least: 0, most: 30_000 });
  assert.equal(key('listeners.mx.greetingDelayMs').unit, 'ms');
  assert.deepEqual(key('accept.dnsbl.threshold').range, { above: 0, most: 1_000 });
  assert.deepEqual(key('limits.archiveDepth').range, { least: 0 });
  assert.deepEqual(key('delivery.retryMs').count, { least: 1 });
  assert.deepEqual(key('domains[].recipients.check').choices, ['call-ahead', 'list', 'any']);
  assert.equal(key('domains[].servers[].host').kind, 'text');
  assert.equal(key('domains[].servers[].host').required, true);
  assert.equal(key('domains[].servers[].port').required, false);
  assert.equal(key('domains[].servers').kind, 'sections');
});

test('inPeopleUnits() takes the largest unit that loses nothing', () => {
  assert.equal(inPeopleUnits(300_000, 'ms', 'en'), '5 minutes');
  assert.equal(inPeopleUnits(60_000, 'ms', 'en'), '1 minute');
  assert.equal(inPeopleUnits(172_800_000, 'ms', 'ja'), '2 日');
  assert.equal(inPeopleUnits(90_000, 'ms', 'ja'), '90 秒');
  assert.equal(inPeopleUnits(100, 'ms', 'en'), undefined);
  assert.equal(inPeopleUnits(0, 'ms', 'en'), undefined);
  assert.equal(inPeopleUnits(52_428_800, 'octets', 'en'), '50 MiB');
  assert.equal(inPeopleUnits(52_428_801, 'octets', 'en'), undefined);
  assert.equal(inPeopleUnits(5, undefined, 'en'), undefined);
});

for (const language of LANGUAGES) {
  test(`the document (${language}) on disk is what the schema says`, () => {
    const file = CONFIG_DOCS[language];
    assert.equal(
      readFileSync(path.join(ROOT, file), 'utf8'),
      configDocument(language),
      `${file} is old: run ${REWRITE}`,
    );
  });

  test(`every example of the document (${language}) is a configuration the gateway takes`, () => {
    const examples = examplesIn(configDocument(language));
    assert.equal(examples.length, 4);
    for (const text of examples) assert.deepEqual(checkConfigText(text).problems, [], text);
  });

  test(`the document (${language}) has a heading for each key, the links lead to one, and no mark is left unfilled`, () => {
    const text = configDocument(language);
    const headings = [...text.matchAll(/^#+ `([^`]+)`$/gm)].map((match) => match[1]);
    assert.deepEqual(
      headings,
      keys.map(({ path: at }) => at),
    );
    for (const [, anchor] of text.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(headings.includes(anchor ?? ''), `#${anchor}`);
    assert.doesNotMatch(text, /\{\w+\}|undefined|\[object/);
  });
}

test('staleConfigDocs() names a document that is missing or was edited by hand', async (context) => {
  const root = await mkdtemp(path.join(tmpdir(), 'config-doc-'));
  context.after(() => rm(root, { recursive: true, force: true }));
  await mkdir(path.join(root, 'docs'));
  assert.deepEqual(staleConfigDocs(root).toSorted(), ['docs/config.ja.md', 'docs/config.md']);
  await writeFile(path.join(root, CONFIG_DOCS.ja), configDocument('ja'));
  await writeFile(path.join(root, CONFIG_DOCS.en), configDocument('en').replace('default `25`', 'default `26`'));
  assert.deepEqual(staleConfigDocs(root), ['docs/config.md']);
  assert.deepEqual(staleConfigDocs(ROOT), []);
});
