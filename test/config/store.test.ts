import assert from 'node:assert/strict';
import { chmod, mkdtemp, mkdir, readdir, readFile, rm, stat, symlink, writeFile, lstat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { GENERATIONS_KEPT } from '../../src/config/generations.ts';
import type { ConfigProblem } from '../../src/config/problems.ts';
import { ConfigRefused, type ConfigStore, type ConfigStoreOptions, openConfigStore } from '../../src/config/store.ts';

const AUTHOR = { by: 'test' };
const clock: Clock = { wall: () => Date.UTC(2026, 10, 21), monotonic: () => 0, bootId: 'b', synchronised: () => true };

async function folder(context: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'sekisho-config-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function open(
  context: TestContext,
  content: unknown = { version: 1, hostname: 'mx.example.com' },
  options: Partial<ConfigStoreOptions> = {},
): Promise<{ store: ConfigStore; file: string }> {
  const file = path.join(await folder(context), 'sekisho.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return { store: await openConfigStore({ file, clock, ...options }), file };
}

async function fileOf(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'));
}

test('openConfigStore() never starts on silent defaults: a missing file is an error with a remedy', async (context) => {
  const file = path.join(await folder(context), 'sekisho.json');
  await assert.rejects(openConfigStore({ file }), { code: 'CONFIG_MISSING' });
  const store = await openConfigStore({ file, create: { language: 'en' } });
  assert.equal(store.current().language, 'en');
  assert.deepEqual(await fileOf(file), { version: 1, language: 'en' });
});

test('openConfigStore() with create leaves an existing file alone', async (context) => {
  const { file } = await open(context);
  const store = await openConfigStore({ file, create: { hostname: 'other.example.com' } });
  assert.equal(store.current().hostname, 'mx.example.com');
});

test('openConfigStore() tells every problem of a bad file', async (context) => {
  await assert.rejects(open(context, { language: 'fr', port: 1 }), (error) => {
    assert.ok(error instanceof ConfigRefused);
    assert.deepEqual(error.problems.map((problem) => problem.path).toSorted(), ['language', 'port']);
    assert.match(error.message, /language: .*"fr".*"ja", "en"/);
    return true;
  });
});

test('openConfigStore() reads a file with a byte order mark', async (context) => {
  const { store } = await open(context, '\ufeff{"hostname": "bom.example.com"}');
  assert.equal(store.current().hostname, 'bom.example.com');
});

test('set() writes the file, keeps what was not set out of it, records a generation and tells the listeners', async (context) => {
  const { store, file } = await open(context);
  const heard: Array<{ next: number; previous: number; paths: readonly string[] }> = [];
  store.onChange((next, previous, paths) => {
    heard.push({ next: next.policy.spam.tag, previous: previous.policy.spam.tag, paths });
  });
  const result = await store.set('policy.spam.tag', 4, { by: 'cli (root)', why: 'too strict' });
  assert.deepEqual(result, { ok: true, generation: 2, changed: ['policy.spam.tag'], problems: [] });
  assert.equal(store.current().policy.spam.tag, 4);
  assert.deepEqual(await fileOf(file), { version: 1, hostname: 'mx.example.com', policy: { spam: { tag: 4 } } });
  assert.deepEqual(heard, [{ next: 4, previous: 5, paths: ['policy.spam.tag'] }]);
  assert.deepEqual((await store.generations()).at(-1), {
    generation: 2,
    at: '2026-11-21T00:00:00.000Z',
    by: 'cli (root)',
    why: 'too strict',
    changed: ['policy.spam.tag'],
  });
  const reopened = await openConfigStore({ file, clock });
  assert.equal(reopened.generation(), 2);
  assert.equal(reopened.current().policy.spam.tag, 4);
});

test('change() sets several places in one generation, and what fits together only as a whole is taken', async (context) => {
  const { store, file } = await open(context);
  const heard: string[] = [];
  store.onChange((next, _previous, paths) => void heard.push(`${next.hostname}: ${paths.join(' ')}`));
  const spam = { quarantine: 30, reject: 40 };
  const settings = [
    ['policy.spam.tag', 20],
    ['policy.spam', { tag: 20, ...spam }],
    ['hostname', undefined],
    ['history.days', undefined],
  ] as const;
  const result = await store.change(settings, AUTHOR);
  assert.equal(result.ok && result.generation, 2);
  assert.deepEqual(await fileOf(file), { version: 1, policy: { spam: { tag: 20, ...spam } } });
  assert.equal(heard.length, 1);
  assert.match(heard[0] ?? '', /^sekisho\.localdomain: hostname policy\.spam\.tag /);
});

test('of a change() that is refused, or that a listener cannot apply, nothing stands', async (context) => {
  const { store, file } = await open(context);
  const before = await readFile(file, 'utf8');
  const bad = [
    ['history.days', 7],
    ['listeners.relay.networks', ['0.0.0.0/0']],
  ] as const;
  assert.equal((await store.change(bad, AUTHOR)).ok, false);
  store.onChange((next) => {
    if (next.metrics.port === 9_000) throw new Error('The port is taken');
  });
  const taken = [
    ['history.days', 7],
    ['metrics.port', 9_000],
  ] as const;
  await assert.rejects(store.change(taken, AUTHOR), { code: 'CONFIG_NOT_APPLIED' });
  assert.equal(await readFile(file, 'utf8'), before);
  assert.deepEqual([store.current().history.days, (await store.generations()).length], [400, 1]);
});

test('set() of a bad value changes nothing and tells why', async (context) => {
  const { store, file } = await open(context);
  const before = await readFile(file, 'utf8');
  const result = await store.set('listeners.relay.networks', ['0.0.0.0/0'], AUTHOR);
  assert.equal(result.ok, false);
  assert.match(result.problems[0]?.message.en ?? '', /open relay/);
  assert.equal(await readFile(file, 'utf8'), before);
  assert.equal((await store.generations()).length, 1);
});

test('set() addresses a domain by its name and unset() brings the default back', async (context) => {
  const { store } = await open(context, { domains: [{ name: 'office.example', servers: [{ host: '192.0.2.25' }] }] });
  await store.set('domains[office.example].servers.0.port', 2525, AUTHOR);
  assert.equal(store.current().domains[0]?.servers[0]?.port, 2525);
  const result = await store.unset('domains[office.example].servers[192.0.2.25].port', AUTHOR);
  assert.deepEqual(result.ok && result.changed, ['domains[office.example].servers[192.0.2.25].port']);
  assert.equal(store.current().domains[0]?.servers[0]?.port, 25);
});

test('a write that fails leaves file, generations, listeners and what runs as they were', async (context) => {
  const { store, file } = await open(context);
  const before = await readFile(file, 'utf8');
  const heard: string[] = [];
  store.onChange((next) => void heard.push(next.hostname));
  // The temporary file of the atomic write cannot be made where a folder has its name (root ignores permissions).
  await mkdir(`${file}.${process.pid}.new`);
  await assert.rejects(store.set('hostname', 'new.example.com', AUTHOR), { code: 'CONFIG_NOT_WRITTEN' });
  assert.equal(await readFile(file, 'utf8'), before);
  assert.equal(store.current().hostname, 'mx.example.com');
  assert.equal((await store.generations()).length, 1);
  assert.deepEqual(heard, ['new.example.com', 'mx.example.com']);
  await rm(`${file}.${process.pid}.new`, { recursive: true, force: true });
  assert.equal((await store.set('hostname', 'new.example.com', AUTHOR)).ok, true);
});

test('a listener that cannot apply a change takes it back everywhere', async (context) => {
  const { store, file } = await open(context);
  const before = await readFile(file, 'utf8');
  const first: number[] = [];
  store.onChange((next) => void first.push(next.listeners.mx.port));
  const stop = store.onChange((next) => {
    if (next.listeners.mx.port === 80) throw new Error('Port 80 is taken');
  });
  await assert.rejects(store.set('listeners.mx.port', 80, AUTHOR), (error) => {
    assert.ok(error instanceof Error);
    assert.match(error.message, /Port 80 is taken/);
    return true;
  });
  assert.deepEqual(first, [80, 25]);
  assert.equal(store.current().listeners.mx.port, 25);
  assert.equal(await readFile(file, 'utf8'), before);
  stop();
  assert.equal((await store.set('listeners.mx.port', 80, AUTHOR)).ok, true);
});

test('reload() takes a hand edit over and names what changed', async (context) => {
  const { store, file } = await open(context);
  await writeFile(file, '{"hostname": "edited.example.com"}');
  const result = await store.reload({ by: 'cli (root)' });
  assert.deepEqual(result.ok && result.changed, ['hostname']);
  assert.equal(store.current().hostname, 'edited.example.com');
  assert.equal((await store.generations()).at(-1)?.why, 'reload');
  assert.deepEqual(await store.reload(), { ok: true, generation: 2, changed: [], problems: [] });
});

test('a bad reload keeps what runs, raises, and clears once the file is mended', async (context) => {
  const refused: Array<readonly ConfigProblem[]> = [];
  let accepted = 0;
  const { store, file } = await open(context, undefined, {
    onRefused: (problems) => void refused.push(problems),
    onAccepted: () => void (accepted += 1),
  });
  const running = store.current();
  for (const text of ['{"hostname": ', '{"hostname": 5}', '']) {
    await writeFile(file, text);
    const result = await store.reload();
    assert.equal(result.ok, false);
    assert.equal(store.current(), running);
    assert.equal(store.refusal().length, 1);
  }
  await rm(file);
  assert.equal((await store.reload()).ok, false);
  assert.equal(refused.length, 4);
  await writeFile(file, '{"hostname": "mended.example.com"}');
  assert.equal((await store.reload()).ok, true);
  assert.deepEqual([store.refusal(), accepted], [[], 1]);
});

test('set() never overwrites a hand edit: it asks for a reload first', async (context) => {
  const { store, file } = await open(context);
  await writeFile(file, '{"hostname": "edited.example.com"}');
  await assert.rejects(store.set('language', 'en', AUTHOR), { code: 'CONFIG_CHANGED_ON_DISK' });
  assert.deepEqual(await fileOf(file), { hostname: 'edited.example.com' });
  await store.reload();
  assert.equal((await store.set('language', 'en', AUTHOR)).ok, true);
  assert.deepEqual(await fileOf(file), { hostname: 'edited.example.com', language: 'en' });
});

test('rollback() restores an earlier generation as a new one, and diff() tells the difference', async (context) => {
  const { store, file } = await open(context);
  await store.set('policy.spam.tag', 4, AUTHOR);
  await store.set('language', 'en', AUTHOR);
  assert.deepEqual(await store.diff(1, 3), [
    { path: 'language', before: 'ja', after: 'en' },
    { path: 'policy.spam.tag', before: 5, after: 4 },
  ]);
  const result = await store.rollback(1, AUTHOR);
  assert.deepEqual(result.ok && [result.generation, result.changed.toSorted()], [4, ['language', 'policy.spam.tag']]);
  assert.deepEqual(await fileOf(file), { version: 1, hostname: 'mx.example.com' });
  assert.deepEqual(await store.diff(1, 4), []);
  await assert.rejects(store.rollback(99, AUTHOR), { code: 'NOT_FOUND' });
});

test('rollback() to what runs discards a bad hand edit', async (context) => {
  const { store, file } = await open(context);
  await writeFile(file, 'nonsense');
  await store.reload();
  assert.equal((await store.rollback(1, AUTHOR)).ok, true);
  assert.deepEqual(await fileOf(file), { version: 1, hostname: 'mx.example.com' });
  assert.deepEqual(store.refusal(), []);
});

test(`the last ${GENERATIONS_KEPT} generations are kept, and a damaged one is passed over`, async (context) => {
  const { store, file } = await open(context);
  for (let i = 0; i < GENERATIONS_KEPT + 5; i += 1) await store.set('limits.receivedHops', 10 + i, AUTHOR);
  const kept = await store.generations();
  assert.equal(kept.length, GENERATIONS_KEPT);
  assert.equal(kept.at(-1)?.generation, GENERATIONS_KEPT + 6);
  const directory = path.join(path.dirname(file), 'generations');
  const names = (await readdir(directory)).toSorted();
  await writeFile(path.join(directory, names[3] ?? ''), '{"gener');
  assert.equal((await store.generations()).length, GENERATIONS_KEPT - 1);
  assert.equal((await openConfigStore({ file, clock })).generation(), GENERATIONS_KEPT + 6);
});

test('changes asked for at once are made one after the other, none lost', async (context) => {
  const { store, file } = await open(context);
  const results = await Promise.all([
    store.set('language', 'en', AUTHOR),
    store.set('limits.receivedHops', 40, AUTHOR),
    store.set('policy.virus', 'quarantine', AUTHOR),
  ]);
  assert.ok(results.every((result) => result.ok));
  assert.deepEqual(await fileOf(file), {
    version: 1,
    hostname: 'mx.example.com',
    language: 'en',
    limits: { receivedHops: 40 },
    policy: { virus: 'quarantine' },
  });
});

test('a file changed while the gateway was stopped becomes a generation of its own', async (context) => {
  const { file } = await open(context);
  await writeFile(file, '{"hostname": "edited.example.com"}');
  const store = await openConfigStore({ file, clock });
  const last = (await store.generations()).at(-1);
  assert.deepEqual([last?.generation, last?.by, last?.changed], [2, 'file', ['hostname']]);
});

test('with fallBack a bad file at the start runs the newest valid generation and says so', async (context) => {
  const { store, file } = await open(context);
  await store.set('language', 'en', AUTHOR);
  await writeFile(file, '{"language": "fr"}');
  await assert.rejects(openConfigStore({ file, clock }), { code: 'CONFIG_INVALID' });
  const refused: unknown[] = [];
  const restarted = await openConfigStore({
    file,
    clock,
    fallBack: true,
    onRefused: (problems) => void refused.push(problems),
  });
  assert.equal(restarted.current().language, 'en');
  assert.equal(restarted.generation(), 2);
  assert.equal(refused.length, 1);
  assert.equal(await readFile(file, 'utf8'), '{"language": "fr"}');
});

test('generations that cannot be written do not keep the gateway from starting, but from changing the configuration', async (context) => {
  const file = path.join(await folder(context), 'sekisho.json');
  await writeFile(file, '{"language": "en"}');
  await writeFile(path.join(path.dirname(file), 'generations'), 'in the way');
  const trouble: string[] = [];
  const store = await openConfigStore({ file, clock, onTrouble: (detail) => void trouble.push(detail) });
  assert.equal(store.current().language, 'en');
  assert.match(trouble[0] ?? '', /cannot be used/);
  await assert.rejects(store.set('language', 'ja', AUTHOR), { code: 'CONFIG_NOT_WRITTEN' });
  assert.deepEqual([store.current().language, await fileOf(file)], ['en', { language: 'en' }]);
});

test('a kill between generation and file leaves the old configuration in force', async (context) => {
  const { store, file } = await open(context);
  await store.set('language', 'en', AUTHOR);
  const directory = path.join(path.dirname(file), 'generations');
  const half = {
    generation: 3,
    at: '',
    by: 'cli',
    why: '',
    changed: ['language'],
    config: { language: 'ja', hostname: 'half.example.com' },
  };
  await writeFile(path.join(directory, '00000003.json'), JSON.stringify(half));
  await writeFile(`${file}.4711.new`, '{"hostname": "half'); // what an interrupted atomic write leaves behind
  const restarted = await openConfigStore({ file, clock });
  assert.deepEqual([restarted.current().language, restarted.current().hostname], ['en', 'mx.example.com']);
  assert.equal(restarted.generation(), 4);
});

test('the mode of the file and a symbolic link to it survive a change', async (context) => {
  const directory = await folder(context);
  const real = path.join(directory, 'real.json');
  const link = path.join(directory, 'sekisho.json');
  await writeFile(real, '{}');
  await chmod(real, 0o640);
  await symlink(real, link);
  const store = await openConfigStore({ file: link, clock });
  await store.set('language', 'en', AUTHOR);
  assert.equal((await stat(real)).mode & 0o777, 0o640);
  assert.ok((await lstat(link)).isSymbolicLink());
  assert.deepEqual(await fileOf(real), { language: 'en' });
  assert.equal((await stat(path.join(directory, 'generations'))).mode & 0o777, 0o700);
});

test('show() fills in defaults and reads one place', async (context) => {
  const { store } = await open(context);
  assert.equal(store.show('policy.spam.reject'), 15);
  assert.equal((store.show() as { hostname: string }).hostname, 'mx.example.com');
  assert.equal(store.show('nothing.here'), undefined);
});
